"""All that is known of a text before a model sees it: its sections, its vocabulary, its hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from textgen.corpus.coverage import check_coverage, share_lacking
from textgen.corpus.doubts import describe_controls, describe_detected
from textgen.corpus.section import Section, read_files
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary, count_tokens, keep_most_frequent, read_vocabulary_file
from textgen.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from pathlib import Path

    from textgen.corpus.sources import Sources
    from textgen.corpus.tokenizers import Tokenizer

MAX_VALID_CHARACTERS = 1_000_000
"""The most that is cut off for validation: every evaluation passes over all of it, and more would not tell more."""


@dataclass(frozen=True)
class Sections:
    """A text, parted by what its parts are for.

    Attributes:
        texts: all that was read: what `train`, `valid` and `test` are the whole or a part of.
        train: what is learned from.
        valid: what the model is scored with while it learns.
        test: what it is scored with in the end, if anything.
        sha256: the hash, in hex, of the texts and of where the sections begin and end.
    """

    texts: tuple[Section, ...]
    train: Section
    valid: Section
    test: Section | None
    sha256: str


@dataclass(frozen=True)
class Corpus:
    """A text, ready to be learned.

    Attributes:
        prefix: names the job.
        train: as in `Sections`.
        valid: as in `Sections`.
        test: as in `Sections`.
        vocabulary: the tokens.
        sha256: as in `Sections`.
        skipped: which files in the folders were not read, in words; empty if none.
        detected: which files were detected not to be UTF-8, in words; empty if none.
        warning: a sign that a file was decoded wrongly; empty if there is none.
    """

    prefix: str
    train: Section
    valid: Section
    test: Section | None
    vocabulary: Vocabulary
    sha256: str
    skipped: str = ""
    detected: str = ""
    warning: str = ""


def open_corpus(
    sources: Sources,
    *,
    language_model: str,
    vocab_size: int | None = None,
    lowercase: bool = False,
    valid_fraction: float = 0.1,
    encoding: str = "utf-8",
) -> Corpus:
    """Parts a text into sections and makes its vocabulary; reads it through twice.

    Args:
        sources: the files.
        language_model: `char` or `word`. A word model takes the vocabulary file, if there is one, and then the text as
            it is spaced; a char model passes it over.
        vocab_size: how many tokens to keep, the most frequent ones; None keeps all.
        lowercase: whether the text is lower-cased.
        valid_fraction: the part of the training text to keep for validation, at its end, if there is no text for that;
            never more than a million characters.
        encoding: how the files are encoded, as `read_chunks` takes it.

    Returns:
        The corpus. The vocabulary of a char model covers all sections, that of a word model the training section.

    Raises:
        UsageError: an argument is out of range, or `vocab_size` meets a vocabulary file.
        DataError: a file is not text or empty, the training text has only one distinct token, or the vocabulary file is
            that of another text.
    """
    vocabulary_file = sources.vocabulary if language_model == "word" else None
    _check_arguments(language_model, vocab_size, vocabulary_file)
    sections = open_sections(sources, valid_fraction=valid_fraction, encoding=encoding)
    train = sections.train
    if vocabulary_file:
        vocabulary, counts = _take_vocabulary(vocabulary_file, train, lowercase)
    else:
        tokenizer = make_tokenizer(language_model, lowercase)
        _check_variety(train, tokenizer)
        counts = count_tokens(sections.texts if language_model == "char" else [train], tokenizer)
        vocabulary = keep_most_frequent(counts, tokenizer, vocab_size)
    paths = (*sources.train, *sources.valid, *sources.test)
    return Corpus(
        sources.prefix,
        train,
        sections.valid,
        sections.test,
        vocabulary,
        sections.sha256,
        skipped=str(sources.skipped),
        detected=describe_detected(paths, encoding),
        warning=describe_controls(paths, encoding, counts),
    )


def replace_vocabulary(corpus: Corpus, vocabulary: Vocabulary, path: Path, advice: str) -> tuple[Corpus, float]:
    """Lets a text be read with a vocabulary that is not its own; reads the training section through once.

    Where the text's own vocabulary leaves tokens out, as `vocab_size` makes it, the other may leave out as many.

    Args:
        corpus: the text.
        vocabulary: what to read it with. Tokens that it lacks become `[UNK]`.
        path: where it stands, for the error.
        advice: what to do about it, likewise.

    Returns:
        The same text with this vocabulary, and the share of its training tokens that it lacks.

    Raises:
        DataError: the vocabulary is that of another text.
    """
    _check_variety(corpus.train, vocabulary.tokenizer)
    counts, own = count_tokens([corpus.train], vocabulary.tokenizer), corpus.vocabulary
    spared = share_lacking(counts, own) if own.tokenizer == vocabulary.tokenizer else 0.0
    lacking = check_coverage(counts, vocabulary, path, advice, spared=spared)
    return replace(corpus, vocabulary=vocabulary), lacking


def open_sections(sources: Sources, *, valid_fraction: float = 0.1, encoding: str = "utf-8") -> Sections:
    """Parts a text into sections; reads it through once.

    Args:
        sources: the files.
        valid_fraction: as in `open_corpus`.
        encoding: as in `open_corpus`.

    Returns:
        The sections.

    Raises:
        UsageError: an argument is out of range.
        DataError: a file is not text or empty, or there is nothing to part.
    """
    if not 0 < valid_fraction < 1:
        raise UsageError(f"--valid_fraction must lie between 0 and 1, not {valid_fraction}: try 0.1")
    texts = [_scan(paths, encoding) for paths in (sources.train, sources.valid, sources.test) if paths]
    train, valid = (
        (texts[0].whole, texts[1].whole) if sources.valid else _cut(texts[0].whole, texts[0].tail, valid_fraction)
    )
    test = texts[-1].whole if sources.test else None
    places = [f"{section.start}-{section.stop}" for section in (train, valid, test) if section]
    sha256 = hashlib.sha256(" ".join([*(text.sha256 for text in texts), *places]).encode()).hexdigest()
    return Sections(tuple(text.whole for text in texts), train, valid, test, sha256)


def _check_arguments(language_model: str, vocab_size: int | None, vocabulary_file: Path | None) -> None:
    if language_model not in {"char", "word"}:
        raise UsageError(f"--language_model must be char or word, not {language_model!r}")
    if vocab_size is not None and vocab_size < 1:
        raise UsageError(f"--vocab_size must be at least 1, not {vocab_size}: leave it out to keep every token")
    if vocab_size is not None and vocabulary_file:
        raise UsageError(
            f"--vocab_size {vocab_size} and the vocabulary file {vocabulary_file} contradict each other: "
            f"leave the one out or take the other away"
        )


class _Scan(NamedTuple):
    """What reading some files through tells: all of their text, its hash, and its end, where a cut may lie."""

    whole: Section
    sha256: str
    tail: str


def _scan(paths: Sequence[Path], encoding: str) -> _Scan:
    """Reads files through."""
    characters, digest, tail = 0, hashlib.sha256(), ""
    for text in read_files(paths, encoding):
        characters += len(text)
        digest.update(text.encode())
        tail = (tail + text)[-MAX_VALID_CHARACTERS - 1 :]  # one more: the line end before the earliest cut
    return _Scan(Section(tuple(paths), encoding, 0, characters), digest.hexdigest(), tail)


def _cut(whole: Section, tail: str, valid_fraction: float) -> tuple[Section, Section]:
    """Cuts a text into training and validation, where a line starts if possible."""
    total = whole.characters
    if total < 2:  # noqa: PLR2004 - one character for each part
        raise _describe_monotony(whole)
    valid_size = min(max(int(total * valid_fraction), 1), MAX_VALID_CHARACTERS)
    line_end = tail.find("\n", len(tail) - valid_size - 1, -1)  # one at the very end starts no line
    start = total - len(tail) + line_end + 1 if line_end >= 0 else total - valid_size
    return Section(whole.paths, whole.encoding, 0, start), Section(whole.paths, whole.encoding, start, total)


def _take_vocabulary(path: Path, train: Section, lowercase: bool) -> tuple[Vocabulary, Counter[str]]:
    """Reads a vocabulary file, and counts the text's tokens; refuses one that does not go with the text."""
    vocabulary = read_vocabulary_file(path, make_tokenizer("spaced", lowercase), train.encoding)
    _check_variety(train, vocabulary.tokenizer)
    counts = count_tokens([train], vocabulary.tokenizer)
    check_coverage(counts, vocabulary, path, "give the vocabulary file of this text, or take it away")
    return vocabulary, counts


def _check_variety(train: Section, tokenizer: Tokenizer) -> None:
    """Refuses a text in which there is nothing to predict; reads no more of it than that takes."""
    distinct: set[str] = set()
    for chunk in train.chunks(1 << 16):
        distinct.update(tokenizer.split(chunk))
        if len(distinct) > 1:
            return
    raise _describe_monotony(train)


def _describe_monotony(text: Section) -> DataError:
    return DataError(
        f"{text.paths[0]} has only one distinct token to train on: a model has nothing to learn from it; give more text"
    )
