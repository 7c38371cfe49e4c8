import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from textgen.cli.inspect import main
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.generation import read_model, write_model
from textgen.jobs import Checkpoint, CheckpointStore, JobDirectory


@pytest.fixture
def job(copied, tmp_path):
    """A trained job, with its path relative to the current folder."""
    return JobDirectory(copied.job.relative_to(tmp_path))


@pytest.fixture
def inspect(capsys):
    """A function that inspects a directory and returns exit code, standard output and standard error."""

    def run(path):
        code = main([str(path)])
        return code, *capsys.readouterr()

    return run


def test_the_parts_of_a_job_are_listed(job, inspect):
    """The state, checkpoints and model file of a sound job are listed and verified, and no file changes."""
    before = {path: path.read_bytes() for path in job.root.rglob("*") if path.is_file()}
    code, out, err = inspect(job.root)
    assert (code, err) == (0, "")
    size = read_model(job.model).vocabulary.size
    assert out.startswith(
        f"{job.root}: finished, 5 steps\nconfig.yaml: verified\nvocabulary.json: {size} token ids, verified\n"
        "state.json: finished, verified\ncheckpoints:\n"
    )
    [checkpoint] = re.findall(r"^  (step .*)$", out, re.MULTILINE)[:1]
    assert checkpoint.startswith("step 5, newest usable, best, epochs ")
    store = CheckpointStore(job.checkpoints)
    size = sum(path.stat().st_size for path in job.checkpoints.glob("step-00000005.*"))
    assert f", {len(store.read(5).tensors)} tensors, {size:,} bytes, textgen " in checkpoint
    assert ", keras " in checkpoint
    assert checkpoint.endswith(", verified")
    model = read_model(job.model)
    assert f"{model.sha256}, verified" in out
    assert f"{model.vocabulary.size} token ids" in out
    assert "lstm_state_size 8" in out
    assert f"valid_loss {model.scores['valid_loss']:.4g}" in out
    assert {path: path.read_bytes() for path in job.root.rglob("*") if path.is_file()} == before


def test_a_score_that_is_not_comparable_is_marked(tmp_path, random_model, inspect):
    """If the validation text has unknown words, their percentage is next to the bits per character."""
    scores = {"valid_bits_per_character": 1.25, "valid_unknown_share": 0.015}
    write_model(tmp_path / "model.safetensors", dataclasses.replace(random_model(), scores=scores))
    _, out, _ = inspect(tmp_path)
    assert "valid_bits_per_character 1.25, " in out
    assert "not comparable: 1.5% of the tokens are [UNK]" in out


def test_what_a_model_comes_from_is_listed(tmp_path, random_model, inspect):
    """The model that training started from, and whether the paragraphs of the text were unwrapped, are in the list."""
    path = tmp_path / "model.safetensors"
    write_model(path, random_model())
    assert {"  start      from scratch", "  unwrapped  no"} < set(inspect(tmp_path)[1].splitlines())
    write_model(path, dataclasses.replace(random_model(), unwrapped=True, started_from="ab" * 32))
    lines = inspect(tmp_path)[1].splitlines()
    assert {f"  start      from the model with sha256 {'ab' * 32}", "  unwrapped  yes"} < set(lines)


def test_a_damaged_checkpoint_and_the_newest_usable_one_are_named(job, inspect):
    """If the newest checkpoint is damaged, everything is listed, with the newest usable one, before the command ends with 78."""
    store = CheckpointStore(job.checkpoints)
    store.write(Checkpoint(6, {"a": np.zeros(3)}, {"progress": {"best_step": 5}}), best_step=5)
    damaged = job.checkpoints / "step-00000006.safetensors"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    code, out, err = inspect(job.root)
    assert code == 78
    assert err == f"textgen inspect: error: {job.root} has 1 damaged part; see the lines above\n"
    first, second = re.findall(r"^  (step .*)$", out, re.MULTILINE)[:2]
    assert re.match(r"step 6, \d+ bytes, the checkpoint .* is damaged", first)
    assert second.startswith("step 5, newest usable, best, ")
    assert "model file:\n" in out


