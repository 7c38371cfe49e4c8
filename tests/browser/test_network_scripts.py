import base64
import dataclasses
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import KINDS
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.evaluation.units import outputs_of_unit, strongest_units
from textgen.generation import LSTMStep, TextGenerator, read_model
from textgen.generation.prompt import start_ids
from textgen.generation.samplers import RepetitionPenalty
from textgen.storage import bundled

pytestmark = pytest.mark.browser

LENGTH = 1000
TIE = 1e-4
SCALE = 0.6
PATTERNS = np.arange(2**16, dtype=np.uint16).view(np.float16)

KINDS_OF_MODELS = {
    **KINDS,
    "one layer": {"layers": 1},
    "normalised and projected": {"layer_norm": True, "num_proj": 3},
    "odd sizes": {"lstm_state_size": 7, "num_proj": 5, "embedding_size": 3, "layers": 3},
}

WRITE = """async (request) => {
  const tokens = [];
  const ended = await backend.write({ seed: 1, alternatives: 3, temperature: 0, ...request }, { onTokens: (some) => tokens.push(...some) });
  return { ...ended, tokens };
}"""


def as_half(model):
    """A model with the weights that an exported page has."""
    return dataclasses.replace(
        model, tensors={name: tensor.astype(np.float16).astype(np.float32) for name, tensor in model.tensors.items()}
    )


def scaled(model):
    """A model with smaller weights, because some random networks are chaotic, and amplify the smallest rounding error."""
    tensors = {name: tensor * (SCALE if tensor.ndim == 2 else 1) for name, tensor in model.tensors.items()}
    return dataclasses.replace(model, tensors=tensors)


def is_close_to_another(token):
    """Whether another token is nearly as likely, so that rounding can decide the rank."""
    return any(abs(each["nats"] - token["nats"]) < TIE and each["text"] != token["text"] for each in token["top"])


def check_greedy(start_backend, model, prompt, penalty=1.0):
    """Checks that the page writes what textgen writes at temperature 0, except where two tokens are equally likely; returns the text."""
    model = as_half(model)
    scripts = start_backend(model)
    written = scripts.evaluate(WRITE, {"prompt": prompt, "length": LENGTH, "repetitionPenalty": penalty})
    ids = model.vocabulary.ids([token["text"] for token in written["tokens"]])
    assert (len(ids), written["finishReason"]) == (LENGTH, "length")
    read, run = model.vocabulary.encode(prompt) or start_ids(model.vocabulary), LSTMStep(model).start()
    for token_id in read:
        logits = run(np.array([token_id]))
    for token_id in ids:
        scores = logits.copy()
        scores[:, :2] = -np.inf
        RepetitionPenalty(penalty)(scores, [np.array(read[-64:])])
        assert scores[0, token_id] >= scores.max() - TIE
        read.append(token_id)
        logits = run(np.array([token_id]))
    return "".join(token["text"] for token in written["tokens"])


@pytest.mark.parametrize("kind", KINDS_OF_MODELS.values(), ids=KINDS_OF_MODELS)
def test_greedy_text_is_that_of_python(kind, random_model, start_backend):
    """A thousand characters of each kind of model are those that textgen writes with the same float16 weights.

    Without the penalty, a text of a random model soon repeats itself.
    """
    model = scaled(random_model(**{"lstm_state_size": 16, **kind}))
    check_greedy(start_backend, model, "")
    assert len(set(check_greedy(start_backend, model, "abc", penalty=3.0))) > 2


