import dataclasses
import math
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from textgen.corpus.sections import open_whole
from textgen.evaluation import evaluated_text, model_measures
from textgen.evaluation.evaluated_text import count_text
from textgen.evaluation.model_measures import CONFIDENCE_BINS, Bins, measure_model, predict
from textgen.generation.reading import score
from textgen.generation.step import LSTMStep, log_total
from textgen.planning.model_shape import OUTPUT_BIAS


@pytest.fixture
def open_text(tmp_path):
    """A function that opens a text as a model reads it."""

    def open_for(model, text):
        path = tmp_path / "text.txt"
        path.write_text(text, encoding="utf-8")
        return count_text(open_whole([path], unwrap="no"), model.vocabulary)

    return open_for


@pytest.fixture
def constant(random_model):
    """A model that always gives "a" the probability 0.5, "b" 0.3 and "c" 0.2, whatever comes before."""
    model = random_model()
    tensors = {name: np.zeros_like(tensor) for name, tensor in model.tensors.items()}
    tensors[OUTPUT_BIAS][:] = -1000
    for token, probability in {"a": 0.5, "b": 0.3, "c": 0.2}.items():
        tensors[OUTPUT_BIAS][model.vocabulary.tokens.index(token)] = math.log(probability)
    return dataclasses.replace(model, tensors=tensors)


def some_text(characters, seed=1):
    return "".join(np.random.default_rng(seed).choice(list("abcdefghij\n"), characters))


def one_stream(network, ids):
    """Returns the nats of the tokens after the first, read one at a time."""
    run = network.start()
    nats = []
    for token, target in pairwise(ids):
        logits = run(np.array([token]))
        nats.append(float(log_total(logits)[0] - logits[0, target]))
    return nats


def test_the_measures_of_a_known_distribution_by_hand(constant, open_text):
    """Loss, perplexity, bits per character, accuracy and calibration error of six predicted characters."""
    measures = measure_model(LSTMStep(constant), open_text(constant, "cabacaa"))
    nats = -(4 * math.log(0.5) + math.log(0.3) + math.log(0.2))
    assert measures.scores.tokens == 6
    assert measures.scores.nats == pytest.approx(nats)
    assert measures.scores.perplexity == pytest.approx(math.exp(nats / 6))
    assert measures.scores.bits_per_character == pytest.approx(nats / 6 / math.log(2))
    assert measures.accuracy == pytest.approx(4 / 6)
    assert measures.calibration_error == pytest.approx(4 / 6 - 0.5)
    assert measures.interval is None


def test_a_perfectly_calibrated_model_has_no_calibration_error(constant, open_text):
    """If the first guess with a probability of 0.5 is right half the time, the error is 0."""
    measures = measure_model(LSTMStep(constant), open_text(constant, "cabacab"))
    assert measures.accuracy == pytest.approx(0.5)
    assert measures.calibration_error == pytest.approx(0, abs=1e-6)


def test_the_bins_count_the_tokens_by_the_probability_of_the_first_guess(constant, open_text):
    """A first guess of 0.5 that is right in four of six places fills one bin; the others are empty."""
    bins = measure_model(LSTMStep(constant), open_text(constant, "cabacaa")).bins
    [full] = np.flatnonzero(bins.counts)
    assert len(bins.counts) == len(bins.confidences) == len(bins.accuracies) == CONFIDENCE_BINS
    assert full == CONFIDENCE_BINS // 2
    assert bins.counts[full] == 6
    assert bins.confidences[full] == pytest.approx(0.5)
    assert bins.accuracies[full] == pytest.approx(4 / 6)
    assert np.isnan(np.delete(bins.confidences, full)).all()
    assert np.isnan(np.delete(bins.accuracies, full)).all()


