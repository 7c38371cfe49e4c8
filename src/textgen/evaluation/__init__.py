"""Numbers in, scores out; knows nothing of Keras."""

from textgen.evaluation.scores import Scores

__all__ = ["Scores"]
