import io
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.corpus import find_sources, open_corpus
from textgen.jobs import JobDirectory
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
    """A console that keeps what is said."""

    def __init__(self):
        self.stream = io.StringIO()
        self.rich = RichConsole(file=self.stream, highlight=False, soft_wrap=True)

    @property
    def text(self):
        return self.stream.getvalue()


@pytest.fixture
def book(tmp_path):
    """A text of 120 lines."""
    path = tmp_path / "book.txt"
    path.write_text("".join(f"{SENTENCES[(7 * line) % 5]}\n" for line in range(120)))
    return path


@pytest.fixture
def run(tmp_path, book):
    """A function that trains a tiny model and returns summary, job directory and what was said."""

    def start(job="job", text=book, **values):
        small = {"lstm_state_size": 8, "batch_size": 4, "unroll_steps": 10, "sample_length": 20, "max_steps": 6}
        config = TrainingConfig(**{**small, **values})
        corpus = open_corpus(
            find_sources([str(text)], None, None),
            language_model=config.language_model,
            valid_fraction=config.valid_fraction,
        )
        directory = JobDirectory(Path(tmp_path / job))
        console = CapturedConsole()
        (tmp_path / "cache").mkdir(exist_ok=True)
        with Signals() as signals:
            summary = train(
                config,
                corpus,
                directory,
                summary_dir=directory.logs,
                ids_directory=tmp_path / "cache",
                signals=signals,
                console=console,
            )
        return summary, directory, console.text

    return start
