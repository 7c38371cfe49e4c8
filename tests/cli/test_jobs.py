import json

import pytest

from textgen.cli.jobs import main
from textgen.jobs import JobDirectory, JobState, job_lock


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Three jobs in the folder `job`: a finished one, a damaged one, and one with unknown words."""
    monkeypatch.chdir(tmp_path)
    for name in ("good", "bad", "words"):
        (tmp_path / "job" / name).mkdir(parents=True)
        (tmp_path / "job" / name / "config.yaml").write_text("layers: nonsense" if name == "bad" else "")
    good, words = JobDirectory(tmp_path / "job" / "good"), JobDirectory(tmp_path / "job" / "words")
    JobState("finished", 1234, epochs=3, minutes=2.5).write(good.state)
    good.metrics.write_text('{"valid_loss": 1.25, "valid_bits_per_character": 1.8, "valid_unknown_share": 0.0}\n')
    words.metrics.write_text('{"valid_loss": 4.5, "valid_bits_per_character": 1.2, "valid_unknown_share": 0.015}\n')
    return tmp_path / "job"


def by_name(lines):
    return {line[0].removeprefix("job/"): line for line in lines}


def test_a_pipe_gets_a_line_with_tabs_for_each_job(jobs, capsys):
    """In a pipe, each job is a line of eight fields, with numbers in full and - for a missing value, without a header."""
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = by_name(line.split("\t") for line in out.splitlines())
    assert lines.keys() == {"good", "bad", "words"}
    assert {len(line) for line in lines.values()} == {8}
    assert lines["good"][1:5] == ["finished", "1234", "1.25", "1.8"]
    assert lines["good"][7] == "-"
    assert lines["words"][1:5] == ["stopped", "0", "4.5", "1.2"]
    assert lines["bad"][1:5] == ["damaged", "0", "-", "-"]
    assert "layers must be a whole number" in lines["bad"][7]


def test_a_narrow_terminal_gets_two_lines_per_job(tmp_path, monkeypatch, on_terminal):
    """If the table is wider than the terminal, the name of each job is above its other columns, which fit into 80 columns."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "job" / "story-384-states-1-layers-384-embed"
    place.mkdir(parents=True)
    (place / "config.yaml").touch()
    (place / "metrics.jsonl").write_text('{"valid_loss": 1.25, "valid_bits_per_character": 1.8}\n')
    head, _, name, scores = on_terminal(80, main, ["job"])
    assert (head, name) == ("job", f"job/{place.name}")
    assert scores.split()[:6] == ["stopped", "at", "step", "0", "1.250", "1.800"]
    assert len(scores) <= 80
    assert len(on_terminal(200, main, ["job"])) == 2


def test_a_terminal_gets_a_table(jobs, on_terminal):
    """On a terminal, jobs are a table with aligned columns, in which bits per character are marked if not comparable."""
    with job_lock(JobDirectory(jobs / "words"), pytest.fail):
        head, *rows = on_terminal(200, main, ["job"])
    assert len(rows) == 3
    at = head.index("state")
    assert {row.split()[0]: row[at:].split("  ")[0] for row in rows} == {
        "job/good": "finished",
        "job/bad": "damaged",
        "job/words": "running at step 0",
    }
    assert any("1.200 (not comparable: 1.5% of the tokens are [UNK])" in row for row in rows)
    assert all(row[at - 1] == " " for row in rows)


def test_json_is_one_line_per_job(jobs, capsys):
    """With --json, each job is an object with all values, or null for a missing one."""
    assert main(["job", "--json"]) == 0
    found = {line["job_dir"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    good = found["job/good"]
    assert (good["state"], good["steps"], good["epochs"], good["minutes"]) == ("finished", 1234, 3, 2.5)
    assert (good["valid_loss"], good["problem"]) == (1.25, None)
    assert good["changed"].startswith("20")
    assert found["job/bad"]["state"] == "damaged"
    assert found["job/bad"]["valid_loss"] is None


def test_no_job_is_no_failure(tmp_path, capsys):
    """In an empty folder, only standard error has a line, and the command ends with 0, with and without --json."""
    for arguments in ([str(tmp_path)], [str(tmp_path), "--json"]):
        assert main(arguments) == 0
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("There is no job in or below ")


def test_a_name_stays_on_its_line(tmp_path, capsys):
    """Line breaks, tabs and control characters in a name are escaped."""
    place = tmp_path / "a\n\tb\x1b[31m"
    place.mkdir()
    (place / "config.yaml").touch()
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.count("\t") == 7
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 66, "cannot look for jobs in nowhere: there is no such file"),
        (["gs://bucket/job"], 2, "DIR must be a local path"),
        ([""], 2, "DIR must not be empty"),
        (["a\0b"], 2, "got NUL"),
        (["a", "b"], 2, "unknown argument b"),
        (["--josn"], 2, "did you mean --json?"),
    ],
)
@pytest.mark.usefixtures("jobs")
def test_bad_input_is_one_line(arguments, code, message, capsys):
    """Invalid arguments are refused in one line."""
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("textgen jobs: error: ")
    assert message in err
