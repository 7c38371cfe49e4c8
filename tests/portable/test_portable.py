import dataclasses
import json
import subprocess
import sys
import textwrap
from importlib import import_module

import numpy as np
import pytest

from textgen.config import ExportCommand, settings
from textgen.corpus import Vocabulary
from textgen.errors import FormatError, UnavailableError, UsageError
from textgen.portable import FORMATS, check_installed, export_model
from textgen.portable.comparison import TOLERANCE, largest_difference

any_format = pytest.mark.parametrize("name", FORMATS)
one_step_format = pytest.mark.parametrize("name", [name for name, known in FORMATS.items() if not known.is_complete])


@pytest.fixture
def path_of(tmp_path):
    """A function that returns the path of a format's file."""
    return lambda name: tmp_path / f"model{FORMATS[name].suffix}"


def backend(name):
    return import_module(FORMATS[name].module)


def changed(model, tensor):
    """A copy of a model in which one weight, of size about 1, is 0.1 larger."""
    weights = model.tensors[tensor].copy()
    weights.flat[-1] += 0.1
    return dataclasses.replace(model, tensors={**model.tensors, tensor: weights})


@one_step_format
def test_each_kind_is_written_and_runs(name, any_kind, random_model, path_of):
    """Every kind of model exports to every one-step format, agrees with textgen's step, and leaves no other files."""
    model, path = random_model(**any_kind), path_of(name)
    exported = export_model(model, name, path)
    assert (exported.model, exported.difference < 1e-5) == (path, True), exported
    assert set(path.parent.iterdir()) == {path, exported.vocabulary}


@one_step_format
def test_the_vocabulary_is_next_to_it(name, random_model, path_of):
    """The vocabulary can be rebuilt from the JSON file."""
    model = random_model()
    vocabulary = export_model(model, name, path_of(name)).vocabulary
    assert vocabulary is not None
    assert vocabulary.name == f"model{FORMATS[name].suffix}.vocabulary.json"
    content = json.loads(vocabulary.read_text(encoding="utf-8"))
    assert Vocabulary.from_json(content) == model.vocabulary


@one_step_format
@pytest.mark.parametrize("kind", [{"num_proj": 3}, {"layer_norm": True}])
def test_another_weight_is_found_out(name, kind, random_model, path_of):
    """The comparison detects a change of 0.1 in one weight of any tensor."""
    model = random_model(embedding_size=5, **kind)
    backend(name).write(model, path_of(name), "model")
    one_step = backend(name).open_step(path_of(name))
    for tensor in model.tensors:
        assert largest_difference(changed(model, tensor), one_step) > TOLERANCE, tensor


@one_step_format
def test_a_damaged_export_is_refused_and_removed(name, random_model, path_of, monkeypatch):
    """An exported file that computes something else is deleted; an existing file and its vocabulary are kept."""
    model, path = random_model(), path_of(name)
    old = export_model(random_model(seed=2), name, path)
    before = {place: place.read_bytes() for place in path.parent.iterdir()}
    write = backend(name).write
    monkeypatch.setattr(
        backend(name), "write", lambda model, *rest: write(changed(model, "layers.1.recurrent_kernel"), *rest)
    )
    with pytest.raises(
        FormatError, match=rf"^cannot write {path}: in a test its logits differed .* 0.0001 allowed[^\n]*$"
    ):
        export_model(model, name, path)
    assert {place: place.read_bytes() for place in path.parent.iterdir()} == before
    assert set(before) == {old.model, old.vocabulary}


