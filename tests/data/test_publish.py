import importlib
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.errors import UsageError
from textgen.generation import ModelFile, read_model, write_model
from textgen.planning import ModelShape

VOCABULARY = Vocabulary(tokens=("", "[UNK]", "\n", "a", "b", "c"), tokenizer=make_tokenizer("char"))
SHAPE = ModelShape(layers=1, lstm_state_size=4, embedding_size=3, vocabulary_size=VOCABULARY.size)
TEXT = "aaab" * 1000


@pytest.fixture
def publish(monkeypatch):
    """The module of the script."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "data" / "base"))
    return importlib.import_module("publish")


@pytest.fixture
def train(tmp_path):
    """A function that makes a job whose model knows only how frequent the characters are, and which started from another model."""

    def make(name, a, b):
        job = tmp_path / name
        job.mkdir()
        tensors = {name: np.zeros(size, np.float32) for name, size in SHAPE.tensors.items()}
        tensors["output.bias"][3:5] = a, b
        model = ModelFile(
            tensors=tensors,
            shape=SHAPE,
            vocabulary=VOCABULARY,
            scores={},
            data_sha256="ab" * 32,
            step=7,
            textgen_version="0.1.0",
            started_from="cd" * 32,
        )
        write_model(job / "model.safetensors", model)
        (job / "config.yaml").write_text(to_yaml(TrainingConfig(data_dir=str(tmp_path), job_dir=str(job))))
        return job

    (tmp_path / "base.valid.txt").write_text(TEXT)
    return make


def test_the_base_model_is_half_as_large(publish, train, tmp_path, capsys):
    """The first model is published in float16, with its loss on the validation text; the job's place changes no byte."""
    job, base = train("job", 10, 9), tmp_path / "base.safetensors"
    publish.publish(job, base)
    model = read_model(base)
    assert model.tensors["output.bias"].tolist() == [0, 0, 0, 10, 9, 0]
    assert model.started_from is None
    assert b'"dtype":"F16"' in base.read_bytes()
    expected = math.log(math.exp(10) + math.exp(9) + 4) - 10 + 0.25
    assert model.scores["valid_loss"] == pytest.approx(expected, abs=1e-3)
    assert re.search(r"job: (0\.\d{4}) nats per character, \1 in float16\n", capsys.readouterr().out)
    publish.publish(shutil.copytree(job, tmp_path / "elsewhere"), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == base.read_bytes()


def test_only_a_better_model_replaces_the_base_model(publish, train, tmp_path):
    """A model is published if its loss is lower by at least 0.01, and else the base model stays as it is."""
    base = tmp_path / "base.safetensors"
    publish.publish(train("first", 10, 10), base)
    before = base.read_bytes()
    with pytest.raises(UsageError, match=r"^the model must be better by 0\.01 nats, got 0\.00\d\d; .*$"):
        publish.publish(train("similar", 10, 9.985), base)
    with pytest.raises(UsageError, match=r"^the model must be better by 0\.01 nats, got -0\.\d{4}; .*$"):
        publish.publish(train("worse", 9, 10), base)
    assert base.read_bytes() == before
    publish.publish(train("better", 10, 9), base)
    assert read_model(base).tensors["output.bias"][4] == 9


def test_a_model_that_float16_spoils_is_not_published(publish, train, tmp_path):
    """A model that loses 0.002 nats or more by the rounding of its weights is refused."""
    with pytest.raises(UsageError, match=r"^float16 must cost less than 0\.002 nats, got 0\.\d{4}; .*$"):
        publish.publish(train("job", 2049, 2048), tmp_path / "base.safetensors")
    assert not (tmp_path / "base.safetensors").exists()


def test_a_large_model_is_not_published(publish, train, tmp_path, monkeypatch):
    """A model that would make the wheel too large is refused before anything is evaluated."""
    monkeypatch.setattr(publish, "LARGEST", 100)
    with pytest.raises(UsageError, match=r"^the base model must have at most 100 bytes, got \d+; train a smaller one$"):
        publish.publish(train("job", 1, 0), tmp_path / "base.safetensors")


def test_a_missing_job_is_one_line(publish, tmp_path, monkeypatch, capsys):
    """A job that is not there gives one line and the exit code for a missing file."""
    monkeypatch.setattr("sys.argv", ["publish.py", str(tmp_path / "none")])
    assert publish.main() == 66
    assert re.fullmatch(r"error: cannot read \S+none: .*\n", capsys.readouterr().err)
