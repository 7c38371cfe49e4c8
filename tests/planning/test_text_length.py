import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.errors import DataError
from textgen.planning import check_evaluation_length, check_training_length


@given(tokens=st.integers(0, 60), batch_size=st.integers(1, 70), unroll_steps=st.integers(1, 70))
def test_advice_for_a_short_text_works_when_followed(tokens, batch_size, unroll_steps):
    """A text too short for one step is refused in one line, and each piece of advice in that line works."""
    if tokens > batch_size * unroll_steps:
        check_training_length(tokens, batch_size, unroll_steps)
        return
    with pytest.raises(DataError, match=r"^the training text is too short: [^\n]*; give more text") as raised:
        check_training_length(tokens, batch_size, unroll_steps)
    message = str(raised.value)
    assert f"it has {tokens} tokens" in message
    assert f"needs {batch_size * unroll_steps + 1}" in message
    alternatives = [dict(re.findall(r"(batch_size|unroll_steps) to (\d+)", part)) for part in message.split(" or ")[1:]]
    assert bool(alternatives) == (tokens >= 2)
    for advised in alternatives:
        followed = {"batch_size": batch_size, "unroll_steps": unroll_steps} | {
            name: int(value) for name, value in advised.items()
        }
        assert advised
        assert all(value >= 1 for value in followed.values())
        check_training_length(tokens, **followed)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_text_for_evaluation_has_a_token_to_read_and_one_to_predict(part):
    """Two tokens are enough; with one, the error ends with the advice."""
    check_evaluation_length(2, part, "give more text")
    with pytest.raises(DataError, match=rf"^the {part} text must have at least 2 tokens, got 1; give more text$"):
        check_evaluation_length(1, part, "give more text")
