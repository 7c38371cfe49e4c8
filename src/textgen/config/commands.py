"""The settings of one call of a command, which a job does not store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textgen.config.option import option
from textgen.config.values import Settings
from textgen.errors import UsageError, named


@dataclass(frozen=True)
class TrainCommand(Settings):
    """The settings of one call of `textgen-train`; those that a job stores are in `TrainingConfig`.

    Raises:
        UsageError: if a value is invalid, or two cannot be combined.
    """

    config: str | None = option(
        None,
        group="this run",
        metavar="NAME|FILE",
        help="Read settings from this preset or YAML file. Flags override them.",
    )
    fresh: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Start over: rename the existing job instead of resuming it.",
    )
    allow_changed_data: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Resume even if the text has changed. The job keeps its vocabulary, which may lack up to 5% of the new text's tokens; the epoch and the search for the best model start over.",
    )
    device: Literal["auto", "cpu", "gpu"] = option(
        "auto",
        group="this run",
        choices=("auto", "cpu", "gpu"),
        help="Train on this device; auto uses a GPU if TensorFlow finds one. Set gpu to stop at once if it finds none, instead of training slowly.",
    )
    devices: int | Literal["all"] | None = option(
        None,
        default_in_words="as many as can share the batch",
        group="this run",
        kind=int,
        words=("all",),
        metavar="N|all",
        least=1,
        most=1024,
        help="Train on N GPUs, or on all of them; they share the streams of each step, so the job does not depend on N. Set it to leave GPUs free, or to stop at once if there are fewer.",
    )
    workers: int | None = option(
        None,
        group="this run",
        kind=int,
        least=1,
        most=256,
        unit="processes",
        metavar="N",
        help="Train with N processes, which share the streams of each step: on this machine, each with its share of the cores, or with textgen vertex submit on N machines. Use it behind a firewall, because TensorFlow's servers accept any connection.",
    )
    dry_run: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Print the plan (text, vocabulary, model, memory, disk space, job directory), and do not train.",
    )
    json: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Print one line of JSON on standard output at the end: job directory, steps, losses and speed. Use it in scripts.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.device == "cpu" and self.devices not in {None, "all", 1}:
            raise UsageError(
                f"{named('devices')} {self.devices} and {named('device')} cpu cannot be combined, because the cores of a CPU are one device, "
                f"and training uses them all; leave {named('devices')} out"
            )


@dataclass(frozen=True)
class SampleCommand(Settings):
    """The settings of `textgen-sample`, except those of the text itself, which are in `SamplingConfig`.

    Raises:
        UsageError: if a value is invalid, or two cannot be combined.
    """

    model: str | None = option(
        None,
        group="model",
        positional="one",
        metavar="JOB",
        help="Use this job: a directory, a name below job/, a model file, or gs://BUCKET/PATH for Google Cloud Storage. base is the bundled base model. The default is the newest job below job/, or base if there is none.",
    )
    prompt: str = option(
        "",
        group="text",
        metavar="TEXT",
        help="Continue this text; - reads it from standard input, @FILE from a file. Without one, the model starts a new paragraph.",
    )
    samples: int = option(
        1,
        group="text",
        kind=int,
        least=1,
        help="Write N texts at once, each with a seed one higher than the last. This is faster than one command per text.",
    )
    no_echo: bool = option(
        False,
        group="output",
        kind=bool,
        help="Print only what the model writes, without the prompt, in JSON too.",
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Print one line of JSON per text: text, prompt, seed, tokens, finish_reason (length, until, lines, max_copy or ban), bits_per_character according to the model, and model, the hash of the model file. Use it in scripts.",
    )
    interactive: bool = option(
        False,
        group="output",
        kind=bool,
        help="Write a text together with the model, which adds a passage after each line that you type. /help lists the commands, such as /retry, /undo, /edit and /save.",
    )
    novelty: bool = option(
        False,
        group="output",
        kind=bool,
        help="Report how much of each text is copied from the training text, and the longest copied passage, on standard error or in the JSON. The training text must still be where it was.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.interactive:
            others = {"json": self.json, "samples": self.samples > 1, "novelty": self.novelty}
            for name, given in others.items():
                if given:
                    raise UsageError(
                        f"{named('interactive')} and {named(name)} cannot be combined, because an interactive session writes one text; leave one out"
                    )
            if self.prompt == "-":
                raise UsageError(
                    f"{named('interactive')} and {named('prompt')} - cannot be combined, because your lines come on standard input; use {named('prompt')} @FILE"
                )


@dataclass(frozen=True)
class ExportCommand(Settings):
    """The model to export, the format, the path, and whether to replace an existing file."""

    model: str | None = option(
        None,
        group="model",
        positional="one",
        metavar="JOB",
        help="Export this job: a directory, a name below job/, or a model file. The default is the newest job below job/.",
    )
    format: str = option(
        "",
        group="file",
        choices=("html", "keras", "litert", "onnx"),
        required=True,
        help="Write an .html file (the playground with the model inside it, for any browser), a .keras file (Keras 3, any backend), a .tflite file (LiteRT, for phones and small devices) or an .onnx file (ONNX Runtime and others).",
    )
    output: str | None = option(
        None,
        group="file",
        metavar="PATH",
        help="Write to this path, with the vocabulary next to it as PATH.vocabulary.json unless the file contains it. none is the model file's path with the format's extension.",
    )
    force: bool = option(
        False,
        group="file",
        kind=bool,
        help="Replace an existing file. Use it to export a job again.",
    )


@dataclass(frozen=True)
class ServeCommand(Settings):
    """The models to serve, the address, and who may use the service."""

    models: tuple[str, ...] = option(
        (),
        group="models",
        positional="many",
        metavar="JOB",
        help="Serve these jobs: directories, names below job/, model files, or gs://BUCKET/PATH for Google Cloud Storage. base is the bundled base model. The default is the newest job below job/, or base if there is none.",
    )
    host: str = option(
        "127.0.0.1",
        group="address",
        metavar="ADDRESS",
        help="Listen on this address. With the default, only this machine can connect; with 0.0.0.0, other machines can too.",
    )
    port: int = option(
        8000,
        group="address",
        kind=int,
        least=0,
        most=65535,
        help="Listen on this port. 0 chooses a free port and prints it.",
    )
    token_file: str | None = option(
        None,
        group="access",
        metavar="FILE",
        help="Require one of the tokens in this file, one per line, as Authorization: Bearer TOKEN. Set it if other machines can connect.",
    )
    allow_host: tuple[str, ...] = option(
        (),
        group="access",
        repeatable=True,
        metavar="NAME",
        help="Answer requests to this host name too, such as that of a proxy; localhost and the address itself are always allowed. Repeat the flag for several names.",
    )
    cors: tuple[str, ...] = option(
        (),
        group="access",
        repeatable=True,
        metavar="ORIGIN",
        help="Let the pages of this website, such as https://example.org, use the service. Repeat the flag for several websites.",
    )


@dataclass(frozen=True)
class JobsCommand(Settings):
    """The jobs to list, and the output format."""

    directory: str = option(
        "job", group="jobs", positional="one", metavar="DIR", help="List the jobs in and below this directory."
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Print one line of JSON per job: job_dir, state, steps, epochs, minutes, valid_loss, valid_bits_per_character, valid_unknown_share, bytes, changed, problem. Use it in scripts.",
    )


@dataclass(frozen=True)
class InspectCommand(Settings):
    """The job or the model file to verify."""

    job: str | None = option(
        None,
        group="job",
        positional="one",
        metavar="JOB",
        help="Verify this job: a directory, a name below job/, or a model file. base is the bundled base model. The default is the newest job below job/.",
    )
