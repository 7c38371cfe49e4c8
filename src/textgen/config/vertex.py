"""The settings of `textgen vertex`: where a training job runs in Google Cloud, on which machine, and what each command does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textgen.config import cloud_names
from textgen.config.cloud_names import EXAMPLE_IMAGE, SCHEME, Image, endpoint_url, job_id
from textgen.config.option import option
from textgen.config.values import Settings
from textgen.errors import UsageError
from textgen.formatting import shown

FLAGS_ONLY = ("api_endpoint", "trust_endpoint")
"""Settings that no file may contain: they decide where the user's credentials go, and the file may be a stranger's."""


@dataclass(frozen=True)
class Machine:
    """A machine of a job.

    Attributes:
        type: Compute Engine's name of the machine type.
        accelerator: Vertex AI's name of the GPU; None for a machine without one.
        count: the number of GPUs.
    """

    type: str
    accelerator: str | None = None
    count: int = 0

    @property
    def cores(self) -> int:
        """The number of processor cores. The machine type names their threads, two per core; without such a number, it is 1."""
        threads = re.search(r"-(?:custom-)?([0-9]+)(?:-|$)", self.type)
        return max(1, int(threads[1]) // 2) if threads else 1


MACHINES = {
    "cpu": Machine("n2-standard-8"),
    "t4": Machine("n1-standard-8", "NVIDIA_TESLA_T4", 1),
    "l4": Machine("g2-standard-8", "NVIDIA_L4", 1),
    "a100": Machine("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1),
    "8xa100": Machine("a2-highgpu-8g", "NVIDIA_TESLA_A100", 8),
    "h100": Machine("a3-highgpu-1g", "NVIDIA_H100_80GB", 1),
}
"""The presets by name."""


@dataclass(frozen=True)
class VertexConfig(Settings):
    """The place and the machine of a cloud job. Immutable, and valid once it exists.

    Raises:
        UsageError: for an invalid value, or two that cannot be combined.
    """

    project: str | None = option(
        None,
        group="Google Cloud",
        metavar="ID",
        help="The project's id, which the console shows next to its name.",
    )
    region: str | None = option(
        None,
        group="Google Cloud",
        metavar="REGION",
        help="Where the job runs, such as europe-west4. The bucket must be there too.",
    )
    bucket: str | None = option(
        None,
        group="Google Cloud",
        metavar="BUCKET",
        help="The bucket for texts, checkpoints and the model.",
    )
    image: str | None = option(
        None,
        group="Google Cloud",
        metavar="IMAGE",
        help=f"The container image, such as {EXAMPLE_IMAGE}. textgen vertex build makes it.",
    )
    machine: str = option(
        "l4",
        group="machine",
        choices=tuple(MACHINES),
        help="A machine with the GPU of that name, or with eight for 8xa100, or cpu for one without.",
    )
    machine_type: str | None = option(
        None,
        group="machine",
        metavar="TYPE",
        help="A machine type in place of the preset's, such as g2-standard-16.",
    )
    accelerator: str | None = option(
        None,
        group="machine",
        metavar="TYPE",
        help="A GPU in place of the preset's, such as NVIDIA_TESLA_T4. none is the GPU that --machine_type has built in.",
    )
    count: int | None = option(
        None,
        group="machine",
        kind=int,
        least=1,
        most=16,
        unit="GPUs",
        metavar="N",
        help="The number of GPUs of the machine. They share the streams of each step, so --batch_size must be a multiple of it.",
    )
    spot: bool = option(
        False,
        group="machine",
        kind=bool,
        help="Use a machine that costs much less and that Google may take back at any moment. The job then resumes on another.",
    )
    flex_start: bool = option(
        False,
        group="machine",
        kind=bool,
        help="Wait up to a day for a free GPU.",
    )
    max_hours: float = option(
        24.0,
        group="machine",
        kind=float,
        above=0,
        most=168,
        unit="hours",
        help="Hard time limit: Google ends the job then, and its last checkpoint stays. It limits what a mistake costs.",
    )
    service_account: str | None = option(
        None,
        group="Google Cloud",
        metavar="EMAIL",
        help="The service account that the job runs as. none is the project's Vertex AI Custom Code Service Agent.",
    )
    tensorboard: str | None = option(
        None,
        group="Google Cloud",
        metavar="NAME",
        help="A Vertex AI TensorBoard for the curves: projects/PROJECT/locations/REGION/tensorboards/NUMBER. It needs --service_account.",
    )
    network: str | None = option(
        None,
        group="Google Cloud",
        metavar="NAME",
        help="A network that the machine joins: projects/NUMBER/global/networks/NAME.",
    )
    labels: tuple[str, ...] = option(
        (),
        group="Google Cloud",
        repeatable=True,
        metavar="KEY=VALUE",
        help="A label of the job, for bills and searches. May be repeated.",
    )
    api_endpoint: str | None = option(
        None,
        group="Google Cloud",
        metavar="ADDRESS",
        help="The host that Vertex AI's requests go to, for Private Service Connect. none is REGION-aiplatform.googleapis.com. A flag only, never in a file.",
    )
    trust_endpoint: bool = option(
        False,
        group="Google Cloud",
        kind=bool,
        help="Send your credentials to --api_endpoint even if that is not a host of Google's. A flag only, never in a file.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_names()
        if self.api_endpoint is not None:
            endpoint_url(self.api_endpoint, trusted=self.trust_endpoint)
        if self.tensorboard is not None and self.service_account is None:
            raise UsageError(
                "--tensorboard needs --service_account, because the default account may not write to it; name one that has the "
                "roles Storage Object User and Vertex AI User"
            )
        if self.spot and self.flex_start:
            raise UsageError("--spot and --flex_start cannot be combined; leave one out")
        duplicates = {label.partition("=")[0] for label in self.labels}
        if len(duplicates) < len(self.labels):
            raise UsageError("--labels must name each key once; leave one out")

    def _check_names(self) -> None:
        if self.project is not None and not cloud_names.PROJECT.fullmatch(self.project):
            what = "a project's number" if self.project.isdecimal() else shown(self.project)
            raise UsageError(
                f"--project must be a project's id, 6 to 30 of a-z, 0-9 and '-', got {what}; "
                "`gcloud projects list` shows it beside the name"
            )
        if self.image is not None:
            Image.parse(self.image)
        rules = (
            ("region", cloud_names.REGION, "a region, such as europe-west4"),
            ("bucket", cloud_names.BUCKET, "a bucket's name"),
            ("machine_type", cloud_names.MACHINE_TYPE, "a machine type, such as g2-standard-16"),
            (
                "service_account",
                cloud_names.ACCOUNT,
                "a service account's e-mail address, which ends in gserviceaccount.com",
            ),
            ("tensorboard", cloud_names.TENSORBOARD, "projects/PROJECT/locations/REGION/tensorboards/NUMBER"),
            ("network", cloud_names.NETWORK, "projects/NUMBER/global/networks/NAME"),
        )
        for name, rule, wanted in rules:
            value = getattr(self, name)
            if value is not None and not rule.fullmatch(value.removeprefix(SCHEME) if name == "bucket" else value):
                raise UsageError(f"--{name} must be {wanted}, got {shown(value)}; correct it")
        for label in self.labels:
            if not cloud_names.LABEL.fullmatch(label):
                raise UsageError(f"--labels must be KEY=VALUE of a-z, 0-9, '_' and '-', got {shown(label)}; correct it")

    @property
    def bucket_uri(self) -> str:
        """`gs://BUCKET`."""
        return f"{SCHEME}{self.bucket_name}"

    @property
    def bucket_name(self) -> str:
        """The bucket without `gs://`."""
        return (self.bucket or "").removeprefix(SCHEME)

    @property
    def endpoint(self) -> str:
        """The URL of Vertex AI's service in the region, without a path."""
        address = self.api_endpoint or f"{self.region}-aiplatform.googleapis.com"
        return endpoint_url(address, trusted=self.trust_endpoint)

    def require(self, *names: str) -> None:
        """Checks that required settings are given.

        Raises:
            UsageError: if one is missing.
        """
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise UsageError(
                f"missing: {', '.join(f'--{name}' for name in missing)}; give them as flags, or in vertex.yaml in this folder"
            )


