import contextlib
import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textgen import config
from textgen.cli import main, sample, score, train

pytestmark = pytest.mark.usefixtures("good_text", "no_training")


@pytest.fixture(autouse=True)
def job_without_a_model(good_text):
    """A job that cannot write yet; without any job, textgen-sample would write as much as it is asked to."""
    Path("job/new").mkdir(parents=True)
    Path("job/new/config.yaml").touch()


SCORE_FLAGS = [setting.flag for setting in config.settings(config.ScoreCommand) if setting.option.positional is None]


def outcome(command, arguments):
    """Returns the exit code of a command and its output on both streams; unlike `capsys`, also within one example."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = command(arguments)
    return code, out.getvalue(), err.getvalue()


FLAGS = [
    setting.flag
    for each in (config.TrainingConfig, config.TrainCommand, config.SampleCommand, config.SamplingConfig)
    for setting in config.settings(each)
    if setting.option.positional is None
]
# Without the characters of paths and patterns, which could make a command read the whole disk.
VALUES = st.text(st.characters(exclude_characters="/.~*?[")) | st.sampled_from(
    [
        "",
        "-",
        "--",
        "---",
        "=",
        "none",
        "1",
        "0",
        "-1",
        "1e999",
        "nan",
        "9" * 500,
        "true",
        "demo",
        "utf-16",
        "gs://",
        "\ud800",
    ]
)
ARGUMENTS = st.lists(
    st.builds("{}={}".format, st.sampled_from(FLAGS), VALUES) | st.sampled_from(FLAGS) | VALUES, max_size=6
)
per_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@per_test
@given(ARGUMENTS)
@pytest.mark.parametrize("command", [train.main, sample.main, main.main])
def test_nothing_that_can_be_typed_gives_a_traceback(command, arguments):
    """Any arguments end with a known exit code; a refusal is one line on standard error, with no standard output."""
    code, out, err = outcome(command, [*arguments, "--dry_run"])
    if code:
        assert (code in {2, 65, 66, 74, 78}, out, err.count("\n")) == (True, "", 1), err
        assert re.match(r"textgen(-train|-sample)?: error: ", err)


@per_test
@given(
    st.lists(
        st.builds("{}={}".format, st.sampled_from(SCORE_FLAGS), VALUES)
        | st.sampled_from([*SCORE_FLAGS, "good.txt", "new", "two words"])
        | VALUES,
        max_size=6,
    )
)
def test_nothing_that_can_be_typed_to_score_gives_a_traceback(arguments):
    """Any arguments end with a known exit code; a refusal is one line on standard error, with no standard output."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"A text.\n"), encoding="utf-8"))
        code, out, err = outcome(score.main, arguments)
    if code:
        assert (code in {2, 65, 66, 74, 77, 78}, out) == (True, ""), err
        assert re.match(r"(Using the newest job.*\n)?textgen score: error: [^\n]*\n$", err)


@per_test
@given(st.text() | st.builds("{}: {}".format, st.sampled_from([flag[2:] for flag in FLAGS]), st.text()))
def test_nothing_in_a_config_file_gives_a_traceback(content):
    """Any content of a config file is either used or refused in one line."""
    Path("any.yaml").write_bytes(content.encode(errors="replace"))
    code, out, err = outcome(train.main, ["good.txt", "--config", "any.yaml", "--dry_run"])
    if code:
        assert (code in {2, 65, 66, 74, 78}, out, err.count("\n")) == (True, "", 1), err


@per_test
@given(
    st.binary(),
    st.sampled_from(["utf-8", "latin-1", "auto", "utf-16", "utf-16-le", "utf-32", "utf-7", "shift-jis", "idna"]),
)
@pytest.mark.parametrize("model", ["char", "word"])
def test_nothing_in_a_text_gives_a_traceback(model, content, encoding):
    """Any bytes in a text file, read in any encoding, are either used or refused in one line."""
    Path("any.txt").write_bytes(content)
    arguments = ["any.txt", "--encoding", encoding, "--language_model", model, "--batch_size=1", "--unroll_steps=1"]
    code, out, err = outcome(train.main, [*arguments, "--dry_run"])
    if code:
        assert (code, out, err.count("\n")) == (65, "", 1), err
