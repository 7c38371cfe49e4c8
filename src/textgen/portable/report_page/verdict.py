"""Says in words how good a model is, by its bits per character and those of the baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from textgen.evaluation.baselines import UNIFORM, UNIGRAM
from textgen.formatting import not_comparable

if TYPE_CHECKING:
    from textgen.evaluation.baselines import Described

_MUCH_BETTER, _ABOUT_AS_GOOD = 0.9, 1.01
"""The limits of the ratio of the model's bits per character to those of the best simple method. docs/report.md lists the grades."""
_LARGEST_EXPONENT = 60


class Verdict(NamedTuple):
    """How good a model is, in words.

    Attributes:
        grade: a word or two, with a full stop or a colon.
        finding: a sentence with the figures.
        meaning: what this means.
        choices: the number of equally likely characters that would be as hard to predict.
    """

    grade: str
    finding: str
    meaning: str
    choices: float


def judge(
    bits: float, baselines: Mapping[str, float], descriptions: Mapping[str, Described], unknown_share: float
) -> Verdict:
    """Judges a model.

    Args:
        bits: its bits per character on the validation text.
        baselines: those of the baselines that it can be compared with, by name; may be empty.
        descriptions: those of the baselines.
        unknown_share: the share of the tokens that are `[UNK]`.
    """
    remark = f" With other texts and methods, this is {not_comparable(unknown_share)}." if unknown_share else ""
    needs = f"The model needs {bits:.3g} bits for each character of a text that it has not seen"
    choices = 2 ** min(bits, _LARGEST_EXPONENT)
    meaning = f"It is as unsure of the next character as between {choices:,.1f} equally likely ones. Fewer bits are better.{remark}"
    learned = {name: value for name, value in baselines.items() if name != UNIFORM and math.isfinite(value)}
    if not learned:
        return Verdict("", f"{needs}.", meaning, choices)
    best = min(learned, key=learned.__getitem__)
    simplest = learned.get(UNIGRAM, math.inf)
    figure = f"the best simple method ({descriptions[best].label}) needs {learned[best]:.3g}"
    if bits < _MUCH_BETTER * learned[best]:
        grade = "Very good."
    elif bits < learned[best] / _ABOUT_AS_GOOD:
        grade = "Good."
    elif bits <= _ABOUT_AS_GOOD * learned[best]:
        grade = "Fair: no better than a simple method."
    elif bits < simplest:
        grade = "Not there yet: a simple method is better."
    else:
        grade = f"It has hardly learned anything: knowing {descriptions[UNIGRAM].remark} is as good."
    return Verdict(grade, f"{needs}; {figure}.", meaning, choices)
