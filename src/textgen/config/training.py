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
        help="Text files, folders or globs to learn from, read one after the other. Without any, the bundled story is read.",
    )
    data_dir: str | None = option(
        None,
        group="data",
        metavar="DIR",
        help="A folder with a corpus that is split already, as PREFIX.train.txt and PREFIX.valid.txt, perhaps PREFIX.test.txt and PREFIX.vocab.txt, or not split, as PREFIX.txt; each may end in .gz. Use it, instead of TEXT, for a corpus that brings its own split.",
    )
    data_prefix: str | None = option(
        None,
        group="data",
        metavar="PREFIX",
        help="Which corpus of a folder to read. It is also the first part of the job's name, which otherwise begins with the name of the file or folder. Set it to name a job yourself.",
    )
    encoding: str = option(
        "utf-8",
        group="data",
        metavar="NAME",
        help="How the text files are encoded, by Python's name for it. Set it to auto when a file is refused as not UTF-8: each file is then read as UTF-8, or as cp1252 (Windows) where it is not.",
    )
    valid_fraction: float = option(
        0.1,
        group="data",
        kind=float,
        above=0,
        most=0.5,
        help="The share of the text, at its end, that is kept back to score the model with; a million characters at most. Lower it when there is little text. A corpus with a text for validation needs none.",
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
        help="The size of each layer's state. A larger one remembers and learns more, and takes longer a step; raise it with the amount of text and time.",
    )
    layers: int = option(
        1,
        group="model",
        kind=int,
        least=1,
        most=64,
        job_part=lambda count: f"{count}-layers",
        in_every_job_name=True,
        help="How many LSTM layers stand on top of each other. A second one may pay when training for half an hour or more.",
    )
    embedding_size: int | None = option(
        None,
        group="model",
        kind=int,
        least=1,
        most=16384,
        job_part=lambda size: f"{size}-embed",
        help="The size of the learned vector that stands for a token; none feeds tokens in one-hot. Set it, to 128 for example, for a word model with a large vocabulary.",
    )
    layer_norm: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "norm",
        help="Normalises inside each LSTM layer (Ba et al. 2016). Turn it on when a deep model or a high learning rate makes the loss jump; a step takes longer.",
    )
    num_proj: int | None = option(
        None,
        group="model",
        kind=int,
        least=1,
        most=16384,
        job_part=lambda size: f"{size}-proj",
        help="The size that each layer's output is projected down to (Sak et al. 2014); none does not project. Set it to afford a large state. It cannot be had together with layer normalisation.",
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
        most=2**31 - 1,
        help="How many tokens to keep, the most frequent ones; the others are read as [UNK]. none keeps all. Set it for a word model on much text.",
    )
    lowercase: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "lower",
        help="Reads the text in lower case. Turn it on for a word model on little text, where The and the are better one word.",
    )

    precision: str = option(
        "float32",
        group="training",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        help="What the layers compute in; weights and losses stay in single precision. Choose mixed_bfloat16 on a GPU from the A100 and L4 on, and mixed_float16, which scales the loss and is another model, on an older one. A CPU gets slower by either.",
    )
    dropout: float = option(
        0.1,
        group="training",
        kind=float,
        least=0,
        below=1,
        help="The share of each layer's outputs that is left out in training, at random. Raise it when the validation loss rises while the training loss still falls.",
    )
    unroll_steps: int = option(
        64,
        group="training",
        kind=int,
        least=1,
        most=65536,
        unit="tokens",
        help="The length of the window that gradients pass through; the LSTM's state is carried on beyond it. A longer one learns from further back, and takes more memory.",
    )
    batch_size: int = option(
        16,
        group="training",
        kind=int,
        least=1,
        most=65536,
        unit="streams",
        help="How many streams of the text are read side by side. More make better use of a GPU; fewer make more steps of the same text.",
    )
    epochs: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        most=2**31 - 1,
        help="Ends the job after so many passes over the text, those of earlier runs included. Use it to let the text decide how long to train.",
    )
    max_steps: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Ends the job after so many updates, those of earlier runs included. Use it to repeat a run exactly.",
    )
    minutes: float | None = option(
        None,
        group="training",
        kind=float,
        above=0,
        most=10_000_000,
        unit="minutes",
        help="Ends the job after so many minutes of training, those of earlier runs included, scoring not counted. The model that makes the most of them is chosen, unless --config or a flag for the model is given. Use it to spend the time you have.",
    )
    optimizer: str = option(
        "adamw",
        group="training",
        choices=("adam", "adamw", "rmsprop", "sgd"),
        help="The rule of an update. Adam with decoupled weight decay (adamw) suits nearly all; sgd wants a learning rate near 1.",
    )
    learning_rate: float = option(
        0.006,
        group="training",
        kind=float,
        above=0,
        most=1000,
        help="The size of an update. Halve it when the loss jumps or stops falling.",
    )
    lr_decay_steps: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Lowers the learning rate at once after every so many steps, a staircase. None, which suits most runs, lets it fall along a cosine to 3% at the end of the job.",
    )
    lr_decay_rate: float = option(
        0.5,
        group="training",
        kind=float,
        above=0,
        most=1,
        help="What the learning rate is multiplied by wherever it is lowered. A rate nearer to 1 lowers it more gently.",
    )
    weight_decay: float = option(
        0.1,
        group="training",
        kind=float,
        least=0,
        most=1000,
        help="How strongly adamw pulls weights to zero, times the learning rate; other optimizers do not use it. Raise it with little text.",
    )
    clip_gradients: float | None = option(
        1.0,
        group="training",
        kind=float,
        above=0,
        most=1_000_000,
        nullable=True,
        help="Scales the gradient down to this norm where it is larger; none leaves it. Lower it when the loss jumps.",
    )
    max_rollbacks: int = option(
        2,
        group="training",
        kind=int,
        least=0,
        most=100,
        help="How often a job whose loss is no longer a number goes back to its last checkpoint by itself, with half the learning rate. 0 ends it at once; raise it for a long run that nobody watches.",
    )
    seed: int = option(
        1,
        group="training",
        kind=int,
        least=0,
        most=2**31 - 1,
        help="Fixes the random numbers: first weights, dropout, and where an epoch's windows begin. Change it to see how much a result owes to chance.",
    )
    deterministic: bool = option(
        False,
        group="training",
        kind=bool,
        help="Fixes how numbers are added up, too: the same command on the same machine then gives the same model to the last bit, interrupted or not, if epochs or steps are its limit. Turn it on to compare runs; it may take a little longer.",
    )

    eval_steps: int | None = option(
        None,
        group="evaluation",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Scores the model on the validation text after every so many steps of an epoch, and not only at an epoch's end. Set it when an epoch takes long.",
    )
    patience: int | None = option(
        None,
        group="evaluation",
        kind=int,
        least=1,
        unit="scorings",
        most=2**31 - 1,
        help="Ends the job after so many scorings in a row that were no better than the best before them. Set it where there may be more time than the text has to teach.",
    )
    save_steps: int | None = option(
        None,
        group="evaluation",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Saves a checkpoint after every so many steps of an epoch, without scoring. Set it where checkpoints are to stand at steps you know.",
    )
    save_minutes: float = option(
        5.0,
        group="evaluation",
        kind=float,
        above=0,
        most=10_000_000,
        unit="minutes",
        help="Saves a checkpoint at least this often; each scoring saves one, too. Lower it where the machine may stop at any time.",
    )
    sample_length: int = option(
        300,
        group="evaluation",
        kind=int,
        least=0,
        unit="tokens",
        most=2**31 - 1,
        help="The length of the sample that the model writes after each scoring; 0 writes none. Lower it when scoring often.",
    )

    job_dir: str = option(
        "job/%JOB%",
        group="places",
        metavar="DIR",
        help="Where the job is kept; %JOB% becomes a name made of all that shapes the model. Where there is a job already, the run goes on with it. Set it to keep jobs elsewhere.",
    )
    summary_dir: str | None = option(
        None,
        group="places",
        metavar="DIR",
        help="Where TensorBoard's files go; %JOB% becomes the job's name, none is logs/ in the job's directory. Set it to compare jobs side by side.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.layer_norm and self.num_proj is not None:
            raise UsageError(
                "--layer_norm and --num_proj exclude each other: there is no agreed form of a normalised projection; leave one out"
            )
        if self.use_fp16 and self.precision == "mixed_bfloat16":
            raise UsageError(
                "--use_fp16 means --precision mixed_float16, got --precision mixed_bfloat16, too; leave one out"
            )
        if self.use_fp16 or self.precision == "mixed_float16":
            object.__setattr__(self, "use_fp16", True)
            object.__setattr__(self, "precision", "mixed_float16")
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
