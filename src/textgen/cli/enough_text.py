"""Refuses a text that is too short to train on, before TensorFlow is loaded or any file is written."""

from __future__ import annotations

from textgen.corpus import Corpus, Section, Vocabulary
from textgen.errors import named
from textgen.planning import LEAST_EVALUATED, Plan, check_evaluation_length, check_training_length

_CHUNK_CHARACTERS = 1 << 16


def check_enough_text(corpus: Corpus, plan: Plan) -> None:
    """Checks that each part of the text has enough tokens; reads only as much of it as is necessary.

    Args:
        corpus: the text.
        plan: the plan of the run.

    Raises:
        DataError: if the training text is too short for one step, or another part is too short to be evaluated.
    """
    config = plan.config
    tokens = _count_up_to(plan.tokens_per_step + 1, corpus.train, corpus.vocabulary)
    check_training_length(tokens, config.batch_size, config.unroll_steps)
    for part, section, advice in (
        ("validation", corpus.valid, f"raise {named('valid_fraction')}, or give more text"),
        ("test", corpus.test, "give more text, or remove that file"),
    ):
        if section:
            check_evaluation_length(_count_up_to(LEAST_EVALUATED, section, corpus.vocabulary), part, advice)


def _count_up_to(enough: int, section: Section, vocabulary: Vocabulary) -> int:
    """Returns the number of tokens in a section; counting stops at `enough` or soon after."""
    tokens = 0
    for chunk in section.chunks(_CHUNK_CHARACTERS):
        tokens += len(vocabulary.tokenizer.split(chunk))
        if tokens >= enough:
            break
    return tokens
