import json
import math
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.commands import JOB, TEXT
from textgen.cli import eval as evaluate
from textgen.generation import read_model
from textgen.jobs import JobDirectory, job_lock

BASELINES = {"uniform", "unigram", "kneser_ney", "gzip", "xz", "zstd", "ppmd"}


@pytest.fixture
def ran(capfd):
    """A function that runs the command, which must succeed, and returns both streams."""

    def run(*arguments):
        capfd.readouterr()
        assert evaluate.main(list(arguments)) == 0
        return capfd.readouterr()

    return run


@pytest.fixture
def found(ran):
    """A function that returns the object of `--json`, which is one line."""

    def run(*arguments):
        out = ran(*arguments, "--json").out
        assert out.count("\n") == 1
        return json.loads(out)

    return run


def test_the_score_of_the_job_is_found_again(copied, found):
    """Without TEXT, the validation text is evaluated, and the loss is that of training to 0.001."""
    scores = read_model(JOB / "model.safetensors").scores
    result = found(str(JOB))
    assert result["loss"] == pytest.approx(scores["valid_loss"], abs=1e-3)
    assert result["perplexity"] == pytest.approx(scores["valid_perplexity"], rel=1e-3)
    assert result["bits_per_character"] == pytest.approx(scores["valid_bits_per_character"], abs=1e-3)
    assert result["characters"] == result["tokens"] < 0.11 * len(TEXT)
    assert result["text"] == ["book.txt"]
    assert result["unknown_share"] == 0
    assert 0 < result["accuracy"] < 1
    assert 0 <= result["calibration_error"] < 1
    assert all(0 < result[name] < 20 for name in BASELINES)


def test_the_table_names_every_figure(copied, ran):
    """The table lists the model among the baselines, the best first, and explains each figure."""
    out, err = ran(str(JOB))
    assert err == ""
    head, _, rest = out.partition("\n\n")
    assert re.fullmatch(rf"{JOB} on \d+ characters of book\.txt", head)
    table, _, more = rest.partition("\n\n")
    assert table.startswith("Bits per character (lower is better)\n")
    bits = [float(number) for number in re.findall(r" (\d+\.\d{3})\b", table)]
    assert bits == sorted(bits)
    for name in ("this model", "6-gram", "gzip -9", "xz -9", "zstd -19", "PPMd", "unigram", "uniform"):
        assert f"\n  {name} " in table
    assert [line.split()[0] for line in more.splitlines()[1:]] == ["perplexity", "accuracy", "calibration", "unknown"]


def test_the_interval_surrounds_the_score(copied, ran, found):
    """On a text of some pages, the table and the JSON have a 95% interval; on a few lines, they have none."""
    Path("long.txt").write_text(TEXT)
    result = found(str(JOB), "long.txt")
    assert result["bits_per_character_low"] < result["bits_per_character"] < result["bits_per_character_high"]
    assert f"95% interval: {result['bits_per_character_low']:.3f} to " in ran(str(JOB), "long.txt").out
    Path("short.txt").write_text(TEXT[:100])
    assert found(str(JOB), "short.txt")["bits_per_character_low"] is None
    assert "interval" not in ran(str(JOB), "short.txt").out


def test_the_newest_job_is_the_default(copied, ran):
    """Without any argument, the newest job below job/ is evaluated, and named."""
    shutil.move("jobs", "job")
    out, err = ran()
    assert err == f"Using the newest job, job/{JOB.name}\n"
    assert out.startswith(f"job/{JOB.name} on ")


def test_model_and_text_are_given_in_any_order(copied, found):
    """The text may come before the model, as for `textgen score`."""
    Path("mine").mkdir()
    Path("mine/a.txt").write_text(TEXT[:300])
    assert found("mine", str(JOB)) == found(str(JOB), "mine")


def test_a_text_alone_is_evaluated_with_the_newest_job(copied, ran):
    """Without a model, a text is evaluated with the newest job or, if there is none, with the base model."""
    Path("other.txt").write_text(TEXT[:2000])
    out, err = ran("other.txt")
    assert "There is no job yet, so this uses the base model" in err
    assert out.startswith("base on 2,000 characters of other.txt\n")
    shutil.move("jobs", "job")
    out, err = ran("other.txt")
    assert err == f"Using the newest job, job/{JOB.name}\n"
    assert out.startswith(f"job/{JOB.name} on 2,000 characters of other.txt\n")


def test_other_text_is_evaluated_against_the_same_baselines(copied, found):
    """Files and folders are one text, and the baselines learn the job's training text."""
    Path("mine").mkdir()
    Path("mine/a.txt").write_text(TEXT[:300])
    Path("b.txt").write_text(TEXT[300:500])
    result = found(str(JOB), "mine", "b.txt")
    assert result["text"] == ["mine/a.txt", "b.txt"]
    assert result["characters"] == 500 + (TEXT[299] != "\n")
    assert result["xz"] < 1 < result["uniform"]  # xz has seen this text


def test_the_training_text_itself_is_warned_of(copied, ran):
    """Whoever evaluates on the file that was trained on hears that the figures are too good."""
    assert "book.txt contains the training text" in ran(str(JOB), "book.txt").err
    Path("other.txt").write_text(TEXT)
    assert ran(str(JOB), "other.txt").err == ""


