"""Exports a model to other runtimes: each file is written, checked, and rejected if it is not the model.

Each format has its module, which loads only what the format needs: `.keras` and LiteRT files need Keras, ONNX and HTML files do not.
`page` assembles the playground, which a server sends and an HTML file contains. `score_page` and `report_page` make the pages of a scored
text and of a job.
"""

from textgen.portable.formats import FORMATS, check_installed
from textgen.portable.writing import export_model

__all__ = ["FORMATS", "check_installed", "export_model"]
