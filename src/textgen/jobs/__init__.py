"""The job directory that a run leaves: layout, state, checkpoints, metrics; knows nothing of Keras."""

from textgen.jobs.checkpoint import Checkpoint, CheckpointStore
from textgen.jobs.directory import JobDirectory
from textgen.jobs.metrics_log import append_metrics, as_json
from textgen.jobs.state import JobState

__all__ = ["Checkpoint", "CheckpointStore", "JobDirectory", "JobState", "append_metrics", "as_json"]
