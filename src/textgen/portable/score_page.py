"""Makes one HTML page of a text in which each token is tinted by how surprised a model is, for any browser and without a network."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.console import HARMLESS, visible
from textgen.errors import UsageError, named
from textgen.formatting import not_comparable
from textgen.portable.page import read_asset, seal
from textgen.portable.tints import SURPRISE, Tint, comparison, tint_of

if TYPE_CHECKING:
    from textgen.evaluation.surprise import Part, Total

MOST_TOKENS = 100_000
"""The most tokens on a page, and the most alternatives to them / 10: browsers become slow beyond."""

_FILES = Path(__file__).with_name("scores")
_DIGITS = 4


@dataclass(frozen=True)
class ScorePage:
    """What a page shows.

    Attributes:
        title: the name of the text.
        models: the names of the model and, if there is one, of the other model.
        parts: the parts of the text, with the alternatives to show.
        total: their sum.
        unknown_share: the share of the tokens that the model reads as `[UNK]`.
        temperatures: those of the alternatives.
    """

    title: str
    models: Sequence[str]
    parts: Sequence[Part]
    total: Total
    unknown_share: float
    temperatures: Sequence[float]


def refuse_large(tokens: int, top: int) -> None:
    """Refuses a page that would be too large for a browser.

    Args:
        tokens: the number of tokens.
        top: the number of alternatives to each.

    Raises:
        UsageError: if it would be.
    """
    if tokens > MOST_TOKENS:
        raise UsageError(
            f"{named('html')} shows at most {MOST_TOKENS:,} tokens, and this text has {tokens:,}; give a part of it"
        )
    if tokens * top > 10 * MOST_TOKENS:
        raise UsageError(
            f"{named('html')} shows at most {10 * MOST_TOKENS:,} alternatives, and {named('top')} {top} lists {tokens * top:,}; lower it, or give a part of the text"
        )


def make_page(page: ScorePage) -> str:
    """Returns the HTML document."""
    compares = len(page.models) > 1
    scale = comparison(*page.models) if compares else SURPRISE
    values = (part.more_bits if compares else part.bits for part in page.parts)
    spans = "".join(
        f'<span class="{tint_of(scale, value)}">{html.escape(visible(part.text, HARMLESS))}</span>'
        for part, value in zip(page.parts, values, strict=True)
    )
    scores = {"temperatures": page.temperatures, "models": page.models, "tokens": [_row(part) for part in page.parts]}
    title, names = visible(page.title), " and ".join(page.models)
    document = seal(
        (_FILES / "body.html").read_text(encoding="utf-8"),
        title=f"{title} - textgen",
        style=read_asset("style.css") + (_FILES / "score.css").read_text(encoding="utf-8"),
        script=(_FILES / "score.js").read_text(encoding="utf-8"),
        data={"scores": json.dumps(scores).replace("<", "\\u003c")},
        parts={
            "heading": html.escape(title),
            "figure": html.escape(visible(_figure(page))),
            "legend": "".join(map(_swatch, scale)),
            "text": spans,
            "about": html.escape(
                visible(f"Read by {names}. The first token is not predicted. Made with textgen score.")
            ),
        },
    )
    return document.html


def _figure(page: ScorePage) -> str:
    scores = [page.total.bits_per_character, page.total.other_bits_per_character][: len(page.models)]
    named_scores = (
        f"{name}: {bits:.2f}" if len(page.models) > 1 else f"{bits:.2f}"
        for name, bits in zip(page.models, scores, strict=True)
        if bits is not None
    )
    figure = f"{', '.join(named_scores)} bits per character"
    return f"{figure} ({not_comparable(page.unknown_share)})" if page.unknown_share else figure


def _swatch(tint: Tint) -> str:
    hidden = "" if tint.label else ' aria-hidden="true"'
    return f'<li class="swatch {tint.name}"{hidden}>{html.escape(visible(tint.label))}</li>'


def _row(part: Part) -> list[Any]:
    """Returns what the script shows of a part."""
    top = [[other.text, *(float(f"{share:.{_DIGITS}g}") for share in other.probabilities)] for other in part.top]
    return [_rounded(part.bits), _rounded(part.other_bits), part.rank, top]


def _rounded(bits: float | None) -> float | None:
    return None if bits is None else round(bits, _DIGITS) + 0.0  # without a minus for a rounded 0
