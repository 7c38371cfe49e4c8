"""Writes a text to the terminal in which each token is tinted by how surprised a model is.

Rich chooses the nearest colours that the terminal has, and none with `NO_COLOR`; the strongest surprises are underlined in any case.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.style import Style
from rich.text import Text

from textgen.console import HARMLESS, visible
from textgen.evaluation.surprise import Part
from textgen.portable.tints import SURPRISE, comparison, light_colours, tint_of

_UNDERLINED = {"s6", "n0"}


class TintedText:
    """Writes lines of a text.

    Args:
        names: the name of the model and, if there is one, of the other model.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._compares = len(names) > 1
        self._scale = comparison(*names) if self._compares else SURPRISE
        colours = light_colours()
        self._styles = {
            tint.name: Style(color=colours["ink"], bgcolor=colours[tint.name], underline=tint.name in _UNDERLINED)
            if tint.name in colours
            else Style()
            for tint in self._scale
        }
        self._console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)

    def write(self, parts: Iterable[Part], before: str = "") -> None:
        """Writes a line, wrapped between words.

        Args:
            parts: the parts of the line.
            before: what to write in front of it.
        """
        line = Text(before)
        for part in parts:
            tint = tint_of(self._scale, part.more_bits if self._compares else part.bits)
            text = visible(part.text, HARMLESS).replace("\n", "")
            line.append(text, self._styles.get(tint))
        self._console.print(line)

    def write_legend(self) -> None:
        """Writes what the tints mean, after an empty line."""
        legend = Text()
        for tint in self._scale:
            legend.append(f" {visible(tint.label)} " if tint.label else "  ", self._styles[tint.name])
        self._console.print()
        self._console.print(legend)

    def say(self, text: str) -> None:
        """Writes a line without tints."""
        self._console.print(Text(visible(text)))
