"""`textgen vertex doctor`: looks whether all is there that a job needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from textgen.cli.entry import run_command
from textgen.cli.sample_output import encode_output, put
from textgen.cli.vertex.settings import add_vertex_settings, read_vertex_config
from textgen.config.flags import Parser
from textgen.console import Console

PROGRAM = "textgen vertex doctor"
_STATES = {"ok": "ok: ", "failed": "", "unknown": "cannot be told: ", "unchecked": "not checked: "}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex doctor`.

    Args:
        arguments: without the names of the program and of the command; None for the process' own.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _doctor, arguments)


def make_parser() -> Parser:
    """The parser of `textgen vertex doctor`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [FLAGS]",
        "Looks whether all is there that a job on Vertex AI needs: credentials, project, Vertex AI itself, bucket and\n"
        "its region, service account, image. Each is a line, ok or what to do. Changes nothing. Ends with 0 when all is\n"
        "well, else with the exit code of the first failure.",
    )
    add_vertex_settings(parser)
    parser.add_help_and_version()
    return parser


def _doctor(arguments: Sequence[str]) -> None:
    config = read_vertex_config(make_parser().parse(arguments))
    encode_output("backslashreplace")

    from textgen.cloud.doctor import examine

    findings = []
    looks = examine(config)
    while True:
        with Console().busy("asking Google"):
            finding = next(looks, None)
        if finding is None:
            break
        findings.append(finding)
        put(f"{finding.subject:16} {_STATES[finding.state]}{' '.join(finding.text.split())}\n")
        sys.stdout.flush()
    errors = [finding.error for finding in findings if finding.error is not None]
    if errors:
        raise type(errors[0])(f"{len(errors)} of {len(findings)} checks failed; the lines above say what to do")
