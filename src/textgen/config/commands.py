"""The settings of one call of a command, which a job does not store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textgen.config.option import option
from textgen.config.values import Settings
from textgen.errors import UsageError, named


@dataclass(frozen=True)
class TrainCommand(Settings):
    """The settings of one call of `textgen-train`; those that a job stores are in `TrainingConfig`."""

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
class ScoreCommand(Settings):
    """The models and the texts of `textgen score`, and what to show of the scores.

    Raises:
        UsageError: if a value is invalid, or two cannot be combined.
    """

    arguments: tuple[str, ...] = option(
        (),
        group="models and texts",
        positional="many",
        metavar="JOB|TEXT",
        help="Score these texts with these models, in any order. A directory, a .safetensors file, a name below job/, gs://BUCKET/PATH or base is a model. Any other file is a text, - is standard input, and words in quotes that name no file are the text itself. The default is the newest job below job/, and standard input.",
    )
    encoding: str = option(
        "auto",
        group="models and texts",
        metavar="NAME",
        help="Read text files in this encoding. auto reads UTF-8, or cp1252 if a file is not UTF-8.",
    )
    compare: str | None = option(
        None,
        group="output",
        metavar="JOB",
        help="Score the text with this model too, and show at each place which of the two is less surprised.",
    )
    by: Literal["text", "line", "token"] | None = option(
        None,
        group="output",
        choices=("text", "line", "token"),
        default_in_words="token with --top, else text",
        help="Show the bits per character of the whole text or of each line, or the bits of each token.",
    )
    top: int = option(
        0,
        group="output",
        kind=int,
        least=0,
        most=100,
        help="List the N likeliest tokens in each place, with the probabilities of writing them at several temperatures.",
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Print one line of JSON per text, line or token. Use it in scripts.",
    )
    html: str | None = option(
        None,
        group="output",
        metavar="FILE",
        help="Write an HTML page in which each token is tinted by its surprise, and with --top, shows its alternatives. The page needs no network.",
    )
    force: bool = option(
        False,
        group="output",
        kind=bool,
        help="Replace an existing HTML page.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.html is not None:
            for name, given in {"by": self.by is not None, "json": self.json}.items():
                if given:
                    raise UsageError(
                        f"{named('html')} and {named(name)} cannot be combined, because a page shows the whole text; leave one out"
                    )
        if self.top and self.compare is not None:
            raise UsageError(
                f"{named('top')} and {named('compare')} cannot be combined, because each model has its own alternatives; leave one out"
            )
        if self.top and self.by in {"text", "line"}:
            raise UsageError(
                f"{named('top')} lists alternatives of each token, and {named('by')} {self.by} shows no tokens; use {named('by')} token"
            )
        if self.force and self.html is None:
            raise UsageError(f"{named('force')} replaces an HTML page; name it with {named('html')}, or leave it out")


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
class EvalCommand(Settings):
    """The model to evaluate, the text to evaluate it on, and the output format."""

    model: str | None = option(
        None,
        group="model",
        positional="one",
        metavar="JOB",
        help="Evaluate this job: a directory, a name below job/, a model file, or gs://BUCKET/PATH for Google Cloud Storage. base is the bundled base model. The default is the newest job below job/.",
    )
    texts: tuple[str, ...] = option(
        (),
        group="text",
        positional="many",
        metavar="TEXT",
        help="Evaluate on these files or folders, as one text. The default is the validation text of the job.",
    )
    encoding: str | None = option(
        None,
        group="text",
        metavar="NAME",
        help="Decode TEXT with this encoding, such as latin-1; auto detects it.",
        default_in_words="that of the training text",
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Print one line of JSON: bits_per_character, bits_per_character_low, bits_per_character_high, perplexity, accuracy, calibration_error, unknown_share, the bits per character of the baselines uniform, unigram, kneser_ney, gzip, xz, zstd and ppmd, and more. A missing value is null. Use it in scripts.",
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
