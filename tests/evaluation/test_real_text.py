import itertools

import pytest

from tests.sections import write_section
from textgen.corpus import make_tokenizer
from textgen.corpus.sections import Section
from textgen.evaluation import real_text
from textgen.evaluation.real_text import excerpts, read_real_text

LINE = "one two three four five six\n"


def read(tmp_path, train, valid, name):
    """Reads two texts as those of a model with a tokenizer of this name."""
    sections = write_section(tmp_path / "train.txt", train), write_section(tmp_path / "valid.txt", valid)
    return read_real_text(sections[0], sections[1], make_tokenizer(name))


@pytest.mark.parametrize("name", ["char", "word"])
def test_the_share_of_known_words_is_that_of_the_validation_text(tmp_path, name):
    """The statistics are those of the validation text, and the words are those of the training text."""
    real = read(tmp_path, "One two. Three!", "Two four, two.", name)
    assert real.words == {"one", "two", "three"}
    assert real.training_words == ["one", "two", "three"]
    assert real.statistics.known_words == pytest.approx(2 / 3)


def test_a_pretokenized_text_is_read_as_the_model_writes_it(tmp_path):
    """`do n't` is the word `don't`, as in what the model writes, and `<unk>`, which no model writes, is left out."""
    train, valid = "he do n't go , <unk> .\n", "she do n't <unk> .\n"
    real = read(tmp_path, train, valid, "spaced")
    assert real.words == {"he", "don't", "go"}
    assert real.statistics.words == 2


def test_texts_without_words(tmp_path):
    """Texts of marks alone are read, too."""
    real = read(tmp_path, "...", "!", "char")
    assert (real.words, real.statistics.words, real.statistics.known_words) == (frozenset(), 0, None)


def test_a_short_text_is_read_whole(tmp_path):
    """Excerpts of a section that is shorter than they may be are the section itself."""
    text = LINE * 2000
    assert "".join(excerpts(write_section(tmp_path / "text.txt", text), len(text))) == text


def test_excerpts_of_a_long_text_are_evenly_spread(tmp_path):
    """Excerpts of a tenth of a text come from each tenth of it."""
    text = "".join(f"{number} {LINE}" for number in range(60_000))
    found = list(excerpts(write_section(tmp_path / "text.txt", text), len(text) // 10))
    assert 0.08 < len("".join(found)) / len(text) < 0.12
    starts = [int(each.split(" ", 1)[0]) for each in found]
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert max(gaps) < 1.5 * min(gaps)
    assert starts[-1] > 50_000


def test_of_a_very_long_text_only_the_start_is_read(tmp_path, monkeypatch):
    """The time is bounded: after as many characters as may be read, no chunk is read."""
    monkeypatch.setattr(real_text, "_MOST_READ", 100_000)
    taken = []
    chunks = Section.chunks

    def count(self, size):
        for chunk in chunks(self, size):
            taken.append(len(chunk))
            yield chunk

    monkeypatch.setattr(Section, "chunks", count)
    text = LINE * 20_000
    assert 0 < len("".join(excerpts(write_section(tmp_path / "text.txt", text), 50_000))) <= 70_000
    assert sum(taken) < 120_000


def test_a_distant_validation_text_is_not_read(tmp_path, monkeypatch):
    """Behind a very long training text, other excerpts of that take the place of the validation text, and most of their words are known."""
    monkeypatch.setattr(real_text, "_MOST_SKIPPED", 1000)
    monkeypatch.setattr(real_text, "_MOST_LEARNED", 100_000)
    monkeypatch.setattr(real_text, "_MOST_COMPARED", 20_000)
    text = "".join(f"{LINE}number{number}\n" for number in range(50_000))
    train = write_section(tmp_path / "text.txt", text + "valid " * 1000, 0, len(text))
    valid = write_section(tmp_path / "text.txt", text + "valid " * 1000, len(text))
    real = read_real_text(train, valid, make_tokenizer("char"))
    assert "valid" not in real.words
    assert real.statistics.known_words == pytest.approx(6 / 7, abs=0.01)
