"""Declares each setting once, as a dataclass field from which flags, YAML, the job name and docs are made."""

from textgen.config.cloud_environment import CloudEnvironment, EndpointEnvironment
from textgen.config.cluster import Cluster
from textgen.config.commands import (
    ExportCommand,
    InspectCommand,
    JobsCommand,
    SampleCommand,
    ServeCommand,
    TrainCommand,
)
from textgen.config.job_name import PLACEHOLDER, job_name, shape, with_job_name
from textgen.config.measuring import CompareCommand, CurveCommand, EvalCommand, ReportCommand, ScoreCommand
from textgen.config.option import Setting, option, settings
from textgen.config.sampling import OutOfVocabulary, SamplingConfig
from textgen.config.training import DEFAULT_MINUTES, TrainingConfig

__all__ = [
    "DEFAULT_MINUTES",
    "PLACEHOLDER",
    "CloudEnvironment",
    "Cluster",
    "CompareCommand",
    "CurveCommand",
    "EndpointEnvironment",
    "EvalCommand",
    "ExportCommand",
    "InspectCommand",
    "JobsCommand",
    "OutOfVocabulary",
    "ReportCommand",
    "SampleCommand",
    "SamplingConfig",
    "ScoreCommand",
    "ServeCommand",
    "Setting",
    "TrainCommand",
    "TrainingConfig",
    "job_name",
    "option",
    "settings",
    "shape",
    "with_job_name",
]
