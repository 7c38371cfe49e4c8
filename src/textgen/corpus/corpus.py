"""All that is known of a text before a model sees it: its sections, its vocabulary, its hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen import errors
from textgen.corpus.section import Section, read_files
from textgen.corpus.tokenizers import UNKNOWN, make_tokenizer
from textgen.corpus.vocabulary import Vocabulary, count_tokens, keep_most_frequent, read_vocabulary_file

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from pathlib import Path

    from textgen.corpus.sources import Sources

MAX_VALID_CHARACTERS = 1_000_000
"""The most that is cut off for validation: every evaluation passes over all of it, and more would not tell more."""

MAX_UNKNOWN_SHARE = 0.05
"""The share of the tokens that a vocabulary file may lack: beyond it, it is not the file of this text."""


@dataclass(frozen=True)
class Corpus:
    """A text, ready to be learned.

    Attributes:
        prefix: names the job.
        train: what is learned from.
        valid: what the model is scored with while it learns.
        test: what it is scored with in the end, if anything.
        vocabulary: the tokens.
        sha256: the hash, in hex, of the texts of the sections and of where these begin.
    """

    prefix: str
    train: Section
    valid: Section
    test: Section | None
    vocabulary: Vocabulary
    sha256: str


def open_corpus(
    sources: Sources,
    *,
    language_model: str,
    vocab_size: int | None = None,
    lowercase: bool = False,
    valid_fraction: float = 0.1,
    encoding: str = "utf-8",
) -> Corpus:
    """Parts a text into sections and makes its vocabulary; reads it through about twice.

    Args:
        sources: the files.
        language_model: `char` or `word`. A word model takes the vocabulary file, if there is one, and then the text as
            it is spaced; a char model passes it over.
        vocab_size: how many tokens to keep, the most frequent ones; None keeps all.
        lowercase: whether the text is lower-cased.
        valid_fraction: the part of the training text to keep for validation, at its end, if there is no text for that;
            never more than a million characters.
        encoding: how the files are encoded.

    Returns:
        The corpus. The vocabulary of a char model covers all sections, that of a word model the training section.

    Raises:
        UsageError: an argument is out of range, or `vocab_size` meets a vocabulary file.
        DataError: a file is not text or empty, a text has only one distinct token, or the vocabulary file is that of
            another text.
    """
    vocabulary_file = sources.vocabulary if language_model == "word" else None
    _check_arguments(language_model, vocab_size, valid_fraction, vocabulary_file)
    train, digest = _scan(sources.train, encoding)
    digests = [digest]
    if sources.valid:
        valid, digest = _scan(sources.valid, encoding)
        digests.append(digest)
    else:
        train, valid = _cut(train, valid_fraction)
    test = None
    if sources.test:
        test, digest = _scan(sources.test, encoding)
        digests.append(digest)
    sections = [section for section in (train, valid, test) if section]
    digests += [f"{section.start}-{section.stop}" for section in sections]

    if vocabulary_file:
        vocabulary = _take_vocabulary(vocabulary_file, train, lowercase)
    else:
        tokenizer = make_tokenizer(language_model, lowercase)
        counts = count_tokens(sections if language_model == "char" else [train], tokenizer)
        vocabulary = keep_most_frequent(_check_variety(counts, train), tokenizer, vocab_size)
    return Corpus(
        sources.prefix, train, valid, test, vocabulary, hashlib.sha256(" ".join(digests).encode()).hexdigest()
    )


def _check_arguments(
    language_model: str, vocab_size: int | None, valid_fraction: float, vocabulary_file: Path | None
) -> None:
    if language_model not in {"char", "word"}:
        raise errors.UsageError(f"--language_model must be char or word, not {language_model!r}")
    if vocab_size is not None and vocab_size < 1:
        raise errors.UsageError(f"--vocab_size must be at least 1, not {vocab_size}: leave it out to keep every token")
    if not 0 < valid_fraction < 1:
        raise errors.UsageError(f"--valid_fraction must lie between 0 and 1, not {valid_fraction}: try 0.1")
    if vocab_size is not None and vocabulary_file:
        raise errors.UsageError(
            f"--vocab_size {vocab_size} and the vocabulary file {vocabulary_file} contradict each other: "
            f"leave the one out or take the other away"
        )


def _scan(paths: Sequence[Path], encoding: str) -> tuple[Section, str]:
    """Reads files through; returns all of their text as a section, with its hash."""
    characters, digest = 0, hashlib.sha256()
    for text in read_files(paths, encoding):
        characters += len(text)
        digest.update(text.encode())
    return Section(tuple(paths), encoding, 0, characters), digest.hexdigest()


def _cut(whole: Section, valid_fraction: float) -> tuple[Section, Section]:
    """Cuts a text into training and validation, where a line starts if possible."""
    total = whole.characters
    if total < 2:  # noqa: PLR2004
        raise _describe_monotony(whole)
    valid_size = min(max(int(total * valid_fraction), 1), MAX_VALID_CHARACTERS)
    start = _find_line_start(whole, total - valid_size) or total - valid_size
    return Section(whole.paths, whole.encoding, 0, start), Section(whole.paths, whole.encoding, start, total)


def _find_line_start(whole: Section, position: int) -> int | None:
    """Returns where the first line starts at or after a position, unless there is none but the end."""
    behind = position - 1  # a line that starts at the position has its line end there
    for text in Section(whole.paths, whole.encoding, behind, whole.stop).chunks():
        if (line_end := text.find("\n")) >= 0:
            start = behind + line_end + 1
            return start if start < whole.stop else None
        behind += len(text)
    return None


def _take_vocabulary(path: Path, train: Section, lowercase: bool) -> Vocabulary:
    """Reads a vocabulary file; refuses one that does not go with the text."""
    vocabulary = read_vocabulary_file(path, make_tokenizer("spaced", lowercase), train.encoding)
    counts = _check_variety(count_tokens([train], vocabulary.tokenizer), train)
    del counts[UNKNOWN]
    known = set(vocabulary.tokens)
    missing = [(token, count) for token, count in counts.most_common() if token not in known]
    share = sum(count for _, count in missing) / max(counts.total(), 1)
    if share > MAX_UNKNOWN_SHARE:
        examples = ", ".join(repr(token) for token, _ in missing[:5])
        raise errors.DataError(
            f"{path} lacks {share:.1%} of the tokens of the training text, such as {examples}; "
            f"at most {MAX_UNKNOWN_SHARE:.0%} may be missing: give the vocabulary file of this text, or take it away"
        )
    return vocabulary


def _check_variety(counts: Counter[str], train: Section) -> Counter[str]:
    """Refuses a text in which there is nothing to predict."""
    if len(counts) < 2:  # noqa: PLR2004
        raise _describe_monotony(train)
    return counts


def _describe_monotony(text: Section) -> errors.DataError:
    return errors.DataError(
        f"{text.paths[0]} has only one distinct token: a model has nothing to learn from it; give more text"
    )
