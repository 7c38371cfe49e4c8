"""Refuses a run that cannot succeed, before TensorFlow is loaded or any file is written."""

from __future__ import annotations

import os
import shutil
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path

from textgen.config import TrainingConfig
from textgen.corpus import FIRST_TOKEN_ID, Corpus, Section, Vocabulary
from textgen.errors import DataError, InputOutputError, UnavailableError, from_os_error, named
from textgen.planning import LEAST_EVALUATED, ModelShape, Plan, check_evaluation_length, check_training_length
from textgen.runs.places import nearest_existing

_CHUNK_CHARACTERS = 1 << 16


def check_text(corpus: Corpus, plan: Plan) -> None:
    """Checks that a model of the plan can be trained on a text.

    Args:
        corpus: the text, with the vocabulary of the model.
        plan: the plan of the run.

    Raises:
        DataError: if the vocabulary is too large for a model file, a part of the text is too short, or the prompt for the
            samples contains unknown tokens.
    """
    check_model_file(plan.config, corpus.vocabulary)
    _check_enough_text(corpus, plan)
    _check_sample_prompt(plan.config.sample_prompt, corpus.vocabulary)


def check_model_file(config: TrainingConfig, vocabulary: Vocabulary) -> None:
    """Checks that the model file's header, which contains the vocabulary, will not be too long.

    Args:
        config: the settings of the run.
        vocabulary: the vocabulary of the model.

    Raises:
        DataError: if it will be.
    """
    from textgen.generation.model_file import longest_header
    from textgen.generation.model_header import MOST_BYTES

    def size_of(vocabulary: Vocabulary) -> int:
        """Returns the size with a vocabulary."""
        return longest_header(ModelShape.of(vars(config), vocabulary.size), vocabulary)

    def size_with(tokens: int) -> int:
        """Returns the size with only the first tokens."""
        return size_of(replace(vocabulary, tokens=vocabulary.tokens[: FIRST_TOKEN_ID + tokens]))

    size = size_of(vocabulary)
    if size > MOST_BYTES:
        tokens = vocabulary.size - FIRST_TOKEN_ID
        fitting = _round_down(bisect_right(range(tokens), MOST_BYTES, key=size_with) - 1)
        if vocabulary.tokenizer.vocabulary_from_file:
            advice = f"list only the first {fitting} in the vocabulary file"
        else:
            advice = f"keep only the most frequent ones, with {named('vocab_size')} {fitting}"
        raise DataError(
            f"the vocabulary must take at most {MOST_BYTES:,} bytes in a model file, got {size:,} bytes for {tokens:,} tokens; {advice}"
        )


def _check_enough_text(corpus: Corpus, plan: Plan) -> None:
    """Checks that each part of the text has enough tokens; reads only as much of it as is necessary.

    Args:
        corpus: the text.
        plan: the plan of the run.

    Raises:
        DataError: if the training text is too short for one step, or another part is too short to be evaluated.
    """
    config = plan.config
    tokens = _count_up_to(plan.tokens_per_step + 1, corpus.train, corpus.vocabulary)
    check_training_length(tokens, config.batch_size, config.unroll_steps)
    for part, section, advice in (
        ("validation", corpus.valid, f"raise {named('valid_fraction')}, or give more text"),
        ("test", corpus.test, "give more text, or remove that file"),
    ):
        if section:
            check_evaluation_length(_count_up_to(LEAST_EVALUATED, section, corpus.vocabulary), part, advice)


def _check_sample_prompt(prompt: str, vocabulary: Vocabulary) -> None:
    """Checks that a model knows every token of the prompt for its samples during training.

    Args:
        prompt: the value of `sample_prompt`.
        vocabulary: the vocabulary of the model.

    Raises:
        DataError: if it does not.
    """
    from textgen.generation.prompt import read_prompt as respell

    unknown = vocabulary.unknown(respell(prompt, vocabulary).tokens) if prompt else []
    if unknown:
        raise DataError(
            f"{named('sample_prompt')} must contain only tokens that occur in the text, got {vocabulary.listed(unknown)}; leave them out"
        )