@dataclass(frozen=True)
class VertexFile(Settings):
    """The file with the constants of a project."""

    vertex_config: str | None = option(
        None,
        group="Google Cloud",
        metavar="FILE",
        help="A YAML file with the settings of textgen vertex, which flags override. none is vertex.yaml in this folder, if it exists.",
    )


@dataclass(frozen=True)
class SubmitCommand(Settings):
    """How a job is started."""

    wait: bool = option(
        False,
        group="this job",
        kind=bool,
        help="Wait for the end of the job and show its states. Ctrl-C ends the waiting, not the job.",
    )


@dataclass(frozen=True)
class JobCommand(Settings):
    """The job that a command is for.

    Raises:
        UsageError: for an invalid job id.
    """

    job: str = option("", group="job", positional="one", metavar="JOB", help="The id of a custom job.")

    def __post_init__(self) -> None:
        super().__post_init__()
        job_id(self.job)


@dataclass(frozen=True)
class LogsCommand(Settings):
    """How a job's log is shown."""

    follow: bool = option(
        False,
        group="output",
        kind=bool,
        help="Show new lines until the job ends.",
    )


@dataclass(frozen=True)
class FetchCommand(Settings):
    """The job to fetch, and where to put it."""

    job: str = option(
        "",
        group="job",
        positional="one",
        metavar="JOB",
        help="The id of a custom job, or the job directory: gs://BUCKET/PATH.",
    )
    output: str | None = option(
        None,
        group="files",
        metavar="DIR",
        help="Put it here. An earlier copy of the same job is brought up to date; anything else is refused. none is job/NAME, with its name in the bucket.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.job.startswith(SCHEME):
            job_id(self.job)


@dataclass(frozen=True)
class BuildCommand(Settings):
    """Whether to run what builds the image, or to print it."""

    run: bool = option(
        False,
        group="build",
        kind=bool,
        help="Run the commands instead of printing them.",
    )
