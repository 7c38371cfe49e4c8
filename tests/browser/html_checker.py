"""The check of a page by the Nu HTML checker, which `make html-checker` installs."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_JAR = Path(__file__).parents[2] / ".venv/html-checker/node_modules/vnu-jar/build/dist/vnu.jar"
_MISSING = (
    "this test needs the Nu HTML checker; install Java and npm, on Debian with: apt-get install default-jre-headless npm; "
    "then run make html-checker"
)
_HANG_SECONDS = 120


def check_html(document, *, is_rendered=False):
    """Checks that the Nu HTML checker has nothing to say about a document, with its styles and its policy.

    Args:
        document: the HTML.
        is_rendered: whether this is the document after its scripts have run, which may set styles as the policy forbids the document itself.
    """
    command = [_java(), "-jar", str(_JAR), "--format", "json", "--stdout", "--exit-zero-always", "-"]
    run = subprocess.run(
        command, input=document, capture_output=True, encoding="utf-8", check=True, timeout=_HANG_SECONDS
    )
    found = [
        (message["message"], message.get("extract"))
        for message in json.loads(run.stdout)["messages"]
        if not _is_untrue(message, is_rendered=is_rendered)
    ]
    assert not found, found


def _java():
    """Returns Java, or skips the test where the checker is not installed, which it always is in continuous integration."""
    java = shutil.which("java")
    if java is not None and _JAR.exists():
        return java
    if "CI" in os.environ:
        pytest.fail(_MISSING, pytrace=False)
    pytest.skip(_MISSING)


def _is_untrue(message, *, is_rendered):
    """Whether the checker takes a policy to forbid what it allows."""
    start = message.get("hiliteStart", 0)
    element = message.get("extract", "")[start:]
    if message["message"].startswith("Inline script violates Content Security Policy"):
        return element.startswith('<script type="text/plain"')  # data, which browsers do not run
    return is_rendered and message["message"].startswith("The “style” attribute violates Content Security Policy")
