import gzip
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from textgen import errors
from textgen.corpus import (
    UNKNOWN,
    Sources,
    Vocabulary,
    corpus,
    decoding,
    find_sources,
    make_tokenizer,
    open_corpus,
    open_sections,
    replace_vocabulary,
    sections,
)
from textgen.storage import bundled

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("corpus")


def sources(folder, *, train, valid=None, test=None, vocabulary=None):
    paths = {}
    for name, text in {"train": train, "valid": valid, "test": test, "vocabulary": vocabulary}.items():
        paths[name] = folder / f"{name}.txt"
        paths[name].write_bytes((text or "").encode())
    return Sources(
        "job",
        (paths["train"],),
        (paths["valid"],) if valid is not None else (),
        (paths["test"],) if test is not None else (),
        paths["vocabulary"] if vocabulary is not None else None,
    )


def text_of(section):
    return "".join(section.chunks())


@given(
    text=st.text(st.sampled_from("ab\n"), min_size=2),
    fraction=st.floats(0.01, 0.99),
)
def test_split(folder, text, fraction):
    """Validation is the last part, from the first line start at the fraction on, or exactly there if no line starts."""
    earliest = len(text) - max(int(len(text) * fraction), 1)
    starts = [place for place in range(earliest, len(text)) if text[place - 1] == "\n"]
    cut = starts[0] if starts else earliest
    assume(len(set(text[:cut])) > 1)
    opened = open_corpus(sources(folder, train=text), language_model="char", valid_fraction=fraction)
    assert (text_of(opened.train), text_of(opened.valid)) == (text[:cut], text[cut:])
    assert text[cut:]
    for found, part in ((opened.train, text[:cut]), (opened.valid, text[cut:])):
        assert found.sha256 == hashlib.sha256(part.encode()).hexdigest()


def test_split_is_capped(folder, monkeypatch):
    """The validation text of a long text is limited, because every evaluation reads all of it."""
    monkeypatch.setattr("textgen.corpus.sections.MAX_VALID_CHARACTERS", 20)
    opened = open_corpus(sources(folder, train="one line\n" * 100), language_model="char")
    assert text_of(opened.valid) == "one line\n" * 2
    assert text_of(opened.train) == "one line\n" * 98
    opened = open_corpus(sources(folder, train="one line\n" * 10 + "x" * 50), language_model="char")
    assert text_of(opened.valid) == "x" * 14


@pytest.mark.parametrize("model", ["char", "word"])
@pytest.mark.parametrize("valid", [None, "a line\n" * 1000])
def test_read_twice(folder, monkeypatch, model, valid):
    """A text is read at most twice, except for its first piece."""
    read = 0
    read_chunks = decoding.read_chunks

    def count(*arguments):
        nonlocal read
        for text in read_chunks(*arguments):
            read += len(text)
            yield text

    monkeypatch.setattr(sections, "read_chunks", count)
    train = "a line\n" * 100_000
    open_corpus(sources(folder, train=train, valid=valid), language_model=model)
    assert read <= 2 * len(train + (valid or "")) + (1 << 17)


@needs_corpora
def test_tiny_shakespeare():
    """A real text is split 9 to 1 at the start of a line, and has its known 65 characters."""
    opened = open_corpus(find_sources([str(CORPORA / "tinyshakespeare.txt")], None, None), language_model="char")
    assert opened.prefix == "tinyshakespeare"
    assert opened.train.characters + opened.valid.characters == 1_115_394
    assert 0.0999 < opened.valid.characters / 1_115_394 <= 0.1
    assert text_of(opened.train).endswith("\n")
    assert opened.vocabulary.size == 67
    assert opened.vocabulary.tokens[2:6] == (" ", "e", "t", "o")
    assert opened.vocabulary.decode(opened.vocabulary.encode(text_of(opened.valid))) == text_of(opened.valid)


@needs_corpora
def test_jules():
    """A word model uses the vocabulary file of a pre-tokenized corpus; a char model ignores it."""
    jules = find_sources([], str(CORPORA / "jules"), "jules")
    words = open_corpus(jules, language_model="word")
    assert (words.vocabulary.tokenizer.name, words.vocabulary.size) == ("spaced", 16_778 + 2)
    assert words.vocabulary.tokens[2:5] == (",", "the", ".")
    ids = words.vocabulary.encode(text_of(words.train))
    assert 0.014 < ids.count(1) / len(ids) < 0.016
    characters = open_corpus(jules, language_model="char")
    assert characters.vocabulary.tokenizer.name == "char"
    assert characters.sha256 == words.sha256


