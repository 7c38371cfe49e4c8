"""Asks Google whether the account that a job runs as may use a bucket; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from textgen.cloud.rest import Services
from textgen.config.vertex import VertexConfig

_URL = "https://policytroubleshooter.googleapis.com/v3/iam:troubleshoot"
_ROLE = "Security Reviewer"


def job_account(config: VertexConfig, project_number: str) -> str:
    """The e-mail address of the account that a job runs as.

    Without a service account of the user's, it is the Vertex AI Custom Code Service Agent of the project (Vertex AI's
    documentation, "Access control with IAM", "Service agents").
    """
    return config.service_account or f"service-{project_number}@gcp-sa-aiplatform-cc.iam.gserviceaccount.com"


def access_of(services: Services, account: str, bucket: str, permissions: Iterable[str]) -> dict[str, bool | None]:
    """Whether an account has permissions for a bucket (Policy Troubleshooter's documentation, "iam.troubleshoot").

    Args:
        services: Google's services with the user's credentials.
        account: an e-mail address.
        bucket: its name.
        permissions: by Google's names, such as `storage.objects.get`.

    Returns:
        An answer for each permission; None where the user may not see the policies that decide.

    Raises:
        AccessError: when the user may not ask.
        UnavailableError: when Policy Troubleshooter is not enabled, or cannot be reached.
    """
    known = {"CAN_ACCESS": True, "CANNOT_ACCESS": False}
    found = {}
    for permission in permissions:
        asked = {
            "principal": account,
            "fullResourceName": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
            "permission": permission,
        }
        doing = f"cannot ask what {account} may do"
        answer = services.ask(doing, _ROLE, "POST", _URL, body={"accessTuple": asked})
        found[permission] = known.get(str(answer.get("overallAccessState")))
    return found
