import json
import math
import os
import re
import signal

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG

from textgen.config import TrainingConfig
from textgen.errors import DataError, DivergedError, MissingError, StoppedError
from textgen.generation import load, read_model
from textgen.jobs import Checkpoint, CheckpointStore, JobState
from textgen.planning import dropout
from textgen.training.controller import learning_rate


def test_a_tiny_training_leaves_a_whole_job_directory(run):
    """A short run writes every file of the job directory, and a model that samples."""
    summary, job, said = run(max_steps=12, eval_steps=5)
    names = {path.name for path in job.root.iterdir()}
    assert names >= {
        "config.yaml",
        "vocabulary.json",
        "state.json",
        "checkpoints",
        "model.safetensors",
        "metrics.jsonl",
        "samples.txt",
        "logs",
    }
    assert not [path for path in job.root.rglob("*") if ".tmp" in path.name]
    assert JobState.read(job.state).status == "finished"
    assert len("".join(load(job.root).generate(length=30, seed=1))) == 30
    assert said.count("validation: loss") == 3
    assert summary["steps"] == 12
    assert math.isclose(summary["valid_perplexity"], math.exp(summary["valid_loss"]))
    assert math.isclose(summary["valid_bits_per_character"], summary["valid_loss"] / math.log(2))


def test_evaluations_stand_on_their_grid_of_steps(run):
    """The model is evaluated every eval_steps, at each epoch's end and at the last step; metrics.jsonl has a line for each."""
    _, job, _ = run(max_steps=8, eval_steps=3)
    lines = [json.loads(line) for line in job.metrics.read_text().splitlines()]
    assert [line["steps"] for line in lines] == [3, 6, 8]
    assert {"train_loss", "valid_loss", "learning_rate", "tokens_per_second", "seconds"} <= lines[0].keys()
    assert all(line["gradient_norm"] > 0 for line in lines)
    assert all(f"TensorFlow {tf.__version__}, " in line["machine"] for line in lines)


def test_patience_ends_a_job_that_learns_no_more(run):
    """After `patience` evaluations without improvement the job is finished, and resumes only with more patience."""
    still = {"eval_steps": 2, "max_steps": 40, "learning_rate": 1e-30, "weight_decay": 0.0}
    summary, job, _ = run(patience=3, **still)
    assert summary["steps"] == 8
    state = JobState.read(job.state)
    assert (state.status, state.stale) == ("finished", 3)
    assert run(patience=3, **still)[0] == {}
    assert run(patience=4, **still)[0]["steps"] == 10
    assert run(patience=4, learning_rate=0.01, eval_steps=2, max_steps=40)[0] == {}


def test_patience_does_not_end_a_longer_job_before_its_learning_rate_has_fallen(run):
    """A finished job that gets more steps makes them all, although no evaluation is better while the learning rate is higher."""
    still = {"eval_steps": 10, "patience": 3, "learning_rate": 1e-30, "weight_decay": 0.0}
    _, job, _ = run(max_steps=20, **still)
    assert JobState.read(job.state).stale == 1
    summary, _, said = run(max_steps=60, **still)
    assert summary["steps"] == 60
    assert "no improvement" not in said
    state = JobState.read(job.state)
    assert (state.status, state.stale) == ("finished", 2)
    assert read_model(job.model).step == 10


def test_a_longer_job_that_is_stopped_ends_like_an_uninterrupted_one(run, last_bytes):
    """After a stop in the steps that were added, the same command makes the same ones, and patience counts the same evaluations."""
    settings = {"eval_steps": 10, "patience": 3, "learning_rate": 0.02}

    def stop(evaluation):
        if evaluation == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    ends = []
    for name in ("whole", "parts"):
        run(name, max_steps=30, **settings)
        if name == "parts":
            with pytest.raises(StoppedError):
                run(name, max_steps=70, at_evaluation=stop, **settings)
        _, job, _ = run(name, max_steps=70, **settings)
        progress = CheckpointStore(job.checkpoints).read(70).facts["progress"]
        ends.append((last_bytes(job), {**progress, "seconds": 0.0}))
    assert ends[0] == ends[1]
    assert ends[0][1]["rate_before"] == learning_rate(TrainingConfig(max_steps=30, learning_rate=0.02), 29, 30)


