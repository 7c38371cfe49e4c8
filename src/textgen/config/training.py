"""The settings of a training run, each with its default, limits and help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textgen.config.option import option
from textgen.config.sampling import SamplingConfig
from textgen.config.values import Settings
from textgen.errors import UsageError, named

DEFAULT_MINUTES = 5.0
"""The time limit of a run without epochs, max_steps or minutes."""
_CHOSEN = "chosen"
"""What is shown as the default of a setting that `textgen.planning` chooses."""


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """Every hyperparameter of a run. Immutable, and valid once it exists.

    The fields that shape the checkpoint are in the order of their parts in the job name.

    Raises:
        UsageError: if a value is out of range, or two cannot be combined.
    """

    texts: tuple[str, ...] = option(
        (),
        group="data",
        positional="many",
        metavar="TEXT",
        help="Train on these text files, folders or globs, in this order. The default is the bundled story.",
    )
    data_dir: str | None = option(
        None,
        group="data",
        metavar="DIR",
        help="Read a corpus from this folder: PREFIX.train.txt, with PREFIX.valid.txt, PREFIX.test.txt and PREFIX.vocab.txt if they exist, or else PREFIX.txt. Use it instead of TEXT for a corpus with its own split.",
    )
    data_prefix: str | None = option(
        None,
        group="data",
        metavar="PREFIX",
        help="Read the corpus with this prefix, and start the job's name with it. Set it with TEXT to name a job yourself: otherwise the name of the file or folder is used.",
    )
    encoding: str = option(
        "utf-8",
        group="data",
        metavar="NAME",
        help="Decode the text with this encoding, such as latin-1. Set it to auto if a file is refused as not UTF-8: each file is then read as UTF-8 or, if it is not, as cp1252 (Windows).",
    )
    unwrap: str = option(
        "auto",
        group="data",
        choices=("auto", "yes", "no"),
        in_older_jobs="no",
        help="Read each paragraph of hard-wrapped prose as one line. auto decides from the text; set it to no to keep every line break, or to yes if auto misses such a text.",
    )
    valid_fraction: float = option(
        0.1,
        group="data",
        kind=float,
        above=0,
        most=0.5,
        help="Set aside this fraction at the end of the text for validation, at most a million characters, unless the corpus has its own validation text. Lower it when there is little text.",
    )

    precision: str = option(
        "float32",
        group="model",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        job_part=lambda _: "fp16",
        switch=("use_fp16", "mixed_float16"),
        help="Compute the layers in this precision; weights and losses stay in float32. Use mixed_bfloat16 on A100, L4 or newer GPUs, and mixed_float16, which starts a new job, on older ones; both are slower on a CPU.",
    )
    lstm_state_size: int = option(
        384,
        default_in_words=f"{_CHOSEN} or 384",
        group="model",
        kind=int,
        least=1,
        most=16384,
        unit="cells",
        job_part=lambda size: f"{size}-states",
        in_every_job_name=True,
        help="Give each LSTM layer a state of N cells. Raise it if there is more text and more time; each step then takes longer.",
    )
    layers: int = option(
        1,
        default_in_words=f"{_CHOSEN} or 1",
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
        default_in_words=f"{_CHOSEN} or none",
        group="model",
        kind=int,
        least=1,
        most=16384,
        job_part=lambda size: f"{size}-embed",
        help="Embed each token in a vector of N numbers; none uses one-hot vectors. Set it, for example to 128, for a word model with a large vocabulary.",
    )
    layer_norm: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "norm",
        help="Normalise inside each LSTM layer (Ba et al. 2016). Turn it on if a deep model or a high learning rate makes the loss jump; each step then takes longer.",
    )
    num_proj: int | None = option(
        None,
        group="model",
        kind=int,
        least=1,
        most=16384,
        job_part=lambda size: f"{size}-proj",
        help="Project each layer's output to N numbers (Sak et al. 2014); none does not project. Set it to afford a larger state; it cannot be combined with layer normalisation.",
    )
    language_model: str = option(
        "char",
        group="model",
        choices=("char", "word"),
        job_part=lambda name: name,
        help="Read the text as characters or as words. A char model needs little text and can spell anything; a word model sees further back and needs a megabyte or more.",
    )
    vocab_size: int | None = option(
        None,
        group="model",
        kind=int,
        least=2,
        unit="tokens",
        job_part=lambda size: f"{size}vocab",
        most=2**31 - 1,
        help="Keep the N most frequent tokens, and read all others as [UNK]; none keeps every token. Set it for a word model with a lot of text.",
    )
    lowercase: bool = option(
        False,
        group="model",
        kind=bool,
        job_part=lambda _: "lower",
        help="Convert the text to lower case. Turn it on for a word model with little text, so that The and the become one word.",
    )

    init_from: str = option(
        "auto",
        group="training",
        metavar="auto|none|base|MODEL",
        in_older_jobs="none",
        help="Start from the weights and the shape of this model: base is the bundled model of English prose, MODEL a job, a model file or gs://BUCKET/PATH. auto uses base if it suits the text and the time; none starts from random weights.",
    )
    dropout: float | None = option(
        None,
        in_older_jobs=0.1,
        default_in_words=_CHOSEN,
        group="training",
        kind=float,
        least=0,
        below=1,
        help="Drop this fraction of each layer's outputs at random during training; none chooses it for the number of passes over the text. Raise it if the validation loss rises while the training loss still falls.",
    )
    unroll_steps: int = option(
        64,
        group="training",
        kind=int,
        least=1,
        most=65536,
        unit="tokens",
        help="Backpropagate through windows of N tokens; the LSTM's state carries over from one to the next. Raise it to learn from further back, at the cost of memory.",
    )
    batch_size: int = option(
        16,
        default_in_words=_CHOSEN,
        group="training",
        kind=int,
        least=1,
        most=65536,
        unit="streams",
        help="Split the text into N parallel streams. Raise it to make better use of a GPU; lower it to get more steps from the same text.",
    )
    epochs: int | None = option(
        None,
        default_in_words=_CHOSEN,
        group="training",
        kind=int,
        least=1,
        most=2**31 - 1,
        help="Stop after N passes over the text, including those of earlier runs. If time limits the run, N is chosen so that the model does not memorise the text; none sets no limit.",
    )
    max_steps: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Stop after N updates of the weights, including those of earlier runs. Set it to repeat a run exactly.",
    )
    minutes: float | None = option(
        None,
        default_in_words=f"{DEFAULT_MINUTES:g}, or none if epochs or max_steps is given",
        group="training",
        kind=float,
        above=0,
        most=10_000_000,
        unit="minutes",
        help="Stop after X minutes of training, counting earlier runs but not evaluation. Training ends earlier if more passes over the text would only memorise it.",
    )
    optimizer: str = option(
        "adamw",
        group="training",
        choices=("adam", "adamw", "rmsprop", "sgd"),
        help="Update the weights with this optimizer. adamw (Adam with decoupled weight decay) suits nearly everything; sgd needs a learning rate near 1.",
    )
    learning_rate: float = option(
        0.006,
        default_in_words=_CHOSEN,
        group="training",
        kind=float,
        above=0,
        most=1000,
        help="Set the size of the updates. Halve it if the loss jumps or stops falling.",
    )
    lr_decay_steps: int | None = option(
        None,
        group="training",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Lower the learning rate every N steps, in a staircase. none suits most runs: it lowers the rate along a cosine, to 3% at the end of the job.",
    )
    lr_decay_rate: float = option(
        0.5,
        group="training",
        kind=float,
        above=0,
        most=1,
        help="Multiply the learning rate by this factor each time it is lowered. Raise it to lower the rate more gently.",
    )
    weight_decay: float = option(
        0.1,
        default_in_words=_CHOSEN,
        group="training",
        kind=float,
        least=0,
        most=1000,
        help="Shrink the weights by this fraction, times the learning rate, at each step; only adamw does. Raise it when there is little text.",
    )
    clip_gradients: float | None = option(
        1.0,
        group="training",
        kind=float,
        above=0,
        most=1_000_000,
        nullable=True,
        help="Scale the gradient down to this norm if it is larger; none never does. Lower it if the loss jumps.",
    )
    max_rollbacks: int = option(
        2,
        group="training",
        kind=int,
        least=0,
        most=100,
        help="Return to the last checkpoint up to N times, with half the learning rate, if training diverges; 0 stops at once. Raise it for a long, unattended run.",
    )
    seed: int = option(
        1,
        group="training",
        kind=int,
        least=0,
        most=2**31 - 1,
        help="Seed the random numbers: initial weights, dropout and where each epoch's windows start. Change it to see how much a result owes to chance.",
    )
    deterministic: bool = option(
        False,
        group="training",
        kind=bool,
        help="Train the same model, bit for bit, whenever the same command runs on the same machine, if epochs or steps limit it. Turn it on to compare runs; training may be a little slower.",
    )

    eval_steps: int | None = option(
        None,
        group="evaluation",
        kind=int,
        least=1,
        unit="steps",
        most=2**31 - 1,
        help="Evaluate every N steps of an epoch, and not only at its end. Set it if an epoch takes long.",
    )
    patience: int | None = option(
        None,
        default_in_words=_CHOSEN,
        group="evaluation",
        kind=int,
        least=1,
        unit="evaluations",
        most=2**31 - 1,
        help="Stop after N evaluations in a row without improvement; none never stops early. It is chosen only if time limits the run.",
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
        help="Save a checkpoint at least every X minutes; each evaluation saves one too. Lower it if the machine may stop at any time.",
    )
    sample_length: int = option(
        300,
        group="evaluation",
        kind=int,
        least=0,
        unit="tokens",
        most=2**31 - 1,
        help="Write a sample of N tokens after each evaluation; 0 writes none. Lower it when evaluating often.",
    )
    sample_prompt: str = option(
        "",
        group="evaluation",
        metavar="TEXT",
        help="Continue this text in the samples that are written during training. Without it, each sample starts a new paragraph.",
    )
    sample_temperature: float = option(
        SamplingConfig.temperature,
        group="evaluation",
        kind=float,
        least=0,
        help="Use this temperature for the samples that are written during training. It does not change what the model learns.",
    )

    job_dir: str = option(
        "job/%JOB%",
        group="places",
        metavar="DIR",
        help="Keep the job in this directory, where an existing job is resumed; %JOB% becomes a name made of the settings that shape the model. Set it to keep jobs elsewhere, such as gs://BUCKET/%JOB%.",
    )
    summary_dir: str | None = option(
        None,
        group="places",
        metavar="DIR",
        help="Write TensorBoard logs to this directory, in which %JOB% becomes the job's name; none is logs/ in the job directory. Set it to collect the logs of several jobs.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layer_norm and self.num_proj is not None:
            raise UsageError(
                f"{named('layer_norm')} and {named('num_proj')} cannot be combined, because there is no agreed form of a normalised projection; leave one out"
            )
        if self.texts and self.data_dir is not None:
            raise UsageError(
                f"text and {named('data_dir')} cannot be combined, because both name files; leave one out, and to name the job, use {named('data_prefix')} alone"
            )

    @property
    def is_started(self) -> bool:
        """Whether training starts from the weights of another model. Not known while `init_from` is `auto`."""
        return self.init_from not in {"auto", "none"}

    @property
    def time_limit(self) -> float | None:
        """The minutes of training after which the job ends; None if only epochs or max_steps limit it."""
        if self.minutes is None and self.epochs is None and self.max_steps is None:
            return DEFAULT_MINUTES
        return self.minutes

    def to_mapping(self) -> dict[str, Any]:
        """Returns every setting by name, with lists for tuples, as in config.yaml."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
