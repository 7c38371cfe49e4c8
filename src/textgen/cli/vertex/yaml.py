"""`textgen vertex yaml`: writes a job as a file for gcloud."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from textgen.cli.entry import run_command
from textgen.cli.sample_output import encode_output
from textgen.cli.vertex.request import add_request_settings, make_request
from textgen.cloud.job_spec import gcloud_command
from textgen.config.flags import Parser
from textgen.console import Console

PROGRAM = "textgen vertex yaml"
_FILE = "job.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex yaml`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _yaml, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen vertex yaml`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [TEXT ...] [FLAGS] > {_FILE}",
        "Write the job that `textgen vertex submit` would start to standard output, for `gcloud ai custom-jobs create`,\n"
        "and the commands that upload its texts and start it to standard error. It needs no network and no credentials.",
    )
    add_request_settings(parser)
    parser.add_help_and_version()
    return parser


def _yaml(arguments: Sequence[str]) -> None:
    request = make_request(make_parser().parse(arguments))

    import yaml

    encode_output("backslashreplace")
    sys.stdout.write(yaml.safe_dump(request.job["jobSpec"], sort_keys=False, allow_unicode=True))
    console = Console()
    for upload in request.uploads:
        console.say(shlex.join(["gcloud", "storage", "cp", "--no-clobber", str(upload.path), upload.uri]))
    console.say(gcloud_command(request.vertex, request.job, _FILE))
