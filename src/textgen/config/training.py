"""The settings of a training run: the one place where a default, a limit and a help text stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textgen.config.option import option
from textgen.config.validation import check_settings
from textgen.errors import UsageError

DEFAULT_MINUTES = 5.0
"""How long a run trains that sets neither epochs, nor max_steps, nor minutes."""


@dataclass(frozen=True)
class TrainingConfig:
    """Every hyperparameter of a run. Immutable, and valid once it exists.

    The fields that shape the checkpoint stand in the order of their parts in the job name.

    Raises:
        UsageError: for a value out of range, or two that exclude each other.
    """

    texts: tuple[str, ...] = option(
        (),
        group="data",
        positional="many",
        metavar="TEXT",
        help="Text files, folders or globs to learn from; without any, the bundled story. Several are read one after the other.",
    )
    data_dir: str | None = option(
        None,
        group="data",
        metavar="DIR",
        help="The folder of {prefix}.train.txt, {prefix}.valid.txt and, where there are, {prefix}.test.txt and {prefix}.vocab.txt, or of {prefix}.txt; each may end in .gz. Use it for a corpus that comes with its own split.",
    )
    data_prefix: str | None = option(
        None,
        group="data",
        metavar="NAME",
        help="The {prefix} of the files in data_dir, and the first part of the job name. Set it to name a job yourself.",
    )
    encoding: str = option(
        "utf-8",
        group="data",
        metavar="NAME",
        help="How the text files are encoded. Change it, to latin-1 for example, when a file is refused as not UTF-8.",
    )
    valid_fraction: float = option(
        0.1,
        group="data",
        kind=float,
        above=0,
        most=0.5,
        help="The part at the end of the text that is kept for validation, a million characters at most. Lower it when there is little text.",
    )

    use_fp16: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "fp16",
        help="Computes in half precision, with weights in single precision. Faster on a GPU, slower on a CPU.",
    )
    lstm_state_size: int = option(
        384,
        group="model",
        kind=int,
        least=1,
        most=16384,
        unit="cells",
        job_part=lambda size: f"{size}-states",
        in_every_job_name=True,
        help="The size of each layer's state. Larger remembers and learns more, and takes longer a step; raise it with the amount of text and time.",
    )
    layers: int = option(
        1,
        group="model",
        kind=int,
        least=1,
        most=64,
        job_part=lambda count: f"{count}-layers",
        in_every_job_name=True,
        help="How many LSTM layers stand on each other. A second one pays when training for an hour or more.",
    )
    embedding_size: int | None = option(
        None,
        group="model",
        kind=int,
        least=1,
        most=16384,
        job_part=lambda size: f"{size}-embed",
        help="The size of the learned vector that stands for a token; none feeds tokens one-hot. Set it, to 128 for example, for word models with a large vocabulary.",
    )
    layer_norm: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "norm",
        help="Normalises inside each LSTM layer (Ba et al. 2016). Steadier for deep models and high learning rates, slower a step.",
    )
    num_proj: int | None = option(
        None,
        group="model",
        kind=int,
        least=1,
        most=16384,
        job_part=lambda size: f"{size}-proj",
        help="Projects each layer's output down to this size (Sak et al. 2014). Set it to afford a large state; not together with layer_norm.",
    )
    language_model: str = option(
        "char",
        group="model",
        choices=("char", "word"),
        job_part=lambda name: name,
        help="Whether a token is a character or a word. A char model needs little text and spells anything; a word model sees further and wants a megabyte or more.",
    )
    vocab_size: int | None = option(
        None,
        group="model",
        kind=int,
        least=2,
        unit="tokens",
        job_part=lambda size: f"{size}vocab",
        help="Keeps this many of the most frequent tokens and reads the others as [UNK]; none keeps all. Set it for word models on large texts.",
    )
    lowercase: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "lower",
        help="Reads the text in lower case. Use it for word models on little text, where The and the are better one word.",
    )

    dropout: float = option(
        0.1,
        group="training",
        kind=float,
        least=0,
        below=1,
        help="The share of each layer's outputs that is dropped in training. Raise it when the validation loss rises while the training loss still falls.",
    )
    unroll_steps: int = option(
        64,
        group="training",
        kind=int,
        least=1,
        most=65536,
        unit="tokens",
        help="The length of the window that gradients pass through; the state is carried on beyond it. Longer learns from further back, and takes more memory.",
    )
    batch_size: int = option(
        16,
        group="training",
        kind=int,
        least=1,
        most=65536,
        unit="streams",
        help="How many streams of text are read side by side. More makes better use of a GPU, and fewer steps of the same text.",
    )
    epochs: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        help=f"Trains until the job has passed this often over the text. A total of the job, like max_steps and minutes; with none of the three, {DEFAULT_MINUTES:.0f} minutes.",
    )
    max_steps: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        unit="steps",
        help="Trains until the job has made this many updates. Use it to repeat a run exactly.",
    )
    minutes: float | None = option(
        None,
        group="training",
        kind=float,
        above=0,
        unit="minutes",
        help="Trains until the job has trained this long, evaluation not counted, then ends as usual. Use it to spend the time you have.",
    )
    optimizer: str = option(
        "adamw",
        group="training",
        choices=("adam", "adamw", "rmsprop", "sgd"),
        help="The rule of the update. Adam with decoupled weight decay (adamw) suits nearly all; sgd wants a learning rate near 1.",
    )
    learning_rate: float = option(
        0.004,
        group="training",
        kind=float,
        above=0,
        help="The size of an update. Halve it when the loss jumps or stops falling.",
    )
    lr_decay_steps: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        unit="steps",
        help="Multiplies the learning rate by lr_decay_rate after every so many steps, at once (a staircase); none keeps it. Set it for long runs.",
    )
    lr_decay_rate: float = option(
        0.5,
        group="training",
        kind=float,
        above=0,
        most=1,
        help="What the learning rate is multiplied by every lr_decay_steps. Nearer to 1 decays more gently.",
    )
    weight_decay: float = option(
        0.1,
        group="training",
        kind=float,
        least=0,
        help="How strongly adamw pulls weights to zero, times the learning rate. Raise it with little text; other optimizers ignore it.",
    )
    clip_gradients: float | None = option(
        1.0,
        group="training",
        kind=float,
        above=0,
        help="Scales the gradient down to this norm where it is larger; none leaves it. Lower it when the loss jumps.",
    )
    seed: int = option(
        1,
        group="training",
        kind=int,
        least=0,
        most=2**31 - 1,
        help="Fixes the random numbers: first weights, dropout, and where an epoch's windows begin. Change it to see how much a result owes to chance.",
    )

    eval_steps: int | None = option(
        None,
        group="evaluation",
        kind=int,
        least=1,
        unit="steps",
        help="Also evaluates after every so many steps of an epoch; always at an epoch's end. Set it when an epoch takes long.",
    )
    save_minutes: float = option(
        5.0,
        group="evaluation",
        kind=float,
        above=0,
        unit="minutes",
        help="Saves a checkpoint at least this often, beside one at each evaluation. Lower it where the machine may stop at any time.",
    )
    sample_length: int = option(
        300,
        group="evaluation",
        kind=int,
        least=0,
        unit="tokens",
        help="The length of the sample written after each evaluation; 0 writes none.",
    )

    job_dir: str = option(
        "job/%JOB%",
        group="places",
        metavar="DIR",
        help="Where the run is kept; %JOB% becomes a name made of all that shapes the model. The same directory goes on where it stopped.",
    )
    summary_dir: str | None = option(
        None,
        group="places",
        metavar="DIR",
        help="Where TensorBoard's files go, %JOB% as in job_dir; none puts them into logs/ of the job directory. Set it to compare jobs side by side.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.layer_norm and self.num_proj is not None:
            raise UsageError(
                "--layer_norm and --num_proj exclude each other: there is no agreed form of a normalised projection; leave one out"
            )
        if self.texts and self.data_dir is not None:
            raise UsageError(
                "give either texts or --data_dir, not both: they name the text twice; to name the job, use --data_prefix alone"
            )

    @property
    def time_limit(self) -> float | None:
        """Minutes of training after which the job ends; None when epochs or max_steps bound it alone."""
        if self.minutes is None and self.epochs is None and self.max_steps is None:
            return DEFAULT_MINUTES
        return self.minutes

    def to_mapping(self) -> dict[str, Any]:
        """Every setting by name, with lists for tuples: what config.yaml holds."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
