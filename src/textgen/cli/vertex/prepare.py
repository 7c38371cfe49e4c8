"""The commands of `textgen vertex` that prepare a project: doctor and build."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from textgen.cli.entry import run_command
from textgen.cli.standard_output import encode_output, put, write_line
from textgen.cli.vertex.settings import OF_A_PROJECT, make_vertex_parser, read_vertex_config
from textgen.config.flags import build
from textgen.config.vertex import BuildCommand
from textgen.console import Console
from textgen.formatting import one_line

_STATES = {"ok": "ok: ", "failed": "", "unknown": "cannot tell ", "unchecked": "not checked: "}


def doctor(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex doctor`, and returns its exit code."""
    return run_command("textgen vertex doctor", _doctor, arguments)


def build_image(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex build`, and returns its exit code."""
    return run_command("textgen vertex build", _build, arguments)


def _doctor(arguments: Sequence[str]) -> None:
    parser = make_vertex_parser(
        "doctor",
        "[FLAGS]",
        "Check everything a job on Vertex AI needs, one line per check: ok, or what to do. It changes nothing.\n"
        "The exit code is 0, or that of the first check that failed.",
        names=(*OF_A_PROJECT, "bucket", "image", "service_account"),
    )
    config = read_vertex_config(parser.parse(arguments))

    from textgen.cloud.doctor import examine

    findings = []
    checks = examine(config)
    while True:
        with Console().busy("asking Google"):
            finding = next(checks, None)
        if finding is None:
            break
        findings.append(finding)
        write_line(f"{finding.subject:16} {_STATES[finding.state]}{one_line(finding.text)}")
    errors = [finding.error for finding in findings if finding.error is not None]
    if errors:
        raise type(errors[0])(f"{len(errors)} of {len(findings)} checks failed; the lines above say what to do")


def _build(arguments: Sequence[str]) -> None:
    parser = make_vertex_parser(
        "build",
        "[--run] [FLAGS]",
        "Print the commands that build the image --image from a clone of textgen's repository, the current directory,\n"
        "and push it. --run runs them, for which docker is needed.",
        BuildCommand,
        names={"image"},
    )
    values = parser.parse(arguments)
    command = build(BuildCommand, values)
    config = read_vertex_config(values)
    config.require("image")
    image = str(config.image)

    from textgen.cloud.image import build_commands, login_hint, run_commands

    checkout = Path()
    commands = build_commands(image, checkout)
    console = Console()
    if hint := login_hint(image):
        console.say(f"Before the first push, let docker log in there: {hint}")
    if command.run:
        run_commands(commands, checkout, console.say)
        console.say(f"{image} is pushed.")
        return
    encode_output("surrogateescape")
    for words in commands:
        put(shlex.join(words) + "\n")
