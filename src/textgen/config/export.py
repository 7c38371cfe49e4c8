"""What `textgen export` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.validation import check_settings


@dataclass(frozen=True)
class ExportCommand:
    """Which model to write for another runtime, in which format and where. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value that cannot be.
    """

    model: str | None = option(
        None,
        group="model",
        positional="one",
        metavar="JOB",
        help="A trained job: its directory, its name below job/, or its model file. Without it, the newest job below job/ is used.",
    )
    format: str = option(
        "",
        group="file",
        choices=("keras", "litert", "onnx"),
        required=True,
        help="Write this kind of file: .keras for Keras 3 with any of its backends, .tflite for LiteRT on phones and small devices, or .onnx for ONNX Runtime and everything else that reads ONNX.",
    )
    output: str | None = option(
        None,
        group="file",
        metavar="PATH",
        help="Write to this path; an existing file is replaced. The vocabulary is written next to it, as PATH.vocabulary.json. none is the path of the model file, with the format's extension.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
