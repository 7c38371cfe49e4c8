import pytest

from tests.commands import JOB
from textgen.cli import train

pytestmark = pytest.mark.usefixtures("no_training")


def test_a_job_of_another_shape_is_refused(copied, refusal):
    """If --job_dir contains a model of another shape, the message lists each setting that differs."""
    arguments = ["book.txt", "--job_dir", str(JOB), "--lstm_state_size=9", "--layer_norm"]
    code, line = refusal(train, arguments)
    assert code == 78
    assert (
        "contains a model of a different shape: lstm_state_size is 8 in the job and 9 in this run, layer_norm is off in the job and on in this run;"
        in line
    )
    assert refusal(train, [*arguments, "--dry_run"]) == (code, line)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", b"layrs: 2", "config.yaml has the unknown key 'layrs'"),
        ("config.yaml", b"layers: 0", "config.yaml: layers must be at least 1"),
        (
            "config.yaml",
            b"layer_norm: true\nnum_proj: 3",
            "config.yaml: layer_norm and num_proj cannot be combined",
        ),
        ("config.yaml", b"[", "config.yaml is not valid YAML"),
        ("config.yaml", b"\xff", "config.yaml: byte 0 is not UTF-8"),
        ("state.json", b"", "state.json is damaged"),
        ("state.json", b"[]", "state.json is damaged"),
        ("state.json", b'{"status": "finished", "steps": "all"}', "state.json is damaged"),
    ],
)
def test_a_damaged_job_is_refused(name, content, message, copied, refusal):
    """A job with a damaged file is refused in one line that names the file and what to do."""
    (JOB / name).write_bytes(content)
    code, line = refusal(train, copied.command)
    assert (code, message in line) == (78, True), line
    advice = "repair it, or use --fresh to start over" if name == "config.yaml" else "remove it"
    assert f"; {advice}" in line


@pytest.mark.parametrize("content", [b"{\n", b"[]\n", b"1\n", b"\xff\n", b"[" * 9999 + b"\n"])
def test_damaged_metrics_of_a_finished_job_are_refused(content, copied, capsys):
    """--json of a finished job fails if its metrics are damaged; without --json they are not needed."""
    (JOB / "metrics.jsonl").write_bytes(content)
    assert train.main([*copied.command, "--json"]) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert "metrics.jsonl" in err.splitlines()[-1]
    assert err.count("error: ") == 1
    assert train.main(copied.command) == 0
