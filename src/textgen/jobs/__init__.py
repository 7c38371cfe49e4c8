"""The job directory: layout, lock, state, checkpoints, logs and listing; does not use Keras."""

from textgen.jobs.checkpoint import NEWEST_KEPT, Checkpoint, CheckpointFacts, CheckpointStore, inspect_checkpoints
from textgen.jobs.config_file import read_config
from textgen.jobs.directory import JobDirectory, is_job_directory
from textgen.jobs.lock import is_locked, job_lock
from textgen.jobs.log_files import (
    LogFile,
    LoggedSample,
    as_json,
    best_evaluation,
    finite_number,
    on_present_text,
    read_metrics,
    read_samples,
)
from textgen.jobs.place import Events, JobPlace, job_place
from textgen.jobs.status import JobFacts, JobState, job_facts, list_jobs

__all__ = [
    "NEWEST_KEPT",
    "Checkpoint",
    "CheckpointFacts",
    "CheckpointStore",
    "Events",
    "JobDirectory",
    "JobFacts",
    "JobPlace",
    "JobState",
    "LogFile",
    "LoggedSample",
    "as_json",
    "best_evaluation",
    "finite_number",
    "inspect_checkpoints",
    "is_job_directory",
    "is_locked",
    "job_facts",
    "job_lock",
    "job_place",
    "list_jobs",
    "on_present_text",
    "read_config",
    "read_metrics",
    "read_samples",
]
