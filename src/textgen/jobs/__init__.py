"""The job directory: layout, lock, state, checkpoints, logs, listing; knows nothing of Keras."""

from textgen.jobs.checkpoint import Checkpoint, CheckpointStore
from textgen.jobs.directory import JobDirectory, is_job_directory
from textgen.jobs.inspection import CheckpointFacts, inspect_checkpoints
from textgen.jobs.json_line import as_json
from textgen.jobs.listing import JobFacts, job_facts, list_jobs
from textgen.jobs.lock import is_locked, job_lock
from textgen.jobs.log_file import LogFile
from textgen.jobs.place import Events, JobPlace, job_place
from textgen.jobs.state import JobState

__all__ = [
    "Checkpoint",
    "CheckpointFacts",
    "CheckpointStore",
    "Events",
    "JobDirectory",
    "JobFacts",
    "JobPlace",
    "JobState",
    "LogFile",
    "as_json",
    "inspect_checkpoints",
    "is_job_directory",
    "is_locked",
    "job_facts",
    "job_lock",
    "job_place",
    "list_jobs",
]