@pytest.mark.parametrize("kind", KINDS_OF_MODELS.values(), ids=KINDS_OF_MODELS)
def test_scores_and_states_are_those_of_python(kind, random_model, start_backend):
    """The score of each character of a random text, its rank, its alternatives, and what comes next are those of textgen."""
    model = scaled(random_model(**{"lstm_state_size": 16, **kind}))
    text = "".join(np.random.default_rng(5).choice(list("abcdefghij\nX"), 1000))
    scripts = start_backend(model)
    found = scripts.evaluate("(request) => backend.score(request)", {"text": text, "top": 3, "next": 4})
    expected = TextGenerator(as_half(model)).score(text, top=3, after=4)
    assert found["bitsPerCharacter"] == pytest.approx(expected.bits_per_character, rel=1e-5)
    assert [token["text"] for token in found["tokens"]] == list(text)
    for token, other in zip(found["tokens"], expected, strict=True):
        assert token["nats"] == pytest.approx(other.nats, abs=TIE)
        assert [each["nats"] for each in token["top"]] == pytest.approx([each.nats for each in other.top], abs=TIE)
        assert token["rank"] == other.rank or is_close_to_another(token)
    assert [each["nats"] for each in found["next"]] == pytest.approx([each.nats for each in expected.next], abs=TIE)
    network, ids = LSTMStep(as_half(model)), model.vocabulary.encode(text)
    for layer in range(model.shape.layers):
        request = {"text": text, "layer": layer}
        [unit, *_] = strongest = scripts.evaluate(
            "async (request) => (await backend.states(request)).strongest.flat()", request
        )
        assert strongest == pytest.approx(list(chain(*strongest_units(network, ids, layer, 12))), abs=TIE)
        values = scripts.evaluate(
            "async (request) => (await backend.states(request)).values", {**request, "unit": unit}
        )
        assert values == pytest.approx(outputs_of_unit(network, ids, layer, unit), abs=TIE)


def test_the_base_model_writes_the_same_text(start_backend):
    """The base model writes exactly the text that textgen writes."""
    model = read_model(Path(bundled("data/base.safetensors")))
    text = check_greedy(start_backend, model, "The captain ")
    assert text == "".join(TextGenerator(as_half(model)).generate("The captain ", length=LENGTH, temperature=0))


@pytest.mark.parametrize(("tokenizer", "prompt"), [("word", "one two"), ("spaced", "one , two"), ("word", "")])
def test_models_of_words_write_the_same_text(tokenizer, prompt, random_model, start_backend):
    """Spaces, the guard of spacing and the tokens that start a text are as in Python."""
    spaces = ("\n", " ") if tokenizer == "word" else ()
    tokens = ("", "[UNK]", *spaces, ",", ".", "one", "two", "(", "it", "'", "s", '"')
    vocabulary = Vocabulary(tokens, make_tokenizer(tokenizer))
    followers = {" ": ["\n"], "\n": ["\n", ","]} if tokenizer == "word" else None
    shape = dataclasses.replace(random_model().shape, vocabulary_size=len(tokens), lstm_state_size=16)
    rng = np.random.default_rng(6)
    tensors = {name: rng.normal(size=size).astype(np.float32) for name, size in shape.tensors.items()}
    model = dataclasses.replace(
        random_model(), vocabulary=vocabulary, shape=shape, tensors=tensors, after_white_space=followers
    )
    scripts = start_backend(model)
    written = scripts.evaluate(WRITE, {"prompt": prompt, "length": 300, "repetitionPenalty": 2})
    generated = TextGenerator(as_half(model)).generate(prompt, length=300, temperature=0, repetition_penalty=2)
    expected = "".join(generated)
    assert "".join(token["text"] for token in written["tokens"]) == expected
    assert len(set(expected)) > 5


def test_every_float16_number_is_read(scripts):
    """Every finite float16 pattern is decoded exactly, also subnormal numbers and minus zero."""
    finite = PATTERNS[np.isfinite(PATTERNS)]
    for numbers in (finite, finite[:1], finite[:2]):  # with each length of padding in base64
        found = scripts.evaluate(
            "([weights, size]) => Array.from(readWeights(weights, [['other', 0], ['all', size]])('all'))",
            [base64.b64encode(numbers.tobytes()).decode(), len(numbers)],
        )
        assert np.array_equal(np.array(found, np.float32), numbers.astype(np.float32))
        assert np.array_equal(np.signbit(found), np.signbit(numbers))