def test_rounding_is_no_difference(random_model, path_of):
    """Large logits and networks that amplify rounding errors pass the comparison."""
    for seed in range(20):
        model = random_model(seed, num_proj=3, embedding_size=5, layers=3)
        large = {name: tensor * 100 if name == "output.kernel" else tensor for name, tensor in model.tensors.items()}
        export_model(dataclasses.replace(model, tensors=large), "onnx", path_of("onnx"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_logits_are_refused(value, random_model, path_of):
    """A model whose logits are NaN fails the comparison."""
    model = random_model()
    bias = np.full_like(model.tensors["output.bias"], value)
    broken = dataclasses.replace(model, tensors={**model.tensors, "output.bias": bias})
    with pytest.raises(FormatError, match="by up to nan, more than"):
        export_model(broken, "onnx", path_of("onnx"))


@pytest.mark.parametrize("name", ["litert", "onnx"])
def test_a_model_that_is_too_large_is_refused(name, random_model, path_of):
    """Formats limited to two gigabytes refuse a larger model before they write, and suggest a format without the limit."""
    model = random_model()
    model = dataclasses.replace(model, shape=dataclasses.replace(model.shape, layers=1, lstm_state_size=2**14))
    with pytest.raises(
        UsageError, match=rf"format {name} can contain at most 2.1 GB of weights, and this model has 4.3 GB; use"
    ):
        export_model(model, name, path_of(name))
    assert list(path_of(name).parent.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("onnx", "onnx", "onnx"),
        ("onnx", "onnxruntime", "onnxruntime"),
        ("litert", "ai_edge_litert.interpreter", "ai_edge_litert"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(name, module, package, monkeypatch):
    """Without the extra, one line says what to install, and where."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnavailableError) as raised:
        check_installed(name)
    assert str(raised.value) == (
        f"format {name} needs {package}, which is not installed; in the clone of textgen, run pip install '.[{name}]'"
    )


@any_format
def test_what_the_tests_need_is_installed(name):
    """Each format's packages are installed for the tests."""
    check_installed(name)


def test_the_flag_takes_the_formats():
    """--format accepts exactly the formats that exist."""
    [choices] = [setting.option.choices for setting in settings(ExportCommand) if setting.name == "format"]
    assert choices == tuple(sorted(FORMATS))


def test_the_onnx_graph_has_the_documented_signature(random_model, path_of):
    """Inputs and outputs have the documented names and types and any batch size, in the documented operator set."""
    import onnx

    export_model(random_model(layers=1, num_proj=3), "onnx", path_of("onnx"))
    model = onnx.load(path_of("onnx"))
    onnx.checker.check_model(model, full_check=True)

    def parts(values):
        return {
            value.name: (
                onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
                *(axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim),
            )
            for value in values
        }

    states = {"h_0": ("float32", "batch", 3), "c_0": ("float32", "batch", 8)}
    assert parts(model.graph.input) == {"token": ("int32", "batch"), **states}
    assert parts(model.graph.output) == {
        "logits": ("float32", "batch", 13),
        **{f"{name}_next": part for name, part in states.items()},
    }
    assert [(known.domain, known.version) for known in model.opset_import] == [("", 17)]


def test_the_litert_file_has_the_documented_signature(random_model, path_of):
    """Its only signature has the documented names, and it uses only LiteRT's own operators."""
    from ai_edge_litert.interpreter import Interpreter

    export_model(random_model(layers=1), "litert", path_of("litert"))
    [signature] = Interpreter(str(path_of("litert"))).get_signature_list().values()
    assert set(signature["inputs"]) == {"token", "h_0", "c_0"}
    assert set(signature["outputs"]) == {"logits", "h_0_next", "c_0_next"}


def test_the_keras_file_loads_without_textgen(random_model, tmp_path):
    """A process that cannot import textgen loads the files in Keras' safe mode and runs them."""
    for number, kind in enumerate(({"num_proj": 3}, {"layer_norm": True, "embedding_size": 5})):
        export_model(random_model(**kind), "keras", tmp_path / f"{number}.keras")
    script = """
        import sys
        sys.modules["textgen"] = None
        import keras, numpy as np
        for name in ("0.keras", "1.keras"):
            model = keras.saving.load_model(name, safe_mode=True)
            inputs = {part.name: np.zeros([1, *part.shape[1:]], part.dtype) for part in model.inputs}
            assert model.predict_on_batch(inputs)["logits"].shape == (1, 13)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, cwd=tmp_path)
