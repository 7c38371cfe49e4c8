"""Splits a prompt into tokens, after respelling it in the way of the training text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from textgen.config import OutOfVocabulary
from textgen.corpus import FIRST_TOKEN_ID, UNKNOWN_ID, Vocabulary
from textgen.corpus.unwrapping import unwrap_prompt
from textgen.errors import DataError, UsageError, named
from textgen.formatting import shown

_SINGLE_QUOTES = (("‘", "’"), ("'", "'"), ("’", "’"), ("‚", "‘"), ("‹", "›"), ("›", "‹"))  # noqa: RUF001 - as in print
_DOUBLE_QUOTES = (("“", "”"), ('"', '"'), ("„", "“"), ("«", "»"), ("»", "«"))
"""How quotations are printed, opened and closed; a closing single quote is also the apostrophe."""

_DASHES = {
    "--": ("—", "–"),  # noqa: RUF001 - as in print
    "-": ("‐", "‑", "–", "−"),  # noqa: RUF001
    "‐": ("-", "‑"),  # noqa: RUF001
    "‑": ("-", "‐"),  # noqa: RUF001
    "‒": ("–", "-", "—"),  # noqa: RUF001
    "–": ("-", "—", "‒"),  # noqa: RUF001
    "—": ("–", "--", "-"),  # noqa: RUF001
    "―": ("—", "–", "--", "-"),  # noqa: RUF001
    "−": ("-", "–"),  # noqa: RUF001
}
"""What to read for a dash, the closest first."""

_SINGLE = "".join(sorted({quote for pair in _SINGLE_QUOTES for quote in pair} | {"ʼ", "`", "´", "′"}))  # noqa: RUF001
_DOUBLE = "".join(sorted({quote for pair in _DOUBLE_QUOTES for quote in pair} | {"″"}))
_LONE = "".join(map(re.escape, f"{_SINGLE}{_DOUBLE}{''.join(_DASHES)}"))
_PIECES = re.compile(rf"\s+|[^\s{_LONE}]+(?:[{re.escape(_SINGLE)}](?=\w)[^\s{_LONE}]+)*|--|.")
"""White space, a word including the apostrophes inside it, two hyphens, or a single quote or dash."""

_SPACES = re.compile(r"[^\S\n]+")

_BEFORE_OPENING = re.compile(r"[\s(\[{]?")
"""The character before a quote that opens, whatever comes after it; none at the start of the text."""

_FORMS: Final = ("NFC", "NFD")


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model reads it.

    Attributes:
        text: the prompt, respelled.
        tokens: those of the text, including any that the vocabulary lacks.
        changes: how it was respelled, in words such as `’ for '`.
        typed: the prompt as it was given.
    """  # noqa: RUF002 - as in print

    text: str
    tokens: tuple[str, ...]
    changes: tuple[str, ...]
    typed: str


def read_prompt(typed: str, vocabulary: Vocabulary, *, unwraps: bool = False) -> Prompt:
    """Reads a prompt as a text file is read, without a byte order mark and with LF for CRLF, in the vocabulary's spelling.

    A quote, a dash, an accented character or white space is changed only where the vocabulary lacks it as typed and has it
    otherwise.

    Args:
        typed: the prompt.
        vocabulary: of the model.
        unwraps: whether to unwrap a prompt that is hard-wrapped prose, because the training text was unwrapped.

    Returns:
        The prompt. What the vocabulary has in no spelling stays as it was typed.

    Raises:
        UsageError: if the prompt is not a string.
    """
    if not isinstance(typed, str):
        raise UsageError(f"{named('prompt')} must be a text, got {shown(typed)}")
    changes: dict[str, None] = {}
    text = typed.removeprefix("\ufeff").replace("\r\n", "\n")
    if unwraps and (unwrapped := unwrap_prompt(text)) != text:
        text, changes = unwrapped, {"one line per paragraph": None}
    tokens = vocabulary.split_prompt(text)
    unknown = vocabulary.unknown(tokens)
    as_typed = Prompt(text, tuple(tokens), tuple(changes), typed)
    if not unknown:
        return as_typed
    pieces = _PIECES.findall(text)
    spellings: list[str] = []
    before = ""
    for piece, after in zip(pieces, [*pieces[1:], ""], strict=True):
        opens = _BEFORE_OPENING.fullmatch(before) or (not before.isalnum() and after[:1].isalnum())
        spelling, changed = _respell(piece, vocabulary, opens=bool(opens))
        spellings.append(spelling)
        changes.update(dict.fromkeys(changed))
        before = piece[-1]
    respelled = "".join(spellings)
    tokens = vocabulary.split_prompt(respelled)
    # The vocabulary of a pre-tokenized text can have a mark such as -- alone, and not behind a word.
    is_better = set(unknown).issuperset(vocabulary.unknown(tokens))
    return Prompt(respelled, tuple(tokens), tuple(changes), typed) if is_better else as_typed


