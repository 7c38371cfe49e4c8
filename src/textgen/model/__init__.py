"""Config -> functional Keras model; knows nothing of text, files or the fit loop."""

from textgen.model.language_model import LanguageModel, build_model

__all__ = ["LanguageModel", "build_model"]
