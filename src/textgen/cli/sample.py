"""`textgen-sample`: generates text with a trained model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from textgen.cli.entry import run_command
from textgen.config import SampleCommand, SamplingConfig
from textgen.config.flags import Parser, build
from textgen.errors import CancelledError, named

if TYPE_CHECKING:
    from textgen.corpus import Tokenizer
    from textgen.corpus.copy_index import CopyIndex
    from textgen.evaluation import Novelty
    from textgen.generation import Sample

PROGRAM = "textgen-sample"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen-sample`.

    Args:
        arguments: the arguments after the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _sample_until_stopped, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen-sample`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB] [--prompt TEXT] [FLAGS]",
        "Generate text with a trained model. Only text goes to standard output: the prompt as it was given,\n"
        "then its continuation. On a terminal, long lines are wrapped between words, and control characters\n"
        "are escaped. The texts of --samples are separated by a line with ---. Ctrl-C stops; what was\n"
        "written so far stays.",
        f'examples:\n  {PROGRAM} --prompt "The captain" --length 600\n'
        f"  {PROGRAM} story-384-states-1-layers-384-embed --prompt @opening.txt --samples 3 --seed 1 --json\n"
        f"  {PROGRAM} --interactive\n\n"
        "If the prompt begins with @ or is a single dash, use --prompt - and standard input.\n"
        "Dashes and underscores in flags are the same.",
    )
    parser.add_settings(SampleCommand)
    parser.add_settings(SamplingConfig)
    parser.add_help_and_version()
    return parser


def _sample_until_stopped(arguments: Sequence[str]) -> None:
    """Runs the command, and exits on Ctrl-C without a message: the user has read enough."""
    try:
        _sample(arguments)
    except KeyboardInterrupt:
        sys.exit(CancelledError.exit_code)


def _sample(arguments: Sequence[str]) -> None:
    values = make_parser().parse(arguments)
    command, config = build(SampleCommand, values), build(SamplingConfig, values)

    from textgen.cli.blas_threads import use_one_blas_thread
    from textgen.cli.named_job import named_job

    place = named_job(command.model, with_model=True, or_base=True, advice=f", and {named('prompt')} continues a text")
    if command.novelty or config.max_copy is not None:
        from textgen.cli.copies import refuse_without_text

        refuse_without_text(place)
    use_one_blas_thread()

    from textgen.cli.prompt_text import read_prompt, say_changes
    from textgen.console import Console
    from textgen.generation import load
    from textgen.storage import is_bucket

    with Console().busy(f"fetching {place}") if is_bucket(place) else nullcontext():
        generator = load(place)
    prompt = read_prompt(command.prompt)

    def open_copies() -> CopyIndex:
        from textgen.cli.copies import open_copies

        return open_copies(place, generator.model)

    if command.interactive:
        from textgen.cli.interactive import write_together

        write_together(generator, config, open_copies, prompt, echo=not command.no_echo)
        return

    from textgen.cli.sample_output import write_json, write_plain

    copies = open_copies() if command.novelty or config.max_copy is not None else None
    pieces = generator.write(prompt, config, samples=command.samples, scored=command.json, copies=copies)
    say_changes(generator.changes(prompt))
    measure = None
    if command.novelty and copies is not None:
        measure = _measure_with(copies, generator.model.vocabulary.tokenizer)
    if command.json:
        write_json(pieces, generator.model.sha256, echo=not command.no_echo, measure=measure)
    else:
        write_plain(pieces, "" if command.no_echo else prompt, measure)


def _measure_with(copies: CopyIndex, tokenizer: Tokenizer) -> Callable[[Sample], Novelty]:
    """Returns a function that measures the novelty of a text."""
    from textgen.evaluation import measure_novelty

    def measure(sample: Sample) -> Novelty:
        # In a pre-tokenized text, a piece includes the space that is printed before the token.
        tokens = (piece.strip(tokenizer.separator) for piece in sample.pieces)
        return measure_novelty(tokenizer.separator.join(tokens), copies, tokenizer)

    return measure
