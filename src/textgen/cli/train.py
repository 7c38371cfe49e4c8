"""`textgen-train`: trains a model on text, and goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textgen.cli.entry import run_command
from textgen.cli.existing_job import check_job, last_evaluation
from textgen.config import TrainCommand, TrainingConfig, job_name, with_job_name
from textgen.config.flags import Parser, build
from textgen.config.validation import nearest
from textgen.config.yaml_text import from_yaml
from textgen.console import Console
from textgen.corpus import Corpus, find_sources, open_corpus
from textgen.errors import MissingError
from textgen.jobs import JobDirectory
from textgen.planning import Plan
from textgen.storage import bundled, make_directory, read_text, write_atomic
from textgen.version import __version__

PROGRAM = "textgen-train"
STORY_PREFIX = "story"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen-train`.

    Args:
        arguments: without the program's name; None for the process' own.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _train, arguments)


def make_parser() -> Parser:
    """The parser of `textgen-train`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [TEXT ...] [FLAGS]",
        "Trains a character or word model on text. The same command goes on where it stopped; changing what does not\n"
        "shape the model, such as the learning rate, goes on with the same model.",
        f"examples:\n  {PROGRAM} my-book.txt\n  {PROGRAM} books/ --minutes 60 --layers 2\n"
        f"  {PROGRAM} --data_dir training-data/jules --data_prefix jules --language_model word\n\n"
        "Dashes and underscores in flags are the same; --no-NAME turns a switch off.",
    )
    parser.add_settings(TrainingConfig)
    parser.add_settings(TrainCommand)
    parser.add_help_and_version()
    return parser


def _train(arguments: Sequence[str]) -> None:
    values = make_parser().parse(arguments)
    command = build(TrainCommand, values)
    preset = {} if command.config is None else _read_preset(command.config)
    config = build(TrainingConfig, {**preset, **values})

    console = Console()
    console.say(f"textgen {__version__}", style="bold")
    with console.busy("reading the text"):
        corpus = _open_corpus(config)
    name = job_name(config, corpus.prefix)
    job = JobDirectory(Path(with_job_name(config.job_dir, name)))
    summary_dir = Path(with_job_name(config.summary_dir, name)) if config.summary_dir else job.logs
    plan = Plan(config, corpus.vocabulary.size)
    _show_plan(console, plan, corpus, job, fresh=command.fresh)
    if command.dry_run:
        return

    if command.fresh and (aside := job.move_aside()):
        console.say(f"The old job is now {aside}")
    state = check_job(job, config, corpus)
    if state is not None and plan.fraction(epochs=state.epochs, steps=state.steps, minutes=state.minutes) >= 1:
        console.say(
            f"This job is finished: {state.steps} steps, {state.epochs} epochs, {state.minutes:.1f} minutes. "
            "Raise --epochs, --max_steps or --minutes to go on, or begin anew with --fresh."
        )
        summary = last_evaluation(job)
    else:
        make_directory(job.root)
        write_atomic(job.vocabulary, json.dumps(corpus.vocabulary.to_json(), ensure_ascii=False) + "\n")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with console.busy("loading TensorFlow"), console.silenced():
            from textgen.training import train
        summary = train(config, corpus, job, summary_dir, console)
    _show_next_steps(console, job, summary_dir)
    if command.json:
        sys.stdout.write(json.dumps({"job_dir": str(job.root), **summary}) + "\n")


def _read_preset(name: str) -> dict[str, Any]:
    """The settings of a preset's name or a YAML file."""
    path, presets = Path(name), bundled("configs")
    named = presets / f"{name}.yaml"
    if not path.is_file() and named.is_file():
        path = named
    elif not path.exists():
        known = sorted(preset.stem for preset in presets.glob("*.yaml"))
        raise MissingError(
            f"--config {name} is neither a file nor a preset{nearest(name, known)}; the presets are {', '.join(known)}"
        )
    return from_yaml(read_text(path), str(path))


def _open_corpus(config: TrainingConfig) -> Corpus:
    """The text that the config names, or the bundled story."""
    texts, prefix = config.texts, config.data_prefix
    if not texts and config.data_dir is None:
        texts, prefix = (str(bundled("data/story.txt")),), prefix or STORY_PREFIX
    return open_corpus(
        find_sources(texts, config.data_dir, prefix),
        language_model=config.language_model,
        vocab_size=config.vocab_size,
        lowercase=config.lowercase,
        valid_fraction=config.valid_fraction,
        encoding=config.encoding,
    )


def _show_plan(console: Console, plan: Plan, corpus: Corpus, job: JobDirectory, *, fresh: bool) -> None:
    config = plan.config
    shown = dataclasses.asdict(config)
    rate = "{learning_rate:g}".format(**shown)
    lines = {
        "text": f"{corpus.prefix}: {corpus.train.characters:,} characters to learn, {corpus.valid.characters:,} to validate",
        "vocabulary": f"{corpus.vocabulary.size - 2:,} {'characters' if config.language_model == 'char' else 'words, marks and spaces'}",
        "model": plan.describe_model(),
        "training": f"{config.batch_size} streams of {config.unroll_steps} tokens a step, {config.optimizer}, learning rate {rate}, dropout {config.dropout:g}",
        "until": plan.limits,
        "memory": f"about {plan.memory / 1e9:.1f} GB",
        "job": f"{job.root} ({'goes on' if job.exists and not fresh else 'new'})",
    }
    for name, text in lines.items():
        console.say(f"  {name:11}{text}")


def _show_next_steps(console: Console, job: JobDirectory, summary_dir: Path) -> None:
    console.say("Next:")
    console.say(f"  textgen-sample {shlex.quote(str(job.root))}")
    console.say(f"  tensorboard --logdir {shlex.quote(str(summary_dir))}")
