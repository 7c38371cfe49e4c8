import json
import shutil

import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from textgen.generation import read_model

SETTINGS = {"max_steps": 36, "eval_steps": 10, "save_steps": 4, "dropout": 0.3, "sample_length": 30}


@pytest.fixture
def killed(run, tmp_path):
    """A function that trains and keeps the job as it is when an evaluation begins: that is what a kill would leave."""

    def start(evaluation, **settings):
        def keep(number):
            if number == evaluation:
                shutil.copytree(tmp_path / "whole", tmp_path / "killed")

        _, whole, _ = run("whole", at_evaluation=keep, **{**SETTINGS, **settings})
        return whole

    return start


def lines_of(job):
    """The lines of metrics.jsonl without what depends on the clock."""
    lines = [json.loads(line) for line in job.metrics.read_text().splitlines()]
    return [{name: line[name] for name in line if name not in {"seconds", "tokens_per_second"}} for line in lines]


def curve(job, text, name):
    """The points of a curve as TensorBoard reads them."""
    events = EventAccumulator(str(job.logs / text), size_guidance={"tensors": 0}).Reload()
    return [(event.step, bytes(event.tensor_proto.tensor_content)) for event in events.Tensors(name)]


@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd", "learning_rate": 0.5, "language_model": "word"}])
def test_what_goes_on_after_a_kill_is_the_unbroken_run(run, killed, last_bytes, settings):
    """Weights, slots, states, metrics, samples, curves and the best model are the same, each once."""
    whole = killed(3, **settings)
    _, job, said = run("killed", **{**SETTINGS, **settings})
    assert "Going on from step 28" in said
    assert last_bytes(job) == last_bytes(whole)
    assert lines_of(job) == lines_of(whole)
    assert job.samples.read_text() == whole.samples.read_text()
    assert read_model(job.model).sha256 == read_model(whole.model).sha256
    for text in ("train", "validation"):
        for name in ("loss", "perplexity", "bits_per_character"):
            assert curve(job, text, name) == curve(whole, text, name)
    assert curve(job, "train", "gradient_norm") == curve(whole, "train", "gradient_norm")


def test_what_came_after_the_last_checkpoint_does_not_stand_twice(run, killed, tmp_path):
    """Killed between the lines and points of evaluations and their checkpoint, the next run makes these again."""
    whole = killed(3)
    later = tmp_path / "killed"
    for name in ("metrics.jsonl", "samples.txt"):
        (later / name).write_bytes((whole.root / name).read_bytes()[:-3])
    shutil.rmtree(later / "logs")
    shutil.copytree(whole.logs, later / "logs")
    for path in list(
        (later / "logs").rglob("events*")
    ):  # names are ordered by the second, and both runs may lie in one
        path.rename(path.with_name(path.name.replace("tfevents.1", "tfevents.0")))
    _, job, _ = run("killed", **SETTINGS)
    assert lines_of(job) == lines_of(whole)
    assert job.samples.read_text() == whole.samples.read_text()
    for text in ("train", "validation"):
        assert curve(job, text, "loss") == curve(whole, text, "loss")


@pytest.mark.parametrize("fault", ["lost", "torn", "of a later step"])
def test_a_model_file_that_is_not_the_best_one_is_made_anew(run, killed, tmp_path, fault):
    """It comes from the best checkpoint, at once, and has the scores of its evaluation."""
    whole = killed(3)
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


def test_without_the_best_checkpoint_the_best_is_searched_for_anew(run, killed, tmp_path):
    """When the model file is lost too, the next evaluation gives one, and that is said."""
    killed(3)
    model = tmp_path / "killed" / "model.safetensors"
    step = read_model(model).step
    model.unlink()
    (tmp_path / "killed" / "checkpoints" / f"step-{step:08}.json").unlink()
    _, job, said = run("killed", **{**SETTINGS, "max_steps": 30})
    assert f"the best model, of step {step}, is lost and is searched for anew" in said
    assert read_model(job.model).step == 30
