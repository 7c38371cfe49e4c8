"""A job that an earlier textgen was training when it was killed; `tests/earlier/README.md` explains it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from textgen.generation import read_model
from textgen.jobs import CheckpointStore, JobState

pytestmark = pytest.mark.compiled

EARLIER = Path(__file__).parents[1] / "earlier" / "killed"
SETTINGS = {"max_steps": 36, "eval_steps": 10, "save_steps": 4}


def lines_of(path):
    """Returns the lines of metrics.jsonl without values that depend on the clock or that the earlier version did not record."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    left_out = {"seconds", "tokens_per_second", "valid_sha256", "gradient_norm", "machine"}
    return [{name: line[name] for name in line if name not in left_out} for line in lines]


def test_a_killed_job_of_an_earlier_version_ends_as_it_would_have_there(run, tmp_path):
    """Its checkpoint, between two reports, gives the same evaluations, averages, totals, rates and tensors."""
    shutil.copytree(EARLIER / "begun", tmp_path / "job")
    summary, job, said = run(**SETTINGS)
    assert "Resuming from step 28" in said
    assert " is now " not in said
    expected, found = CheckpointStore(EARLIER / "finished").read(36), CheckpointStore(job.checkpoints).read(36)
    assert found.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        np.testing.assert_allclose(found.tensors[name], tensor, atol=1e-5, err_msg=name)
    totals = [{**checkpoint.facts["progress"], "seconds": 0} for checkpoint in (expected, found)]
    assert totals[1].pop("rate_before") is None  # which the earlier version did not have
    assert totals[0].keys() == totals[1].keys()
    assert totals[0].pop("total_steps") is totals[1].pop("total_steps") is None
    assert totals[1] == pytest.approx(totals[0], rel=1e-5)
    assert found.facts["progress"]["seconds"] > 12.3  # the seconds of the first part count
    for line, other in zip(lines_of(job.metrics), lines_of(EARLIER / "finished" / "metrics.jsonl"), strict=True):
        assert line == pytest.approx(other, rel=1e-5)
    assert summary["steps"] == read_model(job.model).step == 36
    state = JobState.read(job.state)
    assert (state.status, state.steps, state.epochs, state.stale) == ("finished", 36, 0, 0)
