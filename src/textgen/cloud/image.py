"""Makes and runs the commands that build and push the container image."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from textgen.config.cloud_names import EXAMPLE_IMAGE, Image
from textgen.errors import AccessError, InputOutputError, MissingError, UnavailableError, UsageError
from textgen.formatting import shown


def build_commands(name: str, checkout: Path) -> list[list[str]]:
    """Returns the commands that build the training image from a checkout, and push it.

    Args:
        name: the image's name.
        checkout: the directory of textgen's source.

    Raises:
        UsageError: for a name that cannot be built.
        MissingError: if the directory is not such a checkout.
    """
    if Image.parse(name).digest is not None:
        raise UsageError(
            f"--image must have a tag and no digest to be built, such as {EXAMPLE_IMAGE}, got {shown(name)}"
        )
    if not ((checkout / "Dockerfile").is_file() and (checkout / "src" / "textgen").is_dir()):
        raise MissingError(
            f"cannot build from {checkout.resolve()}: textgen's Dockerfile is not there; "
            "run this in a clone of textgen's repository"
        )
    # The platform of Vertex AI's machines.
    kind = ["--platform", "linux/amd64", "--target", "train", "--build-arg", "TENSORFLOW=gpu"]
    return [["docker", "build", *kind, "--tag", name, "."], ["docker", "push", name]]


def login_hint(name: str) -> str | None:
    """Returns the command that lets docker push to the registry; None for a registry that is not Google's."""
    image = Image.parse(name)
    return shlex.join(["gcloud", "auth", "configure-docker", image.host]) if image.is_googles else None


def run_commands(commands: Sequence[Sequence[str]], checkout: Path, announce: Callable[[str], None]) -> None:
    """Runs commands one after the other. Their output is not captured.

    Args:
        commands: as `build_commands` makes them.
        checkout: the directory in which they run.
        announce: called with each command before it runs.

    Raises:
        UnavailableError: if docker is not installed.
        AccessError: if it cannot be started.
        InputOutputError: if one of them fails.
    """
    for command in commands:
        program = shutil.which(command[0])
        if program is None:
            raise UnavailableError(
                f"{command[0]} is not installed; install it, or run the printed commands on a machine that has it"
            )
        announce(shlex.join(command))
        try:
            code = subprocess.run([program, *command[1:]], cwd=checkout, check=False).returncode  # noqa: S603 - our own command
        except OSError as error:
            raise AccessError(f"cannot start {program}: {error.strerror or error}; check the installation") from error
        if code != 0:
            raise InputOutputError(
                f"`{' '.join(command[:2])}` ended with {code}; its own output above says why, and the same command reuses "
                "what was built"
            )
