"""A trained model as a file for another runtime: written, run once, and refused where it differs from textgen's own step.

A format is a module, which alone loads what that format needs: only `.keras` and LiteRT files need Keras to be written.
"""

from textgen.portable.formats import FORMATS, check_installed
from textgen.portable.writing import Exported, export_model

__all__ = ["FORMATS", "Exported", "check_installed", "export_model"]
