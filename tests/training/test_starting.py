import numpy as np
import pytest

from tests.training.test_rollback import DIVERGES
from textgen.generation import read_model
from textgen.generation.vocabulary_transfer import with_vocabulary
from textgen.jobs import CheckpointStore
from textgen.training import attempt
from textgen.training.conversion import take_weights

KINDS = [
    {},
    {"embedding_size": 5, "layers": 2},
    {"layer_norm": True, "layers": 2},
    {"num_proj": 3, "embedding_size": 5},
    {"language_model": "word", "embedding_size": 5},
]
NEARLY_NOTHING = {"learning_rate": 1e-12, "weight_decay": 0.0, "max_steps": 1}
"""The weights stay as they were."""


@pytest.fixture
def other(tmp_path):
    """A text with fewer and with other characters and words than the book."""
    path = tmp_path / "other.txt"
    path.write_text("Nobody saw the grey pilot’s nine boats at dusk.\nSeven bells rang.\n" * 30)  # noqa: RUF001 - as in print
    return path


@pytest.fixture
def source(begun):
    """A function that trains a model for a few steps, and returns its file."""

    def train(**values):
        _, job, _ = begun("source", **values)
        return read_model(job.model)

    return train


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_starts_as_the_one_it_is_given(run, source, other, kind):
    """For every kind of model, the weights before the first update are those of the source, with its tokens matched."""
    model = source(**kind)
    _, job, _ = run("started", other, start=model, **kind, **NEARLY_NOTHING)
    started = read_model(job.model)
    ids = np.array(started.vocabulary.encode(other.read_text()[: int(0.9 * len(other.read_text()))]))
    expected = with_vocabulary(model, started.vocabulary, np.bincount(ids, minlength=started.vocabulary.size), ids)
    assert started.vocabulary != model.vocabulary
    for name, tensor in expected.tensors.items():
        if name != "output.bias":  # which depends on the frequencies in exactly the training text
            np.testing.assert_allclose(started.tensors[name], tensor, atol=0.02, rtol=0, err_msg=name)


def test_training_goes_on_from_a_model_instead_of_starting_over(run, source, book):
    """After one step from a trained model, the loss is that of the trained model, and far below that of a new one."""
    settings = {"learning_rate": 0.02, "lstm_state_size": 32}
    model = source(max_steps=60, **settings)
    scores = {}
    for name, start in (("started", model), ("scratch", None)):
        summary, _, _ = run(name, start=start, max_steps=1, learning_rate=1e-4, lstm_state_size=32)
        scores[name] = summary["valid_loss"]
    assert scores["started"] == pytest.approx(model.scores["valid_loss"], abs=0.05)
    assert scores["started"] < scores["scratch"] - 0.5


def test_the_files_name_the_model_that_training_started_from(run, source, other):
    """The model file and each checkpoint contain the hash of the source; so do those of a resumed job."""
    model = source()
    for steps in (2, 4):
        _, job, _ = run("started", other, start=model if steps == 2 else None, max_steps=steps)
        store = CheckpointStore(job.checkpoints)
        assert store.read(store.steps()[0]).facts["started_from"] == model.sha256
        assert read_model(job.model).started_from == model.sha256
    _, job, _ = run("scratch", other)
    assert read_model(job.model).started_from is None


def test_a_resumed_job_continues_from_its_checkpoint(run, source, last_bytes):
    """With a checkpoint, what the job started from no longer matters: interrupted and whole runs give the same weights."""
    model = source()
    settings = {"deterministic": True, "dropout": 0.3, "save_steps": 3, "lr_decay_steps": 100}
    _, whole, _ = run("whole", start=model, max_steps=6, **settings)
    for steps in (3, 6):
        _, parts, _ = run("parts", start=model if steps == 3 else None, max_steps=steps, **settings)
    expected, found = (
        {name: each for name, each in last_bytes(job).items() if not name.startswith("metrics/")}
        for job in (whole, parts)
    )
    assert found == expected


def test_the_same_command_starts_in_the_same_way(run, source, other, last_bytes):
    """With `deterministic`, two runs from the same model are identical, and one from another model is not."""
    model = source()
    settings = {"deterministic": True, "dropout": 0.3}
    first, second, scratch = (
        last_bytes(run(name, other, start=start, **settings)[1])
        for name, start in (("first", model), ("second", model), ("scratch", None))
    )
    assert first == second
    assert first != scratch


def test_a_rollback_before_the_first_checkpoint_starts_again_from_the_model(run, source, monkeypatch):
    """If training diverges before there is a checkpoint, the next attempt starts from the same model, not from new weights."""
    model = source()
    taken = []

    def take(keras_model, file):
        take_weights(keras_model, file)
        taken.append(keras_model.get_layer("output").kernel.numpy().tobytes())

    monkeypatch.setattr(attempt, "take_weights", take)
    _, _, said = run("started", start=model, **{**DIVERGES, "save_steps": None})
    assert "(1 of at most 2 times)" in said
    assert len(taken) == 2
    assert len(set(taken)) == 1


def test_a_setting_that_an_older_job_lacks_is_not_reported(run, source):
    """A job whose checkpoint lacks init_from resumes without a line about it, because its value has not changed."""
    _, job, _ = run(max_steps=2, init_from="none")
    store = CheckpointStore(job.checkpoints)
    checkpoint = store.read(store.steps()[0])
    del checkpoint.facts["config"]["init_from"], checkpoint.facts["started_from"]
    store.write(checkpoint, None)
    _, _, said = run(max_steps=4, init_from="none")
    assert "init_from" not in said
    assert "Resuming from step 2" in said
