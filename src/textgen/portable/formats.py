"""Lists the export formats and what each needs, without loading any format's libraries."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from textgen.errors import UnavailableError, named


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        suffix: the suffix of the file's name.
        module: the module that writes and runs such files.
        needs: modules that must be installed in addition to textgen's dependencies; the extra has the format's name.
        most_bytes: the most bytes of weights that such a file can contain; None for no limit.
        weight_bytes: the bytes of a weight in it.
        is_complete: whether the file writes whole texts, and contains the vocabulary. Other files compute one step, and their vocabulary
            is in a second file.
        finding: what the check of a written file finds, for people, with the number in the place of `{}`.
    """

    suffix: str
    module: str
    needs: tuple[str, ...] = ()
    most_bytes: int | None = None
    weight_bytes: int = 4
    is_complete: bool = False
    finding: str = "in a test run, its logits differed from textgen's by at most {:.1g}"

    def files(self, path: Path) -> tuple[Path, Path | None]:
        """Returns the files of an export to a path: the model, and the vocabulary as JSON if the model's file does not contain it."""
        return path, None if self.is_complete else path.with_name(f"{path.name}.vocabulary.json")


_2_GIB = 2**31 - 1
_64_MB = 64_000_000

FORMATS = {
    "html": Format(
        ".html",
        "textgen.portable.html_file",
        most_bytes=_64_MB,
        weight_bytes=2,
        is_complete=True,
        finding="its weights were compared with the model's; rounding them to float16 changed the logits in a test run by at most {:.1g}",
    ),
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
