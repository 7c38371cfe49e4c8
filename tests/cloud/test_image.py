import os
import shlex
import signal
import subprocess
import sys

import pytest

from textgen.cli.vertex.build import main
from textgen.config.image import Image

IMAGE = "europe-west4-docker.pkg.dev/my-project/textgen/textgen-train:1"
BUILD = f"docker build --platform linux/amd64 --target train --build-arg TENSORFLOW=gpu --tag {IMAGE} ."


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """The current directory, with what identifies a clone."""
    (tmp_path / "src" / "textgen").mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def docker(checkout, monkeypatch):
    """A function that puts a script called docker first on PATH, which records its arguments."""
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
def test_a_name_is_taken_apart(name, parts):
    """It has a registry, a path, a tag and a digest."""
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
    """Google's credentials may go only there."""
    assert Image.parse(f"{host}/a/b").is_googles is expected


def test_the_commands_are_printed(checkout, capsys):
    """A shell can run standard output; standard error says how docker logs in."""
    assert main([f"--image={IMAGE}"]) == 0
    written = capsys.readouterr()
    assert written.out == f"{BUILD}\ndocker push {IMAGE}\n"
    assert "gcloud auth configure-docker europe-west4-docker.pkg.dev\n" in written.err


def test_another_registry_has_its_own_login(checkout, capsys):
    """Google's registries alone accept gcloud's login."""
    assert main(["--image=registry.example/a:1"]) == 0
    assert "gcloud" not in capsys.readouterr().err


def test_run_runs_what_is_printed(docker, capfd):
    """They run one after the other in the checkout, and their output is shown as it comes."""
    calls = docker('echo "its output: $1"', 'echo "its complaint: $1" >&2')
    assert main([f"--image={IMAGE}", "--run"]) == 0
    assert calls.read_text().splitlines() == [BUILD, f"docker push {IMAGE}"]
    written = capfd.readouterr()
    assert written.out == "its output: build\nits output: push\n"
    assert "its complaint: build\n" in written.err
    assert shlex.join(shlex.split(BUILD)) in written.err


@pytest.mark.parametrize(("failing", "called"), [("build", 1), ("push", 2)])
def test_a_docker_that_fails_is_one_line(docker, capfd, failing, called):
    """The line has its exit code, and nothing runs after it."""
    calls = docker(f'[ "$1" = {failing} ] && exit 42', "exit 0")
    assert main([f"--image={IMAGE}", "--run"]) == 74
    assert len(calls.read_text().splitlines()) == called
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(f"textgen vertex build: error: `docker {failing}` ended with 42; ")


def test_a_missing_docker_is_one_line(checkout, capsys, monkeypatch):
    """The line says what to do; printing needs no docker."""
    monkeypatch.setenv("PATH", str(checkout))
    assert main([f"--image={IMAGE}", "--run"]) == 69
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(
        "textgen vertex build: error: docker is not installed; install it, or run the printed commands"
    )
    assert main([f"--image={IMAGE}"]) == 0


def test_a_docker_that_cannot_be_started_is_one_line(docker, checkout, capsys):
    """The file is not a program."""
    docker()
    (checkout / "bin" / "docker").write_bytes(b"\x7fELF")
    assert main([f"--image={IMAGE}", "--run"]) == 77
    assert "cannot start " in capsys.readouterr().err.splitlines()[-1]


def test_ctrl_c_ends_the_build_too(docker, checkout):
    """As on a terminal, both get the signal; the result is one line, and 130."""
    docker(
        "echo begun",
        "exec cat",
    )
    script = f"import sys\nfrom textgen.cli.vertex.build import main\nsys.exit(main(['--image={IMAGE}', '--run']))"
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
    """Another project's Dockerfile is not used."""
    (checkout / missing).rename(checkout / "elsewhere")
    assert main([f"--image={IMAGE}"]) == 66
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
def test_an_image_that_cannot_be_is_refused(checkout, capsys, arguments, text):
    """Nothing runs before that."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
