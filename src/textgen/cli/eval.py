"""`textgen eval`: measures how well a model predicts a text, next to simple baselines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.cli.entry import run_command
from textgen.cli.eval_dynamic import evaluate_learning
from textgen.cli.standard_output import encode_output, write_table
from textgen.cli.typed import typed
from textgen.config import EvalCommand
from textgen.config.flags import Parser, build
from textgen.console import Console, visible
from textgen.errors import UsageError, named
from textgen.formatting import count, percent
from textgen.runs.tensorflow_loading import check_tensorflow
from textgen.storage import as_typed

if TYPE_CHECKING:
    from textgen.evaluation import Scores
    from textgen.evaluation.evaluation import Evaluation
    from textgen.generation import ModelFile

PROGRAM = "textgen eval"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen eval`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _eval, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen eval`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB] [TEXT ...] [FLAGS]",
        "Measure how well a model predicts a text: bits per character with a 95% interval, perplexity, accuracy\n"
        "and calibration. Next to it are the bits per character of simple methods that learn the same training\n"
        "text: n-grams and file compressors. They show whether the model is worth its training. Any length of\n"
        "text will do. TensorFlow is not needed, except for --dynamic.",
        f"examples:\n  {PROGRAM}\n  {PROGRAM} story-384-states-1-layers-384-embed letters.txt\n\n"
        "docs/evaluation.md explains the figures.",
    )
    parser.add_settings(EvalCommand)
    parser.add_help_and_version()
    return parser


def _eval(arguments: Sequence[str]) -> None:
    command = build(EvalCommand, make_parser().parse(arguments))

    from textgen.cli.blas_threads import use_one_blas_thread

    use_one_blas_thread()

    from textgen.cli.models_and_texts import sort_arguments
    from textgen.cli.named_job import named_job
    from textgen.cli.prompt_text import STANDARD_INPUT
    from textgen.evaluation.evaluation import evaluate
    from textgen.generation.model_place import open_model

    models, texts = sort_arguments(command.arguments)
    if len(models) > 1:
        raise UsageError(
            f"{PROGRAM} takes one JOB, got {as_typed(models[0])} and {as_typed(models[1])}; evaluate one after the other, or rank them with {typed('textgen')} score"
        )
    if STANDARD_INPUT in texts:
        raise UsageError(
            f"{PROGRAM} reads a text twice, so it must be a file, got -; save it to a file, or use {typed('textgen')} score -"
        )
    if command.dynamic:
        check_tensorflow(named("dynamic"))
    place = models[0] if models else named_job(None, with_model=True, or_base=bool(texts))
    console, model = Console(), open_model(place)
    _report_training(console, place, model)
    with console.busy("evaluating"):
        result = evaluate(place, model, texts, command.encoding)
    dynamic = evaluate_learning(console, model, result.text) if command.dynamic else None
    for warning in result.warnings:
        console.warn(warning)
    if result.missing:
        console.say(f"Without the training text, most baselines are left out: {result.missing}.")
    elif packages := _missing_packages():
        console.say(
            f"Without {' and '.join(packages)}, some baselines are left out; in the clone of textgen, pip install '.[compressors]' installs them."
        )
    if command.json:
        from textgen.jobs import as_json

        sys.stdout.write(as_json(_to_json(place, model, result, dynamic)) + "\n")
    else:
        _write_tables(place, result, dynamic)


def _report_training(console: Console, place: str, model: ModelFile) -> None:
    """Reports that a trainer is still improving the model."""
    from textgen.jobs import JobDirectory, is_locked
    from textgen.storage import is_bucket

    if is_bucket(place):
        return
    job = JobDirectory.of_model(Path(place))
    if job.exists and is_locked(job):
        console.say(f"{job} is still training; this evaluates its best model so far, of step {model.step:,}.")


def _missing_packages() -> list[str]:
    from textgen.evaluation.compressors import COMPRESSORS

    return [each.package for each in COMPRESSORS.values() if not each.is_installed]


def _to_json(place: str, model: ModelFile, result: Evaluation, dynamic: Scores | None) -> dict[str, Any]:
    """Returns the object of `--json`."""
    from textgen.evaluation.baselines import KNESER_NEY, UNIFORM, UNIGRAM
    from textgen.evaluation.compressors import COMPRESSORS

    scores, interval = result.measures.scores, result.measures.interval
    bits = scores.bits_per_character
    return {
        "model": as_typed(place),
        "step": model.step,
        "text": [str(path) for path in result.text.section.paths],
        "characters": result.text.section.characters,
        "tokens": result.text.tokens,
        "unknown_share": result.text.unknown_share,
        "loss": scores.loss,
        "perplexity": scores.perplexity,
        "bits_per_character": bits,
        "bits_per_character_low": interval and bits * interval.low,
        "bits_per_character_high": interval and bits * interval.high,
        "dynamic_bits_per_character": dynamic and dynamic.bits_per_character,
        "accuracy": result.measures.accuracy,
        "calibration_error": result.measures.calibration_error,
        **{name: result.baselines.get(name) for name in (UNIFORM, UNIGRAM, KNESER_NEY, *COMPRESSORS)},
    }


def _write_tables(place: str, result: Evaluation, dynamic: Scores | None) -> None:
    """Writes the results for people."""
    encode_output("surrogateescape")
    section, tokenizer = result.text.section, result.text.vocabulary.tokenizer
    more = f" and {count(len(section.paths) - 1, 'more file')}" if len(section.paths) > 1 else ""
    tokens = "" if tokenizer.one_character else f" ({count(result.text.tokens, 'token')}: {tokenizer.description})"
    head = f"{as_typed(place)} on {count(section.characters, 'character')}{tokens} of {section.paths[0]}{more}"
    sys.stdout.write(f"{visible(head)}\n\nBits per character (lower is better)\n")
    write_table([(f"  {label}", f"{bits:.3f}", remark) for bits, label, remark in sorted(_rows(result, dynamic))])
    sys.stdout.write("\nMore about the model\n")
    noun = tokenizer.noun if tokenizer.one_character else "tokens"
    measures = result.measures
    write_table(
        [
            (
                "  perplexity",
                f"{measures.scores.perplexity:.4g}",
                f"as unsure as between that many equally likely {noun}; lower is better",
            ),
            ("  accuracy", f"{measures.accuracy:.1%}", f"of the {noun} are its first guess; higher is better"),
            (
                "  calibration error",
                f"{measures.calibration_error:.1%}",
                "between how sure it is and how often it is right; lower is better",
            ),
            ("  unknown", percent(result.text.unknown_share), f"of the {noun} are not in its vocabulary"),
        ]
    )


def _rows(result: Evaluation, dynamic: Scores | None) -> Iterator[tuple[float, str, str]]:
    """Yields bits per character, name and explanation of the model, with and without learning, and of each baseline."""
    from textgen.evaluation.baselines import describe_baselines

    descriptions = describe_baselines(result.text.vocabulary.tokenizer)
    bits, interval = result.measures.scores.bits_per_character, result.measures.interval
    remark = f"95% interval: {bits * interval.low:.3f} to {bits * interval.high:.3f}" if interval else ""
    yield bits, "this model", remark
    if dynamic is not None:
        yield dynamic.bits_per_character, "this model, learning", "it learns from each passage after predicting it"
    for name, others in result.baselines.items():
        yield others, *descriptions[name]
