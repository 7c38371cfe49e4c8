"""`textgen-sample`: lets a trained model write."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from textgen.cli.entry import run_command
from textgen.cli.places import refuse_bucket
from textgen.config import SamplingConfig
from textgen.config.flags import Parser, build
from textgen.errors import UsageError, from_os_error

PROGRAM = "textgen-sample"
STANDARD_INPUT = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen-sample`.

    Args:
        arguments: without the program's name; None for the process' own.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _sample, arguments)


def make_parser() -> Parser:
    """The parser of `textgen-sample`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} JOB_DIR [--prompt TEXT] [FLAGS]",
        "Lets a trained model write. Only text goes to standard output, the prompt first, as it was given.",
        f'example:\n  {PROGRAM} job/story-384-states-1-layers --prompt "The captain" --length 600\n\n'
        "Dashes and underscores in flags are the same.",
    )
    parser.add_settings(SamplingConfig)
    parser.add_help_and_version()
    return parser


def _sample(arguments: Sequence[str]) -> None:
    config = build(SamplingConfig, make_parser().parse(arguments))
    refuse_bucket("JOB_DIR", config.model)
    prompt = _read_standard_input() if config.prompt == STANDARD_INPUT else config.prompt

    from textgen.generation import load

    pieces = load(config.model).generate(
        prompt, length=config.length, temperature=config.temperature, seed=config.seed, oov=config.oov
    )
    # Bytes of the prompt that are not UTF-8 are surrogates in here, and go out as they came in.
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    live = sys.stdout.isatty()
    sys.stdout.write(prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        if live or "\n" in piece:
            sys.stdout.flush()
    sys.stdout.write("\n")


def _read_standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"the prompt on standard input is not UTF-8 (byte {error.start}); convert it first") from error
    except OSError as error:
        raise from_os_error(error, "cannot read the prompt from standard input") from error
