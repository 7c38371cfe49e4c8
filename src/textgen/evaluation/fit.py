"""Checks that a model can score a text.

A model never has to spell a token that its vocabulary lacks, so with any such token a score is not comparable. Such a score is printed with
a warning, and has no rank. A text with too many unknown tokens, which is probably in another alphabet or language, is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textgen.errors import DataError
from textgen.formatting import percent

if TYPE_CHECKING:
    from textgen.evaluation.evaluated_text import EvaluatedText
    from textgen.generation import ModelFile
    from textgen.generation.scored_text import ScoredText

MOST_UNKNOWN = 0.25
"""The largest share of `[UNK]` in a text that fits, in addition to the share in the model's own validation text.

Half of the tokens of a model of words are spaces and punctuation, which most languages share.
"""


def refuse_unscored(scored: ScoredText, model: str, text: str) -> None:
    """Refuses a text of which nothing was predicted.

    Args:
        scored: the text, with the scores of the model.
        model: the model, for the message.
        text: the text, likewise.

    Raises:
        DataError: if the text is empty or has one token.
    """
    if not scored.characters:
        size = "one token" if len(scored) else "no token"
        raise DataError(f"{text} has {size} for {model}, and the first is never predicted; give a longer text")


def refuse_misfit(read: EvaluatedText | ScoredText, model: ModelFile, model_name: str, text_name: str) -> None:
    """Refuses a text with too many tokens that the vocabulary of a model lacks.

    Args:
        read: the text, as the model reads it.
        model: the model.
        model_name: what to call it in the message.
        text_name: what to call the text, likewise.

    Raises:
        DataError: if the share of these tokens is above `MOST_UNKNOWN` and the share in the model's own text together.
    """
    most = MOST_UNKNOWN + model.scores.get("valid_unknown_share", 0.0)
    if read.unknown_share > most:
        raise DataError(
            f"{text_name} does not fit {model_name}: {_describe_unknown(read)}, and at most {percent(most)} may be; "
            "name a text like its training text, or another model"
        )


def why_not_comparable(read: EvaluatedText | ScoredText, model_name: str, text_name: str) -> str:
    """Returns why the score of a text cannot be compared with others, in a sentence; empty if it can.

    Args:
        read: as in `refuse_misfit`, and so are the names.
        model_name: likewise.
        text_name: likewise.
    """
    if not read.unknown_share:
        return ""
    return f"the score of {text_name} by {model_name} is not comparable: {_describe_unknown(read)}"


def _describe_unknown(read: EvaluatedText | ScoredText) -> str:
    """Returns the share of the tokens that are `[UNK]`, and lists them."""
    # A pre-tokenized text may contain [UNK] itself, which is not listed.
    namely = f", namely {read.vocabulary.listed(list(read.unknown))}" if read.unknown else ""
    return f"{percent(read.unknown_share)} of its tokens are [UNK]{namely}"
