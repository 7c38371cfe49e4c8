"""Refuses a text that has too few tokens for a run."""

from __future__ import annotations

from textgen.errors import DataError, named

LEAST_EVALUATED = 2
"""The minimum number of tokens in a text for evaluation: one to read and one to predict."""


def check_training_length(tokens: int, batch_size: int, unroll_steps: int) -> None:
    """Checks that a training text is long enough for one step.

    Args:
        tokens: the number of its tokens; if there are enough, a smaller number that is enough will do.
        batch_size: the number of streams.
        unroll_steps: the number of tokens in a window.

    Raises:
        DataError: if it is too short.
    """
    needed = batch_size * unroll_steps + 1
    if tokens >= needed:
        return
    fitting = {"batch_size": (tokens - 1) // unroll_steps, "unroll_steps": (tokens - 1) // batch_size}
    advice = " or ".join(f"lower {named(name)} to {most}" for name, most in fitting.items() if most > 0)
    if not advice and tokens > 1:
        advice = f"set {named('batch_size')} to 1 and {named('unroll_steps')} to {tokens - 1}"
    raise DataError(
        f"the training text is too short: it has {tokens} tokens, and one step of {batch_size} x {unroll_steps} tokens "
        f"needs {needed}; {', or '.join(filter(None, ('give more text', advice)))}"
    )


def check_evaluation_length(tokens: int, part: str, advice: str) -> None:
    """Checks that a text is long enough to be evaluated.

    Args:
        tokens: the number of its tokens, as in `check_training_length`.
        part: `validation` or `test`.
        advice: the end of the error, which explains what to do.

    Raises:
        DataError: if it is too short.
    """
    if tokens < LEAST_EVALUATED:
        raise DataError(f"the {part} text must have at least {LEAST_EVALUATED} tokens, got {tokens}; {advice}")
