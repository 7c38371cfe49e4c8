"""Exports a model to other runtimes: each file is written, run once, and rejected if it differs from textgen's own step.

Each format has its module, which loads only what the format needs: `.keras` and LiteRT files need Keras, ONNX does not.
"""

from textgen.portable.formats import FORMATS, check_installed
from textgen.portable.writing import export_model

__all__ = ["FORMATS", "check_installed", "export_model"]
