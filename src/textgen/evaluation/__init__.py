"""Computes scores from numbers and texts; does not use Keras."""

from textgen.evaluation.novelty import Novelty, measure_novelty
from textgen.evaluation.scores import Scores

__all__ = ["Novelty", "Scores", "measure_novelty"]