def test_training_learns(run):
    """After some epochs of a small text, the validation loss is far below that after the first steps."""
    summary, job, _ = run(max_steps=300, eval_steps=10, lstm_state_size=32, learning_rate=0.02)
    first = json.loads(job.metrics.read_text().splitlines()[0])
    assert summary["valid_loss"] < 0.5 * first["valid_loss"]


@pytest.mark.compiled
@pytest.mark.parametrize(
    "kind",
    [{}, {"optimizer": "sgd", "learning_rate": 0.5}, {"layers": 2, "layer_norm": True}, {"precision": "mixed_float16"}],
)
def test_a_run_in_two_parts_ends_where_one_run_does(run, last_tensors, kind):
    """A job that was stopped and resumed has the weights, slots, states and scores of an uninterrupted one.

    The staircase keeps the learning rate from depending on the total, which differs in the first part.
    """
    kind = {"lr_decay_steps": 30, **kind}
    whole, unbroken, _ = run("whole", max_steps=110, dropout=0.3, eval_steps=40, **kind)
    run("parts", max_steps=47, dropout=0.3, eval_steps=40, **kind)
    resumed, broken, said = run("parts", max_steps=110, dropout=0.3, eval_steps=40, **kind)
    assert "Resuming from step 47" in said
    expected, found = last_tensors(unbroken), last_tensors(broken)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, atol=1e-6, err_msg=name)
    assert math.isclose(resumed["valid_loss"], whole["valid_loss"], rel_tol=1e-6)
    assert resumed["epochs"] == whole["epochs"]
    assert math.isclose(resumed["train_loss"], whole["train_loss"], rel_tol=1e-4)
    assert "the epoch restarts" not in said


def test_other_values_keep_the_model_and_are_printed(run, begun):
    """The learning rate, dropout, window and optimizer can change on resume; each change is printed in one line."""
    begun(max_steps=6)
    summary, _, said = run(max_steps=9, learning_rate=0.001, dropout=0.5, unroll_steps=12, optimizer="sgd")
    assert summary["steps"] == 9
    assert "learning_rate is now 0.001 (it was 0.006)" in said
    assert "unroll_steps is now 12 (it was 10)" in said
    assert "unroll_steps changed: the epoch restarts" in said
    assert "the optimizer has changed: its slots start at zero" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({}, {"minutes": 1e-6}, "minutes is now 1e-06 (it was 5)"),
        ({"minutes": 4.0}, {"minutes": 1e-6}, "minutes is now 1e-06 (it was 4)"),
        ({}, {"max_steps": 4}, "minutes is now none (it was 5)"),
        ({"max_steps": 4}, {"max_steps": 4, "minutes": 1e-6}, "minutes is now 1e-06 (it was none)"),
        ({"minutes": 5.0}, {"minutes": 5.0, "max_steps": 4}, None),
        ({}, {"minutes": 5.0, "max_steps": 4}, None),
    ],
)
def test_the_minutes_that_applied_are_said(run, begun, old, new, said):
    """A job without limits was limited to five minutes, which the message gives as the earlier limit."""
    _, job, _ = begun(max_steps=4)
    store = CheckpointStore(job.checkpoints)
    kept = store.read(4)
    config = kept.facts["config"] | {"max_steps": None} | old
    store.write(Checkpoint(4, kept.tensors, {**kept.facts, "config": config}))
    _, _, text = run(**{"max_steps": None} | new)
    assert [line for line in text.splitlines() if "minutes is now" in line] == ([f"  {said}"] if said else [])


def test_dropout_that_comes_later_begins_with_fresh_random_numbers(run):
    """A dropout generator that the checkpoint lacks is initialised, and a line says so."""
    run(max_steps=4, dropout=0.0)
    _, _, said = run(max_steps=6, dropout=0.5)
    assert "dropout starts with fresh random numbers" in said


