import json
import shlex
from pathlib import Path

import pytest

from tests.commands import JOB
from textgen.cli.train import make_parser
from textgen.config import TrainingConfig
from textgen.config.flags import build
from textgen.jobs import JobDirectory
from textgen.runs import report
from textgen.runs.report import collect, command_of
from textgen.runs.request import read_request


@pytest.fixture
def collected(copied):
    """A function that collects the report on the trained job."""
    return lambda: collect(str(JOB), JobDirectory(JOB))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "texts": ("a book.txt", "-dash.txt", "it's.txt"),
            "minutes": 0.5,
            "epochs": 5,
            "patience": 5,
            "batch_size": 16,
        },
        {"embedding_size": 512, "lstm_state_size": 512, "init_from": "base", "dropout": 0.25, "unwrap": "yes"},
        {"layer_norm": True, "language_model": "word", "vocab_size": 900, "sample_prompt": "$HOME `x`"},
        {
            "data_dir": "gs://bucket/corpus",
            "data_prefix": "jules",
            "job_dir": "gs://bucket/job",
            "precision": "mixed_float16",
        },
    ],
)
def test_the_command_gives_the_settings_of_the_job(settings):
    """The shell and the parser of textgen-train read every setting back; nothing is left that textgen would choose."""
    config = TrainingConfig(**settings)
    program, *arguments = shlex.split(" ".join(command_of(config)))
    values = make_parser().parse(arguments)
    found = build(TrainingConfig, values)
    assert program == "textgen-train"
    assert [Path(text) for text in found.texts] == [Path(text) for text in config.texts]
    assert {**vars(found), "texts": ()} == {**vars(config), "texts": ()}
    assert read_request(values).given >= report._ALWAYS_GIVEN


def test_the_command_trains_the_same_model_again(collected):
    """Textgen chooses nothing else for the command of a job than the job has."""
    found = collected()
    values = make_parser().parse(shlex.split(" ".join(found.command))[1:])
    request = read_request(values)
    assert request.config == found.config
    assert request.minutes_to_choose_for is None


def test_everything_is_collected_from_a_finished_job(collected):
    """A report has the scores of the job, its baselines, texts at three temperatures, and no note on what is missing."""
    found = collected()
    assert found.facts.valid_bits_per_character == found.history[-1]["valid_bits_per_character"]
    assert {"uniform", "unigram", "kneser_ney", "xz"} <= found.baselines.keys()
    assert found.measures.scores.bits_per_character == pytest.approx(found.facts.valid_bits_per_character, abs=1e-3)
    assert [text.temperature for text in found.written] == [0.5, 0.8, 1.0]
    assert all(text.novelty is not None and text.statistics.known_words is not None for text in found.written)
    assert found.samples
    assert found.notes == []


def test_the_work_is_bounded_and_the_limits_are_noted(collected, monkeypatch):
    """A long text is read in part, and the page says which part."""
    for name, value in {"_MOST_LEARNED": 1000, "_MOST_COMPARED": 400, "_LEAST_TOKENS": 50, "_MOST_PRODUCTS": 0}.items():
        monkeypatch.setattr(report, name, value)
    found = collected()
    assert found.measures.scores.tokens < 400
    learn, compared = found.baseline_notes
    [measured] = found.notes
    assert "learn only the first 1," in learn
    assert " characters of the training text. textgen eval reads more." in learn
    assert "characters of the validation text" in compared
    assert "Accuracy and calibration are measured on only" in measured


def test_unknown_tokens_are_not_compared_with_compressors(collected):
    """A compressor spells what the model reads as [UNK], so only n-grams are comparable, even if the [UNK] are in the part that is not read."""
    metrics = JobDirectory(JOB).metrics
    history = [json.loads(line) | {"valid_unknown_share": 0.01} for line in metrics.read_text().splitlines()]
    metrics.write_text("".join(json.dumps(values) + "\n" for values in history))
    found = collected()
    assert found.baselines.keys() == {"uniform", "unigram", "kneser_ney"}
    assert "File compressors are left out" in found.baseline_notes[0]


def test_a_text_that_is_too_long_is_left_out(collected, monkeypatch):
    """Verifying the hash of a very long text would take too long."""
    monkeypatch.setattr(report, "_MOST_READ", 5000)
    found = collected()
    assert (found.sections, found.baselines, found.real) == (None, {}, None)
    assert found.written
    assert "a report reads at most 5,000" in found.notes[0]


def test_a_text_that_is_too_long_to_search_is_not_searched(collected, monkeypatch):
    """The novelty is then missing, and the page says why."""
    monkeypatch.setattr(report, "MOST_SEARCHED", 100)
    found = collected()
    assert found.written[0].novelty is None
    assert "too long to search" in found.notes[0]


def test_a_changed_text_is_not_compared(collected):
    """Another text of the same name says nothing about the model."""
    Path("book.txt").write_text(Path("book.txt").read_text()[::-1])
    found = collected()
    assert found.baselines == {}
    assert "is not the text that" in found.notes[0]


def test_a_text_in_a_bucket_is_not_downloaded(collected):
    """A job that was fetched from Vertex AI names its text in a bucket; a report waits for no network."""
    config = JobDirectory(JOB).config
    config.write_text(config.read_text().replace("- book.txt", "- gs://nowhere/book.txt"))
    assert "the job or the text is in a bucket" in collected().notes[0]