def test_missing_training_text_leaves_the_baselines_out(copied, ran, found):
    """Without the training text, the model is evaluated all the same, and the reason is printed."""
    Path("other.txt").write_text(TEXT)
    everything = found(str(JOB), "other.txt")
    Path("book.txt").unlink()
    out, err = ran(str(JOB), "other.txt")
    assert err.startswith("Without the training text, most baselines are left out: cannot find the training text: ")
    assert "book.txt" in err
    assert "xz" not in out
    result = found(str(JOB), "other.txt")
    left_out = {name for name in BASELINES if result[name] is None}
    assert left_out == BASELINES - {"uniform"}
    assert {**everything, **dict.fromkeys(left_out)} == result


def test_without_training_text_there_is_no_validation_text(copied, refusal):
    """Without TEXT, a job whose text is missing or has changed is refused, as is a model without a job."""
    shutil.copy(JOB / "model.safetensors", "alone.safetensors")
    code, line = refusal(evaluate, ["alone.safetensors"])
    assert (code, "alone.safetensors is unknown" in line) == (66, True)
    Path("book.txt").write_text(TEXT + "more\n")
    code, line = refusal(evaluate, [str(JOB)])
    assert (code, "book.txt is not the text" in line) == (65, True)
    Path("book.txt").unlink()
    code, line = refusal(evaluate, [str(JOB)])
    assert (code, "cannot find the training text" in line) == (66, True)


def test_the_base_model_needs_a_text(copied, refusal, ran):
    """The base model is evaluated on a text, without the baselines that would learn its own."""
    code, line = refusal(evaluate, ["base"])
    assert code == 2
    assert line == "the training text of the base model does not come with textgen; name a TEXT to evaluate on\n"
    Path("other.txt").write_text(TEXT[:2000])
    out, err = ran("base", "other.txt")
    assert out.startswith("base on 2,000 characters of other.txt\n")
    assert "most baselines are left out" in err


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", 65, "text.txt is empty"),
        ("a", 65, "text.txt is too short"),
        (b"\xff\xfe\xfa", 65, "text.txt"),
        ("Ω" * 30 + "e" * 70, 65, f"text.txt does not fit {JOB}: 30% of its tokens are [UNK], namely 'Ω'"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(copied, refusal, content, code, words):
    """An empty text, one that is no text, and one of other characters are refused in one line."""
    Path("text.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    found, line = refusal(evaluate, [str(JOB), "text.txt"])
    assert found == code
    assert words in line


def test_other_arguments_that_make_no_sense_are_refused(copied, refusal):
    """A missing text, a missing job, a job without a model, two jobs, standard input and an unknown encoding are refused."""
    assert refusal(evaluate, [str(JOB), "absent.txt"])[0] == 66
    assert refusal(evaluate, ["absent"])[0] == 66
    code, line = refusal(evaluate, [str(JOB), "base", "book.txt"])
    assert (code, f"takes one JOB, got {JOB} and " in line) == (2, True)
    code, line = refusal(evaluate, [str(JOB), "-"])
    assert (code, "must be a file, got -" in line) == (2, True)
    assert refusal(evaluate, [str(JOB), "book.txt", "--encoding=klingon"])[0] == 2
    (JOB / "model.safetensors").unlink()
    code, line = refusal(evaluate, [str(JOB)])
    assert (code, "contains no model yet" in line) == (66, True)


def test_few_unknown_characters_are_listed(copied, ran, found):
    """A few unknown characters are allowed; the share and the characters are printed."""
    Path("other.txt").write_text("Ω" + TEXT[:999])
    assert found(str(JOB), "other.txt")["unknown_share"] == pytest.approx(1 / 1000)
    out, err = ran(str(JOB), "other.txt")
    assert f"the score of other.txt by {JOB} is not comparable: 0.1% of its tokens are [UNK], namely 'Ω'" in err
    assert re.search(r"\n  unknown +0\.1% ", out)


def test_the_encoding_of_the_text_can_be_given(copied, found):
    """A text in Latin-1 is read with --encoding."""
    Path("latin.txt").write_bytes(("\xe9" + TEXT[:999]).encode("latin-1"))
    Path("utf-8.txt").write_text("\xe9" + TEXT[:999])
    first, second = found(str(JOB), "latin.txt", "--encoding", "latin-1"), found(str(JOB), "utf-8.txt")
    assert {**first, "text": None} == {**second, "text": None}


def test_a_job_in_training_is_evaluated_with_its_newest_model(copied, ran):
    """While a trainer works on the job, its model so far is evaluated, and that is printed."""
    with job_lock(JobDirectory(JOB), pytest.fail):
        err = ran(str(JOB)).err
    assert err == f"{JOB} is still training; this evaluates its best model so far, of step 5.\n"


def test_missing_compressors_are_named(copied, ran, found, monkeypatch):
    """Without the packages of an extra, their compressors are left out, and how to install them is printed."""
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    out, err = ran(str(JOB))
    assert err.startswith("Without backports.zstd and pyppmd, some baselines are left out; ")
    assert "pip install '.[compressors]'" in err
    assert "zstd" not in out
    result = found(str(JOB))
    assert (result["zstd"], result["ppmd"]) == (None, None)
    assert math.isfinite(result["xz"])


def test_an_argument_that_is_neither_a_model_nor_a_text(copied, refusal):
    """The advice does not offer words in quotes, which only textgen score reads."""
    code, line = refusal(evaluate, ["nowhere"])
    assert (code, "there is neither nowhere nor job/nowhere; name a job or a file; " in line) == (66, True)
