"""Lists the export formats and what each needs, without loading any format's libraries."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from textgen.errors import UnavailableError, named


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        suffix: the suffix of the file's name.
        module: the module that writes and runs such files.
        needs: modules that must be installed in addition to textgen's dependencies; the extra has the format's name.
        most_bytes: the most bytes of weights that such a file can contain; None for no limit.
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
    """Checks that the modules that a format needs are installed.

    Args:
        name: the format's name.

    Raises:
        UnavailableError: if a module is missing.
    """
    for module in FORMATS[name].needs:
        try:
            import_module(module)
        except ImportError as error:
            raise UnavailableError(
                f"{named('format')} {name} needs {module.partition('.')[0]}, which is not installed; "
                f"in the clone of textgen, run pip install '.[{name}]'"
            ) from error
