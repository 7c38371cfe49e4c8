"""Where and how a training job runs in Google Cloud: settings that `textgen vertex` and `vertex.yaml` share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.validation import check_settings, shown
from textgen.errors import UsageError

MACHINES = ("cpu", "t4", "l4", "a100", "h100", "8xa100")
"""The presets; `textgen.cloud.machines` says what each is."""

_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
"""A project's id (Resource Manager's documentation, "Project identifiers"), in a domain where the company is an old customer."""

_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}")
_IMAGE = re.compile(r"[a-z0-9.-]+\.[a-z]+(?::[0-9]+)?/[a-z0-9._/:-]+(?:[:@][A-Za-z0-9._:-]+)?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}")
_TENSORBOARD = re.compile(r"projects/[^/\s]+/locations/[^/\s]+/tensorboards/[0-9]+")
_NETWORK = re.compile(r"projects/[0-9]+/global/networks/[^/\s]+")


@dataclass(frozen=True)
class VertexConfig:
    """The place and the machine of a cloud job. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value that cannot be, or two that exclude each other.
    """

    project: str | None = option(
        None,
        group="Google Cloud",
        metavar="ID",
        help="The project's id, as the console shows it beside the name.",
    )
    region: str | None = option(
        None,
        group="Google Cloud",
        metavar="REGION",
        help="Where the job runs, such as europe-west4. The bucket must lie there too.",
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
        help="The container image, such as europe-west4-docker.pkg.dev/PROJECT/REPOSITORY/textgen:1; textgen vertex build makes it.",
    )
    machine: str = option(
        "l4",
        group="machine",
        choices=MACHINES,
        help="A machine with the GPU of that name, or cpu for one without.",
    )
    machine_type: str | None = option(
        None,
        group="machine",
        metavar="TYPE",
        help="Another machine than the preset's, such as n1-standard-4.",
    )
    accelerator: str | None = option(
        None,
        group="machine",
        metavar="TYPE",
        help="Another GPU than the preset's, such as NVIDIA_TESLA_T4; without a choice --machine_type comes with what is built into it.",
    )
    count: int | None = option(
        None,
        group="machine",
        kind=int,
        least=1,
        most=16,
        unit="GPUs",
        metavar="N",
        help="How many GPUs the machine has. Training uses one of them.",
    )
    spot: bool = option(
        False,
        group="machine",
        kind=bool,
        help="Takes a machine that Google may take back at any moment, for much less money. The job goes on where it was.",
    )
    flex_start: bool = option(
        False,
        group="machine",
        kind=bool,
        help="Waits for as long as a day until the GPU is free.",
    )
    max_hours: float = option(
        24.0,
        group="machine",
        kind=float,
        above=0,
        most=168,
        unit="hours",
        help="When Google ends the job in any case, with what is saved. It is to keep a mistake from costing a fortune.",
    )
    service_account: str | None = option(
        None,
        group="Google Cloud",
        metavar="EMAIL",
        help="As whom the job runs; none is Vertex AI's own account of the project.",
    )
    tensorboard: str | None = option(
        None,
        group="Google Cloud",
        metavar="NAME",
        help="A TensorBoard of Vertex AI that shows the curves, as projects/PROJECT/locations/REGION/tensorboards/NUMBER. It needs --service_account.",
    )
    network: str | None = option(
        None,
        group="Google Cloud",
        metavar="NAME",
        help="A network of yours that the machine joins, as projects/NUMBER/global/networks/NAME.",
    )
    labels: tuple[str, ...] = option(
        (),
        group="Google Cloud",
        repeatable=True,
        metavar="KEY=VALUE",
        help="A label of the job, for bills and searches; may come several times.",
    )
    api_endpoint: str | None = option(
        None,
        group="Google Cloud",
        metavar="ADDRESS",
        help="Another address of Vertex AI, as behind Private Service Connect; none is REGION-aiplatform.googleapis.com.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        self._check_names()
        if self.tensorboard is not None and self.service_account is None:
            raise UsageError(
                "--tensorboard needs --service_account: the job writes to it under a name of its own; give one that has the "
                "roles Storage Object User and Vertex AI User"
            )
        if self.spot and self.flex_start:
            raise UsageError("--spot and --flex_start exclude each other: leave one out")
        duplicates = {label.partition("=")[0] for label in self.labels}
        if len(duplicates) < len(self.labels):
            raise UsageError("--labels must have each key once; leave one out")

    def _check_names(self) -> None:
        if self.project is not None and not _PROJECT.fullmatch(self.project):
            what = "a project's number" if self.project.isdecimal() else shown(self.project)
            raise UsageError(
                f"--project must be a project's id, 6 to 30 of a-z, 0-9 and '-', got {what}; "
                "`gcloud projects list` shows it beside the name"
            )
        if self.image is not None and not _IMAGE.fullmatch(self.image):
            raise UsageError(
                "--image must begin with its registry, such as europe-west4-docker.pkg.dev/PROJECT/REPOSITORY/textgen:1, "
                f"got {shown(self.image)}; textgen vertex build shows how to make one"
            )
        rules = (
            ("region", _REGION, "a region, such as europe-west4"),
            ("bucket", _BUCKET, "a bucket's name"),
            ("service_account", _ACCOUNT, "a service account's e-mail address"),
            ("tensorboard", _TENSORBOARD, "projects/PROJECT/locations/REGION/tensorboards/NUMBER"),
            ("network", _NETWORK, "projects/NUMBER/global/networks/NAME"),
        )
        for name, rule, wanted in rules:
            value = getattr(self, name)
            if value is not None and not rule.fullmatch(value.removeprefix("gs://") if name == "bucket" else value):
                raise UsageError(f"--{name} must be {wanted}, got {shown(value)}; correct it")
        for label in self.labels:
            if not _LABEL.fullmatch(label):
                raise UsageError(f"--labels must be KEY=VALUE of a-z, 0-9, '_' and '-', got {shown(label)}; correct it")

    @property
    def bucket_uri(self) -> str:
        """`gs://BUCKET`, however it was given."""
        return f"gs://{(self.bucket or '').removeprefix('gs://')}"

    def require(self, *names: str) -> None:
        """Checks that settings are there which a command cannot do without.

        Raises:
            UsageError: when one is not.
        """
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise UsageError(
                f"not named: {', '.join(f'--{name}' for name in missing)}; give them, or write them into vertex.yaml in this folder"
            )
