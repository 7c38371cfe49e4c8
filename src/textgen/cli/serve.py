"""`textgen serve`: answers HTTP requests with trained models."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from textgen.cli.entry import run_command
from textgen.cli.start import end_at_once
from textgen.config import EndpointEnvironment, ServeCommand
from textgen.config.flags import Parser, build
from textgen.console import Console
from textgen.errors import named

PROGRAM = "textgen serve"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen serve`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _serve, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen serve`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB ...] [--port N] [FLAGS]",
        "Serve trained models over HTTP: a playground for the browser, completions as in OpenAI's API, scores, and\n"
        "predictions for Vertex AI. A model that is trained further is loaded again. Ctrl-C stops the service at once.\n"
        "After SIGTERM, it finishes the texts in progress, for at most 30 seconds.",
        f"examples:\n  {PROGRAM}\n  {PROGRAM} story-384-states-1-layers-384-embed jules-120-states-4-layers-norm-word\n"
        f"  {PROGRAM} base --host 0.0.0.0 --token_file tokens.txt\n\n"
        "docs/serving.md describes the playground and the requests.",
    )
    parser.add_settings(ServeCommand)
    parser.add_help_and_version()
    return parser


def _serve(arguments: Sequence[str]) -> None:
    with _ending_at_signals():
        environment = EndpointEnvironment.read(os.environ)
        command = build(ServeCommand, {**environment.settings, **make_parser().parse(arguments)})
        _run(command, environment)


def _run(command: ServeCommand, environment: EndpointEnvironment) -> None:
    from textgen.cli.blas_threads import use_one_blas_thread
    from textgen.cli.named_job import named_job

    use_one_blas_thread()

    from textgen.serving.access import Access, is_loopback, is_readable_by_others, read_tokens
    from textgen.serving.app import make_app
    from textgen.serving.log import log_to
    from textgen.serving.models import Models
    from textgen.serving.server import address_of, open_socket, serve

    console = Console()
    log_to(console)
    file = None if command.token_file is None else Path(command.token_file)
    access = Access.of(command.host, command.allow_host, command.cors, () if file is None else read_tokens(file))
    if environment.port is not None:
        access = access.behind_gateway()
    places = [named_job(name, with_model=True, or_base=True) for name in command.models or (None,)]
    with open_socket(command.host, command.port) as listening:
        models = Models(places)
        app = make_app(models, access, health_route=environment.health_route, predict_route=environment.predict_route)
        address = address_of(listening, command.host)
        if file is not None and is_readable_by_others(file):
            console.warn(f"other users of this machine can read {file}; run chmod 600 on it")
        if file is None and environment.port is None and not is_loopback(command.host):
            console.warn(
                f"anyone who can reach {command.host} can use this service; require a token with {named('token_file')} FILE"
            )
        names = ", ".join(model.name for model in models)
        advice = "; stop it with Ctrl-C" if console.is_terminal else ""
        serve(app, listening, lambda: console.say(f"Serving {names} at {address}{advice}"))


@contextlib.contextmanager
def _ending_at_signals() -> Iterator[None]:
    """Makes SIGINT end the process at once, and SIGTERM too while there is no text to finish.

    In a container, SIGTERM would otherwise be lost. After the body, further signals are ignored, because the exit code is decided.
    """

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        os._exit(0)

    handlers = {signal.SIGINT: end_at_once, signal.SIGTERM: end}
    before = {number: signal.getsignal(number) for number in handlers}
    changed = [number for number in handlers if before[number] is not signal.SIG_IGN]  # as a shell may have started it
    for number in changed:
        signal.signal(number, handlers[number])
    try:
        yield
    except BaseException:
        for number in changed:
            signal.signal(number, before[number])
        raise
    for number in changed:
        signal.signal(number, signal.SIG_IGN)