def test_sections_from_files(folder):
    """Files for validation and test are used as sections; a char vocabulary covers all of them, a word vocabulary only the training text."""
    given_files = sources(folder, train="one one\n", valid="two\n", test="three\n")
    characters = open_corpus(given_files, language_model="char")
    assert [text_of(section) for section in (characters.train, characters.valid)] == ["one one\n", "two\n"]
    assert characters.test is not None
    assert text_of(characters.test) == "three\n"
    assert set(characters.vocabulary.tokens[2:]) == set("one two\nthree")
    words = open_corpus(given_files, language_model="word")
    assert words.vocabulary.tokens[2:] == ("one", "\n", " ")
    assert words.vocabulary.tokenizer.name == "word"


def test_packed_files_and_encodings(tmp_path):
    """Several files, packed or in another encoding, are read as one text."""
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("café".encode("latin-1")))
    (tmp_path / "b.txt").write_bytes("thé".encode("latin-1"))
    opened = open_corpus(find_sources([str(tmp_path)], None, None), language_model="char", encoding="latin-1")
    assert text_of(opened.train) + text_of(opened.valid) == "café\nthé"


def test_vocab_size_and_lowercase(folder):
    """A vocabulary can be cut to the most frequent tokens, and lower-cased."""
    opened = open_corpus(
        sources(folder, train="A a b\na A", valid="B"), language_model="word", vocab_size=2, lowercase=True
    )
    assert opened.vocabulary.tokens == ("", UNKNOWN, "a", " ")
    assert opened.vocabulary.encode("A B") == [2, 3, 1]


def test_sha256(folder):
    """The hash depends on the texts and the limits of the sections, and on nothing else."""

    def digest(model="char", fraction=0.1, **texts):
        return open_corpus(sources(folder, **texts), language_model=model, valid_fraction=fraction).sha256

    base = digest(train="abc abc\nabc abc\n")
    assert base == digest("word", train="abc abc\nabc abc\n")
    assert base == digest(train="abc abc\r\nabc abc\r\n")
    others = [
        digest(train="abc abc\nabc abd\n"),
        digest(train="bbc abc\nabc abc\n"),
        digest(train="abc abc\nabc abc\n", fraction=0.8),
        digest(train="abc abc\n", valid="abc abc\n"),
        digest(train="abc abc\nabc abc\n", valid="a"),
        digest(train="abc abc\nabc abc\n", valid="b"),
        digest(train="abc abc\nabc abc\n", test="a"),
        digest(train="abc abc\nabc abc\n", test="b"),
    ]
    assert len({base, *others}) == 9


@pytest.mark.parametrize(("valid", "test"), [(None, None), ("valid\n", None), (None, "test\n"), ("valid\n", "test\n")])
def test_sections_alone(folder, valid, test):
    """`open_sections` gives the same sections and hash as `open_corpus`, without a vocabulary."""
    files = sources(folder, train="a line\n" * 20, valid=valid, test=test)
    opened, sections = open_corpus(files, language_model="char"), open_sections(files)
    assert (sections.train, sections.valid, sections.test) == (opened.train, opened.valid, opened.test)
    assert sections.sha256 == opened.sha256
    assert "".join(map(text_of, sections.texts)) == "a line\n" * 20 + (valid or "") + (test or "")


STORY = bundled("data/story.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", ["char", "word"])
def test_wrapped_prose_is_unwrapped_everywhere(folder, model):
    """Sections, hash and vocabulary are those of the unwrapped text, and validation starts at a word."""
    files = sources(folder, train=STORY)
    opened = open_corpus(files, language_model=model)
    paragraphs = text_of(open_sections(files).texts[0])
    assert opened.unwrapped
    assert paragraphs != STORY
    assert paragraphs.split() == STORY.split()
    assert text_of(opened.train) + text_of(opened.valid) == paragraphs
    assert 0 <= len(paragraphs) // 10 - opened.valid.characters < 20
    assert re.fullmatch(r"\S\s\S", paragraphs[opened.train.stop - 1 : opened.train.stop + 2])
    assert opened.train.sha256 == hashlib.sha256(text_of(opened.train).encode()).hexdigest()
    same = sources(folder, train=text_of(opened.train), valid=text_of(opened.valid))
    as_it_is = open_corpus(same, language_model=model)
    assert not as_it_is.unwrapped
    assert as_it_is.vocabulary == opened.vocabulary
    assert (as_it_is.train.sha256, as_it_is.valid.sha256) == (opened.train.sha256, opened.valid.sha256)
    wrapped = open_corpus(sources(folder, train=STORY), language_model=model, unwrap="no")
    assert text_of(wrapped.train) + text_of(wrapped.valid) == STORY
    assert wrapped.sha256 != opened.sha256


