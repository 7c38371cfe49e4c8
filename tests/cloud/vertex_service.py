"""Stands in for Vertex AI's job service. Jobs are parsed into the messages of Google's library, which refuse unknown fields."""

import itertools
import json
import re
import signal
import threading
from datetime import UTC, datetime

from google.cloud.aiplatform_v1 import CustomJob, JobState, Scheduling
from google.protobuf import json_format

from tests.cloud.google_stand_in import refusal

ENDS = {
    JobState.JOB_STATE_SUCCEEDED,
    JobState.JOB_STATE_FAILED,
    JobState.JOB_STATE_CANCELLED,
    JobState.JOB_STATE_EXPIRED,
}

TRANSIENT = {134, 139, -signal.SIGABRT, -signal.SIGSEGV}
"""The exit codes after which a job is restarted, unless its machine was taken away: those of SIGABRT and SIGSEGV."""

MOST_RETRIES = 3
MOST_PREEMPTIONS = 6
"""For a job on spot machines."""


def starts_again(codes, scheduling):
    """Returns whether a job is restarted, by Google's "Understand the Vertex AI training service" and "Use Spot VMs".

    Args:
        codes: the exit codes of its processes so far, the last of which is not 0. A process whose machine was taken away
            has the code of SIGKILL.
        scheduling: the scheduling of the job.
    """
    retries = sum(code in TRANSIENT for code in codes)
    preemptions = codes.count(-signal.SIGKILL)
    if codes[-1] == -signal.SIGKILL:
        is_spot = scheduling.strategy == Scheduling.Strategy.SPOT
        return preemptions <= (MOST_PREEMPTIONS if is_spot else MOST_RETRIES)
    return codes[-1] in TRANSIENT and retries <= MOST_RETRIES


class VertexService:
    """The jobs of a region.

    Attributes:
        runner: a function that is called in a thread with each new job, and returns its final state and error; None for
            jobs that stay pending.
        refusals: answers to give instead of the next ones.
        created: the bodies of the requests for new jobs.
    """

    def __init__(self, runner=None):
        self.runner = runner
        self.refusals = []
        self.created = []
        self.jobs = {}
        self.numbers = itertools.count(7_000_000_001)
        self.threads = []

    def answer(self, request):
        if self.refusals:
            return self.refusals.pop(0)
        jobs = re.fullmatch(r"/v1/(projects/[^/]+/locations/[^/]+)/customJobs", request.path)
        if jobs and request.method == "POST":
            return self.create(jobs[1], request)
        if jobs:
            found = [as_json(job) for name, job in self.jobs.items() if name.startswith(f"{jobs[1]}/")]
            return 200, {"customJobs": found}
        one = re.fullmatch(r"/v1/(projects/[^/]+/locations/[^/]+/customJobs/\d+)(:cancel)?", request.path)
        if one is None or one[1] not in self.jobs:
            return refusal(404, f"The CustomJob does not exist: {request.path}")
        if one[2]:
            self.end(one[1], JobState.JOB_STATE_CANCELLED)
            return 200, {}
        return 200, as_json(self.jobs[one[1]])

    def create(self, parent, request):
        try:
            job = CustomJob.from_json(request.body.decode(), ignore_unknown_fields=False)
        except json_format.ParseError as error:
            return refusal(400, str(error))
        self.created.append(as_json(job, names=True))
        job.name = f"{parent}/customJobs/{next(self.numbers)}"
        job.state, job.create_time = JobState.JOB_STATE_PENDING, datetime.now(UTC)
        self.jobs[job.name] = job
        if self.runner is not None:
            thread = threading.Thread(target=self.run, args=(job.name,))
            self.threads.append(thread)
            thread.start()
        return 200, as_json(job)

    def run(self, name):
        job = self.jobs[name]
        job.state, job.start_time = JobState.JOB_STATE_RUNNING, datetime.now(UTC)
        state, error = JobState.JOB_STATE_FAILED, "the stand-in has failed"
        try:
            state, error = self.runner(job)
        finally:
            self.end(name, state, error)

    def end(self, name, state, error=""):
        job = self.jobs[name]
        if job.state in ENDS:
            return
        job.state, job.end_time = state, datetime.now(UTC)
        if error:
            job.error = {"code": 3, "message": error}


def as_json(job, *, names=False):
    """Returns a job as the service sends it; with `names`, with names of enumeration values and without empty fields."""
    return json_format.MessageToDict(CustomJob.pb(job)) if names else json.loads(CustomJob.to_json(job))
