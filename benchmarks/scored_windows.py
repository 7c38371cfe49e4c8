"""Splits a text into windows in which a model is evaluated, so that every token after the first is scored exactly once."""

from collections.abc import Iterator
from typing import NamedTuple


class ScoredWindow(NamedTuple):
    """A part of the text that the model reads in one go. It predicts the tokens from `begin + 1` to `end`.

    Attributes:
        begin: the place of the first token that is read.
        scored: the place of the first predicted token that counts; the model predicts those before it in other windows.
        end: the place of the last predicted token, which counts.
    """

    begin: int
    scored: int
    end: int


def scored_windows(tokens: int, length: int, stride: int) -> Iterator[ScoredWindow]:
    """Slides a window over a text.

    All windows are equally long, unless the text is shorter. Where a prediction counts, the model has read at least `length - stride`
    tokens before the predicted one, or all of them at the start of the text.

    Args:
        tokens: the length of the text.
        length: the tokens that are read in a window.
        stride: the predictions of a window that count, at most `length`. In the first window all do.
    """
    done = 0
    while done < tokens - 1:
        end = min(tokens - 1, max(length, done + stride))
        yield ScoredWindow(max(0, end - length), done + 1, end)
        done = end