def check_free_space(directory: Path, plan: Plan, kept: int) -> None:
    """Checks that the disk has room for the checkpoints of a run.

    Args:
        directory: the directory of the checkpoints; it need not exist.
        plan: the plan of the run.
        kept: the bytes of existing checkpoints. They will be replaced, but only after a newer one is written.

    Raises:
        InputOutputError: if the disk is too full.
        TextgenError: if the free space cannot be determined.
    """
    from rich.filesize import decimal

    existing = nearest_existing(named("job_dir"), directory)
    try:
        space = shutil.disk_usage(existing)
    except OSError as error:
        raise from_os_error(error, f"cannot determine the free space of {existing}") from error
    needed = max(plan.disk - kept, plan.checkpoint_bytes)
    # Some network file systems have no size and report 0.
    if space.total and space.free < needed:
        have = f", of which {decimal(kept)} already exist" if kept else ""
        raise InputOutputError(
            f"the disk of {directory} has {decimal(space.free)} free, but this run needs {decimal(needed)}: the job's three "
            f"checkpoints take {decimal(plan.disk)}{have}; free some space, name a {named('job_dir')} on another disk, or lower "
            f"{named('lstm_state_size')} or {named('layers')}"
        )


def check_memory(plan: Plan, *, processes: int = 1, processes_here: int = 1) -> None:
    """Checks that the estimated memory of a run fits into the machine, and into the limit of its container.

    If the operating system reports neither, nothing is refused.

    Args:
        plan: the plan of the run.
        processes: the number of processes that share the batch.
        processes_here: how many of them are on this machine.

    Raises:
        UnavailableError: if the run does not fit; the message names the settings to lower.
    """
    from rich.filesize import decimal

    needed, windows = plan.memory_of_device(processes), plan.memory_of_windows // processes
    known = {"machine": installed_memory(), "container": container_memory()}
    least = min(((size, owner) for owner, size in known.items() if size is not None), default=None)
    if least is None or processes_here * needed <= least[0]:
        return
    available, owner = least
    names = ["lstm_state_size", "layers", "vocab_size"]
    if windows > plan.memory_of_weights:
        names = ["batch_size", "unroll_steps"]
    who, shared = "training", ""
    if processes_here > 1:
        who, shared = f"each of {processes_here} processes", " for all"
        names.insert(0, "workers")
    *lower, last = map(named, names)
    raise UnavailableError(
        f"{who} needs about {decimal(needed)} of memory, {decimal(plan.memory_of_weights)} of it for weights and "
        f"{decimal(windows)} for windows, but this {owner} has only {decimal(available)}{shared}; lower {', '.join(lower)} or {last}"
    )


def installed_memory() -> int | None:
    """Returns the bytes of memory in this machine; None if the operating system does not report them, as on Windows."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def container_memory(root: Path = Path("/")) -> int | None:
    """Returns the bytes of memory that Linux control groups allow this process; None if they set no limit.

    The limits of a group's parents apply too. In a container, the group of the process may be visible only as the root of
    the groups, not under the name that the kernel gives. See the kernel's documentation, "Control Group v2" and "Memory Resource Controller".

    Args:
        root: the root of the file system.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    limits: list[int | None] = []
    for line in lines:
        controllers, _, group = line.partition(":")[2].partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / ("sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup")
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        own = top / group.strip("/")
        limits += [_read_number(place / name) for place in (own, *own.parents) if place.is_relative_to(top)]
    return min((limit for limit in limits if limit is not None), default=None)


def _count_up_to(enough: int, section: Section, vocabulary: Vocabulary) -> int:
    """Returns the number of tokens in a section; counting stops at `enough` or soon after."""
    tokens = 0
    for chunk in section.chunks(_CHUNK_CHARACTERS):
        tokens += len(vocabulary.tokenizer.split(chunk))
        if tokens >= enough:
            break
    return tokens


def _round_down(number: int) -> int:
    """Rounds a number to its first two digits."""
    digits = str(number)
    return int(digits[:2].ljust(len(digits), "0"))


def _read_number(path: Path) -> int | None:
    """Returns the number in a file; None if there is none, such as in `max`, which means no limit."""
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
