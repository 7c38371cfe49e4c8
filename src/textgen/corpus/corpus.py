"""A text with its sections and its vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textgen.corpus.encoding_report import describe_controls, describe_detected
from textgen.corpus.sections import describe_single_token, open_sections
from textgen.corpus.tokenizers import language_models, make_tokenizer
from textgen.corpus.unwrapping import AUTO
from textgen.corpus.vocabulary import (
    Vocabulary,
    check_coverage,
    count_tokens,
    keep_most_frequent,
    read_vocabulary_file,
    unknown_share,
)
from textgen.errors import UsageError, named

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from textgen.corpus.sections import Section
    from textgen.corpus.sources import Sources
    from textgen.corpus.tokenizer import Tokenizer


@dataclass(frozen=True)
class Corpus:
    """A text, its sections and its vocabulary.

    Attributes:
        prefix: the first part of the job's name.
        train: as in `Sections`.
        valid: as in `Sections`.
        test: as in `Sections`.
        vocabulary: the tokens.
        sha256: as in `Sections`.
        unwrapped: as in `Sections`.
        skipped: the files in the folders that were not read, in words; empty if none.
        detected: the files that were detected not to be UTF-8, in words; empty if none.
        warning: a sign that a file was decoded wrongly; empty if there is none.
    """

    prefix: str
    train: Section
    valid: Section
    test: Section | None
    vocabulary: Vocabulary
    sha256: str
    unwrapped: bool = False
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
    unwrap: str = AUTO,
) -> Corpus:
    """Splits a text into sections and makes its vocabulary. This reads the text twice, and the start of each file once more.

    Args:
        sources: the files.
        language_model: the name of the tokenizer: `char` or `word`. If there is a vocabulary file, a word model uses it and splits
            the text at white space; a char model ignores the file.
        vocab_size: the number of tokens to keep, by frequency; None keeps all.
        lowercase: whether to convert the text to lower case.
        valid_fraction: as in `open_sections`.
        encoding: as in `open_sections`.
        unwrap: as in `open_sections`.

    Returns:
        The corpus. A closed vocabulary, as of a char model, covers all sections, any other only the training section.

    Raises:
        UsageError: if an argument is out of range, or there is both a `vocab_size` and a vocabulary file.
        DataError: if a file is empty or not text, the training text has only one distinct token, the vocabulary file belongs
            to another text, or the text changes while it is read.
    """
    if language_model not in language_models():
        raise UsageError(f"{named('language_model')} must be {' or '.join(language_models())}, not {language_model!r}")
    tokenizer = make_tokenizer(language_model, lowercase)
    vocabulary_file = sources.vocabulary if tokenizer.tokenizer_for_files else None
    _check_size(vocab_size, vocabulary_file)
    sections = open_sections(sources, valid_fraction=valid_fraction, encoding=encoding, unwrap=unwrap)
    train = sections.train
    if vocabulary_file:
        tokenizer = make_tokenizer(tokenizer.tokenizer_for_files, lowercase)
        vocabulary, counts = _read_vocabulary(vocabulary_file, train, tokenizer)
    else:
        tokenizer = tokenizer.fit(train.chunks())
        _check_variety(train, tokenizer)
        counts = count_tokens(sections.texts if tokenizer.closed_vocabulary else [train], tokenizer)
        vocabulary = keep_most_frequent(counts, tokenizer, vocab_size)
    paths = (*sources.train, *sources.valid, *sources.test)
    return Corpus(
        sources.prefix,
        train,
        sections.valid,
        sections.test,
        vocabulary,
        sections.sha256,
        unwrapped=sections.unwrapped,
        skipped=str(sources.skipped),
        detected=describe_detected(paths, encoding),
        warning=describe_controls(paths, encoding, counts),
    )


def keep_split(corpus: Corpus, tokenizer: Tokenizer, vocab_size: int | None) -> Corpus:
    """Splits a text with another version of its tokenizer. If the versions differ, this reads the training section once.

    Args:
        corpus: the text with its own vocabulary.
        tokenizer: the tokenizer to use. If it makes other tokens or differs in case, the corpus is returned unchanged; see
            `replace_vocabulary`.
        vocab_size: as in `open_corpus`.

    Returns:
        The same text, with the vocabulary that this tokenizer gives.
    """
    own = corpus.vocabulary.tokenizer
    if own == tokenizer or not own.is_like(tokenizer) or own.lowercase != tokenizer.lowercase:
        return corpus
    counts = count_tokens([corpus.train], tokenizer)
    return replace(corpus, vocabulary=keep_most_frequent(counts, tokenizer, vocab_size))


def replace_vocabulary(corpus: Corpus, vocabulary: Vocabulary, path: Path, advice: str) -> tuple[Corpus, float]:
    """Gives a text a vocabulary that is not its own. This reads the training section once.

    The vocabulary may lack up to `MAX_UNKNOWN_SHARE` of the tokens, plus the share that the text's own vocabulary lacks because of
    `vocab_size`.

    Args:
        corpus: the text.
        vocabulary: the vocabulary to use. Tokens that it lacks become `[UNK]`.
        path: the vocabulary's file, for the error.
        advice: the end of the error, which explains what to do.

    Returns:
        The same text with this vocabulary, and the share of the training tokens that the vocabulary lacks.

    Raises:
        DataError: if the vocabulary belongs to another text.
    """
    _check_variety(corpus.train, vocabulary.tokenizer)
    counts, own = count_tokens([corpus.train], vocabulary.tokenizer), corpus.vocabulary
    allowed = unknown_share(counts, own) if own.tokenizer == vocabulary.tokenizer else 0.0
    lacking = check_coverage(counts, vocabulary, path, advice, allowed=allowed)
    return replace(corpus, vocabulary=vocabulary), lacking


def _check_size(vocab_size: int | None, vocabulary_file: Path | None) -> None:
    if vocab_size is not None and vocab_size < 1:
        raise UsageError(
            f"{named('vocab_size')} must be at least 1, not {vocab_size}: leave it out to keep every token"
        )
    if vocab_size is not None and vocabulary_file:
        raise UsageError(
            f"{named('vocab_size')} {vocab_size} and the vocabulary file {vocabulary_file} contradict each other: "
            f"leave the one out or take the other away"
        )


def _read_vocabulary(path: Path, train: Section, tokenizer: Tokenizer) -> tuple[Vocabulary, Counter[str]]:
    """Reads a vocabulary file and counts the tokens of the text; refuses the file if it belongs to another text."""
    vocabulary = read_vocabulary_file(path, tokenizer, train.encoding)
    _check_variety(train, tokenizer)
    counts = count_tokens([train], tokenizer)
    check_coverage(counts, vocabulary, path, "give the vocabulary file of this text, or take it away")
    return vocabulary, counts


def _check_variety(train: Section, tokenizer: Tokenizer) -> None:
    """Refuses a text with only one distinct token; reads it only as far as the second."""
    distinct: set[str] = set()
    for chunk in train.chunks(1 << 16):
        distinct.update(tokenizer.split(chunk))
        if len(distinct) > 1:
            return
    raise describe_single_token(train)
