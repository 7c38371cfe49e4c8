import io
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.commands import GOOD_TEXT, JOB, NOISE, needs_permissions
from textgen.cli import sample

pytestmark = pytest.mark.usefixtures("good_text", "no_training")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([""], 2, "JOB must not be empty"),
        (["a\0b"], 2, "JOB must be text, got NUL"),
        (["absent"], 66, "there is neither absent nor job/absent; "),
        (["good.txt/absent"], 66, "there is neither good.txt/absent nor "),
        (["a\nb"], 66, "there is neither a b nor job/a b; "),
        (["gs://"], 2, "a place in a bucket must be gs://BUCKET/PATH, the bucket in"),
        (["gs://bucket"], 2, "a place in a bucket must be gs://BUCKET/PATH, the path in"),
        (["gs:///job"], 2, "got gs:///job"),
        (["s3://bucket/job"], 2, "a local path or gs://BUCKET/PATH, got s3://bucket/job; use one of these"),
        (["s3://bucket/job", "--novelty"], 2, "a local path or gs://BUCKET/PATH, got s3://bucket/job; use one of these"),
        (["model", "--prompt=@s3://bucket/x"], 2, "--prompt @FILE must be a local path, got s3://bucket/x"),
        (["model", "--prompt=@gs://bucket/x"], 2, "--prompt @FILE must be a local path, got gs://bucket/x"),
        (["model", "--prompt=@document"], 65, "the prompt file document is a PDF document, not plain text: open it and save it as plain text"),
        (["gs://bucket/job", "--novelty"], 2, "--novelty and --max_copy need the training text, but gs://bucket/job is in a bucket, and only a local job directory names its training text"),
        (["gs://bucket/job", "--interactive", "--max_copy=40"], 2, "only a local job directory names its training text; name a local job, or leave them out"),
        (["empty"], 66, "empty contains no model yet; train one with textgen-train"),
        (["good.txt"], 78, "cannot use good.txt: it is damaged or no model file"),
        (["cut"], 78, "cannot use cut: it is damaged"),
        (["nothing"], 78, "cannot use nothing: it is damaged"),
        (["random"], 78, "cannot use random: it is damaged"),
        (["other"], 78, "it is a safetensors file, but no textgen model"),
        (["newer"], 78, "upgrade textgen"),
        (["x" * 300], 66, "there is neither x"),
        (["model", "another"], 2, "unknown argument another"),
        (["model", "--temprature=1"], 2, "did you mean --temperature?"),
        (["model", "--length=-1"], 2, "--length must be at least 0, got -1"),
        (["model", "--length=1e3"], 2, "--length must be a whole number, got '1e3'"),
        (["model", "--temperature=-0.5"], 2, "--temperature must be at least 0"),
        (["model", "--temperature", "-1"], 2, "--temperature must be at least 0"),
        (["model", "--temperature=inf"], 2, "--temperature must be at least 0, got inf"),
        (["model", "--temperature=nan"], 2, "--temperature must be at least 0, got nan"),
        (["model", "--seed=-1"], 2, "--seed must be at least 0"),
        (["model", "--top_k=0"], 2, "--top_k must be at least 1, got 0"),
        (["model", "--top_p=0"], 2, "--top_p must be above 0 and at most 1, got 0"),
        (["model", "--top_p=1.5"], 2, "--top_p must be above 0 and at most 1, got 1.5"),
        (["model", "--min_p=2"], 2, "--min_p must be at least 0 and at most 1, got 2"),
        (["model", "--min_p=-0.1"], 2, "--min_p must be at least 0"),
        (["model", "--repetition_penalty=0.5"], 2, "--repetition_penalty must be at least 1"),
        (["model", "--lines=0"], 2, "--lines must be at least 1, got 0"),
        (["model", "--best_of=0"], 2, "--best_of must be at least 1, got 0"),
        (["model", "--ban="], 2, "--ban must not be empty"),
        (["model", "--logit_bias=e"], 2, "--logit_bias must be a token, = and a number from -100 to 100, got 'e'"),
        (["model", "--logit_bias==5"], 2, "--logit_bias must be a token, = and a number from -100 to 100, got '=5'"),
        (["model", "--logit_bias=e=inf"], 2, "--logit_bias must be a token, = and a number from -100 to 100, got 'e=inf'"),
        (["model", "--logit_bias=\u2603=5"], 2, "--logit_bias must name tokens that the model writes, got '\u2603'"),
        (["model", "--samples=0"], 2, "--samples must be at least 1, got 0"),
        (["model", "--samples=none"], 2, "--samples must be a whole number, got 'none'"),
        (["model", "--until="], 2, "--until must not be empty"),
        (["model", "--until=a", "--until="], 2, "--until must not be empty"),
        (["model", "--max_copy=5"], 2, "--max_copy must be at least 16, got 5"),
        (["model", "--max_copy=40"], 66, "the training text of model is unknown"),
        (["model", "--novelty"], 66, "the training text of model is unknown"),
        (["model", "--interactive", "--max_copy=40"], 66, "the training text of model is unknown"),
        (["model", "--interactive", "--json"], 2, "--interactive and --json cannot be combined"),
        (["model", "--interactive", "--samples=2"], 2, "--interactive and --samples cannot be combined"),
        (["model", "--interactive", "--novelty"], 2, "--interactive and --novelty cannot be combined"),
        (["model", "--interactive", "--prompt=-"], 2, "--interactive and --prompt - cannot be combined"),
        (["model", "--oov=skp"], 2, "--oov must be one of error, skip, unk, got 'skp'; did you mean skip?"),
        (["model", "--prompt"], 2, "--prompt needs a value"),
        (["model", "--prompt=a\0b"], 2, "--prompt must be text, got NUL"),
        (["model", "--prompt=\ud800"], 2, "lone surrogate"),
        (["model", "--prompt=@"], 2, "--prompt @FILE must name a file, got ''"),
        (["model", "--prompt=@empty"], 2, "--prompt @FILE must name a file, got 'empty'"),
        (["model", "--prompt=@/dev/zero"], 2, "--prompt @FILE must name a file, got '/dev/zero'"),
        (["model", "--prompt=@absent"], 66, "cannot read the prompt file absent: there is no such file"),
        (["model", "--prompt=@good.txt/absent"], 66, "cannot read the prompt file good.txt/absent: a part of the path is a file"),
        (["model", "--prompt=@" + "x" * 300], 74, "File name too long"),
        (["model", "--prompt=@random"], 65, "the prompt file random must be UTF-8, but byte"),
        (["model", "--prompt=“☃ sea Ω”"], 65, "the model does not know these tokens of the prompt: '☃', 'Ω'; leave them out with --oov skip, or let the model read [UNK] in their place with --oov unk"),
        (["model", "--prompt=" + "".join(map(chr, range(0x400, 0x500)))], 65, "and 246 more"),
    ],
)  # fmt: skip
def test_a_sample_that_cannot_be_made_is_refused(arguments, code, message, refusal, trained):
    """A fault in the model, a flag or the prompt is reported before any text is written."""
    model = trained.job / "model.safetensors"
    content = model.read_bytes()
    shutil.copy(model, "model")
    Path("empty").mkdir()
    Path("cut").write_bytes(content[:-100])
    Path("nothing").touch()
    Path("random").write_bytes(NOISE)
    Path("document").write_bytes(b"%PDF-1.7\n" + NOISE)
    Path("newer").write_bytes(re.sub(rb"(format_version\W+)\d", rb"\g<1>9", content))
    save_file({"weights": np.zeros(3, np.float32)}, "other")
    found, line = refusal(sample, arguments)
    assert (found, message in line) == (code, True), line


