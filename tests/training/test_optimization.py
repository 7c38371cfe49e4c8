import keras
import pytest

from textgen.config import TrainingConfig
from textgen.training.optimization import make_optimizer


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("rmsprop", keras.optimizers.RMSprop),
        ("sgd", keras.optimizers.SGD),
    ],
)
def test_every_name_gives_its_optimizer_with_clipping(name, expected):
    """Each choice is the Keras optimizer of that name and clips the global norm."""
    optimizer = make_optimizer(TrainingConfig(optimizer=name, clip_gradients=0.25))
    assert type(optimizer) is expected
    assert optimizer.global_clipnorm == 0.25


def test_half_precision_scales_the_loss():
    """With float16 the optimizer scales the loss, so that small gradients are not lost."""
    assert isinstance(make_optimizer(TrainingConfig(precision="mixed_float16")), keras.optimizers.LossScaleOptimizer)
