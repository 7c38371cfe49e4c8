import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.errors import FormatError, InputOutputError, MissingError
from textgen.jobs import LogFile, as_json, read_metrics, read_samples

VALUES = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    max_size=5,
)


def entry(number):
    return f"entry {number} é\n"


def text_of(numbers):
    return "".join(map(entry, numbers))


def test_entries_are_added_to_those_of_earlier_runs(tmp_path):
    """A job that resumes appends to the same file."""
    path = tmp_path / "log"
    for number in range(3):
        log = LogFile(path)
        log.add(entry(number))
        log.write()
        log.write()
    assert path.read_text(encoding="utf-8") == text_of(range(3))


@given(saved=st.integers(0, 5), made=st.integers(0, 5), torn=st.integers(0, 12))
def test_after_a_kill_no_entry_stands_twice_or_is_missing(tmp_path_factory, saved, made, torn):
    """Entries after the checkpoint, also incomplete ones, are removed, and the trainer that resumes writes them again."""
    path = tmp_path_factory.mktemp("log") / "log"
    log = LogFile(path)
    for number in range(saved):
        log.add(entry(number))
        log.write()
    kept = log.state()
    for number in range(saved, saved + made):
        log.add(entry(number))
        log.write()
    with path.open("ab") as file:
        file.write(entry(saved + made).encode()[:torn])

    resumed = LogFile(path)
    resumed.restore(kept, cut=True)
    for number in range(saved, 8):
        resumed.add(entry(number))
        resumed.write()
    assert path.read_text(encoding="utf-8") == text_of(range(8))


def test_what_could_not_be_written_travels_in_the_checkpoint(tmp_path):
    """An entry that the disk refused is written after resuming."""
    path = tmp_path / "gone" / "log"
    log = LogFile(path)
    log.add(entry(1))
    with pytest.raises(MissingError, match="cannot write"):
        log.write()
    path.parent.mkdir()
    resumed = LogFile(path)
    resumed.restore(log.state(), cut=True)
    resumed.add(entry(2))
    resumed.write()
    assert path.read_text(encoding="utf-8") == text_of([1, 2])


def test_without_a_kill_what_people_added_stays(tmp_path):
    """Notes that a user adds to the log of a job that has ended are not removed."""
    path = tmp_path / "log"
    log = LogFile(path)
    log.add(entry(1))
    log.write()
    kept = log.state()
    with path.open("a") as file:
        file.write("my note\n")
    LogFile(path).restore(kept, cut=False)
    assert path.read_text(encoding="utf-8") == entry(1) + "my note\n"


def test_a_shortened_log_is_left_as_it_is(tmp_path):
    """An emptied log is not filled with zeros."""
    path = tmp_path / "log"
    path.write_text("x")
    LogFile(path).restore({"bytes": 100, "pending": ""}, cut=True)
    assert path.read_text() == "x"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
def test_what_the_system_refuses_is_one_error_and_tried_again(tmp_path):
    """The error names the full disk, and no entry is lost: the next call writes it."""
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    log = LogFile(path)
    log.add(entry(1))
    with pytest.raises(InputOutputError, match=r"cannot write .*log: No space left"):
        log.write()
    path.unlink()
    log.write()
    assert path.read_text(encoding="utf-8") == entry(1)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@given(record=VALUES)
def test_figures_are_one_line(record):
    """Whatever is in the texts, it is one line, and numbers come back to the last bit."""
    line = as_json(record)
    assert "\n" not in line
    assert json.loads(line, parse_constant=refuse) == record


def test_numbers_beyond_json_are_null():
    """JSON has no infinity, as a perplexity can be, and no NaN: any reader of JSON reads the line."""
    line = as_json({"perplexity": math.inf, "loss": math.nan, "low": -math.inf, "steps": 1})
    assert json.loads(line, parse_constant=refuse) == {"perplexity": None, "loss": None, "low": None, "steps": 1}


def test_metrics_are_read_without_an_unfinished_line(tmp_path):
    """A trainer may be writing the last line. A file without a whole line has no evaluation, and neither has one that is missing."""
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(path) == []
    path.write_text('{"steps": 1')
    assert read_metrics(path) == []
    path.write_text('{"steps": 1}\n{"steps": 2}\n{"st')
    assert read_metrics(path) == [{"steps": 1}, {"steps": 2}]


@pytest.mark.parametrize("line", ["", "nonsense", "[1]", "[" * 10**5])
def test_a_damaged_line_of_the_metrics_is_named(tmp_path, line):
    """The error names the file and the line."""
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"steps": 1}}\n{line}\n{{"steps": 2}}\n')
    with pytest.raises(FormatError, match=r"^[^\n]*metrics\.jsonl is damaged in line 2; remove that line$"):
        read_metrics(path)


def test_samples_are_read_as_they_were_written(tmp_path):
    """Each has its step, its heading and its text, whatever lines the text contains. Without a file there are none."""
    path = tmp_path / "samples.txt"
    assert read_samples(path) == []
    path.write_text(
        "--- step 5, epoch 0.50, loss 2\nOne.\n--- step\n\nTwo.\n\n--- step 10, epoch 1.00, loss 1\nThree.\n\n--- step 1"
    )
    first, second = read_samples(path)
    assert first == (5, "step 5, epoch 0.50, loss 2", "One.\n--- step\n\nTwo.")
    assert (second.step, second.text) == (10, "Three.\n\n--- step 1")
    path.write_text("a text without headings")
    assert read_samples(path) == []
