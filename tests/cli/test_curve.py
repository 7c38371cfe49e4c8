import json
from pathlib import Path
from typing import Any

import pytest

from textgen.cli import curve
from textgen.cli.curve import main
from textgen.cli.line_chart import Line, draw
from textgen.jobs import JobState

LINES: list[dict[str, Any]] = [
    {"steps": 10, "train_loss": None, "valid_loss": 3.0},
    {"steps": 20, "train_loss": 2.5, "valid_loss": 1.5},
    {"steps": 1030, "train_loss": 1.0, "valid_loss": 2.0},
]


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A function that makes the job `one` with the lines of its metrics.jsonl."""
    monkeypatch.chdir(tmp_path)

    def make_job(lines):
        job = tmp_path / "job" / "one"
        job.mkdir(parents=True, exist_ok=True)
        (job / "config.yaml").touch()
        (job / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        JobState("stopped", 1040).write(job / "state.json")

    return make_job


def test_a_pipe_gets_a_line_for_each_evaluation(make, capsys):
    """In a pipe, steps and losses are separated by tabs; without an argument, the newest job is used, and named."""
    make([*LINES, {"steps": 1040, "valid_loss": None}, {"valid_loss": 1.0}])
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert out == "10\t-\t3.0\n20\t2.5\t1.5\n1030\t1.0\t2.0\n"
    assert err == "Using the newest job, job/one\n"


def test_a_terminal_gets_a_chart_of_its_width(make, on_terminal, monkeypatch):
    """The chart fits the terminal; the axes show the least and the largest value, and the legend the best evaluation."""
    monkeypatch.setenv("NO_COLOR", "1")
    make(LINES)
    for columns in (50, 120):
        title, *rows, axis, labels, legend = on_terminal(columns, main, ["one"])
        assert title.startswith("job/one: stopped at step 1,040; ")
        assert {len(row) for row in (*rows, axis, labels)} == {columns}
        assert (rows[0].split()[0], rows[-1].split()[0], labels.split()) == ("3", "1", ["10", "1,030"])
        assert "training 1.000" in legend
        assert "validation 2.000, best 1.500 at step 20" in legend


def test_the_best_is_on_the_present_text(make, on_terminal, monkeypatch):
    """A loss on an earlier text cannot be compared with the later ones."""
    monkeypatch.setenv("NO_COLOR", "1")
    make([{**line, "valid_sha256": "old" if line["steps"] < 1000 else "new"} for line in LINES])
    *_, legend = on_terminal(80, main, ["one"])
    assert "validation 2.000, best 2.000 at step 1,030" in legend


def test_colours_follow_the_terminal(make, on_terminal, monkeypatch):
    """A terminal of 256 colours gets two of them, and NO_COLOR none."""
    make(LINES)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLORTERM", raising=False)
    text = "\n".join(on_terminal(80, main, ["one"]))
    assert "\x1b[38;5;208m" in text
    assert "\x1b[38;5;33m" in text
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in "\n".join(on_terminal(80, main, ["one"]))


def test_a_line_goes_through_its_points():
    """The dots of a falling line are on the diagonal, from the first row to the last."""
    rows = [row.plain for row in draw([Line([(0, 1.0), (31, 0.0)], "")], 38)]
    assert rows[0].startswith("  1 ┤⠑")
    marked = [[at for at, cell in enumerate(row) if "\u2800" < cell <= "\u28ff"] for row in rows[:16]]
    assert all(marked)
    assert [cells[0] for cells in marked] == sorted(cells[0] for cells in marked)


def test_a_character_shows_one_line():
    """Where two lines meet, no dot of the earlier one has the colour of the later one."""
    later = Line([(0, 0.0), (31, 1.0)], "blue")
    alone, both = (draw(lines, 38)[:16] for lines in ([later], [Line([(0, 1.0), (31, 0.0)], "red"), later]))
    assert [blue_cells(row) for row in both] == [blue_cells(row) for row in alone]


def blue_cells(row):
    return [(span.start, row.plain[span.start : span.end]) for span in row.spans if span.style == "blue"]


@pytest.mark.parametrize("numbers", [(1, 2.0), (7, 1e300), (1e300, 1.0), (3, 0.0)])
def test_one_point_of_any_size_can_be_drawn(make, on_terminal, numbers):
    """A single evaluation is a single dot. A number that no training gives is left out, and breaks nothing."""
    steps, loss = numbers
    make([{"steps": steps, "valid_loss": loss}, {"steps": 5, "train_loss": 1.0}])
    assert max(map(len, on_terminal(80, main, ["one"]))) < 400
    make([{"steps": 5, "train_loss": 1.0}])
    assert len(on_terminal(80, main, ["one"])) == 20


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["one"], 66, "job/one has no evaluation yet: it is stopped at step 1,040; "),
        (["nowhere"], 66, "there is neither nowhere nor job/nowhere; "),
        (["job"], 66, "job is not a job: it has no config.yaml; "),
        (["base"], 2, "which is a file; name the directory of its job"),
        (["one", "two"], 2, "unknown argument two"),
    ],
)
def test_bad_input_is_one_line(make, refusal, arguments, code, message):
    """Invalid arguments, and a job without an evaluation, are refused in one line."""
    make([])
    found, line = refusal(curve, arguments)
    assert (found, message in line) == (code, True), line


def test_a_damaged_job_is_refused(make, refusal):
    """A damaged line of metrics.jsonl is named."""
    make(LINES)
    Path("job/one/metrics.jsonl").write_text("nonsense\n")
    code, line = refusal(curve, ["one"])
    assert (code, "damaged in line 1" in line) == (78, True)