def test_damaged_parts_are_counted(job, inspect):
    """A checkpoint without tensors, a truncated model file and an invalid state are three damaged parts."""
    (job.checkpoints / "step-00000005.safetensors").unlink()
    job.model.write_bytes(job.model.read_bytes()[:-1])
    job.state.write_text("{")
    code, out, err = inspect(job.root)
    assert code == 78
    assert "has 3 damaged parts" in err
    assert "newest usable" not in out
    assert "model file: cannot use " in out
    assert f"{job.root}: damaged: " in out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", "layers: 0", "layers must be at least 1"),
        ("config.yaml", "layers: 1\nlayers: 2", "sets 'layers' in line 1 and again in line 2"),
        ("config.yaml", "layer_norm: true\nnum_proj: 3", "layer_norm and num_proj cannot be combined"),
        ("vocabulary.json", "", "it is not a JSON object"),
        ("vocabulary.json", "{}", "its tokens are not a list of strings"),
        ("vocabulary.json", None, "it is not the vocabulary of the checkpoint of step 5"),
        ("state.json", "{", "is damaged"),
        ("state.json", '{"status": "resting"}', "its status is 'resting'"),
    ],
)
def test_a_damaged_small_file_is_named(name, content, message, job, inspect):
    """Config, vocabulary and state are verified too, and the vocabulary must be that of the checkpoint."""
    other = Vocabulary(("", "[UNK]", "a", "b"), make_tokenizer("char"))
    (job.root / name).write_text(json.dumps(other.to_json()) if content is None else content)
    code, out, err = inspect(job.root)
    assert code == 78
    assert "has 1 damaged part;" in err
    [line] = [line for line in out.splitlines() if line.startswith(f"{name}: ")]
    assert message in line
    assert out.count(", verified\n") == 4 - (name != "config.yaml")


def test_damaged_small_files_are_counted(job, inspect):
    """Three damaged small files are counted as three, although the first line shows only one of them."""
    for path in (job.config, job.vocabulary, job.state):
        path.write_text("[")
    assert "has 3 damaged parts;" in inspect(job.root)[2]


@pytest.mark.parametrize("depth", [300, 10**5])
def test_a_manifest_that_is_nested_too_deeply_is_damage(job, inspect, depth):
    """A deeply nested manifest is a damaged part, whether Python can parse it or not."""
    deep = '{"facts": ' + "[" * depth + "]" * depth + "}"
    (job.checkpoints / "step-00000005.json").write_text(deep)
    code, out, err = inspect(job.root)
    assert code == 78
    assert "has 1 damaged part;" in err
    assert re.search(r"^  step 5, [^\n]* is damaged: ", out, re.MULTILINE)


def test_a_new_job_is_sound(tmp_path, inspect):
    """A job is not damaged if it has no checkpoint, no model, or a checkpoint without some facts."""
    job = JobDirectory(tmp_path)
    job.config.touch()
    code, out, err = inspect(tmp_path)
    assert (code, err) == (0, "")
    assert out == (
        f"{tmp_path}: stopped, 0 steps\nconfig.yaml: verified\nvocabulary.json: none\nstate.json: none\n"
        "checkpoints: none\nmodel file: none\n"
    )
    CheckpointStore(job.checkpoints).write(Checkpoint(1, {}, {"versions": 3, "progress": []}))
    code, out, _ = inspect(tmp_path)
    assert code == 0
    assert "step 1, newest usable, epochs unknown, 0 tensors, " in out


def test_without_config_the_rest_is_listed(job, inspect):
    """A job without config.yaml is damaged, but its checkpoints and its model are still listed."""
    job.config.unlink()
    code, out, _ = inspect(job.root)
    assert code == 78
    assert out.startswith(f"{job.root}: damaged: cannot read ")
    assert "\nconfig.yaml: none\n" in out
    assert out.count(", verified\n") == 4


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("nowhere", 66, "there is neither nowhere nor job/nowhere; "),
        ("empty", 66, "empty is not a job"),
        ("file", 78, "cannot use file: it is damaged or no model file"),
        ("gs://bucket/job", 2, "JOB must be a local path"),
        ("", 2, "JOB must not be empty"),
    ],
)
@pytest.mark.usefixtures("job")
def test_bad_input_is_one_line(name, code, message, inspect):
    """A path that is neither a job nor a model file is refused in one line."""
    Path("empty").mkdir()
    Path("file").touch()
    found, out, err = inspect(name)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("textgen inspect: error: ")
    assert message in err


def test_a_model_alone_can_be_inspected(job, tmp_path, inspect):
    """A directory with only a model file is listed, and ends with 78 because config.yaml is missing."""
    (tmp_path / "alone").mkdir()
    shutil.copy(job.model, tmp_path / "alone" / job.model.name)
    code, out, _ = inspect("alone")
    assert code == 78
    assert "model file:\n" in out
