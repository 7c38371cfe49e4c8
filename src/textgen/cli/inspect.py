"""`textgen inspect`: verifies the files of a job."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.cli.entry import run_command
from textgen.cli.standard_output import encode_output
from textgen.config import InspectCommand
from textgen.config.flags import Parser, build
from textgen.console import visible
from textgen.errors import FormatError, MissingError, TextgenError, UsageError
from textgen.formatting import count, not_comparable, one_line
from textgen.runs.places import refuse_bucket

if TYPE_CHECKING:
    from textgen.generation import ModelFile
    from textgen.jobs import CheckpointFacts, JobDirectory

PROGRAM = "textgen inspect"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen inspect`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _inspect, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen inspect`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB]",
        "Verify the settings, the vocabulary, the state, the checkpoints and the model file of a job, and print\n"
        "what they contain. The exit code is 78 if one is damaged. Training resumes from the checkpoint marked\n"
        "newest usable.",
    )
    parser.add_settings(InspectCommand)
    parser.add_help_and_version()
    return parser


def _inspect(arguments: Sequence[str]) -> None:
    command = build(InspectCommand, make_parser().parse(arguments))
    if command.job is not None:
        refuse_bucket("JOB", command.job)

    from textgen.cli.named_job import named_job

    path = Path(named_job(command.job, with_model=False))
    if not path.is_dir():
        raise UsageError(f"JOB must be the directory of a job, got {path}, which is a file; name the directory")

    from textgen.jobs import CheckpointStore, JobDirectory, inspect_checkpoints, job_facts

    job = JobDirectory(path)
    checkpoints = inspect_checkpoints(CheckpointStore(job.checkpoints))
    if not job.exists and not checkpoints and not job.model.exists():
        raise MissingError(f"{path} is not a job: it has no settings, no checkpoints and no model; check the path")

    encode_output("backslashreplace")
    facts = job_facts(job)
    _say(f"{path}: {facts.state}" + (f", {facts.steps:,} steps" if facts.problem is None else f": {facts.problem}"))
    newest = next((checkpoint for checkpoint in checkpoints if checkpoint.problem is None), None)
    damaged = _say_small_files(job, newest)
    _say_checkpoints(checkpoints, newest)
    problems = [*(checkpoint.problem for checkpoint in checkpoints), _say_model(job)]
    if not {job.config, job.state} & damaged:  # otherwise the first line is about one of these
        problems.append(facts.problem)
    if damages := len(damaged) + len(problems) - problems.count(None):
        raise FormatError(f"{path} has {count(damages, 'damaged part')}; see the lines above")


def _say_small_files(job: JobDirectory, newest: CheckpointFacts | None) -> set[Path]:
    """Verifies config.yaml, vocabulary.json and state.json, and prints a line for each; returns the damaged ones."""
    from textgen.jobs import JobState, read_config
    from textgen.runs.existing_job import read_vocabulary

    def verify_config() -> str:
        read_config(job.config, "train again")
        return ""

    def verify_vocabulary() -> str:
        vocabulary = read_vocabulary(job.vocabulary)
        if newest is not None and newest.vocabulary_sha256 not in {None, vocabulary.sha256}:
            raise FormatError(f"it is not the vocabulary of the checkpoint of step {newest.step}")
        return f"{vocabulary.size:,} token ids, "

    def verify_state() -> str:
        return f"{JobState.read(job.state).status}, "

    damaged = set()
    checks = {job.config: verify_config, job.vocabulary: verify_vocabulary, job.state: verify_state}
    for path, verify in checks.items():
        try:
            _say(f"{path.name}: {verify()}verified" if path.exists() else f"{path.name}: none")
        except TextgenError as error:
            damaged.add(path)
            _say(f"{path.name}: {one_line(error)}")
    return damaged


def _say_checkpoints(checkpoints: Sequence[CheckpointFacts], newest: CheckpointFacts | None) -> None:
    """Prints a line for each checkpoint."""
    _say("checkpoints:" if checkpoints else "checkpoints: none")
    for checkpoint in checkpoints:
        parts = [f"step {checkpoint.step:,}"]
        if newest is checkpoint:
            parts.append("newest usable")
        if newest is not None and checkpoint.step == newest.best_step:
            parts.append("best")
        if checkpoint.problem is None:
            epochs = "unknown" if checkpoint.epochs is None else f"{checkpoint.epochs:,}"
            versions = [f"{name} {version}" for name, version in checkpoint.versions.items()]
            parts += [f"epochs {epochs}", f"{checkpoint.tensors} tensors", f"{checkpoint.bytes:,} bytes", *versions]
            parts.append("verified")
        else:
            parts += [f"{checkpoint.bytes:,} bytes", checkpoint.problem]
        _say("  " + ", ".join(parts))


def _say_model(job: JobDirectory) -> str | None:
    """Prints what the model file contains; returns its problem, or None if it can be used or does not exist yet."""
    from textgen.generation import read_model

    if not job.model.exists():
        _say("model file: none")
        return None
    try:
        model = read_model(job.model)
    except TextgenError as error:
        _say(f"model file: {error}")
        return str(error)
    _say("model file:")
    for name, text in _describe(model, job.model.stat().st_size).items():
        _say(f"  {name:11}{text}")
    return None


def _describe(model: ModelFile, size: int) -> dict[str, str]:
    """Returns the lines that describe a model file, by their labels."""
    settings = sorted({**model.settings, **model.shape.settings}.items())
    shape = (f"{name} {value}" for name, value in settings if value is not None)
    scores = [f"{name} {value:.4g}" for name, value in model.scores.items() if math.isfinite(value)]
    if unknown := model.scores.get("valid_unknown_share"):
        scores.append(not_comparable(unknown))
    return {
        "shape": ", ".join(shape),
        "vocabulary": f"{model.vocabulary.size:,} token ids",
        "scores": ", ".join(scores) or "none yet",
        "step": f"{model.step:,}",
        "start": "from scratch" if model.started_from is None else f"from the model with sha256 {model.started_from}",
        "unwrapped": "yes" if model.unwrapped else "no",
        "textgen": model.textgen_version or "unknown",
        "bytes": f"{size:,}",
        "sha256": f"{model.sha256}, verified",
    }


def _say(line: str) -> None:
    """Prints a line, with line breaks and control characters as escapes."""
    sys.stdout.write(visible(line) + "\n")