def prompt_ids(tokens: Sequence[str], vocabulary: Vocabulary, oov: OutOfVocabulary) -> list[int]:
    """Returns the token ids of a prompt, without the skipped tokens.

    Raises:
        DataError: if the vocabulary lacks tokens of it and `oov` is "error".
    """
    unknown = vocabulary.unknown(tokens)
    if unknown and oov == "error":
        raise DataError(
            f"the model does not know these tokens of the prompt: {vocabulary.listed(unknown)}; "
            f"leave them out with {named('oov')} skip, or let the model read [UNK] in their place with {named('oov')} unk"
        )
    if oov == "skip":
        tokens = [token for token in tokens if token not in unknown]
    return vocabulary.ids(tokens)


def start_ids(vocabulary: Vocabulary) -> list[int]:
    """Returns the token ids that a model reads if there is no prompt."""
    ids = vocabulary.ids(vocabulary.tokenizer.start)
    return [FIRST_TOKEN_ID if token_id == UNKNOWN_ID else token_id for token_id in ids]


def _respell(piece: str, vocabulary: Vocabulary, *, opens: bool) -> tuple[str, tuple[str, ...]]:
    """Finds the spelling with the fewest unknown tokens; one with an unknown token that was not typed does not count.

    Args:
        piece: a match of `_PIECES`.
        vocabulary: of the model.
        opens: whether the piece, if it is a quote, opens a quotation.

    Returns:
        The spelling, and how it differs, in words.
    """
    best: tuple[str, tuple[str, ...]] = piece, ()
    unknown = _unknown(piece, vocabulary)
    for spelling, changes in _spellings(piece, vocabulary, opens=opens) if unknown else ():
        still_unknown = _unknown(spelling, vocabulary)
        if still_unknown < unknown:
            best, unknown = (spelling, changes), still_unknown
    return best


def _unknown(piece: str, vocabulary: Vocabulary) -> set[str]:
    return set(vocabulary.unknown(vocabulary.split_prompt(piece)))


def _spellings(piece: str, vocabulary: Vocabulary, *, opens: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields other spellings of a piece, and how each differs, in words."""
    if piece.isspace():
        yield _SPACES.sub(" ", piece), ("single spaces",)
    elif piece in _DASHES:
        yield from ((dash, (f"{dash} for {piece}",)) for dash in _DASHES[piece])
    elif piece in _SINGLE or piece in _DOUBLE:
        pairs = _SINGLE_QUOTES if piece in _SINGLE else _DOUBLE_QUOTES
        # A pair of which the vocabulary has both goes first: German closes with the quote that English opens with.
        for opening, closing in sorted(pairs, key=lambda pair: len(_unknown("".join(pair), vocabulary))):
            quote = opening if opens else closing
            yield quote, (f"{quote} for {piece}",)
    else:
        for spelling, changed in _with_apostrophes(piece):
            yield spelling, changed
            for form in _FORMS:
                yield unicodedata.normalize(form, spelling), (*changed, f"accents in the Unicode form {form}")


def _with_apostrophes(word: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields a word as it is, and with each apostrophe in the place of those it has."""
    yield word, ()
    typed = [mark for mark in dict.fromkeys(word) if mark in _SINGLE]
    for apostrophe in dict.fromkeys(closing for _, closing in _SINGLE_QUOTES) if typed else ():
        changed = tuple(f"{apostrophe} for {mark}" for mark in typed if mark != apostrophe)
        yield word.translate({ord(mark): apostrophe for mark in typed}), changed
