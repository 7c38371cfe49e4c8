"""`textgen curve`: draws the loss of a job over its steps on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from textgen.cli.entry import run_command
from textgen.cli.standard_output import encode_output, terminal_width
from textgen.config import CurveCommand
from textgen.config.flags import Parser, build
from textgen.console import visible

if TYPE_CHECKING:
    from textgen.jobs import JobFacts

PROGRAM = "textgen curve"
_USUAL_WIDTH = 80
_MOST = 1e15
"""Larger numbers are no steps or losses of a training run, and would not fit on the axes."""
_TRAIN, _VALID = "color(208)", "color(33)"
"""Orange and blue, which most colour-blind people can tell apart."""


class _Point(NamedTuple):
    """An evaluation: the steps before it, and the losses in nats per token; None for one that is infinite or missing."""

    steps: float
    train: float | None
    valid: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen curve`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _curve, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen curve`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB]",
        "Draw the training loss and the validation loss of a job over its steps, in nats per token. There is a\n"
        "point for each evaluation.",
        "In a pipe, each line has the steps, the training loss and the validation loss of an evaluation, separated\n"
        "by tabs, with - for a missing value.",
    )
    parser.add_settings(CurveCommand)
    parser.add_help_and_version()
    return parser


def _curve(arguments: Sequence[str]) -> None:
    command = build(CurveCommand, make_parser().parse(arguments))

    from textgen.cli.named_job import look_at_named, named_job
    from textgen.jobs import job_facts, on_present_text, read_metrics

    job = look_at_named(named_job(command.job, with_model=False))
    evaluations = read_metrics(job.metrics)
    points, facts = list(_points(evaluations)), job_facts(job, evaluations)
    if not points:
        raise facts.no_evaluation()
    encode_output("surrogateescape")
    if sys.stdout.isatty():
        _draw(facts, points, list(_points(on_present_text(evaluations))))
    else:
        sys.stdout.writelines("\t".join(_fields(point)) + "\n" for point in points)


def _points(evaluations: Sequence[Mapping[str, Any]]) -> Iterator[_Point]:
    """Yields the losses of evaluations, without those that have none."""
    from textgen.jobs import finite_number

    for values in evaluations:
        found = (finite_number(values, name) for name in ("steps", "train_loss", "valid_loss"))
        steps, train, valid = (None if number is None or abs(number) > _MOST else number for number in found)
        if steps is not None and (train is not None or valid is not None):
            yield _Point(steps, train, valid)


def _draw(facts: JobFacts, points: Sequence[_Point], comparable: Sequence[_Point]) -> None:
    """Draws the losses, below a line about the job and above a legend, which names the best of those on the present text."""
    from rich.console import Console as RichConsole
    from rich.text import Text

    from textgen.cli.line_chart import Line, draw

    train = [(point.steps, point.train) for point in points if point.train is not None]
    valid = [(point.steps, point.valid) for point in points if point.valid is not None]
    lines = [Line(train, _TRAIN, dashed=True), Line(valid, _VALID)]
    legend = Text()
    if train:
        legend.append("╌╌ ", _TRAIN).append(f"training {train[-1][1]:.3f}")
    scored = [(point.steps, point.valid) for point in comparable if point.valid is not None]
    if scored:
        best_step, best = min(scored, key=lambda point: point[1])
        legend.append("   " if train else "").append("── ", _VALID)
        legend.append(f"validation {valid[-1][1]:.3f}, best {best:.3f} at step {best_step:,.0f}")
    out = RichConsole(file=sys.stdout, highlight=False, soft_wrap=True)
    title = f"{facts.job_dir}: {facts.state} at step {facts.steps:,}; loss in nats per token over steps"
    width = terminal_width() or _USUAL_WIDTH
    for row in (Text(visible(title)), *draw([line for line in lines if line.points], width), legend):
        out.print(row)


def _fields(point: _Point) -> Iterator[str]:
    """Yields the fields of a line in a pipe."""
    yield f"{point.steps:.0f}"
    for loss in (point.train, point.valid):
        yield "-" if loss is None else f"{loss}"
