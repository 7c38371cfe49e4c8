import dataclasses
import html
import json
import math
import re

import numpy as np
import pytest

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.errors import FormatError, UsageError
from textgen.portable import export_model, html_file
from textgen.portable.comparison import FileDiffersError

NASTY = ("</script>", "<!--", "<script>", "\u2028", "]]>", "&lt;", "\x85", "\ufeff", "\u202e", "\U0001f600", '"', "\\")
"""Tokens that would break a page if they were not escaped, or not kept as they are."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.html"


def with_vocabulary(model, tokens, tokenizer="word"):
    """A model of the same size with other tokens."""
    kept = tokens[: model.vocabulary.size - 2]
    rest = [f"token{number}" for number in range(model.vocabulary.size - 2 - len(kept))]
    vocabulary = Vocabulary(("", "[UNK]", *kept, *rest), make_tokenizer(tokenizer))
    return dataclasses.replace(model, vocabulary=vocabulary)


def with_weight(model, value):
    """A model with another weight."""
    bias = model.tensors["output.bias"].copy()
    bias[-1] = value
    return dataclasses.replace(model, tensors={**model.tensors, "output.bias": bias})


def test_each_kind_is_written_and_read_back(any_kind, random_model, path):
    """The page has every tensor of every kind of model, rounded to float16, and nothing else is written."""
    model = random_model(**any_kind)
    exported = export_model(model, "html", path)
    assert (exported.model, exported.vocabulary) == (path, None)
    assert 0 < exported.difference < 0.01
    assert list(path.parent.iterdir()) == [path]
    found = html_file.read_back(model, path)
    for name, tensor in model.tensors.items():
        assert np.array_equal(found.tensors[name], tensor.astype(np.float16).astype(np.float32)), name


def test_any_token_is_escaped(random_model, path):
    """Tokens that look like markup, or that HTML or JSON treat specially, end no element and come back unchanged."""
    model = dataclasses.replace(with_vocabulary(random_model(), NASTY), after_white_space={"\u2028": []})
    plain = random_model()
    export_model(model, "html", path)
    assert html_file.read_back(model, path).vocabulary == model.vocabulary
    other = path.with_name("other.html")
    export_model(plain, "html", other)
    tags = [re.findall("<[a-z!/][^>]*>", each.read_text(encoding="utf-8")) for each in (path, other)]
    assert len(tags[0]) == len(tags[1])


@pytest.mark.parametrize(
    "name", ["</title><script>alert(1)</script>", "a & b", "caf\u00e9 \udcff", 'quo"te', "<!-- script -->"]
)
def test_any_name_is_escaped(name, random_model, path):
    """A job's name is shown as it is, whatever characters it has; what is not Unicode becomes a question mark."""
    export_model(random_model(), "html", path, name)
    shown = name.replace("\udcff", "?")
    text = path.read_text(encoding="utf-8")
    assert [html.unescape(title) for title in re.findall("<title>(.*?)</title>", text)] == [f"{shown} - textgen"]
    [content] = re.findall('id="model-content">([^<]*)<', text)
    assert json.loads(content)["name"] == shown


@pytest.mark.parametrize("tensor", ["embedding", "layers.0.kernel", "layers.1.state_offset", "output.bias"])
def test_another_weight_is_found_out(tensor, random_model, path):
    """The check notices any weight that differs after rounding."""
    model = random_model(embedding_size=5, layer_norm=True)
    html_file.write(model, path, "model")
    weights = model.tensors[tensor].copy()
    weights.flat[-1] *= 1.01
    changed = dataclasses.replace(model, tensors={**model.tensors, tensor: weights})
    with pytest.raises(FileDiffersError):
        html_file.check(changed, path)


def test_another_vocabulary_is_found_out(random_model, path):
    """The check notices another vocabulary, another spacing and another shape."""
    model = random_model()
    html_file.write(model, path, "model")
    for changed in (with_vocabulary(model, NASTY), dataclasses.replace(model, after_white_space={"\n": []})):
        with pytest.raises(FileDiffersError):
            html_file.check(changed, path)


def test_a_page_that_differs_is_refused_and_removed(random_model, path, monkeypatch):
    """A page with another model is deleted, and an existing file is kept."""
    export_model(random_model(), "html", path)
    before = path.read_bytes()
    write = html_file.write
    monkeypatch.setattr(html_file, "write", lambda model, *rest: write(with_weight(model, 9), *rest))
    with pytest.raises(
        FormatError, match=rf"^cannot write {path}: the model that was read back from it differed; [^\n]*$"
    ):
        export_model(random_model(), "html", path)
    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


@pytest.mark.parametrize("value", [65520.0, -1e9])
def test_weights_beyond_float16_are_refused(value, random_model, path):
    """Weights that would be infinite in float16 are refused, and the tensor is named."""
    with pytest.raises(
        UsageError, match=r"end at 65,504, and the tensor output\.bias of this model has larger ones; use format keras"
    ):
        export_model(with_weight(random_model(), value), "html", path)
    assert list(path.parent.iterdir()) == []


def test_a_model_that_is_too_large_is_refused(random_model, path):
    """More than 64 MB of float16 weights are refused before anything is written."""
    model = random_model()
    large = dataclasses.replace(model, shape=dataclasses.replace(model.shape, layers=1, lstm_state_size=2**12))
    with pytest.raises(
        UsageError,
        match=r"format html can contain at most 64\.0 MB of weights, and this model has 134\.8 MB; use format keras",
    ):
        export_model(large, "html", path)
    assert list(path.parent.iterdir()) == []


def test_an_unknown_cell_is_refused(random_model, path):
    """A cell that the scripts lack is refused."""
    model = random_model()
    shape = dataclasses.replace(model.shape)
    object.__setattr__(shape, "cell", "gru")
    with pytest.raises(UsageError, match="can contain only lstm cells, and this model has gru"):
        html_file.write(dataclasses.replace(model, shape=shape), path, "model")


def test_the_page_is_not_much_larger_than_its_weights(random_model, path):
    """A page has at most 1.4 times the bytes of its float16 weights, and 300 KB for itself."""
    for size in (8, 512):
        model = random_model(lstm_state_size=size)
        export_model(model, "html", path)
        assert path.stat().st_size <= 1.4 * 2 * model.shape.parameters + 300_000


def test_the_page_sends_nothing(random_model, path):
    """The page's own policy forbids every request, and all scripts but its own."""
    export_model(random_model(), "html", path)
    text = path.read_text(encoding="utf-8")
    [policy] = re.findall('<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    rules = dict(rule.split(" ", 1) for rule in html.unescape(policy).split("; "))
    assert (rules["default-src"], rules["connect-src"]) == ("'none'", "'none'")
    assert re.fullmatch("'sha256-[^' ]+'", rules["script-src"])


@pytest.mark.parametrize("score", [10**400, math.nan, math.inf])
def test_a_score_that_is_no_number_is_left_out(score, random_model, path):
    """A score that JSON or a float cannot contain is not in the page, whose JSON a browser must be able to read."""
    model = dataclasses.replace(random_model(), scores={"valid_bits_per_character": score})
    export_model(model, "html", path)
    text = path.read_text(encoding="utf-8")
    [content] = re.findall('id="model-content">([^<]*)<', text)
    assert json.loads(content, parse_constant=pytest.fail)["details"]["bits_per_character"] is None
    assert "bits per character" not in text[text.index('<footer class="about">') :].split("</footer>")[0]
