"""Asks Google whether the account of a job may use a bucket. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from textgen.cloud.rest import Services

_URL = "https://policytroubleshooter.googleapis.com/v3/iam:troubleshoot"
_ROLE = "Security Reviewer"


def service_agent(project: Mapping[str, Any]) -> str:
    """Returns the account that a job runs as without a `--service_account`: the Vertex AI Custom Code Service Agent.

    Args:
        project: as Resource Manager describes it, with its number in its name (Vertex AI's documentation, "Access
            control with IAM", "Service agents").
    """
    number = str(project.get("name", "")).removeprefix("projects/")
    return f"service-{number}@gcp-sa-aiplatform-cc.iam.gserviceaccount.com"


def access_of(services: Services, account: str, bucket: str, permissions: Iterable[str]) -> dict[str, bool | None]:
    """Whether an account has permissions for a bucket (Policy Troubleshooter's documentation, "iam.troubleshoot").

    Args:
        services: Google's services with the user's credentials.
        account: an e-mail address.
        bucket: its name.
        permissions: Google's names of them, such as `storage.objects.get`.

    Returns:
        The answer for each permission; None if the user may not see all policies that decide.

    Raises:
        AccessError: if the user may not ask.
        UnavailableError: if Policy Troubleshooter is not enabled, or cannot be reached.
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
