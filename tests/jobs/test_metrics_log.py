import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.errors import InputOutputError, MissingError
from textgen.jobs import append_metrics

VALUES = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    max_size=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("metrics")


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def read(path):
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    return [json.loads(line, parse_constant=refuse) for line in lines]


@settings(deadline=None)
@given(records=st.lists(VALUES, max_size=5))
def test_each_evaluation_is_a_line(folder, records):
    """The lines are the records in order, whatever is in their texts, and numbers come back to the last bit."""
    path = folder / "metrics.jsonl"
    path.unlink(missing_ok=True)
    path.touch()
    for record in records:
        append_metrics(path, record)
    assert read(path) == records


def test_lines_are_added_to_those_of_earlier_runs(tmp_path):
    """A resumed job goes on in the same file."""
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, {"steps": 1})
    append_metrics(path, {"steps": 2})
    assert read(path) == [{"steps": 1}, {"steps": 2}]


def test_numbers_beyond_json_are_null(tmp_path):
    """JSON has no infinity, as a perplexity can be, and no NaN: any reader of JSON reads the line."""
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, {"perplexity": math.inf, "loss": math.nan, "low": -math.inf, "steps": 1})
    assert read(path) == [{"perplexity": None, "loss": None, "low": None, "steps": 1}]


def test_what_the_system_refuses_is_one_error(tmp_path):
    """A file that cannot be written is named."""
    with pytest.raises(MissingError, match=r"cannot write .*metrics\.jsonl"):
        append_metrics(tmp_path / "gone" / "metrics.jsonl", {"steps": 1})
    with pytest.raises(InputOutputError, match="Is a directory"):
        append_metrics(tmp_path, {"steps": 1})
