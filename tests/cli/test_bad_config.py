from pathlib import Path

import pytest

from textgen.cli import train

pytestmark = pytest.mark.usefixtures("good_text", "no_training")


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ("layrs: 2", 78, "bad.yaml has the unknown key 'layrs'; did you mean layers?"),
        ("layers: two", 78, "bad.yaml: layers must be a whole number, got 'two'"),
        ("layers: 0", 78, "bad.yaml: layers must be at least 1"),
        ("layers: [2]", 78, "bad.yaml: layers must be a whole number, got [2]"),
        ("layers: 0x" + 6000 * "f", 78, "bad.yaml: layers must be at least 1"),
        ("layer_norm: 0x" + 6000 * "f", 78, "layer_norm must be true or false"),
        ("? 0x" + 6000 * "f" + "\n: 1", 78, "unknown key"),
        ("dropout: .nan", 78, "bad.yaml: dropout must be"),
        ("dropout: 2020-13-45", 78, "is not valid YAML"),
        ("job_dir: ''", 78, "bad.yaml: job_dir must not be empty"),
        ('job_dir: "a\\0b"', 78, "got NUL"),
        ('job_dir: "\\ud800"', 78, "lone surrogate"),
        ("texts: ['']", 78, "TEXT must not be empty"),
        ("texts: {a: 1}", 78, "must be a list of paths"),
        ("layer_norm: true\nnum_proj: 3", 2, "cannot be combined"),
        ("just words", 78, "must contain lines such as 'layers: 2', got 'just words'"),
        ("- layers", 78, "must contain lines such as"),
        ("layers: [", 78, "is not valid YAML in line 1, column 10: while parsing a flow node, expected"),
        (
            "layers: 2\n  dropout: 0.5",
            78,
            "is not valid YAML in line 2, column 10: mapping values are not allowed here",
        ),
        (
            "dry_run: true",
            78,
            "unknown key 'dry_run'; correct its name, or remove it, because some flags cannot be set",
        ),
        ("LAYERS: 2", 78, "did you mean layers?"),
        ("layers: 1\n---\nlayers: 2", 78, "is not valid YAML"),
        ("? [a]\n: b", 78, "is not valid YAML"),
        ("layers: !!int ''", 78, "is not valid YAML"),
        ("layers: !!timestamp x", 78, "is not valid YAML"),
        ("layers: !!python/object/apply:os.getcwd []", 78, "is not valid YAML"),
        ("a: " + 9999 * "[", 78, "is not valid YAML"),
        ("\tlayers: 2", 78, "is not valid YAML"),
        (
            "layers: \x07",
            78,
            "is not valid YAML: unacceptable character #x0007: special characters are not allowed at position 8",
        ),
        ("true: 1", 78, "unknown key True"),
    ],
)
def test_a_config_file_that_cannot_be_used_is_refused(content, code, message, refusal):
    """The message names the file, the key and the rule; two settings that cannot be combined are a usage error."""
    Path("bad.yaml").write_text(content)
    found, line = refusal(train, ["good.txt", "--config", "bad.yaml"])
    assert (found, message in line) == (code, True), line


def test_a_config_file_of_many_aliases_stays_small(refusal):
    """YAML aliases that would expand to gigabytes are refused without expanding them."""
    levels = [
        f"&{name} [{', '.join(9 * [f'*{before}'])}]" for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
    ]
    Path("bad.yaml").write_text(f"layers: [&a [x, x, x], {', '.join(levels)}]")
    code, line = refusal(train, ["good.txt", "--config", "bad.yaml"])
    assert code == 78
    assert len(line) < 200


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("dmeo", 66, "--config dmeo is neither a file nor a preset; did you mean demo?"),
        ("absent.yaml", 66, "the presets are demo"),
        ("gs://x.yaml", 2, "a place in a bucket must be gs://BUCKET/PATH, the path in"),
        ("../configs/demo", 66, "neither a file nor a preset"),
        (".", 2, "--config must be a preset or a YAML file, got ., which is neither"),
        ("/dev/zero", 2, "got /dev/zero, which is neither"),
        ("x" * 300, 74, "File name too long"),
        ("bytes.yaml", 78, "byte 8 is not UTF-8"),
    ],
)
def test_a_config_that_is_no_file_is_refused(name, code, message, refusal):
    """--config refuses a folder, a device, and a name that is neither a file nor a preset."""
    Path("bytes.yaml").write_bytes(b"layers: \xff")
    found, line = refusal(train, ["good.txt", "--config", name])
    assert (found, message in line) == (code, True), line
