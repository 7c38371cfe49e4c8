import dataclasses

import pytest

from textgen.config import SamplingConfig
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.corpus.copy_index import CopyIndex
from textgen.evaluation import measure_novelty, written
from textgen.evaluation.real_text import RealText
from textgen.evaluation.text_statistics import TextStatistics
from textgen.evaluation.written import write_texts, write_tokens
from textgen.generation import TextGenerator


@pytest.fixture
def generator(random_model):
    return TextGenerator(random_model())


def test_each_text_is_the_one_that_sampling_writes(generator):
    """A text in the batch is the same as one that is written alone with the same temperature and seed."""
    texts = write_texts(generator, temperatures=(0.0, 0.5, 1.0), characters=300, seed=7)
    assert [each.temperature for each in texts] == [0.0, 0.5, 1.0]
    for each in texts:
        assert each.text == "".join(generator.generate(length=300, temperature=each.temperature, seed=7))


def test_texts_are_measured(generator):
    """The statistics are those of the text, and the share of known words and the novelty are those against the training text."""
    training = "abc def\nghij a b c d e f g h i j\n" * 10
    real = RealText(["a", "bc"], TextStatistics.of("a"))
    tokenizer = generator.model.vocabulary.tokenizer
    index = CopyIndex.build(training)
    (one,) = write_texts(generator, real, index, temperatures=(0.7,), characters=500)
    expected = TextStatistics.of(one.text, {"a", "bc"})
    assert (one.statistics.words, one.statistics.known_words) == (expected.words, expected.known_words)
    assert one.novelty == measure_novelty(one.text, index, tokenizer)


def test_without_the_training_text_only_the_text_is_measured(generator):
    """Without the training text, what needs it is None."""
    for each in write_texts(generator, characters=50):
        assert (each.novelty, each.statistics.known_words) == (None, None)


@pytest.mark.parametrize("name", ["word", "spaced"])
def test_words_are_joined_as_sampling_does(random_model, name):
    """A model of words writes fewer tokens than characters, and the novelty compares its tokens as the training text has them."""
    model = random_model()
    words = Vocabulary(("", "[UNK]", "\n", *"abcdefgh", "n't", "."), make_tokenizer(name))
    generator = TextGenerator(dataclasses.replace(model, vocabulary=words))
    (one,) = write_texts(generator, None, CopyIndex.build("a b c " * 100), temperatures=(1.0,), characters=900, seed=3)
    assert one.text == "".join(generator.generate(length=200, temperature=1.0, seed=3))
    assert one.novelty is not None
    assert one.novelty.spans > 0


def test_a_large_model_writes_less(generator, monkeypatch):
    """The work is bounded: the length of the texts falls with the number of weights and of texts, but not below one token."""
    weights = generator.model.shape.parameters
    monkeypatch.setattr(written, "_MOST_WORK", 40 * 32 * weights)
    tokens = write_tokens(generator, (0.5, 1.0), samples=16, characters=1000, seed=1)
    assert {len(text) for texts in tokens.values() for text in texts} == {40}
    monkeypatch.setattr(written, "_MOST_WORK", 1)
    assert [len(each.text) for each in write_texts(generator)] == [1, 1, 1]


def test_samples_of_a_temperature_differ(generator):
    """Each text of a temperature has a seed of its own."""
    (texts,) = write_tokens(generator, (1.0,), samples=4, characters=50, seed=5).values()
    alone = [list(generator.write("", SamplingConfig(length=50, temperature=1.0, seed=seed))) for seed in (5, 6, 7, 8)]
    assert texts == [[piece for _, piece in pieces] for pieces in alone]
