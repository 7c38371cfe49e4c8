"""Refuses a text that is too short to train on, before TensorFlow is loaded or any file is written."""

from __future__ import annotations

from textgen.corpus import Corpus, Section, Vocabulary
from textgen.errors import DataError, named
from textgen.planning import Plan

_CHUNK_CHARACTERS = 1 << 16
_LEAST_EVALUATED = 2
"""The minimum number of tokens in a text for evaluation: one to read and one to predict."""


def check_enough_text(corpus: Corpus, plan: Plan) -> None:
    """Checks that each part of the text has enough tokens; reads only as much of it as is necessary.

    Args:
        corpus: the text.
        plan: the plan of the run.

    Raises:
        DataError: if the training text is too short for one step, or another part is too short to be evaluated.
    """
    config = plan.config
    needed = plan.tokens_per_step + 1
    tokens = _count_up_to(needed, corpus.train, corpus.vocabulary)
    if tokens < needed:
        fitting = {
            "batch_size": (tokens - 1) // config.unroll_steps,
            "unroll_steps": (tokens - 1) // config.batch_size,
        }
        advice = " or ".join(f"lower {named(name)} to {most}" for name, most in fitting.items() if most > 0)
        if not advice:
            advice = f"lower {named('batch_size')} and {named('unroll_steps')}"
        raise DataError(
            f"the training text is too short: it has {tokens} tokens, and one step of {config.batch_size} "
            f"x {config.unroll_steps} tokens needs {needed}; give more text, or {advice}"
        )
    for part, section, advice in (
        ("validation", corpus.valid, f"raise {named('valid_fraction')}, or give more text"),
        ("test", corpus.test, "give more text, or remove that file"),
    ):
        if section and (tokens := _count_up_to(_LEAST_EVALUATED, section, corpus.vocabulary)) < _LEAST_EVALUATED:
            raise DataError(f"the {part} text must have at least {_LEAST_EVALUATED} tokens, got {tokens}; {advice}")


def _count_up_to(enough: int, section: Section, vocabulary: Vocabulary) -> int:
    """Returns the number of tokens in a section; counting stops at `enough` or soon after."""
    tokens = 0
    for chunk in section.chunks(_CHUNK_CHARACTERS):
        tokens += len(vocabulary.tokenizer.split(chunk))
        if tokens >= enough:
            break
    return tokens
