import math
from pathlib import Path

import numpy as np
import pytest

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.corpus.sections import open_whole
from textgen.evaluation import baselines
from textgen.evaluation.baselines import measure_baselines, measure_uniform
from textgen.evaluation.compressors import COMPRESSORS
from textgen.evaluation.evaluated_text import count_text
from textgen.evaluation.kneser_ney import KneserNey

LETTERS = Vocabulary(("", "[UNK]", *"\nabcd"), make_tokenizer("char"))
WORDS = Vocabulary(("", "[UNK]", " ", "\n", "one", "two"), make_tokenizer("word"))


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def section(name, text):
    Path(name).write_text(text, encoding="utf-8")
    return open_whole([Path(name)], unwrap="no")


def test_uniform_and_unigram_by_hand():
    """Five characters cost log2(5) bits; counted in "aab", with a discount of 1/3 spread over all seven ids, "a" costs the rest."""
    text = count_text(section("text.txt", "baab"), LETTERS)
    assert measure_uniform(text) == pytest.approx(math.log2(5))
    found = measure_baselines(text, section("train.txt", "aab"))
    left = 1 / 3 * 2 / 3 / 7
    a, b = (2 - 1 / 3) / 3 + left, (1 - 1 / 3) / 3 + left
    assert found["unigram"] == pytest.approx(-(2 * math.log2(a) + math.log2(b)) / 3)


def test_words_cost_bits_per_character():
    """Each of the four tokens of a word model is a choice among four, and they have ten characters."""
    text = count_text(section("text.txt", "one two\nt0"), WORDS)
    assert measure_uniform(text) == pytest.approx(5 * 2 / 10)


@pytest.mark.parametrize(
    ("vocabulary", "order", "words"), [(LETTERS, 6, list("abcd\n")), (WORDS, 3, ["one", "two", " ", "\n"])]
)
def test_kneser_ney_is_that_of_the_training_text(vocabulary, order, words, monkeypatch):
    """N-grams of 6 characters or 3 words, read in blocks, have the loss of the whole text without its first token."""
    rng = np.random.default_rng(5)
    train, valid = ("".join(rng.choice(words, 2000)) for _ in range(2))
    monkeypatch.setattr(baselines, "_TOKENS_AT_ONCE", 128)
    text = count_text(section("valid.txt", valid), vocabulary)
    found = measure_baselines(text, section("train.txt", train))
    ids, valid_ids = (np.array(vocabulary.encode(each)) for each in (train, valid))
    nats = KneserNey(ids, order, vocabulary.size).nats(valid_ids)[1:].mean()
    assert found["kneser_ney"] == pytest.approx(nats / math.log(2) * len(valid_ids) / len(valid))


def test_a_better_method_needs_fewer_bits():
    """On a text with a pattern, n-grams need less than frequencies, and these less than chance; all compressors are there."""
    text = count_text(section("valid.txt", "abacabad\n" * 300), LETTERS)
    found = measure_baselines(text, section("train.txt", "abacabad\n" * 3000))
    assert found.keys() == {"unigram", "kneser_ney", *COMPRESSORS}
    assert found["kneser_ney"] < found["unigram"] < measure_uniform(text)
    assert max(found[name] for name in COMPRESSORS) < found["unigram"]


def test_only_the_start_of_a_long_training_text_is_learned(monkeypatch):
    """The limit holds for n-grams and for compressors."""
    text = count_text(section("valid.txt", "abacabad\n" * 30), LETTERS)
    start = "abca\n" * 400
    short = measure_baselines(text, section("short.txt", start))
    monkeypatch.setattr(baselines, "MOST_LEARNED", len(start))
    monkeypatch.setattr(baselines, "_TOKENS_AT_ONCE", len(start))
    found = measure_baselines(text, section("long.txt", start + "abacabad\n" * 300))
    assert found == pytest.approx(short)


def test_a_lowercase_model_is_compared_on_the_same_text():
    """If the model reads a text in lower case, so do the compressors."""
    vocabulary = Vocabulary(LETTERS.tokens, make_tokenizer("char", lowercase=True))
    lower = "".join(np.random.default_rng(1).choice(list("abcd\n"), 3000))
    mixed = "".join(map(str.upper, lower[:1500])) + lower[1500:]
    found = [
        measure_baselines(count_text(section("v.txt", each), vocabulary), section("t.txt", each))
        for each in (lower, mixed)
    ]
    assert found[0] == pytest.approx(found[1])


def test_only_the_named_baselines_are_measured():
    """A report leaves out what takes long."""
    text = count_text(section("text.txt", "abcd" * 10), LETTERS)
    training = section("train.txt", "abcd" * 30)
    found = measure_baselines(text, training, ("unigram", "xz"))
    assert found == {
        name: value for name, value in measure_baselines(text, training).items() if name in {"unigram", "xz"}
    }
    assert len(found) == 2
