import json
import shutil

import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from tests.training.conftest import train_tiny, write_book
from textgen.generation import read_model
from textgen.jobs import JobDirectory

pytestmark = pytest.mark.compiled

SETTINGS = {"max_steps": 36, "eval_steps": 10, "save_steps": 4, "dropout": 0.3, "sample_length": 30}


@pytest.fixture(scope="module")
def halves():
    """The folders with the jobs of `killed`, by their settings."""
    return {}


@pytest.fixture
def killed(tmp_path, tmp_path_factory, halves):
    """A function that puts two jobs into the folder: `whole`, and `killed`, which is its state when the third evaluation started.

    They are trained once for the same settings, and copied. It returns the whole job.
    """

    def start(**settings):
        key = frozenset(settings.items())
        if key not in halves:
            place = halves[key] = tmp_path_factory.mktemp("killed")

            def keep(number):
                if number == 3:
                    shutil.copytree(place / "whole", place / "killed")

            train_tiny(place, "whole", write_book(place), at_evaluation=keep, **{**SETTINGS, **settings})
        for name in ("whole", "killed"):
            shutil.copytree(halves[key] / name, tmp_path / name)
        return JobDirectory(tmp_path / "whole")

    return start


def lines_of(job):
    """Returns the lines of metrics.jsonl without the values that depend on the clock."""
    lines = [json.loads(line) for line in job.metrics.read_text().splitlines()]
    return [{name: line[name] for name in line if name not in {"seconds", "tokens_per_second"}} for line in lines]


def curve(job, text, name):
    """Returns the points of a curve as TensorBoard reads them."""
    events = EventAccumulator(str(job.logs / text), size_guidance={"tensors": 0}).Reload()
    return [(event.step, bytes(event.tensor_proto.tensor_content)) for event in events.Tensors(name)]


@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd", "learning_rate": 0.5, "language_model": "word"}])
def test_a_killed_run_resumes_to_the_same_results(run, killed, last_bytes, settings):
    """Weights, slots, states, metrics, samples, curves and the best model are the same, with no duplicates."""
    whole = killed(**settings)
    _, job, said = run("killed", **{**SETTINGS, **settings})
    assert "Resuming from step 28" in said
    assert last_bytes(job) == last_bytes(whole)
    assert lines_of(job) == lines_of(whole)
    assert job.samples.read_text() == whole.samples.read_text()
    assert read_model(job.model).sha256 == read_model(whole.model).sha256
    for text in ("train", "validation"):
        for name in ("loss", "perplexity", "bits_per_character"):
            assert curve(job, text, name) == curve(whole, text, name)
    assert curve(job, "train", "gradient_norm") == curve(whole, "train", "gradient_norm")


def test_what_came_after_the_last_checkpoint_does_not_stand_twice(run, killed, tmp_path):
    """If a trainer is killed after an evaluation's lines and before its checkpoint, the next run writes them again, once."""
    whole = killed()
    later = tmp_path / "killed"
    for name in ("metrics.jsonl", "samples.txt"):
        (later / name).write_bytes((whole.root / name).read_bytes()[:-3])
    shutil.rmtree(later / "logs")
    shutil.copytree(whole.logs, later / "logs")
    for path in list(
        (later / "logs").rglob("events*")
    ):  # file names have the second, and both runs may fall into the same one
        path.rename(path.with_name(path.name.replace("tfevents.1", "tfevents.0")))
    _, job, _ = run("killed", **SETTINGS)
    assert lines_of(job) == lines_of(whole)
    assert job.samples.read_text() == whole.samples.read_text()
    for text in ("train", "validation"):
        assert curve(job, text, "loss") == curve(whole, text, "loss")


@pytest.mark.parametrize("fault", ["lost", "torn", "of a later step"])
def test_a_model_file_that_is_not_the_best_one_is_made_again(run, killed, tmp_path, fault):
    """A lost model file is rebuilt from the best checkpoint at once, with the scores of its evaluation."""
    whole = killed()
    model = tmp_path / "killed" / "model.safetensors"
    best = read_model(model)
    if fault == "lost":
        model.unlink()
    elif fault == "torn":
        model.write_bytes(model.read_bytes()[:-1])
    else:
        assert read_model(whole.model).step != best.step
        shutil.copy(whole.model, model)
    found = []
    run("killed", at_evaluation=lambda _: found.append(read_model(model)), **SETTINGS)
    assert found[0].step == best.step
    assert found[0].scores == pytest.approx(best.scores, rel=1e-12)
    assert {name: tensor.tobytes() for name, tensor in found[0].tensors.items()} == {
        name: tensor.tobytes() for name, tensor in best.tensors.items()
    }


def test_without_the_best_checkpoint_the_next_evaluation_is_the_best(run, killed, tmp_path):
    """If the best checkpoint is lost, too, the next evaluation writes the model file, after a warning."""
    killed()
    model = tmp_path / "killed" / "model.safetensors"
    step = read_model(model).step
    model.unlink()
    (tmp_path / "killed" / "checkpoints" / f"step-{step:08}.json").unlink()
    _, job, said = run("killed", **{**SETTINGS, "max_steps": 30})
    assert f"the best model, of step {step}, is lost; the next evaluation becomes the best" in said
    assert read_model(job.model).step == 30
