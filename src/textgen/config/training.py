"""The settings of a training run: the one place for a default, a limit and a help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textgen.config.option import option
from textgen.config.validation import check_settings
from textgen.errors import UsageError, named

DEFAULT_MINUTES = 5.0
"""The time limit of a run without epochs, max_steps and minutes."""


@dataclass(frozen=True)
class TrainingConfig:
    """Every hyperparameter of a run. Immutable, and valid once it exists.

    The fields that shape the checkpoint are in the order of their parts in the job name.

    Raises:
        UsageError: for a value out of range, or two that exclude each other.
    """

    texts: tuple[str, ...] = option(
        (),
        group="data",
        positional="many",
        metavar="TEXT",
        help="Learn from these text files, folders or globs, in this order. The default is the bundled story.",
    )
    data_dir: str | None = option(
        None,
        group="data",
        metavar="DIR",
        help="Read a corpus from this folder, either already split, as PREFIX.train.txt and PREFIX.valid.txt (PREFIX.test.txt and PREFIX.vocab.txt are optional), or as one PREFIX.txt; each may end in .gz. Use it instead of TEXT for a corpus with its own split.",
    )
    data_prefix: str | None = option(
        None,
        group="data",
        metavar="PREFIX",
        help="Read this corpus of a folder. It also becomes the first part of the job's name, which otherwise starts with the name of the file or folder; set it to name a job yourself.",
    )
    encoding: str = option(
        "utf-8",
        group="data",
        metavar="NAME",
        help="Decode the text files with this encoding, by Python's name for it. Set it to auto when a file is refused as not UTF-8: each file is then read as UTF-8, or as cp1252 (Windows) if it is not.",
    )
    valid_fraction: float = option(
        0.1,
        group="data",
        kind=float,
        above=0,
        most=0.5,
        help="Keep this fraction of the text, at its end and at most a million characters, for evaluation. Lower it when there is little text. It has no effect on a corpus with a validation text of its own.",
    )

    use_fp16: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "fp16",
        help="The same as --precision mixed_float16.",
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
        help="Give each layer a state of N cells. A larger one remembers and learns more, but each step takes longer; raise it with the amount of text and time.",
    )
    layers: int = option(
        1,
        group="model",
        kind=int,
        least=1,
        most=64,
        job_part=lambda count: f"{count}-layers",
        in_every_job_name=True,
        help="Stack N LSTM layers. A second one may pay off when training for half an hour or more.",
    )
    embedding_size: int | None = option(
        None,
        group="model",
        kind=int,
        least=1,
        most=16384,
        job_part=lambda size: f"{size}-embed",
        help="Represent each token by a learned vector of this size; none feeds tokens in one-hot. Set it, for example to 128, for a word model with a large vocabulary.",
    )
    layer_norm: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "norm",
        help="Normalise inside each LSTM layer (Ba et al. 2016). Turn it on when a deep model or a high learning rate makes the loss jump; each step takes longer.",
    )
    num_proj: int | None = option(
        None,
        group="model",
        kind=int,
        least=1,
        most=16384,
        job_part=lambda size: f"{size}-proj",
        help="Project each layer's output down to this size (Sak et al. 2014); none does not project. Set it to afford a large state. It cannot be combined with layer normalisation.",
    )
    language_model: str = option(
        "char",
        group="model",
        choices=("char", "word"),
        job_part=lambda name: name,
        help="Read the text as characters or as words. A char model needs little text and can spell anything; a word model sees further back and wants a megabyte or more.",
    )
    vocab_size: int | None = option(
        None,
        group="model",
        kind=int,
        least=2,
        unit="tokens",
        job_part=lambda size: f"{size}vocab",
        most=2**31 - 1,
        help="Keep this many of the most frequent tokens and read the others as [UNK]; none keeps all. Set it for a word model on much text.",
    )
    lowercase: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "lower",
        help="Convert the text to lower case. Turn it on for a word model on little text, where The and the are better one word.",
    )

    precision: str = option(
        "float32",
        group="training",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        help="Compute the layers in this precision; weights and losses stay in single precision. Choose mixed_bfloat16 on A100, L4 or newer GPUs, and mixed_float16, which scales the loss and makes a different model, on older ones. Both make a CPU slower.",
    )
    dropout: float = option(
        0.1,
        group="training",
        kind=float,
        least=0,
        below=1,
        help="Drop this fraction of each layer's outputs at random during training. Raise it when the validation loss rises while the training loss still falls.",
    )
    unroll_steps: int = option(
        64,
        group="training",
        kind=int,
        least=1,
        most=65536,
        unit="tokens",
        help="Pass gradients through windows of N tokens; the LSTM's state is carried on beyond it. A longer one learns from further back, but takes more memory.",
    )
    batch_size: int = option(
        16,
        group="training",
        kind=int,
        least=1,
        most=65536,
        unit="streams",
        help="Split the text into this many parallel streams. More make better use of a GPU; fewer make more steps of the same text.",
    )
    epochs: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        most=2**31 - 1,
        help="Stop after this many passes over the text, including those of earlier runs. Use it to let the text decide how long to train.",
    )
    max_steps: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Stop after this many updates, including those of earlier runs. Use it to repeat a run exactly.",
    )
    minutes: float | None = option(
        None,
        group="training",
        kind=float,
        above=0,
        most=10_000_000,
        unit="minutes",
        help="Stop after this many minutes of training, including those of earlier runs but not evaluation. Unless --config or a flag for the model is given, the model that makes the most of this time is chosen.",
    )
    optimizer: str = option(
        "adamw",
        group="training",
        choices=("adam", "adamw", "rmsprop", "sgd"),
        help="Update the weights by this rule. Adam with decoupled weight decay (adamw) suits nearly everything; sgd wants a learning rate near 1.",
    )
    learning_rate: float = option(
        0.006,
        group="training",
        kind=float,
        above=0,
        most=1000,
        help="Make updates this large. Halve it when the loss jumps or stops falling.",
    )
    lr_decay_steps: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Lower the learning rate in a staircase, once every N steps. none, which suits most runs, lowers it along a cosine to 3% at the end of the job.",
    )
    lr_decay_rate: float = option(
        0.5,
        group="training",
        kind=float,
        above=0,
        most=1,
        help="Multiply the learning rate by this factor whenever it is lowered. A factor nearer to 1 lowers it more gently.",
    )
    weight_decay: float = option(
        0.1,
        group="training",
        kind=float,
        least=0,
        most=1000,
        help="Pull weights towards zero this strongly, times the learning rate; only adamw does. Raise it with little text.",
    )
    clip_gradients: float | None = option(
        1.0,
        group="training",
        kind=float,
        above=0,
        most=1_000_000,
        nullable=True,
        help="Scale the gradient down to this norm where it is larger; none does not. Lower it when the loss jumps.",
    )
    max_rollbacks: int = option(
        2,
        group="training",
        kind=int,
        least=0,
        most=100,
        help="Return to the last checkpoint up to N times, with half the learning rate, when the loss is no longer a number. 0 stops at once; raise it for a long run that nobody watches.",
    )
    seed: int = option(
        1,
        group="training",
        kind=int,
        least=0,
        most=2**31 - 1,
        help="Fix the random numbers: initial weights, dropout, and where each epoch's windows start. Change it to see how much a result owes to chance.",
    )
    deterministic: bool = option(
        False,
        group="training",
        kind=bool,
        help="Also fix the order in which numbers are added: the same command on the same machine then gives the same model to the last bit, interrupted or not, if epochs or steps limit it. Turn it on to compare runs; it may take a little longer.",
    )

    eval_steps: int | None = option(
        None,
        group="evaluation",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Evaluate on the validation text every N steps of an epoch, and not only at its end. Set it when an epoch takes long.",
    )
    patience: int | None = option(
        None,
        group="evaluation",
        kind=int,
        least=1,
        unit="evaluations",
        most=2**31 - 1,
        help="Stop after N evaluations in a row without a better one. Set it when there may be more time than the text can use.",
    )
    save_steps: int | None = option(
        None,
        group="evaluation",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Save a checkpoint every N steps of an epoch, without evaluating. Set it to have checkpoints at known steps.",
    )
    save_minutes: float = option(
        5.0,
        group="evaluation",
        kind=float,
        above=0,
        most=10_000_000,
        unit="minutes",
        help="Save a checkpoint at least this often; each evaluation saves one, too. Lower it where the machine may stop at any time.",
    )
    sample_length: int = option(
        300,
        group="evaluation",
        kind=int,
        least=0,
        unit="tokens",
        most=2**31 - 1,
        help="Let the model write a sample of N tokens after each evaluation; 0 writes none. Lower it when evaluating often.",
    )

    job_dir: str = option(
        "job/%JOB%",
        group="places",
        metavar="DIR",
        help="Keep the job in this directory; %JOB% becomes a name made of everything that shapes the model. A job that is already there is resumed. Set it to keep jobs elsewhere.",
    )
    summary_dir: str | None = option(
        None,
        group="places",
        metavar="DIR",
        help="Write TensorBoard's files to this directory; %JOB% becomes the job's name, and none is logs/ in the job's directory. Set it to compare jobs side by side.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.layer_norm and self.num_proj is not None:
            raise UsageError(
                f"{named('layer_norm')} and {named('num_proj')} exclude each other: there is no agreed form of a normalised projection; leave one out"
            )
        if self.use_fp16 and self.precision == "mixed_bfloat16":
            raise UsageError(
                f"{named('use_fp16')} means {named('precision')} mixed_float16, got {named('precision')} mixed_bfloat16, too; leave one out"
            )
        if self.use_fp16 or self.precision == "mixed_float16":
            object.__setattr__(self, "use_fp16", True)
            object.__setattr__(self, "precision", "mixed_float16")
        if self.texts and self.data_dir is not None:
            raise UsageError(
                f"give either texts or {named('data_dir')}, not both: they name the text twice; to name the job, use {named('data_prefix')} alone"
            )

    @property
    def time_limit(self) -> float | None:
        """Minutes of training after which the job ends; None when only epochs or max_steps limit it."""
        if self.minutes is None and self.epochs is None and self.max_steps is None:
            return DEFAULT_MINUTES
        return self.minutes

    def to_mapping(self) -> dict[str, Any]:
        """Every setting by name, with lists for tuples, as in config.yaml."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