@pytest.mark.parametrize("content", [b"sea \xff", "☃".encode(), b"\0"])
def test_a_prompt_from_a_file_or_standard_input_is_checked(content, trained, refusal, monkeypatch):
    """A prompt from standard input or a file is refused if it is not text, or if the model does not know it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    Path("prompt").write_bytes(content)
    for prompt in ("-", "@prompt"):
        assert refusal(sample, [str(trained.job), "--prompt", prompt])[0] == 65


@needs_permissions
def test_a_prompt_file_that_may_not_be_read_is_refused(trained, refusal):
    """A prompt file that the user may not read ends with 77."""
    Path("mine").touch(0)
    assert refusal(sample, [str(trained.job), "--prompt=@mine"])[0] == 77


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("book.txt", None, 66, "cannot find the training text: there is no book.txt"),
        ("book.txt", GOOD_TEXT, 65, "book.txt is not the text that"),
        (JOB / "config.yaml", None, 66, "is unknown: there is no"),
        (JOB / "config.yaml", "[", 78, "is not valid YAML"),
    ],
)
def test_without_the_training_text_copies_cannot_be_found(name, content, code, message, refusal):
    """If the training text is missing or has changed, --novelty and --max_copy are refused; plain sampling works."""
    Path(name).unlink() if content is None else Path(name).write_text(content)
    for flags in (["--novelty"], ["--max_copy=40"], ["--interactive", "--max_copy=40"]):
        found, line = refusal(sample, [str(JOB), *flags])
        assert (found, message in line) == (code, True), line
    assert sample.main([str(JOB), "--length=5"]) == 0
