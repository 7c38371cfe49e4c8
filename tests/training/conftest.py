import contextlib
import io
import shutil

import pytest
from rich.console import Console as RichConsole

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.corpus import find_sources, open_corpus
from textgen.jobs import CheckpointStore, JobDirectory
from textgen.model import tensorflow_ops
from textgen.signals import Signals
from textgen.training import train

SENTENCES = [
    "The keeper wound the tide clock at dusk.",
    "Rain came over the mole in grey sheets.",
    "Nobody had told the pilot about the lamp.",
    "Seven boats went out and seven came home.",
    "A bell rang twice under the black water.",
]


class CapturedConsole(Console):
    """A console that records its messages, and calls a function with the number of each evaluation when it starts."""

    def __init__(self, at_evaluation):
        self.at_evaluation = at_evaluation
        self.evaluations = 0
        self.stream = io.StringIO()
        self.rich = RichConsole(file=self.stream, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def busy(self, text):
        if text == "evaluating":
            self.evaluations += 1
            self.at_evaluation(self.evaluations)
        yield

    @property
    def text(self):
        return self.stream.getvalue()


def write_book(place):
    """Writes a text of 120 lines to a folder, and returns its path."""
    path = place / "book.txt"
    path.write_text("".join(f"{SENTENCES[(7 * line) % 5]}\n" for line in range(120)))
    return path


@pytest.fixture(autouse=True)
def compiler(request, monkeypatch):
    """Only tests with the mark `compiled` let XLA compile, because compiling a tiny model takes longer than training it.

    XLA also keeps everything that it has compiled until the process ends.
    """
    if request.node.get_closest_marker("compiled") is None:
        monkeypatch.setattr(tensorflow_ops, "_has_compiler", lambda: False)


@pytest.fixture
def book(tmp_path):
    """A text of 120 lines."""
    return write_book(tmp_path)


def train_tiny(
    place, job, text, at_evaluation=lambda _: None, allow_changed_data=False, start=None, devices=None, **values
):
    """Trains a tiny model in a folder; returns the summary, the job directory and the messages."""
    small = {"lstm_state_size": 8, "batch_size": 4, "unroll_steps": 10, "sample_length": 20, "max_steps": 6}
    config = TrainingConfig(**{**small, **values})
    corpus = open_corpus(
        find_sources([str(text)], None, None),
        language_model=config.language_model,
        valid_fraction=config.valid_fraction,
    )
    directory = JobDirectory(place / job)
    console = CapturedConsole(at_evaluation)
    (place / "cache").mkdir(exist_ok=True)
    with Signals() as signals:
        summary = train(
            config,
            corpus,
            directory,
            summary_dir=directory.logs,
            ids_directory=place / "cache",
            signals=signals,
            console=console,
            allow_changed_data=allow_changed_data,
            start=start,
            devices=devices,
        )
    return summary, directory, console.text


@pytest.fixture
def run(tmp_path, book):
    """A function that trains a tiny model and returns the summary, the job directory and the messages."""

    def start(job="job", text=book, **options):
        return train_tiny(tmp_path, job, text, **options)

    return start


@pytest.fixture(scope="session")
def jobs_by_values():
    """The jobs that `begun` has trained, by their settings and whether XLA compiled them."""
    return {}


@pytest.fixture
def begun(tmp_path, tmp_path_factory, jobs_by_values):
    """A function like `run`, for a new job that tests only begin with or compare with: it is trained once and copied."""

    def start(job="job", **values):
        key = (tensorflow_ops._has_compiler(), frozenset(values.items()))
        if key not in jobs_by_values:
            place = tmp_path_factory.mktemp("begun")
            jobs_by_values[key] = train_tiny(place, "job", write_book(place), **values)
        summary, directory, text = jobs_by_values[key]
        shutil.copytree(directory.root, tmp_path / job)
        return summary, JobDirectory(tmp_path / job), text

    return start


@pytest.fixture
def last_tensors():
    """A function that reads the tensors of a job's newest checkpoint."""

    def read(job):
        store = CheckpointStore(job.checkpoints)
        return store.read(store.steps()[0]).tensors

    return read


@pytest.fixture
def last_bytes(last_tensors):
    """A function that returns these tensors as bytes, for bitwise comparison."""
    return lambda job: {name: tensor.tobytes() for name, tensor in last_tensors(job).items()}
