"""What commands are asked to do with a config: settings of one call, which nothing keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textgen.config.option import option
from textgen.config.validation import check_settings
from textgen.errors import UsageError


@dataclass(frozen=True)
class TrainCommand:
    """What `textgen-train` is asked for beside the hyperparameters, which stand in `TrainingConfig`.

    Raises:
        UsageError: for a value that cannot be.
    """

    config: str | None = option(
        None,
        group="this run",
        metavar="NAME|FILE",
        help="A preset's name or a YAML file of settings. Flags win over what it says.",
    )
    fresh: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Begins anew: moves the job that is there aside, instead of going on with it.",
    )
    allow_changed_data: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Goes on with a job though its text has changed. Its vocabulary stays: what it lacks, at most 5% of the tokens, is read as [UNK]. The epoch begins anew, and so does the search for the best model.",
    )
    device: Literal["auto", "cpu", "gpu"] = option(
        "auto",
        group="this run",
        choices=("auto", "cpu", "gpu"),
        help="What to train on. auto takes a GPU where TensorFlow sees one; gpu ends at once where it sees none, rather than train slowly on a machine that is paid for.",
    )
    dry_run: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Prints the plan, with text, vocabulary, model, memory, disk space and job directory, and trains nothing.",
    )
    json: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Ends with one line of JSON on standard output: job directory, steps, losses, speed. For scripts.",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class SampleCommand:
    """What `textgen-sample` is asked for beside how a text is written, which stands in `SamplingConfig`.

    Raises:
        UsageError: for a value that cannot be, or two that exclude each other.
    """

    model: str | None = option(
        None,
        group="model",
        positional="one",
        metavar="JOB",
        help="A trained job: its directory, its name below job/, or its model file; gs://BUCKET/PATH opens one in Google Cloud Storage. Without it, the newest job below job/ is used.",
    )
    prompt: str = option(
        "",
        group="text",
        metavar="TEXT",
        help="The text to continue; - reads it from standard input, @FILE from a file. Without one, the model begins a paragraph of its own.",
    )
    samples: int = option(
        1,
        group="text",
        kind=int,
        least=1,
        help="How many texts to write. Each has its own seed, one more than the one before; they are written side by side, which is faster than one by one.",
    )
    no_echo: bool = option(
        False,
        group="output",
        kind=bool,
        help="Leaves the prompt out: only what the model wrote comes, in JSON too.",
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Writes a line of JSON for each text: text, prompt, seed, tokens, finish_reason (length, until, lines or max_copy), bits_per_character as the model sees it, and model, the hash of the model file. For scripts.",
    )
    interactive: bool = option(
        False,
        group="output",
        kind=bool,
        help="Writes together with you: a passage after each line that you type, /retry, /undo, /edit, /save; /help tells more.",
    )
    novelty: bool = option(
        False,
        group="output",
        kind=bool,
        help="Reports of each text the longest passage that is copied from the training text, and how much of it stands there: on standard error, or in the JSON. The training text must still be where it was.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.interactive:
            others = {"--json": self.json, "--samples": self.samples > 1, "--novelty": self.novelty}
            for flag, given in others.items():
                if given:
                    raise UsageError(f"--interactive and {flag} exclude each other: it writes one text; leave one out")
            if self.prompt == "-":
                raise UsageError(
                    "--interactive and --prompt - exclude each other: your lines come on standard input; name a file with --prompt @FILE"
                )
