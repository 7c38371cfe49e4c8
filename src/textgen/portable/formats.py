"""What there is to know of each format before it is written; loads none of their libraries."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from textgen.errors import UnavailableError, named


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        suffix: of a file's name.
        module: of this package: what writes such a file and runs it.
        needs: modules that must be installed beside textgen's own dependencies; the extra has the format's name.
        most_bytes: of weights that such a file can hold; None for any number.
    """

    suffix: str
    module: str
    needs: tuple[str, ...] = ()
    most_bytes: int | None = None


_2_GIB = 2**31 - 1

FORMATS = {
    "keras": Format(".keras", "textgen.portable.keras_file"),
    "litert": Format(".tflite", "textgen.portable.litert_file", ("ai_edge_litert.interpreter",), _2_GIB),
    "onnx": Format(".onnx", "textgen.portable.onnx_file", ("onnx", "onnxruntime"), _2_GIB),
}
"""The formats by name."""


def check_installed(name: str) -> None:
    """Checks that what a format needs is installed.

    Args:
        name: the format's.

    Raises:
        UnavailableError: when something is missing.
    """
    for module in FORMATS[name].needs:
        try:
            import_module(module)
        except ImportError as error:
            raise UnavailableError(
                f"{named('format')} {name} needs {module.partition('.')[0]}, which is not installed; "
                f"in the clone of textgen, run pip install '.[{name}]'"
            ) from error
