"""`textgen-train`: trains a model on text, and resumes an interrupted job."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from textgen.cli.blas_threads import use_one_blas_thread
from textgen.cli.entry import run_command
from textgen.cli.typed import typed, typed_path
from textgen.config import DEFAULT_MINUTES, CloudEnvironment, Cluster, TrainCommand, TrainingConfig
from textgen.config.flags import Parser
from textgen.console import Console, in_cloud_job
from textgen.errors import PreemptedError, StoppedError, UsageError, named
from textgen.jobs import as_json
from textgen.runs.follow_chief import follow_chief
from textgen.runs.request import Request, preset_names, read_request
from textgen.runs.run import Trained, run
from textgen.signals import Signals, wait_to_be_killed
from textgen.workers import Workers, end_with_parent, local_cluster

PROGRAM = "textgen-train"

_SECONDS_TO_BE_KILLED = 60.0
"""Twice the time between SIGTERM and the end of a spot machine on Compute Engine."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen-train`.

    Args:
        arguments: the arguments after the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    code = run_command(PROGRAM, _train, arguments)
    if code == PreemptedError.exit_code:
        # Vertex AI restarts a job more often if its machine was preempted than if the job exited by itself.
        wait_to_be_killed(_SECONDS_TO_BE_KILLED)
    return code


def make_parser() -> Parser:
    """Returns the parser of `textgen-train`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [TEXT ...] [FLAGS]",
        "Train a character or word model on text until the first of --epochs, --max_steps and --minutes is\n"
        f"reached; if none is given, for {DEFAULT_MINUTES:g} minutes at most. If time is the limit, training ends earlier if more passes\n"
        "over the text would only memorise it. The same command resumes the same job.\n"
        "A default of 'chosen' depends on the text, the time and the device, and the plan prints it. The shape\n"
        "of the model is chosen only if time is the limit and neither --config nor a flag sets any part of it;\n"
        "otherwise the value after 'chosen or' applies.",
        f"examples:\n  {PROGRAM} my-book.txt\n  {PROGRAM} books/ --minutes 60\n"
        f"  {PROGRAM} --data_dir training-data/jules --data_prefix jules --language_model word\n\n"
        f"presets: {', '.join(preset_names())}\n\n"
        "Settings that shape the model are part of the job's name: changing one starts a new job.\n"
        "Changing --encoding, --unwrap or --valid_fraction changes the text, which needs --allow_changed_data.\n"
        "Any other setting can be changed when a job resumes. none is accepted where the help mentions it.\n"
        "Dashes and underscores in flags are the same; --no-NAME turns a switch off; -- ends the flags.",
    )
    parser.add_settings(TrainingConfig)
    parser.add_settings(TrainCommand)
    parser.add_help_and_version()
    return parser


def _train(arguments: Sequence[str]) -> None:
    end_with_parent(os.environ)
    environment = CloudEnvironment.read(os.environ)
    is_in_cloud = in_cloud_job()
    with Signals(PreemptedError if is_in_cloud else StoppedError) as signals:
        if is_in_cloud:
            signals.advice = "Vertex AI restarts the job, which then resumes; if it does not, submit it again"
        signals.deliver_early()
        request = read_request(make_parser().parse(arguments), environment.settings)
        others = Cluster.read(os.environ)
        cluster = _find_cluster(others, request)
        if cluster is not None:
            request = replace(request, command=replace(request.command, workers=cluster.count))
        use_one_blas_thread()  # for NumPy; TensorFlow has threads of its own
        console = Console()
        if environment.cluster_spec is not None:
            console.say("the machines of this job", fields={"cluster_spec": environment.cluster_spec})
        if cluster is not None and not cluster.is_chief:
            follow_chief(request, cluster, signals=signals, console=console)
            return
        with contextlib.ExitStack() as stack:
            workers = None
            if cluster is not None:
                to_start = arguments if others is None else None
                workers = stack.enter_context(Workers(cluster, to_start, signals))
            trained = run(request, signals=signals, console=console, environment=environment, workers=workers)
        if trained is not None:
            _show_next_steps(console, trained)
            if request.command.json:
                sys.stdout.write(as_json({"job_dir": trained.job, **trained.figures}) + "\n")


def _find_cluster(named_by_environment: Cluster | None, request: Request) -> Cluster | None:
    """Returns the processes that train; None for a single one.

    Args:
        named_by_environment: those of TF_CONFIG.
        request: the request for the run.

    Raises:
        UsageError: if its number of processes is not that of TF_CONFIG, or processes on this machine would use the same GPUs.
    """
    workers = request.command.workers
    if named_by_environment is None:
        if workers is None or workers == 1:
            return None
        if request.device == "gpu":
            raise UsageError(
                f"{named('workers')} {workers} would let {workers} processes use the same GPUs; leave it out, because one process uses all "
                f"GPUs of a machine, or add {named('device')} cpu"
            )
        return local_cluster(workers)
    if workers not in {None, named_by_environment.count}:
        raise UsageError(
            f"{named('workers')} is {workers}, but the environment variable TF_CONFIG names {named_by_environment.count} processes; "
            f"leave out {named('workers')}, or unset TF_CONFIG"
        )
    return named_by_environment


def _show_next_steps(console: Console, trained: Trained) -> None:
    console.say("Next:")
    console.say(f"  {typed('textgen-sample')} {typed_path(trained.job)}")
    console.say(f"  {typed('textgen')} serve {typed_path(trained.job)}")
    console.say(f"  {typed('tensorboard')} --logdir {typed_path(trained.summaries)}")
