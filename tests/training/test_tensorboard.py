import numpy as np
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.api_pb2 import ListSessionGroupsRequest, Status
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.list_session_groups import Handler
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin

from textgen.config import TrainingConfig
from textgen.corpus import FIRST_TOKEN_ID, PROJECTOR_FILES
from textgen.generation import read_model
from textgen.jobs import read_metrics
from textgen.training.hparams import _FILE, _as_hparams
from textgen.training.projector import write_embedding

EMBEDDED = {"embedding_size": 3, "eval_steps": 4, "learning_rate": 0.05}
VECTORS, LABELS, _ = PROJECTOR_FILES


def hparams(job):
    """Returns the name of a job in TensorBoard's HParams tab, its settings there, and its scores, by the tab's own code."""
    events = EventMultiplexer().AddRunsFromDirectory(str(job.root)).Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(events, str(job.root))))
    request = ListSessionGroupsRequest(allowed_statuses=Status.values(), slice_size=10)
    [group] = Handler(RequestContext(), context, "", request).run().session_groups
    values = {name: getattr(value, str(value.WhichOneof("kind"))) for name, value in group.hparams.items()}
    return group.name, values, {score.name.tag: (score.training_step, score.value) for score in group.metric_values}


def test_settings_of_any_text_can_be_shown():
    """A setting with bytes that are not UTF-8, as paths can have, becomes a value with escapes."""
    values = _as_hparams(TrainingConfig(data_dir="a\udcff", sample_prompt="b\n"))
    assert (values["data_dir"], values["sample_prompt"]) == (r"a\udcff", r"b\n")
    hparams_pb(values)


def test_hparams_gets_the_settings_of_each_job(run):
    """TensorBoard shows all settings but places, with their types, under the name of the job, next to its scores."""
    _, job, _ = run(learning_rate=0.25, embedding_size=None, layer_norm=True, optimizer="sgd")
    name, values, scores = hparams(job)
    assert name == str(job)
    assert scores["loss"] == (6, pytest.approx(read_metrics(job.metrics)[-1]["valid_loss"]))
    assert (values["learning_rate"], values["layer_norm"], values["lstm_state_size"]) == (0.25, True, 8)
    assert (values["optimizer"], values["embedding_size"], values["unwrap"]) == ("sgd", "none", "auto")
    assert not {"job_dir", "summary_dir"} & set(values)


def test_hparams_shows_the_settings_of_the_last_run(run):
    """They take the place of those of earlier runs, also of one by a version of textgen that wrote them among the scores."""
    _, job, _ = run(learning_rate=0.25, optimizer="sgd")
    folder = job.logs / "validation"
    (folder / _FILE).rename(folder / "events.out.tfevents.1.host")
    run(learning_rate=0.125, optimizer="sgd", max_steps=9)
    name, values, scores = hparams(job)
    assert (name, values["learning_rate"], scores["loss"][0]) == (str(job), 0.125, 9)
    run(learning_rate=0.0625, optimizer="sgd", max_steps=12)
    assert hparams(job)[1]["learning_rate"] == 0.0625
    events = EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Tensors("loss")] == [6, 9, 12]


def vectors_of(folder):
    """Returns the vectors in a folder; None without any."""
    path = folder / VECTORS
    return np.loadtxt(path, delimiter="\t", ndmin=2) if path.exists() else None


def test_the_projector_gets_the_embedding_with_each_checkpoint(run):
    """The vectors are those of the newest checkpoint, one per token, and an existing job gets them too."""
    seen = []
    _, job, _ = run(max_steps=4, **EMBEDDED)
    folder = job.logs / "train"
    for name in PROJECTOR_FILES:
        (folder / name).unlink()  # as in a job of an earlier version
    run(max_steps=12, at_evaluation=lambda _: seen.append(vectors_of(folder)), **EMBEDDED)
    model = read_model(job.model)
    assert model.step == 12
    expected = model.tensors["embedding"][FIRST_TOKEN_ID:]
    assert vectors_of(folder) == pytest.approx(expected, rel=1e-3)
    assert seen[0] is None
    assert seen[1].shape == expected.shape
    assert np.abs(seen[1] - expected).max() > 1e-3
    labels = (folder / LABELS).read_text().split("\n")
    assert labels[-1] == ""
    assert labels[:-1] == [
        {"\n": r"'\n'", " ": "' '"}.get(token, token) for token in model.vocabulary.tokens[FIRST_TOKEN_ID:]
    ]


def test_tensorboard_reads_the_embedding(run):
    """TensorBoard's own plugin finds the files, and gives the vectors and their labels."""
    _, job, _ = run(max_steps=4, **EMBEDDED)
    folder = job.logs / "train"
    plugin = ProjectorPlugin(TBContext(logdir=str(job.logs)))
    [(configs, paths)] = [plugin._read_latest_config_files([("train", str(folder))])]
    plugin._configs, plugin.config_fpaths = configs, paths
    plugin._augment_configs_with_checkpoint_info()
    [embedding] = configs["train"].embeddings
    assert tuple(embedding.tensor_shape) == vectors_of(folder).shape
    assert (folder / embedding.metadata_path).read_text().count("\n") == embedding.tensor_shape[0]


def test_a_model_without_an_embedding_has_no_projector(begun):
    """One-hot tokens have no vectors to draw."""
    _, job, _ = begun(max_steps=4)
    assert not set(PROJECTOR_FILES) & {path.name for path in job.logs.rglob("*")}


def test_a_large_vocabulary_is_cut(tmp_path):
    """Of a large vocabulary, only the first tokens are written; odd tokens stay on their lines."""
    tokens = ("", "[UNK]", "a\tb", "\u2028", "\x1b[31m", *map(str, range(500_000)))
    write_embedding(tmp_path, np.zeros((len(tokens), 100), np.float32), tokens)
    assert vectors_of(tmp_path).shape == (5000, 100)
    labels = (tmp_path / LABELS).read_text()
    assert (labels.count("\n"), labels.count("\t"), labels.count("\x1b"), len(labels.splitlines())) == (
        5000,
        0,
        0,
        5000,
    )


def test_the_incomplete_file_of_a_killed_trainer_is_removed(run, tmp_path):
    """A trainer that was killed in the middle of a write leaves nothing behind once the job has resumed."""
    rest = tmp_path / "job" / "logs" / "train" / f".{VECTORS}.killed.tmp"
    rest.parent.mkdir(parents=True)
    rest.touch()
    run(max_steps=2, **EMBEDDED)
    assert not list((tmp_path / "job").rglob("*.tmp"))


def test_a_file_that_cannot_be_written_is_a_warning(run, tmp_path):
    """Training ends as usual, with a single warning, if the embedding cannot be written."""
    (tmp_path / "job" / "logs" / "train" / VECTORS).mkdir(parents=True)
    summary, job, said = run(max_steps=8, **EMBEDDED)
    assert summary["steps"] == 8
    assert said.count("the embedding for TensorBoard is not up to date; training continues: cannot write") == 1
    assert job.model.exists()
