"""What commands are asked to do with a config: settings of one call, which are not kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textgen.config.option import option
from textgen.config.validation import check_settings
from textgen.errors import UsageError, named


@dataclass(frozen=True)
class TrainCommand:
    """What `textgen-train` is asked for in addition to the hyperparameters, which are in `TrainingConfig`.

    Raises:
        UsageError: for a value that cannot be.
    """

    config: str | None = option(
        None,
        group="this run",
        metavar="NAME|FILE",
        help="Read settings from this preset or YAML file. Flags win over it.",
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
        help="Resume even if the text has changed. The job keeps its vocabulary; up to 5% of the tokens may be missing from it and are read as [UNK]. The epoch and the search for the best model start over.",
    )
    device: Literal["auto", "cpu", "gpu"] = option(
        "auto",
        group="this run",
        choices=("auto", "cpu", "gpu"),
        help="Train on this device. auto uses a GPU if TensorFlow sees one; gpu stops at once if it sees none, rather than train slowly on an expensive machine.",
    )
    dry_run: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Print the plan, with text, vocabulary, model, memory, disk space and job directory, and do not train.",
    )
    json: bool = option(
        False,
        group="this run",
        kind=bool,
        help="End with one line of JSON on standard output: job directory, steps, losses, speed. For scripts.",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class SampleCommand:
    """What `textgen-sample` is asked for in addition to how a text is written, which is in `SamplingConfig`.

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
        help="Continue this text; - reads it from standard input, @FILE from a file. Without one, the model starts a new paragraph.",
    )
    samples: int = option(
        1,
        group="text",
        kind=int,
        least=1,
        help="Write N texts. Each has its own seed, one higher than the one before; they are written in parallel, which is faster than one by one.",
    )
    no_echo: bool = option(
        False,
        group="output",
        kind=bool,
        help="Leave out the prompt: print only what the model wrote, in JSON too.",
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Write one line of JSON per text: text, prompt, seed, tokens, finish_reason (length, until, lines or max_copy), bits_per_character according to the model, and model, the hash of the model file. For scripts.",
    )
    interactive: bool = option(
        False,
        group="output",
        kind=bool,
        help="Write together with the model: it adds a passage after each line that you type. /help lists the commands, such as /retry, /undo, /edit and /save.",
    )
    novelty: bool = option(
        False,
        group="output",
        kind=bool,
        help="Report the longest passage of each text that is copied from the training text, and the fraction that is copied: on standard error, or in the JSON. The training text must still be in its place.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.interactive:
            others = {"json": self.json, "samples": self.samples > 1, "novelty": self.novelty}
            for name, given in others.items():
                if given:
                    raise UsageError(
                        f"{named('interactive')} and {named(name)} exclude each other: it writes one text; leave one out"
                    )
            if self.prompt == "-":
                raise UsageError(
                    f"{named('interactive')} and {named('prompt')} - exclude each other: your lines come on standard input; name a file with {named('prompt')} @FILE"
                )
