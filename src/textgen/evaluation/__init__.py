"""Computes scores from numbers and texts; does not use Keras.

- `scores`: loss, perplexity and bits per character
- `novelty`: how much of a text is copied
- `training_text`: the text that a model was trained on, if it is at hand
- `evaluation`: a model and its baselines on a text, all of the following together; these modules load NumPy, so none is imported here
- `evaluated_text`: the text, in blocks of token ids
- `model_measures`: loss, accuracy and calibration of a model
- `interval`: how far a score depends on the choice of the text
- `baselines`, `compressors`: what simple methods need for the same text
- `kneser_ney`: an n-gram, the baseline for a model. It loads NumPy, so it is not imported here.
- `prediction`: how well a model file predicts a text. It loads NumPy, too.
- `fit`, `ranking`: whether a model can score a text, and which model or text has the best score
- `surprise`: how surprised a model is by the tokens or the lines of a text
- `text_statistics`, `real_text`: words and sentences of a text, and those of a job's text. They load NumPy, too.
- `written`, `temperature`: what a model writes at several temperatures, and which one is most like real text. They load NumPy, too.
- `advice`: what to change after training
- `units`: what the units of a layer do along a text. It loads NumPy, too.
"""

from textgen.evaluation.novelty import Novelty, measure_novelty
from textgen.evaluation.scores import Scores

__all__ = ["Novelty", "Scores", "measure_novelty"]
