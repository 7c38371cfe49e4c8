"""`textgen vertex doctor`: checks everything a job needs."""

from __future__ import annotations

from collections.abc import Sequence

from textgen.cli.entry import run_command
from textgen.cli.vertex.output import write_line
from textgen.cli.vertex.settings import add_vertex_settings, read_vertex_config
from textgen.config.flags import Parser
from textgen.console import Console

PROGRAM = "textgen vertex doctor"
_STATES = {"ok": "ok: ", "failed": "", "unknown": "cannot tell ", "unchecked": "not checked: "}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex doctor`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _doctor, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen vertex doctor`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [FLAGS]",
        "Check everything a job on Vertex AI needs, one line per check: ok, or what to do. It changes nothing.\n"
        "The exit code is 0, or that of the first check that failed.",
    )
    add_vertex_settings(parser)
    parser.add_help_and_version()
    return parser


def _doctor(arguments: Sequence[str]) -> None:
    config = read_vertex_config(make_parser().parse(arguments))

    from textgen.cloud.doctor import examine

    findings = []
    checks = examine(config)
    while True:
        with Console().busy("asking Google"):
            finding = next(checks, None)
        if finding is None:
            break
        findings.append(finding)
        write_line(f"{finding.subject:16} {_STATES[finding.state]}{' '.join(finding.text.split())}")
    errors = [finding.error for finding in findings if finding.error is not None]
    if errors:
        raise type(errors[0])(f"{len(errors)} of {len(findings)} checks failed; the lines above say what to do")
