import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from textgen.cli import train
from textgen.config import (
    CompareCommand,
    CurveCommand,
    EvalCommand,
    ExportCommand,
    InspectCommand,
    JobsCommand,
    ReportCommand,
    SampleCommand,
    SamplingConfig,
    ScoreCommand,
    ServeCommand,
    TrainCommand,
    TrainingConfig,
    settings,
)

ROOT = Path(__file__).resolve().parents[1]

ORIGINAL_FLAGS = {
    "data_dir": "here",
    "data_prefix": "jules",
    "job-dir": "job/%JOB%",
    "summary_dir": "tensorboard-data/%JOB%",
    "language_model": "word",
    "layers": "2",
    "lstm_state_size": "50",
    "embedding_size": "128",
    "num_proj": "64",
    "vocab_size": "5000",
    "layer_norm": "True",
    "use_fp16": "True",
    "unroll_steps": "30",
    "batch_size": "20",
    "epochs": "3",
    "max_steps": "1000",
    "dropout": "0.5",
    "learning_rate": "0.02",
    "lr_decay_steps": "100",
    "lr_decay_rate": "0.9",
    "clip_gradients": "5.0",
    "optimizer": "rmsprop",
}
"""The flags of the original program that textgen rebuilds, each with a value."""


def markdown_pages():
    """Yields the Markdown files of the repository, except hidden, installed and built ones."""
    left_out = {"build", "dist", "job", "tensorboard-data", "node_modules"}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = (
            name for name in folders if name == ".github" or (not name.startswith(".") and name not in left_out)
        )
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".md"))


def without_code(text):
    """Returns a page without its code, which contains no links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(page):
    """Returns the anchors of a page's headings."""
    headings = re.findall(
        r"^#+ +(.+?) *$", re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_generated_pages_are_fresh():
    """docs/cli.md and docs/configuration.md are up to date."""
    run = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], check=False, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_a_stale_page_is_found(tmp_path):
    """The check fails and shows the changed line if a page is stale. Writing the page again repairs it."""
    (tmp_path / "generate.py").write_text((ROOT / "docs" / "generate.py").read_text())
    command = [sys.executable, str(tmp_path / "generate.py")]
    subprocess.run(command, check=True)
    page = tmp_path / "cli.md"
    page.write_text(page.read_text().replace("usage: textgen-train", "usage: textgen-strain"))
    run = subprocess.run([*command, "--check"], check=False, capture_output=True, text=True)
    assert run.returncode == 1
    assert "-usage: textgen-strain" in run.stdout
    subprocess.run(command, check=True)
    subprocess.run([*command, "--check"], check=True)


def test_every_setting_is_in_both_pages():
    """Every setting is in the help pages and in the tables."""
    help_pages = (ROOT / "docs" / "cli.md").read_text()
    tables = (ROOT / "docs" / "configuration.md").read_text()
    commands = (
        TrainCommand,
        SampleCommand,
        ScoreCommand,
        ServeCommand,
        ExportCommand,
        JobsCommand,
        EvalCommand,
        CompareCommand,
        CurveCommand,
        ReportCommand,
        InspectCommand,
    )
    for config in (TrainingConfig, SamplingConfig, *commands):
        for setting in settings(config):
            assert f"| `{setting.name}` |" in tables
            shown = setting.flag if setting.option.positional is None else setting.label
            assert re.search(rf"\n  {re.escape(shown)}\s", help_pages)


@pytest.mark.parametrize("name", ORIGINAL_FLAGS)
def test_every_flag_of_the_original_exists_under_its_name(name):
    """The original's flags work, with dashes or underscores, and with = or a space before the value."""
    value, setting = ORIGINAL_FLAGS[name], name.replace("-", "_")
    parse = train.make_parser().parse
    found = parse([f"--{name}={value}"])
    today = {"use_fp16": ("precision", "mixed_float16")}
    assert [(known, str(its_value)) for known, its_value in found.items()] == [today.get(setting, (setting, value))]
    assert parse([f"--{setting.replace('_', '-')}={value}"]) == found
    if value != "True":
        assert parse([f"--{name}", value]) == found


def test_relative_links_resolve():
    """Every relative link in a Markdown file leads to an existing file and heading."""
    lost, found = [], 0
    for page in markdown_pages():
        text = page.read_text()
        for target in re.findall(r"\]\(<?([^)\s>]+)>?(?: +\"[^\"]*\")?\)", without_code(text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            place = page.parent / path if path else page
            found += 1
            if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place.read_text())):
                lost.append(f"{page.relative_to(ROOT)}: {target}")
    assert lost == []
    assert found
