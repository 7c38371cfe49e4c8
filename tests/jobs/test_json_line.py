import json
import math

from hypothesis import given
from hypothesis import strategies as st

from textgen.jobs import as_json

VALUES = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    max_size=5,
)


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
