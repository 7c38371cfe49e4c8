import re

import pytest

from textgen.cli import main

ABOUT = {"version", "help", "vertex_config"}
PLACE = {"project", "region", "api_endpoint", "trust_endpoint"}


@pytest.mark.parametrize(
    ("command", "used"),
    [
        *(("status", PLACE), ("list", PLACE), ("cancel", PLACE)),
        *(("logs", PLACE | {"follow"}), ("fetch", PLACE | {"output"}), ("build", {"image", "run"})),
        ("doctor", PLACE | {"bucket", "image", "service_account"}),
    ],
)
def test_a_command_lists_the_flags_that_it_uses(capsys, command, used):
    """The help page lists no other flag, and every other one is refused."""
    assert main.vertex([command, "--help"]) == 0
    assert set(re.findall(r"^ +--(\w+)", capsys.readouterr().out, re.MULTILINE)) == used | ABOUT
    for flag in ("--spot", "--max_hours=3", "--labels=a=b"):
        name = flag.partition("=")[0]
        assert main.vertex([command, "123", flag]) == 2
        refused = f"textgen vertex {command}: error: unknown argument {name}; "
        assert capsys.readouterr().err.startswith(refused)


def test_a_file_may_contain_what_a_command_does_not_use(folder, google, capsys):
    """vertex.yaml is for all commands, and its values are checked by each."""
    google.answers = {}
    with (folder / "vertex.yaml").open("a") as file:
        file.write("machine: a100\nmax_hours: 3\nlabels: [a=b]\n")
    assert main.vertex(["build"]) == 66
    assert "textgen's Dockerfile is not there" in capsys.readouterr().err
    with (folder / "vertex.yaml").open("a") as file:
        file.write("spot: maybe\n")
    assert main.vertex(["list"]) == 78
    assert "spot must be true or false, got 'maybe'" in capsys.readouterr().err
