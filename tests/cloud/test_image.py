import os
import shlex
import signal
import subprocess
import sys

import pytest

from textgen.cli.vertex.prepare import build_image
from textgen.config.cloud_names import Image

IMAGE = "europe-west4-docker.pkg.dev/my-project/textgen/textgen-train:1"
BUILD = f"docker build --platform linux/amd64 --target train --build-arg TENSORFLOW=gpu --tag {IMAGE} ."


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """The current directory, with the files by which a clone of textgen is recognised."""
    (tmp_path / "src" / "textgen").mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def docker(checkout, monkeypatch):
    """A function that puts a script named docker first on PATH and returns the file in which the script records its calls."""
    (checkout / "bin").mkdir()
    program = checkout / "bin" / "docker"
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    def install(*lines):
        program.write_text("\n".join(["#!/bin/sh", 'echo docker "$@" >> calls', *lines]) + "\n")
        program.chmod(0o755)
        return checkout / "calls"

    return install


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (IMAGE, ("europe-west4-docker.pkg.dev", "my-project/textgen/textgen-train", "1", None)),
        ("gcr.io/p/a", ("gcr.io", "p/a", None, None)),
        (f"gcr.io/p/a:t@sha256:{'0' * 64}", ("gcr.io", "p/a", "t", f"sha256:{'0' * 64}")),
        ("registry.example:5000/a/b_c:V-1.2", ("registry.example:5000", "a/b_c", "V-1.2", None)),
    ],
)
def test_a_name_is_parsed(name, parts):
    """An image's name is split into registry, path, tag and digest."""
    image = Image.parse(name)
    assert (image.host, image.path, image.tag, image.digest) == parts
    assert image.manifest_url == f"https://{parts[0]}/v2/{parts[1]}/manifests/{parts[3] or parts[2] or 'latest'}"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("europe-west4-docker.pkg.dev", True),
        ("gcr.io", True),
        ("eu.gcr.io", True),
        ("docker.pkg.dev", False),
        ("evil.gcr.io.example", False),
        ("a.b-docker.pkg.dev", False),
        ("gcr.io:8080", False),
    ],
)
def test_googles_registries_are_known(host, expected):
    """Only Google's registries, which may get the user's credentials, are recognised as such."""
    assert Image.parse(f"{host}/a/b").is_googles is expected


def test_the_commands_are_printed(checkout, capsys):
    """`build` prints the commands to standard output, and the command for docker's login to standard error."""
    assert build_image([f"--image={IMAGE}"]) == 0
    written = capsys.readouterr()
    assert written.out == f"{BUILD}\ndocker push {IMAGE}\n"
    assert "gcloud auth configure-docker europe-west4-docker.pkg.dev\n" in written.err


def test_another_registry_has_its_own_login(checkout, capsys):
    """For a registry that is not Google's, gcloud's login is not mentioned."""
    assert build_image(["--image=registry.example/a:1"]) == 0
    assert "gcloud" not in capsys.readouterr().err


def test_run_runs_the_printed_commands(docker, capfd):
    """`build --run` runs the commands one after the other and shows their output."""
    calls = docker('echo "its output: $1"', 'echo "its complaint: $1" >&2')
    assert build_image([f"--image={IMAGE}", "--run"]) == 0
    assert calls.read_text().splitlines() == [BUILD, f"docker push {IMAGE}"]
    written = capfd.readouterr()
    assert written.out == "its output: build\nits output: push\n"
    assert "its complaint: build\n" in written.err
    assert shlex.join(shlex.split(BUILD)) in written.err


@pytest.mark.parametrize(("failing", "called"), [("build", 1), ("push", 2)])
def test_a_docker_that_fails_is_one_line(docker, capfd, failing, called):
    """If a command fails, the line has its exit code, and the next command is not run."""
    calls = docker(f'[ "$1" = {failing} ] && exit 42', "exit 0")
    assert build_image([f"--image={IMAGE}", "--run"]) == 74
    assert len(calls.read_text().splitlines()) == called
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(f"textgen vertex build: error: `docker {failing}` ended with 42; ")


def test_a_missing_docker_is_one_line(checkout, capsys, monkeypatch):
    """Without docker, --run is refused in one line; printing the commands works."""
    monkeypatch.setenv("PATH", str(checkout))
    assert build_image([f"--image={IMAGE}", "--run"]) == 69
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(
        "textgen vertex build: error: docker is not installed; install it, or run the printed commands"
    )
    assert build_image([f"--image={IMAGE}"]) == 0


def test_a_docker_that_cannot_be_started_is_one_line(docker, checkout, capsys):
    """A docker that cannot be executed is reported in one line."""
    docker()
    (checkout / "bin" / "docker").write_bytes(b"\x7fELF")
    assert build_image([f"--image={IMAGE}", "--run"]) == 77
    assert "cannot start " in capsys.readouterr().err.splitlines()[-1]


def test_ctrl_c_ends_the_build_too(docker, checkout):
    """Ctrl-C, which reaches docker too, ends the command with 130 and one line."""
    docker(
        "echo begun",
        "exec cat",
    )
    script = f"import sys\nfrom textgen.cli.vertex.prepare import build_image\nsys.exit(build_image(['--image={IMAGE}', '--run']))"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-1] == "textgen vertex build: stopped by Ctrl-C"
    assert "Traceback" not in error


@pytest.mark.parametrize("missing", ["Dockerfile", "src"])
def test_outside_of_a_checkout_is_one_line(checkout, capsys, missing):
    """In a directory that is no clone of textgen, `build` is refused in one line."""
    (checkout / missing).rename(checkout / "elsewhere")
    assert build_image([f"--image={IMAGE}"]) == 66
    error = capsys.readouterr().err
    assert error.startswith(f"textgen vertex build: error: cannot build from {checkout}: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "missing: --image; give them as flags, or in vertex.yaml"),
        (["--image=train"], "--image must be REGISTRY/PATH:TAG, such as "),
        (["--image=gcr.io/a//b:c:d"], "--image must be REGISTRY/PATH:TAG, such as "),
        (["--image=gcr.io/a/../../b"], "--image must be REGISTRY/PATH:TAG, such as "),
        ([f"--image={IMAGE}@sha256:{'0' * 64}"], "--image must have a tag and no digest to be built"),
        (["--image=gcr.io/a; rm -rf /"], "--image must be REGISTRY/PATH:TAG, such as "),
    ],
)
def test_an_invalid_image_is_refused(checkout, capsys, arguments, text):
    """A missing or invalid image name is refused in one line."""
    assert build_image(arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
