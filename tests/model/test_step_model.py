import json
import zipfile

import keras
import numpy as np

from textgen.generation import LSTMStep
from textgen.model import build_one_step

STEPS = 50


def own_logits(model, texts):
    """Returns the logits of textgen's own step after each token of texts `(batch, steps)`, `(batch, steps, vocabulary size)`."""
    run = LSTMStep(model).start(len(texts))
    return np.stack([run(ids).copy() for ids in texts.T], axis=1)


def keras_logits(one_step, texts):
    """Returns the logits of the Keras model, whose states are carried over here."""
    states = {
        part.name: np.zeros((len(texts), part.shape[1]), np.float32) for part in one_step.inputs if part.name != "token"
    }
    found = []
    for ids in texts.T:
        outputs = one_step.predict_on_batch({"token": ids, **states})
        states = {name: outputs[f"{name}_next"] for name in states}
        found.append(outputs["logits"])
    return np.stack(found, axis=1)


def random_texts(model, count):
    return np.random.default_rng(3).integers(model.vocabulary.size, size=(count, STEPS)).astype(np.int32)


def test_every_kind_equals_the_numpy_step(random_model, any_kind):
    """Over fifty tokens of one text, and of three at once, the logits equal those of textgen's own step."""
    model = random_model(**any_kind)
    one_step = build_one_step(model)
    for count in (1, 3):
        texts = random_texts(model, count)
        np.testing.assert_allclose(keras_logits(one_step, texts), own_logits(model, texts), atol=1e-4)


def test_inputs_and_outputs_are_those_of_the_signature(random_model, any_kind):
    """Names, widths and types are those documented for exported files, and the batch size is free."""
    model = random_model(**any_kind)
    size, output_size = 8, any_kind.get("num_proj") or 8
    states = {
        name: width
        for layer in range(model.shape.layers)
        for name, width in ((f"h_{layer}", output_size), (f"c_{layer}", size))
    }
    one_step = build_one_step(model)
    assert {part.name: (part.shape, part.dtype) for part in one_step.inputs} == {
        "token": ((None,), "int32"),
        **{name: ((None, width), "float32") for name, width in states.items()},
    }
    assert {name: (part.shape, part.dtype) for name, part in one_step.output.items()} == {
        "logits": ((None, model.vocabulary.size), "float32"),
        **{f"{name}_next": ((None, width), "float32") for name, width in states.items()},
    }


def test_the_precision_policy_does_not_matter(random_model):
    """The step computes in float32 under any dtype policy of Keras."""
    model = random_model(layer_norm=True)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        one_step = build_one_step(model)
    finally:
        keras.config.set_dtype_policy(before)
    texts = random_texts(model, 1)
    np.testing.assert_allclose(keras_logits(one_step, texts), own_logits(model, texts), atol=1e-4)


def test_it_contains_only_stock_keras(random_model, any_kind, tmp_path):
    """A saved model names no class from outside Keras."""
    path = tmp_path / "model.keras"
    build_one_step(random_model(**any_kind)).save(path)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    modules: set[str] = set()

    def walk(part):
        if isinstance(part, dict):
            modules.update(part[key] for key in ("module", "registered_name") if part.get(key))
            list(map(walk, part.values()))
        elif isinstance(part, list):
            list(map(walk, part))

    walk(config)
    assert {name.partition(".")[0] for name in modules if "." in name} == {"keras"}
    assert "textgen" not in json.dumps(config).replace("textgen_one_step", "")
