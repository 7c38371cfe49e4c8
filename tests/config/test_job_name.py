import dataclasses
from typing import Any

import pytest

from textgen.config import TrainingConfig, job_name, settings, with_job_name
from textgen.config.job_name import shape


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"lstm_state_size": 120, "layers": 4, "layer_norm": True, "language_model": "word"},
            "jules-120-states-4-layers-norm-word",
        ),
        ({"lstm_state_size": 50, "layers": 2, "language_model": "word"}, "jules-50-states-2-layers-word"),
        ({}, "jules-384-states-1-layers"),
        (
            {"precision": "mixed_float16", "embedding_size": 64, "num_proj": 32, "vocab_size": 5000, "lowercase": True},
            "jules-fp16-384-states-1-layers-64-embed-32-proj-5000vocab-lower",
        ),
        ({"precision": "mixed_bfloat16"}, "jules-384-states-1-layers"),
    ],
)
def test_the_name_is_made_of_what_shapes_the_checkpoint(values, expected):
    """The job name always contains states and layers, and any other setting only if it differs from the default."""
    assert job_name(TrainingConfig(**values), "jules") == expected


def test_what_does_not_shape_the_checkpoint_leaves_the_name_alone():
    """Changing the learning rate, the dropout and other settings of training does not change the job name."""
    changed = TrainingConfig(
        learning_rate=0.5, dropout=0.5, unroll_steps=30, batch_size=3, epochs=3, optimizer="sgd", seed=7
    )
    assert job_name(changed, "a") == job_name(TrainingConfig(), "a")
    assert shape(changed) == shape(TrainingConfig())


def test_two_shapes_never_share_a_name():
    """Changing any setting that shapes the checkpoint changes the job name."""
    other: dict[Any, Any] = {bool: True, int: 7, str: "word"}
    for setting in settings(TrainingConfig):
        if setting.option.shapes_checkpoint:
            value: Any = setting.option.switch[1] if setting.option.switch else other[setting.option.kind]
            changed = dataclasses.replace(TrainingConfig(), **{setting.name: value})
            assert shape(changed) != shape(TrainingConfig())
            assert job_name(changed, "a") != job_name(TrainingConfig(), "a")


def test_only_one_precision_shapes_the_checkpoint():
    """mixed_float16 stores the scale of the loss; the other precisions can resume each other's jobs."""
    plain, half, brain = (
        shape(TrainingConfig(precision=name)) for name in ("float32", "mixed_float16", "mixed_bfloat16")
    )
    assert plain == brain
    assert {name for name in plain if plain[name] != half[name]} == {"use_fp16"}


def test_the_placeholder_is_replaced_wherever_it_stands():
    """Every %JOB% in a path becomes the job name, and a path without it is unchanged."""
    assert with_job_name("here/%JOB%/x-%JOB%", "a-1") == "here/a-1/x-a-1"
    assert with_job_name("here", "a-1") == "here"