def test_a_short_validation_text_is_unwrapped_with_the_others(folder):
    """All texts of a corpus are unwrapped, or none is."""
    short = "\n".join(STORY.split("\n")[5:12]) + "\n"
    assert (
        text_of(open_sections(sources(folder, train=STORY, valid=short, test=short)).valid)
        == short.replace("\n", " ").rstrip() + "\n"
    )
    assert text_of(open_sections(sources(folder, train="A line.\n" * 99, valid=short)).valid) == short


def test_an_unwrapped_text_of_one_line_can_be_split(folder):
    """Without a space in the last part, the text is cut anywhere."""
    paragraph = STORY[STORY.index("I have") : STORY.index("Let me describe")].rstrip()
    text = paragraph + "x" * 1000
    sections = open_sections(sources(folder, train=text), unwrap="yes")
    assert not sections.unwrapped
    sections = open_sections(sources(folder, train=f"{paragraph}\n\n{text}"), unwrap="yes")
    assert sections.unwrapped
    assert sections.valid.characters == (2 * len(paragraph) + 1002) // 10


def test_a_text_that_changes_before_its_tokens_are_counted(folder, monkeypatch):
    """If the text changes after it was hashed, there is no vocabulary."""
    files = sources(folder, train="a line\n" * 20)

    def open_and_change(*arguments, **options):
        sections = open_sections(*arguments, **options)
        files.train[0].write_text("A LINE\n" * 20)
        return sections

    monkeypatch.setattr(corpus, "open_sections", open_and_change)
    for model in ("char", "word"):
        with pytest.raises(errors.DataError, match="the text changed while it was read"):
            open_corpus(files, language_model=model)
        files.train[0].write_text("a line\n" * 20)


def test_sha256_is_made_of_the_texts_and_the_places(folder):
    """The hash, which job directories contain, is made of the hashes of the texts and the limits of the sections."""
    digests = [hashlib.sha256(text).hexdigest() for text in (b"to be\nor not\n", b"caf\xc3\xa9")]
    whole = hashlib.sha256(f"{digests[0]} 0-6 6-13".encode()).hexdigest()
    assert open_sections(sources(folder, train="to be\nor not\n"), valid_fraction=0.6).sha256 == whole
    split = hashlib.sha256(f"{digests[0]} {digests[1]} 0-13 0-4".encode()).hexdigest()
    assert open_sections(sources(folder, train="to be\nor not\n", valid="café")).sha256 == split


@pytest.mark.parametrize("valid", [None, "a line\n" * 1000])
def test_sections_are_read_once(folder, monkeypatch, valid):
    """Without a vocabulary, a text is read once."""
    read = []
    read_chunks = decoding.read_chunks

    def note(path, *arguments):
        read.append(path.name)
        yield from read_chunks(path, *arguments)

    monkeypatch.setattr(sections, "read_chunks", note)
    open_sections(sources(folder, train="a line\n" * 100, valid=valid))
    assert read == ["train.txt", "valid.txt"][: 1 if valid is None else 2]


@pytest.mark.parametrize(
    ("texts", "model", "message"),
    [
        ({"train": ""}, "char", r"train\.txt is empty"),
        ({"train": "abc", "valid": ""}, "char", r"valid\.txt is empty"),
        ({"train": "abc", "test": ""}, "char", r"test\.txt is empty"),
        ({"train": "a"}, "char", r"train\.txt has only one distinct token"),
        ({"train": "aaaa"}, "char", r"train\.txt has only one distinct token"),
        ({"train": "aaaa", "valid": "abc"}, "char", r"train\.txt has only one distinct token"),
        ({"train": "aaaab"}, "char", r"train\.txt has only one distinct token"),
        ({"train": "\n\n\n"}, "word", r"train\.txt has only one distinct token"),
        ({"train": "to to\nto", "valid": "to", "vocabulary": "to"}, "word", "only one distinct token"),
        (
            {"train": "to be or be <unk> " * 3 + "to " * 80, "valid": "to", "vocabulary": "to"},
            "word",
            r"vocabulary\.txt lacks 9\.8% of the tokens of the training text, such as 'be', 'or'",
        ),
        ({"train": "ab", "vocabulary": "<unk>"}, "word", "lists no token"),
    ],
)
def test_unfit_texts(folder, texts, model, message):
    """Texts that a model cannot learn from are refused in one line."""
    with pytest.raises(errors.DataError, match=message) as caught:
        open_corpus(sources(folder, **texts), language_model=model)
    assert "\n" not in str(caught.value)