def test_the_calibration_error_is_the_mean_gap_over_the_tokens():
    """A bin weighs as much as it has tokens, and an empty bin weighs nothing."""
    bins = Bins(np.array([1, 0, 3]), np.array([0.1, np.nan, 0.9]), np.array([0.5, np.nan, 0.7]))
    assert bins.calibration_error == pytest.approx((1 * 0.4 + 3 * 0.2) / 4)


def test_a_short_text_is_read_as_one_stream(random_model, open_text, any_kind):
    """The loss of a short text is exactly that of reading it token by token, and its interval contains it."""
    model = random_model(**any_kind)
    text = open_text(model, some_text(3000))
    network = LSTMStep(model)
    measures = measure_model(network, text)
    [block] = text.blocks(10_000, 0)
    assert measures.scores.nats == pytest.approx(sum(one_stream(network, block.ids)), rel=1e-5)
    assert measures.interval is not None
    assert measures.interval.low < 1 < measures.interval.high


def test_a_long_text_in_parallel_parts_and_blocks_has_the_loss_of_one_stream(random_model, open_text, monkeypatch):
    """Each token counts once, whatever the parts, and the total is that of one stream to 1e-4."""
    model = random_model()
    text = open_text(model, some_text(50_000))
    network = LSTMStep(model)
    [block] = text.blocks(100_000, 0)
    whole = np.array(one_stream(network, block.ids))
    monkeypatch.setattr(model_measures, "_LEAST_COUNTED", 700)  # more parts than one thread reads
    parallel = predict(network, block)
    assert len(parallel.nats) == len(whole) == 49_999
    assert parallel.nats.sum(dtype=np.float64) == pytest.approx(whole.sum(), rel=1e-4)
    for size in (1234, 20_000, 49_999, 50_000):
        monkeypatch.setattr(model_measures, "_TOKENS_AT_ONCE", size)
        scores = measure_model(network, text).scores
        assert scores.tokens == 49_999
        assert scores.nats == pytest.approx(whole.sum(), rel=1e-4)


@pytest.mark.parametrize(("cores", "rows"), [(1, [32]), (2, [24, 24]), (16, [24, 24])])
def test_there_is_a_thread_per_core_at_most(random_model, open_text, monkeypatch, cores, rows):
    """Threads that share a core would interrupt each other. Each reads about as many parts as the others."""
    monkeypatch.setattr(model_measures, "_LEAST_COUNTED", 1000)
    monkeypatch.setattr(model_measures, "available_cores", lambda: cores)
    read = []

    def count_and_score(network, texts, **settings):
        read.append(len(texts))
        return score(network, texts, **settings)

    monkeypatch.setattr(model_measures, "score", count_and_score)
    model = random_model(layers=1, lstm_state_size=2)
    [block] = open_text(model, some_text(48_500)).blocks(100_000, 0)
    assert len(predict(LSTMStep(model), block).nats) == 48_499
    assert read == rows


def test_unknown_characters_are_scored_as_unknown(random_model, open_text):
    """The share of [UNK] is that of the text, and its tokens count."""
    model = random_model()
    scores = measure_model(LSTMStep(model), open_text(model, "abcxabczabcabcabcabca")).scores
    assert scores.unknown_share == pytest.approx(2 / 21)
    assert scores.tokens == 20


def test_a_longer_text_takes_no_more_memory(random_model, open_text, monkeypatch):
    """A text is read in blocks, so one of four times the length takes hardly more memory."""
    monkeypatch.setattr(evaluated_text, "_CHARACTERS_AT_ONCE", 10_000)
    monkeypatch.setattr(model_measures, "_TOKENS_AT_ONCE", 20_000)
    monkeypatch.setattr(model_measures, "_LEAST_COUNTED", 2000)
    model = random_model(layers=1, lstm_state_size=2)
    network = LSTMStep(model)

    def peak(characters):
        text = open_text(model, some_text(characters))
        tracemalloc.start()
        measure_model(network, text)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(30_000)  # whatever is made once
    assert peak(160_000) < 1.3 * peak(40_000)
