"""The settings of one call of a command that scores or compares models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textgen.config.option import option
from textgen.config.values import Settings
from textgen.errors import UsageError, named

_MODEL_OR_TEXT = "A job directory, a .safetensors file, a name below job/, gs://BUCKET/PATH or base is a model. Any other file is a text, and so is gs://BUCKET/NAME.txt."


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
        help=f"Score these texts with these models, in any order. {_MODEL_OR_TEXT} Standard input is -, and words in quotes that name no file are the text itself. The default is the newest job below job/, and standard input.",
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
        default_in_words="token if alternatives are listed, else text",
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
class EvalCommand(Settings):
    """The model to evaluate, the texts to evaluate it on, and the output format."""

    arguments: tuple[str, ...] = option(
        (),
        group="model and text",
        positional="many",
        metavar="JOB|TEXT",
        help=f"Evaluate this model on these texts, in any order. {_MODEL_OR_TEXT} Folders of texts and several texts are read as one. The default is the newest job below job/, and its validation text.",
    )
    encoding: str | None = option(
        None,
        group="model and text",
        metavar="NAME",
        help="Read text files in this encoding, such as latin-1; auto detects it.",
        default_in_words="that of the training text",
    )
    dynamic: bool = option(
        False,
        group="method",
        kind=bool,
        help="Also evaluate the model while it learns from each passage that it has read. This needs TensorFlow, and takes longer.",
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Print one line of JSON: bits_per_character, bits_per_character_low, bits_per_character_high, perplexity, accuracy, calibration_error, unknown_share, dynamic_bits_per_character, the bits per character of the baselines uniform, unigram, kneser_ney, gzip, xz, zstd and ppmd, and more. A missing value is null. Use it in scripts.",
    )


@dataclass(frozen=True)
class CompareCommand(Settings):
    """The jobs to compare, and the output format."""

    jobs: tuple[str, ...] = option(
        (),
        group="jobs",
        positional="many",
        metavar="JOB",
        help="Compare these jobs: directories, names below job/, or gs://BUCKET/PATH for Google Cloud Storage. The default is all jobs below job/.",
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Print one line of JSON per job, with its rank (null if the jobs are not ranked) and the settings in which the jobs differ. Use it in scripts.",
    )


@dataclass(frozen=True)
class CurveCommand(Settings):
    """The job whose loss is drawn."""

    job: str | None = option(
        None,
        group="job",
        positional="one",
        metavar="JOB",
        help="Draw the loss of this job: a directory, a name below job/, or gs://BUCKET/PATH for Google Cloud Storage. The default is the newest job below job/.",
    )


@dataclass(frozen=True)
class ReportCommand(Settings):
    """The job of a report, and where the report is written."""

    job: str | None = option(
        None,
        group="job",
        positional="one",
        metavar="JOB",
        help="Report on this job: a directory, a name below job/, or gs://BUCKET/PATH for Google Cloud Storage. The default is the newest job below job/.",
    )
    output: str | None = option(
        None,
        group="output",
        metavar="FILE",
        default_in_words="report.html in the job directory, or in the current folder for a job in a bucket",
        help="Write the page to this file.",
    )
    force: bool = option(
        False,
        group="output",
        kind=bool,
        help="Replace an existing file.",
    )
    open: bool = option(
        False,
        group="output",
        kind=bool,
        help="Open the page in the browser.",
    )