def test_vocabulary_file_may_lack_a_little(folder):
    """Up to 5% of the tokens may be missing, not counting `<unk>`."""
    texts = {"train": "to " * 95 + "be " * 5 + "<unk> " * 50, "valid": "to", "vocabulary": "to"}
    assert open_corpus(sources(folder, **texts), language_model="word").vocabulary.tokens[2:] == ("to",)


def vocabulary_of(tokens, name="char"):
    return Vocabulary(("", UNKNOWN, *tokens), make_tokenizer(name))


def test_another_vocabulary_leaves_the_text_as_it_is(folder):
    """The corpus gets the given vocabulary, tokens that it lacks become `[UNK]`, and nothing else changes."""
    opened = open_corpus(sources(folder, train="ab" * 49 + "c!", valid="abc"), language_model="char")
    given_one = vocabulary_of("ca?b")
    replaced, lacking = replace_vocabulary(opened, given_one, Path("v"), "mend it")
    assert replaced.vocabulary is given_one
    assert replaced.vocabulary.encode("abc!") == [3, 5, 2, 1]
    assert lacking == 0.01
    assert (replaced.train, replaced.valid, replaced.test) == (opened.train, opened.valid, opened.test)
    assert (replaced.prefix, replaced.sha256) == (opened.prefix, opened.sha256)


def test_only_the_training_text_is_counted(folder):
    """The share is that of the training text; the validation text does not count."""
    opened = open_corpus(sources(folder, train="abab", valid="xyz"), language_model="char")
    assert replace_vocabulary(opened, vocabulary_of("ab"), Path("v"), "mend it")[1] == 0


@pytest.mark.parametrize(
    ("train", "vocabulary", "message"),
    [
        ("ab" * 47 + "cccccc", vocabulary_of("ab"), "v lacks 6.0% of the tokens of the training text, such as 'c'"),
        ("to be, to", vocabulary_of(["to", "be"], "spaced"), "v lacks 33.3% of the tokens of the training text, such as 'be,'"),
        ("to to to to", vocabulary_of(["to", "be"], "spaced"), "only one distinct token"),
    ],
)  # fmt: skip
def test_a_vocabulary_of_another_text_is_refused(folder, train, vocabulary, message):
    """A vocabulary is refused if it lacks too many tokens of the training text, or leaves one distinct token."""
    model = "char" if vocabulary.tokenizer.name == "char" else "word"
    opened = open_corpus(sources(folder, train=train, valid=train), language_model=model)
    with pytest.raises(errors.DataError) as caught:
        replace_vocabulary(opened, vocabulary, Path("v"), "mend it")
    assert message in str(caught.value)


def test_what_vocab_size_leaves_out_may_be_missing_from_another_vocabulary_too(folder):
    """If the text's own vocabulary of two tokens lacks 20%, another may lack 25%, but not 26%."""

    def lacking(text):
        opened = open_corpus(sources(folder, train=text, valid="a"), language_model="char", vocab_size=2)
        assert opened.vocabulary.tokens[2:] == ("a", "b")
        return replace_vocabulary(opened, vocabulary_of("ac"), Path("v"), "mend it")[1]

    assert lacking("a" * 60 + "b" * 20 + "c" * 15 + "d" * 5) == 0.25
    with pytest.raises(
        errors.DataError, match=r"lacks 26\.0% .* such as 'b', 'd'; at most 25% may be missing: mend it"
    ):
        lacking("a" * 60 + "b" * 20 + "c" * 14 + "d" * 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language_model": "bpe"}, "language_model must be char or word"),
        ({"language_model": "char", "vocab_size": 0}, "vocab_size must be at least 1"),
        ({"language_model": "char", "valid_fraction": 1.0}, "valid_fraction must be between 0 and 1"),
        ({"language_model": "word", "vocab_size": 10}, "contradict each other"),
        ({"language_model": "char", "encoding": "klingon"}, "encoding"),
    ],
)
def test_wrong_arguments(folder, options, message):
    """The error names the argument that is out of range, and what to do."""
    with pytest.raises(errors.UsageError, match=message):
        open_corpus(sources(folder, train="to be", valid="to", vocabulary="to\nbe"), **options)


def test_char_model_passes_the_vocabulary_file_over(folder):
    """A char model reads a pre-tokenized text as it is, and accepts vocab_size."""
    opened = open_corpus(
        sources(folder, train="to be <unk>", valid="to", vocabulary="to"), language_model="char", vocab_size=3
    )
    assert opened.vocabulary.size == 5
