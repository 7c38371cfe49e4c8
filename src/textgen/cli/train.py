"""`textgen-train`: trains a model on text, and resumes an interrupted job."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.cli.blas_threads import use_one_blas_thread
from textgen.cli.entry import run_command
from textgen.cli.prompt_text import check_sample_prompt
from textgen.cli.typed import typed, typed_path
from textgen.config import DEFAULT_MINUTES, CloudEnvironment, TrainCommand, TrainingConfig
from textgen.config.flags import Parser, build
from textgen.console import Console, in_cloud_job
from textgen.corpus import Corpus
from textgen.errors import FormatError, MissingError, PreemptedError, StoppedError, UsageError
from textgen.jobs import CheckpointStore, Events, JobDirectory, JobState, as_json
from textgen.planning import Plan
from textgen.runs.automatic import device_kind, shape_flags
from textgen.runs.decision import Decision, decide
from textgen.runs.enough_text import check_enough_text
from textgen.runs.existing_job import Found, check_job, check_movable, last_evaluation
from textgen.runs.init_from import find_model
from textgen.runs.memory import check_memory
from textgen.runs.model_file_size import check_model_file
from textgen.runs.places import check_free_space
from textgen.runs.preset import preset_names, read_preset
from textgen.runs.show_plan import show_plan
from textgen.runs.summaries import open_summaries
from textgen.runs.text import decide_unwrapping, open_text
from textgen.signals import Signals, wait_to_be_killed
from textgen.storage import below, cache_directory, copy_to

if TYPE_CHECKING:
    from textgen.generation import ModelFile

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
    environment = CloudEnvironment.read(os.environ)
    is_in_cloud = in_cloud_job()
    with Signals(PreemptedError if is_in_cloud else StoppedError) as signals:
        if is_in_cloud:
            signals.advice = "Vertex AI restarts the job, which then resumes; if it does not, submit it again"
        signals.deliver_early()
        _run(arguments, environment, signals)


def _run(arguments: Sequence[str], environment: CloudEnvironment, signals: Signals) -> None:
    command, config, given = _settings(arguments, environment)
    use_one_blas_thread()  # for NumPy; TensorFlow has threads of its own
    console = Console()
    if environment.cluster_spec is not None:
        console.say("the machines of this job", fields={"cluster_spec": environment.cluster_spec})
    with console.busy("reading the text"):
        corpus = open_text(config)
    with console.busy("looking for the job"):
        decision = decide(config, command, given, corpus, environment.worker)
    config, job, summaries = decision.config, decision.job, decision.summaries
    if command.fresh:
        _check_movable(decision)
    fresh = command.fresh and not job.is_empty
    config, corpus = decide_unwrapping(config, corpus, None if fresh else job)
    if command.dry_run or fresh or not job.exists:  # refuse before anything is created or renamed
        found, plan = _prepare(config, corpus, job, command, fresh=fresh)
    if command.dry_run:
        show_plan(console, plan, found, job, decision, device=device_kind(command), fresh=fresh)
        return

    events = Events(console.say, console.warn, signals.fail, signals.hold)
    if command.fresh:
        _move_aside(decision, events, signals, console)
    with decision.place.open(events) as job, open_summaries(summaries, job, events) as summary_dir:
        job.remove_abandoned()
        found, plan = _prepare(config, corpus, job, command)
        show_plan(console, plan, found, job, decision, device=device_kind(command))
        state = found.state
        if state is not None and _is_finished(plan, state) and not _must_rebuild_model(job):
            _say_finished(console, plan, state)
            summary = {}
        else:
            start = find_model(decision.start, job, config, found.corpus)
            summary = _load_and_train(
                config, found, job, start, summary_dir=summary_dir, command=command, signals=signals, console=console
            )
        if environment.model_dir is not None:
            copy_to(job.model, below(environment.model_dir, job.model.name))
        result = {"job_dir": str(job), **last_evaluation(job), **summary} if command.json else {}
    _show_next_steps(console, str(job), summaries or below(str(job), job.logs.name))
    if command.json:
        sys.stdout.write(as_json(result) + "\n")


def _check_movable(decision: Decision) -> None:
    """Checks that the existing jobs may be renamed."""
    check_movable(decision.job)
    if decision.replaced is not None:
        check_movable(decision.replaced.look())


def _move_aside(decision: Decision, events: Events, signals: Signals, console: Console) -> None:
    """Renames the existing jobs, if there are any."""
    for place in filter(None, (decision.replaced, decision.place)):
        aside = place.move_aside(events)
        if aside is not None:
            console.say(f"The old job is now {aside}")
    signals.advice = "run the same command without --fresh to resume"


def _settings(
    arguments: Sequence[str], environment: CloudEnvironment
) -> tuple[TrainCommand, TrainingConfig, Collection[str]]:
    """Returns the command, the config and the names of the given settings; flags win over the preset, which wins over the environment."""
    values = make_parser().parse(arguments)
    command = build(TrainCommand, values)
    if command.fresh and in_cloud_job():
        raise UsageError(
            "--fresh would start over whenever Vertex AI restarts the job; give it to textgen vertex submit instead"
        )
    preset = {} if command.config is None else read_preset(command.config, values)
    given = {**environment.settings, **preset, **values}
    return command, build(TrainingConfig, given), given.keys()


def _prepare(
    config: TrainingConfig, corpus: Corpus, job: JobDirectory, command: TrainCommand, *, fresh: bool = False
) -> tuple[Found, Plan]:
    """Checks that the run is possible, before TensorFlow is loaded.

    Args:
        config: the settings.
        corpus: the text, with the vocabulary made from it.
        job: the job directory.
        command: the flags that are not settings.
        fresh: whether an existing job will be renamed.

    Returns:
        The job to resume, and the plan of the run.

    Raises:
        TextgenError: if the run is not possible.
    """
    found = Found(corpus) if fresh else check_job(job, config, corpus, allow_changed_data=command.allow_changed_data)
    plan = Plan(config, found.corpus.vocabulary.size)
    check_model_file(config, found.corpus.vocabulary)
    check_enough_text(found.corpus, plan)
    check_sample_prompt(config.sample_prompt, found.corpus.vocabulary)
    if fresh:
        check_free_space(job.root.parent, plan, kept=0)
    elif found.state is None or not _is_finished(plan, found.state):
        store = CheckpointStore(job.checkpoints)
        check_free_space(job.checkpoints, plan, kept=sum(map(store.size, store.steps())))
    if device_kind(command) == "cpu":
        check_memory(plan)
    return found, plan


def _load_and_train(
    config: TrainingConfig,
    found: Found,
    job: JobDirectory,
    start: ModelFile | None,
    *,
    summary_dir: Path,
    command: TrainCommand,
    signals: Signals,
    console: Console,
) -> dict[str, Any]:
    """Loads TensorFlow without its messages, trains, and returns the result of `train`."""
    ids_directory = cache_directory("ids", forgets=True)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # By default, TensorFlow uses this memory pool only on GPUs. On a CPU, it makes models of 512 states or more 3 to 7% faster.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    if config.deterministic:
        # TensorFlow enables oneDNN on most machines, but not on all; the results must not depend on that.
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    with console.busy("loading TensorFlow"), console.silenced():
        from textgen.training import train
    return train(
        config,
        found.corpus,
        job,
        summary_dir=summary_dir,
        ids_directory=ids_directory,
        signals=signals,
        console=console,
        device=command.device,
        allow_changed_data=command.allow_changed_data,
        start=start,
    )


def _is_finished(plan: Plan, state: JobState) -> bool:
    return state.status == "finished" and bool(_limits_reached(plan, state))


def _limits_reached(plan: Plan, state: JobState) -> list[str]:
    return plan.reached(epochs=state.epochs, steps=state.steps, minutes=state.minutes, stale=state.stale)


def _must_rebuild_model(job: JobDirectory) -> bool:
    """Returns whether the model file is missing or damaged, and there is a checkpoint to rebuild it from."""
    from textgen.generation import read_model

    try:
        read_model(job.model)
    except (FormatError, MissingError):
        return bool(CheckpointStore(job.checkpoints).steps())
    return False


def _say_finished(console: Console, plan: Plan, state: JobState) -> None:
    limits = " and ".join(f"--{name}" for name in _limits_reached(plan, state))
    console.say(
        f"This job is finished: {_count(state.steps, 'step')}, {_count(state.epochs, 'epoch')}, {state.minutes:.1f} minutes. "
        f"To continue it, raise {limits}, with {shape_flags(plan.config)} to keep this model; to start over, use --fresh."
    )


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _show_next_steps(console: Console, job: str, summaries: str) -> None:
    console.say("Next:")
    console.say(f"  {typed('textgen-sample')} {typed_path(job)}")
    console.say(f"  {typed('tensorboard')} --logdir {typed_path(summaries)}")
