"""The settings of `textgen export`."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.values import check_settings


@dataclass(frozen=True)
class ExportCommand:
    """The model to export, the format and the path. Immutable, and valid once it exists.

    Raises:
        UsageError: if a value is invalid.
    """

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
        choices=("keras", "litert", "onnx"),
        required=True,
        help="Write a .keras file (Keras 3, any backend), a .tflite file (LiteRT, for phones and small devices) or an .onnx file (ONNX Runtime and others).",
    )
    output: str | None = option(
        None,
        group="file",
        metavar="PATH",
        help="Write to this path, replacing an existing file, with the vocabulary next to it as PATH.vocabulary.json. none is the model file's path with the format's extension.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
