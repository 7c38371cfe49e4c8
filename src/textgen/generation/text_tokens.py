"""Splits a text into tokens without changing it, and finds the place of each in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from textgen.errors import UsageError, named
from textgen.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textgen.corpus import Vocabulary

_BYTE_ORDER_MARK = "\ufeff"
_READ_TOGETHER = re.compile(r"\r\n|.", re.DOTALL)
_SPACES_AND_RUN = re.compile(r"(\s*)(\S*)")


@dataclass(frozen=True, eq=False)
class TextTokens:
    """The tokens of a text, and their places in it.

    Unlike a prompt, the text is not respelled: what the vocabulary lacks is read as `[UNK]`. So the tokens show what a model makes
    of this text, and not of a similar one. Only what a text file has, too, is read as from there: a byte order mark is dropped,
    and CRLF is LF. Both still count in places.

    Attributes:
        text: the text as it was given.
        tokens: its tokens, in lower case if the tokenizer makes them so.
        ids: their ids.
        starts: the index of the first character of each token in the text.
        stops: the index after the last one.
        vocabulary: of the model.
    """

    text: str
    tokens: Sequence[str]
    ids: Sequence[int]
    starts: Sequence[int]
    stops: Sequence[int]
    vocabulary: Vocabulary

    @cached_property
    def pieces(self) -> list[str]:
        """The text in pieces, one per token: the token with the white space before it, and after the last one."""
        return [self.text[start:stop] for start, stop in pairwise([*self.offsets, len(self.text)])]

    @cached_property
    def offsets(self) -> list[int]:
        """The index of the first character of each piece in the text."""
        return [0, *self.stops[:-1]] if self.stops else []


def split_text(text: str, vocabulary: Vocabulary) -> TextTokens:
    """Splits a text into tokens; tokens that the vocabulary of a pre-tokenized text lacks are split as in a prompt.

    Args:
        text: the text.
        vocabulary: of the model.

    Raises:
        UsageError: if the text is not a string.
    """
    if not isinstance(text, str):
        raise UsageError(f"{named('text')} must be a text, got {shown(text)}")
    lowercase = vocabulary.tokenizer.lowercase
    as_file = text.removeprefix(_BYTE_ORDER_MARK).replace("\r\n", "\n")
    tokens = vocabulary.split_prompt(as_file)
    read = as_file.lower() if lowercase else as_file
    starts, stops = _find(tokens, read)
    if not len(read) == len(as_file) == len(text):
        places = _places(text, lowercase=lowercase)
        starts, stops = [places[start] for start in starts], [places[stop] for stop in stops]
    return TextTokens(text, tokens, vocabulary.ids(tokens), starts, stops, vocabulary)


def _find(tokens: Sequence[str], read: str) -> tuple[list[int], list[int]]:
    """Finds the tokens of a text one after another, with white space between them.

    A token that the text does not contain was put in the place of a whole run without white space, as `[UNK]` for `<unk>`.
    """
    starts: list[int] = []
    stops: list[int] = []
    place = 0
    for token in tokens:
        start, stop = place, place + len(token)
        if not read.startswith(token, start) and (found := _SPACES_AND_RUN.match(read, place)) is not None:
            start = found.start(2)
            stop = start + len(token) if read.startswith(token, start) else found.end()
        starts.append(start)
        stops.append(stop)
        place = stop
    return starts, stops


def _places(text: str, *, lowercase: bool) -> list[int]:
    """Returns the index in a text of each character that is read, and the length of the text.

    Of several characters that one is read as, such as the lower case of `İ`, the others have the index after it.
    """
    places: list[int] = []
    for found in _READ_TOGETHER.finditer(text, int(text.startswith(_BYTE_ORDER_MARK))):
        length = len(found[0].lower()) if lowercase and len(found[0]) == 1 else 1
        places.append(found.start())
        places.extend([found.end()] * (length - 1))
    return [*places, len(text)]
