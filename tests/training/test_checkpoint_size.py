import pytest

from textgen.config import TrainingConfig
from textgen.generation import read_model
from textgen.jobs import CheckpointStore
from textgen.planning import Plan


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "adam", "precision": "mixed_float16"},
        {"optimizer": "rmsprop", "num_proj": 60, "embedding_size": 40},
        {"optimizer": "sgd", "layer_norm": True, "batch_size": 100, "unroll_steps": 4},
    ],
)
def test_a_checkpoint_has_the_size_that_was_planned(run, options):
    """The plan's estimate is within 2% of the files, whatever the model, optimizer and number of streams."""
    options = {"lstm_state_size": 120, "layers": 2, "batch_size": 4, **options}
    _, job, _ = run(max_steps=2, **options)
    plan = Plan(TrainingConfig(**options), read_model(job.model).vocabulary.size)
    assert CheckpointStore(job.checkpoints).size(2) == pytest.approx(plan.checkpoint_bytes, rel=0.02)
