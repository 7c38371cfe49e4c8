"""Makes the best model of a training job the base model, data/base.safetensors, if it is better than the current one.

    python data/base/publish.py JOB

Both are evaluated on the validation text of the job. The base model is stored in float16, which must cost very little.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from textgen.errors import TextgenError, UsageError
from textgen.evaluation import Scores
from textgen.evaluation.prediction import mean_loss
from textgen.generation import ModelFile, read_model, write_model
from textgen.jobs import JobDirectory
from textgen.runs.existing_job import read_config
from textgen.storage import read_text

BASE = Path(__file__).parents[1] / "base.safetensors"

LARGEST = 6_000_000
"""The maximum size of the base model, in bytes."""
_LEAST_GAIN = 0.01
_MOST_LOST = 0.002
"""Both in nats per character."""
_STREAMS = 128


def publish(job: Path, base: Path) -> None:
    """Replaces the base model by the best model of a job.

    Args:
        job: the directory of the job.
        base: the base model's file, which may be missing.

    Raises:
        TextgenError: if the model is too large or not better, if float16 costs it too much, or if a file cannot be read or written.
    """
    model = read_model(job)
    size = sum(2 * tensor.size for tensor in model.tensors.values())
    if size > LARGEST:
        raise UsageError(f"the base model must have at most {LARGEST:,} bytes, got {size:,}; train a smaller one")
    place = Path(read_config(JobDirectory(job).config, "name another job").data_dir or "")
    text = read_text(place / "base.valid.txt")
    half = replace(
        model, tensors={name: tensor.astype(np.float16).astype(np.float32) for name, tensor in model.tensors.items()}
    )
    loss, half_loss = _evaluate(model, text), _evaluate(half, text)
    print(f"{job}: {loss:.4f} nats per character, {half_loss:.4f} in float16")
    if not half_loss - loss < _MOST_LOST:  # nor NaN, of an empty text
        raise UsageError(
            f"float16 must cost less than {_MOST_LOST} nats, got {half_loss - loss:.4f}; train the model longer"
        )
    if base.exists():
        before = _evaluate(read_model(base), text)
        print(f"{base}: {before:.4f} in float16")
        if not before - half_loss >= _LEAST_GAIN:
            raise UsageError(
                f"the model must be better by {_LEAST_GAIN} nats, got {before - half_loss:.4f}; nothing is published"
            )
    scores = Scores(half_loss, 1)
    named = {
        "valid_loss": scores.loss,
        "valid_perplexity": scores.perplexity,
        "valid_bits_per_character": scores.bits_per_character,
    }
    # The recipe writes one line per paragraph, so training had nothing to unwrap. Prompts must be unwrapped all the same.
    # It may have started from an earlier base model, which no longer exists.
    write_model(base, replace(model, scores=named, unwrapped=True, started_from=None), weights="F16")
    print(f"{base}: written, {base.stat().st_size:,} bytes")


def _evaluate(model: ModelFile, text: str) -> float:
    """Returns the mean nats per character of a text, which is read in parallel streams that start from zero states."""
    ids = np.array(model.vocabulary.encode(text))
    return mean_loss(model, ids[: len(ids) // _STREAMS * _STREAMS].reshape(_STREAMS, -1))


def main() -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(description="Make the best model of a job the base model, if it is better.")
    parser.add_argument("job", type=Path, metavar="JOB", help="the directory of the job")
    try:
        publish(parser.parse_args().job, BASE)
    except TextgenError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