def test_dropout_follows_the_passes_and_is_kept(run, last_bytes):
    """Without a value, dropout suits the passes that the steps or epochs make, and an interrupted run ends like an uninterrupted one."""
    settings = {"max_steps": 60, "eval_steps": 10, "lr_decay_steps": 1000}

    def stop(evaluation):
        if evaluation == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    _, whole, _ = run("whole", **settings)
    with pytest.raises(StoppedError):
        run("parts", at_evaluation=stop, **settings)
    _, parts, _ = run("parts", **settings)
    for job in (whole, parts):
        facts = CheckpointStore(job.checkpoints).read(60).facts
        assert facts["config"]["dropout"] is None
        passes = 60 / (len(job.root.parent.joinpath("book.txt").read_text()) * 0.9 // 40)
        assert facts["progress"]["dropout"] == dropout(passes, 1000, "char", started=False)
    expected, found = last_bytes(whole), last_bytes(parts)
    seeds = [name for name in expected if "dropout" in name]
    assert seeds
    assert all(expected[name] == found[name] for name in seeds)
    assert run("whole", max_steps=600, dropout=0.25, eval_steps=400)[2].count("dropout is now 0.25 (it was none)") == 1


def test_a_checkpoint_of_an_earlier_version_resumes(run):
    """It lacks newer values and settings, which get the values of that time; no message says that they changed."""
    old = {"dropout": 0.3, "minutes": None, "patience": None}
    _, job, _ = run(max_steps=4, **old)
    store = CheckpointStore(job.checkpoints)
    kept = store.read(4)
    facts = dict(kept.facts)
    for part, newer in (
        ("progress", {"total_corrected", "dropout", "best_train_loss", "rate_before"}),
        ("config", {"sample_prompt", "sample_temperature"}),
    ):
        facts[part] = {key: value for key, value in kept.facts[part].items() if key not in newer}
    store.write(Checkpoint(4, kept.tensors, facts))
    summary, _, said = run(max_steps=9, **old)
    assert summary["steps"] == 9
    assert [line for line in said.splitlines() if " is now " in line] == ["  max_steps is now 9 (it was 4)"]
    assert store.read(9).facts["progress"]["dropout"] == 0.3


def test_samples_continue_their_prompt(run):
    """samples.txt has the prompt and what comes after it, at the temperature given; the prompt's unknown tokens are skipped."""
    plain = {"max_steps": 6, "sample_length": 30}
    texts = []
    for name, prompt, temperature in (
        ("a", "Rain", 0.0),
        ("b", "Rain", 0.0),
        ("c", "Rain\u20ac", 0.0),
        ("d", "Rain", 5.0),
    ):
        _, job, said = run(name, sample_prompt=prompt, sample_temperature=temperature, **plain)
        text = job.samples.read_text().split("\n", 1)[1].removesuffix("\n\n")
        assert text.startswith(prompt)
        assert len(text) <= len(prompt) + 30
        assert text.splitlines()[0] in said
        texts.append(text.removeprefix(prompt))
    assert texts[0] == texts[1] == texts[2] != texts[3]


def test_a_variable_that_the_checkpoint_lacks_gets_its_initial_value(run, begun):
    """A variable that the checkpoint lacks is initialised, and a line names it."""
    _, job, _ = begun(max_steps=4)
    store = CheckpointStore(job.checkpoints)
    kept = store.read(4)
    [name] = [name for name in kept.tensors if name.startswith("model/output/") and name.endswith("/bias")]
    store.write(Checkpoint(4, {other: kept.tensors[other] for other in kept.tensors if other != name}, kept.facts))
    _, _, said = run(max_steps=6)
    assert f"the checkpoint has no {name}: it starts at its initial value" in said


def test_the_best_model_is_the_one_exported(run):
    """model.safetensors contains the weights with the lowest validation loss, with their scores."""
    _, job, _ = run(max_steps=60, eval_steps=5, learning_rate=0.3, optimizer="rmsprop")
    losses = {line["steps"]: line["valid_loss"] for line in map(json.loads, job.metrics.read_text().splitlines())}
    model = read_model(job.model)
    assert losses[model.step] == min(losses.values()) == pytest.approx(model.scores["valid_loss"])
    assert model.step in CheckpointStore(job.checkpoints).steps()


def test_each_evaluation_records_its_text(run, tmp_path):
    """The summary and metrics.jsonl contain the hash of the validation text, which does not depend on the training text."""
    hashes = []
    for job, valid_fraction in (("a", 0.1), ("b", 0.1), ("c", 0.2)):
        summary, directory, _ = run(job, valid_fraction=valid_fraction, seed=len(job))
        lines = [json.loads(line) for line in directory.metrics.read_text().splitlines()]
        hashes.append(summary["valid_sha256"])
        assert {line["valid_sha256"] for line in lines} == {summary["valid_sha256"]}
    assert hashes[0] == hashes[1] != hashes[2]


def test_tensorboard_gets_every_curve_and_the_sample(run):
    """TensorBoard has loss, perplexity and bits per character of both texts, and the training rates and norms."""
    _, job, _ = run(max_steps=25, eval_steps=10)
    train = EventAccumulator(str(job.logs / "train")).Reload()
    valid = EventAccumulator(str(job.logs / "validation")).Reload()
    scores = {"loss", "perplexity", "bits_per_character"}
    assert set(train.Tags()["tensors"]) == scores | {"learning_rate", "tokens_per_second", "gradient_norm"}
    assert set(valid.Tags()["tensors"]) == scores | {"sample", SESSION_START_INFO_TAG}
    assert [event.step for event in valid.Tensors("loss")] == [10, 20, 25]
    assert train.Tensors("loss")[0].step == 10


def test_a_word_model_trains_and_samples(run):
    """Words, punctuation and white space are tokens; bits per character are per character of the text."""
    summary, job, _ = run(language_model="word", unroll_steps=5)
    assert summary["valid_bits_per_character"] < summary["valid_loss"] / math.log(2) / 2
    assert "".join(load(job.root).generate("The keeper", length=10, seed=2))


@pytest.mark.parametrize(("language_model", "known"), [("word", {" ": [";"]}), ("char", None)])
def test_a_model_of_words_knows_what_follows_white_space(run, tmp_path, language_model, known):
    """The model file records what follows white space in the training text, and samples during training obey it."""
    text = tmp_path / "french.txt"
    text.write_text("Le gardien dort ; la mer monte, et personne ne vient.\n" * 60)
    _, job, _ = run(text=text, language_model=language_model, unroll_steps=5, sample_length=400)
    assert read_model(job.model).after_white_space == known
    if known is not None:
        assert not re.search(r"\s[\s,.:!?]", job.samples.read_text().split("\n", 1)[1].strip())


def test_a_test_text_is_scored_at_the_end(run, tmp_path):
    """A .test.txt next to the training text is evaluated once, when the job is finished."""
    from textgen.config import TrainingConfig
    from textgen.corpus import find_sources, open_corpus
    from textgen.jobs import JobDirectory
    from textgen.signals import Signals
    from textgen.training import train

    folder = tmp_path / "data"
    folder.mkdir()
    text = (tmp_path / "book.txt").read_text()
    for part in ("train", "valid", "test"):
        (folder / f"a.{part}.txt").write_text(text)
    corpus = open_corpus(find_sources([], str(folder), "a"), language_model="char")
    config = TrainingConfig(lstm_state_size=4, batch_size=2, unroll_steps=5, max_steps=2, sample_length=0)
    from textgen.console import Console

    job = JobDirectory(tmp_path / "tested")
    with Signals() as signals:
        summary = train(
            config, corpus, job, summary_dir=job.logs, ids_directory=tmp_path, signals=signals, console=Console()
        )
    assert summary["test_loss"] == pytest.approx(summary["valid_loss"])
    assert not job.samples.exists()


def test_a_text_too_short_for_one_step_is_refused(run, tmp_path):
    """A text that is too short gives an error with its number of tokens and the setting to lower."""
    short = tmp_path / "short.txt"
    short.write_text("A line.\nAnother line.\n")
    with pytest.raises(DataError, match="lower batch_size to"):
        run(text=short, unroll_steps=5)


def test_a_diverging_run_stops_before_it_saves_what_is_no_number(run, tmp_path):
    """A loss that is not finite ends training with one line; no model and no checkpoint is written."""
    with pytest.raises(DivergedError, match="lower learning_rate"):
        run(max_steps=200, learning_rate=1000, weight_decay=100, save_minutes=1e-9)
    store = CheckpointStore(tmp_path / "job" / "checkpoints")
    assert all(np.isfinite(tensor).all() for step in store.steps() for tensor in store.read(step).tensors.values())
    assert not (tmp_path / "job" / "metrics.jsonl").exists()


def test_training_curves_are_written_however_close_evaluations_are(run):
    """Evaluations within a report window write the training curves, too."""
    _, job, _ = run(max_steps=10, eval_steps=3)
    train = EventAccumulator(str(job.logs / "train")).Reload()
    assert [event.step for event in train.Tensors("loss")] == [3, 6, 9, 10]


def test_a_job_at_its_limit_makes_no_further_step(run, begun):
    """Without state.json, the checkpoint still shows that the job is finished."""
    _, job, _ = begun(max_steps=5)
    job.state.unlink()
    summary, _, _ = run(max_steps=5)
    assert summary == {}
    assert CheckpointStore(job.checkpoints).steps() == [5]
    assert JobState.read(job.state).status == "finished"


def test_checkpoints_of_another_text_are_refused(run, begun, tmp_path):
    """A job never resumes with another text, even without state.json."""
    _, job, _ = begun(max_steps=5)
    job.state.unlink()
    other = tmp_path / "other.txt"
    other.write_text((tmp_path / "book.txt").read_text()[::-1])
    with pytest.raises(DataError, match="another text"):
        run(text=other, max_steps=9)


def test_a_changed_text_is_learned_when_that_is_allowed(run, begun, book):
    """With allow_changed_data the model resumes with the changed text: the epoch restarts, and the best model is cleared."""
    begun(max_steps=5)
    book.write_text(book.read_text().replace("grey sheets", "sheets grey"))
    summary, job, said = run(max_steps=9, allow_changed_data=True)
    assert "Resuming from step 5" in said
    assert "the text has changed: the epoch restarts, and the next evaluation becomes the best" in said
    assert read_model(job.model).step == summary["steps"] == 9
    run(max_steps=12)


def test_a_checkpoint_with_other_token_ids_is_refused(run, begun, book):
    """A changed vocabulary is refused even if a changed text is allowed, since its ids mean other tokens."""
    begun(max_steps=5)
    book.write_text(book.read_text().replace("N", "Q"))
    with pytest.raises(
        DataError, match=r"of step 5 belongs to another vocabulary than this run's; restore the job's own"
    ):
        run(max_steps=9, allow_changed_data=True)


def test_a_short_text_is_not_scored_more_than_it_is_learned(run, tmp_path):
    """With few steps per epoch, only every few epoch ends are evaluated."""
    short = tmp_path / "short.txt"
    short.write_text((tmp_path / "book.txt").read_text()[:600])
    _, job, _ = run(text=short, max_steps=2500, sample_length=0)
    assert len(job.metrics.read_text().splitlines()) == 3


def test_a_state_file_says_running_while_training_runs(run, begun):
    """state.json says `running` during training and after a kill."""
    _, job, _ = begun(max_steps=4)
    with pytest.raises(DivergedError):
        run(max_steps=200, learning_rate=1000, weight_decay=100)
    assert JobState.read(job.state).status == "running"


def test_a_job_whose_checkpoints_are_gone_does_not_start_over(run, begun, tmp_path):
    """If the checkpoints of a started job are missing, nothing is written: the disk may not be mounted."""
    _, job, _ = begun(max_steps=5)
    job.checkpoints.rename(tmp_path / "elsewhere")
    before = {path: path.read_bytes() for path in job.root.rglob("*") if path.is_file()}
    with pytest.raises(MissingError, match=r"is at step 5, but there are no checkpoints in .*; restore them"):
        run(max_steps=9)
    assert {path: path.read_bytes() for path in job.root.rglob("*") if path.is_file()} == before


def test_other_streams_are_not_scored_before_a_step(run):
    """An epoch that restarts is not evaluated as an epoch end."""
    run(max_steps=5, eval_steps=4)
    _, job, _ = run(max_steps=9, batch_size=3, eval_steps=4)
    steps = [json.loads(line)["steps"] for line in job.metrics.read_text().splitlines()]
    assert steps == [4, 5, 9]


def test_an_old_checkpoint_in_half_precision_is_resumed(run):
    """A checkpoint whose config has `use_fp16` resumes with the scale of its loss, and its precision has not changed."""
    _, job, _ = run(max_steps=4, precision="mixed_float16")
    store = CheckpointStore(job.checkpoints)
    kept = store.read(4)
    config = {name: value for name, value in kept.facts["config"].items() if name != "precision"}
    store.write(Checkpoint(4, kept.tensors, {**kept.facts, "config": {**config, "use_fp16": True}}))
    said = run(max_steps=5, precision="mixed_float16")[2]
    assert "Resuming from step 4" in said
    assert [line for line in said.splitlines() if " is now " in line] == ["  max_steps is now 5 (it was 4)"]
