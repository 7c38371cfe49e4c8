import gzip
from pathlib import Path

import pytest

from tests.commands import GOOD_TEXT, NOISE
from textgen.cli import train

pytestmark = pytest.mark.usefixtures("good_text", "no_training")

UTF_16 = GOOD_TEXT.encode("utf-16-le")


@pytest.mark.parametrize(
    ("content", "arguments", "code", "message"),
    [
        pytest.param(b"", [], 65, "is empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf", [], 65, "is empty", id="only a byte order mark"),
        pytest.param(b"a", [], 65, "more text", id="one character"),
        pytest.param(b"a" * 4000, [], 65, "only one distinct token", id="one distinct character"),
        pytest.param(b"\n" * 4000, ["--language_model=word"], 65, "only one distinct token", id="empty lines"),
        pytest.param(b"ab" * 50, ["--batch_size=16"], 65, "too short: it has 90 tokens, and one step of 16 x 64 tokens needs 1025", id="short"),
        pytest.param(b"ab" * 50, ["--batch_size=16"], 65, "lower --batch_size to 1 or lower --unroll_steps to 5", id="short, with advice"),
        pytest.param(b"ab" * 5, ["--batch_size=16"], 65, "give more text, or set --batch_size to 1 and --unroll_steps to 8", id="very short"),
        pytest.param(b"ab" * 5, [], 65, "one step of 1 x 64 tokens needs 65; give more text, or lower --unroll_steps to 8", id="very short, settings chosen"),
        pytest.param(b"word " * 500, ["--language_model=word", "--batch_size=32"], 65, "too short: it has 900 tokens", id="few words"),
        pytest.param(b"ab" * 5, ["--batch_size=1", "--unroll_steps=1"], 65, "the validation text must have at least 2 tokens", id="no validation"),
        pytest.param("ab\ncaf\xe9\n".encode("latin-1") * 900, [], 65, "not valid utf-8 at byte 6 (line 2): save it as UTF-8, or name its encoding; --encoding auto suits older Western European texts", id="latin-1"),
        pytest.param(b"abc\n" * 900 + b"\xc3", [], 65, "not valid utf-8 at byte 3600 (line 901)", id="cut inside a character"),
        pytest.param(b"\xff\xfe" + UTF_16, [], 65, "begins with the byte order mark of utf-16: add --encoding utf-16", id="UTF-16 with a mark"),
        pytest.param(UTF_16, [], 65, "it has NUL at byte 1 (line 1)", id="UTF-16 without a mark"),
        pytest.param(b"abc\n\0" * 900, [], 65, "is not text, it has NUL at byte 4 (line 2)", id="NUL"),
        pytest.param(NOISE, [], 65, "not valid utf-8 at byte 0", id="binary"),
        pytest.param(b"PK\x03\x04" + NOISE, [], 65, "is a ZIP archive, as Word, OpenDocument and EPUB files are, not plain text: open it and save it as plain text", id="ZIP"),
        pytest.param(b"%PDF-1.7\n" + NOISE, ["--encoding=latin-1"], 65, "is a PDF document, not plain text: open it and save it as plain text", id="PDF"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + NOISE, [], 65, "is an image, not text: give a plain text file", id="image"),
        pytest.param(b"\x81" + NOISE, ["--encoding=auto"], 65, "is not UTF-8 at byte 0 (line 1), nor cp1252 at byte 0 (line 1)", id="neither"),
        pytest.param(gzip.compress(GOOD_TEXT.encode())[:-9], [], 65, "not a whole gzip file", id="cut gzip"),
        pytest.param(b"\x1f\x8b" + NOISE, [], 65, "not a whole gzip file", id="no gzip"),
        pytest.param(GOOD_TEXT.encode(), ["--encoding=utf-16"], 65, "--encoding", id="not UTF-16"),
        pytest.param(GOOD_TEXT.encode(), ["--encoding=utf8x"], 2, "--encoding must be a text encoding", id="unknown encoding"),
        pytest.param(GOOD_TEXT.encode(), ["--encoding=base64"], 2, "--encoding must be a text encoding", id="no text encoding"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_used_is_refused(content, arguments, code, message, refusal):
    """A file that cannot be trained on is refused with the position of the fault and what to do."""
    Path("bad.txt").write_bytes(content)
    found, line = refusal(train, ["bad.txt", *arguments])
    assert (found, message in line) == (code, True), line


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + GOOD_TEXT.encode(), GOOD_TEXT.replace("\n", "\r\n").encode()])
def test_a_mark_and_windows_line_ends_are_accepted(content, capsys):
    """A text with a UTF-8 byte order mark or CRLF line ends gives the same plan as one without them."""
    Path("windows.txt").write_bytes(content)
    assert train.main(["windows.txt", "--data_prefix=good", "--dry_run"]) == 0
    plan = capsys.readouterr().err
    assert train.main(["good.txt", "--dry_run"]) == 0
    assert capsys.readouterr().err == plan


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent.txt"], 66, "there is no absent.txt"),
        (["god.txt"], 66, "did you mean good.txt?"),
        (["good.txt", "absent.txt"], 66, "there is no absent.txt"),
        (["absent/deeper/book.txt"], 66, "there is no absent"),
        (["good.txt/book.txt"], 66, "good.txt"),
        (["*.md"], 66, "no file matches *.md"),
        (
            ["empty"],
            66,
            "contains no *.txt or *.txt.gz file: name another folder, save its documents as plain text (.txt), or",
        ),
        (["--", "good.txt", "--dry_run"], 66, "there is no --dry_run: put flags before --"),
        (["~/good.txt"], 66, "there is no ~/good.txt: write the path in full, because only a shell knows ~"),
        (["--encoding=windows1251"], 2, "got 'windows1251': did you mean windows_1251?"),
        (["--encoding=base64"], 2, "got 'base64': name one such as utf-8 or cp1252, or try auto"),
        (["/dev/null"], 2, "not a file"),
        (["gs://b/book.txt"], 2, "gs://BUCKET/PATH, the bucket in"),
        (
            ["s3://bucket/book.txt"],
            2,
            "a place must be a local path or gs://BUCKET/PATH, got s3://bucket/book.txt; use one of these",
        ),
        (["https://host/book.txt"], 2, "a local path or gs://BUCKET/PATH, got https://host/book.txt"),
        (["GS://bucket/book.txt"], 2, "a local path or gs://BUCKET/PATH, got GS://bucket/book.txt"),
        (["--data_dir=s3://bucket/texts"], 2, "a local path or gs://BUCKET/PATH, got s3://bucket/texts"),
        (["c://book.txt"], 66, "there is no c:"),
        (
            ["jobs"],
            66,
            "the folder jobs contains no *.txt or *.txt.gz file except in job directories such as jobs/x, which are not read",
        ),
        (["jobs/x"], 2, "jobs/x is a job directory, which is not read as text"),
        (["empty", "--job_dir=circle/x"], 66, "the folder empty contains no *.txt"),
        (["jobs", "--job_dir=jobs"], 2, "--job_dir must not be the folder of the text, got jobs for both"),
        (["x" * 300], 74, "File name too long"),
        ([""], 2, "TEXT must not be empty"),
        (["a\0b"], 2, "got NUL"),
        (["\ud800"], 2, "lone surrogate"),
        (["new\nline.txt"], 66, "there is no new line.txt"),
        (["good.txt", "--data_dir=."], 2, "text and --data_dir cannot be combined"),
        (["--data_dir=absent"], 66, "there is no absent"),
        (["--data_dir=good.txt", "--data_prefix=x"], 66, "good.txt"),
        (["--data_dir=empty", "--data_prefix=jules"], 66, "looked for jules.train.txt and jules.txt"),
        (["--data_dir=gs:///texts"], 2, "got gs:///texts"),
        (["--data_dir="], 2, "--data_dir must not be empty"),
        (["good.txt", "--data_prefix=a/b"], 2, "--data_prefix takes letters"),
        (["good.txt", "--data_prefix="], 2, "--data_prefix must not be empty"),
        (["good.txt", "--data_prefix=a\nb"], 2, "--data_prefix takes letters"),
    ],
)
def test_a_text_that_is_not_there_is_refused(arguments, code, message, refusal):
    """The message names the path that was not found, and an existing one with a similar name."""
    Path("empty").mkdir()
    Path("circle").symlink_to("circle")
    Path("jobs", "x").mkdir(parents=True)
    for name in ("config.yaml", "vocabulary.json", "samples.txt"):
        Path("jobs", "x", name).touch()
    found, line = refusal(train, arguments)
    assert (found, message in line) == (code, True), line


def test_a_vocabulary_file_of_another_text_is_refused(refusal):
    """A vocabulary file that lacks more than 5% of the text's tokens is refused with that percentage."""
    Path("x.train.txt").write_text("one two three four five six seven eight nine ten\n" * 300)
    Path("x.valid.txt").write_text("one two three\n" * 30)
    Path("x.vocab.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n")
    arguments = ["--data_dir=.", "--data_prefix=x", "--language_model=word"]
    code, line = refusal(train, arguments)
    assert code == 65
    assert "x.vocab.txt lacks 10.0% of the tokens of the training text, such as 'ten'" in line
    with Path("x.vocab.txt").open("a") as file:
        file.write("ten\n")
    assert train.main([*arguments, "--dry_run"]) == 0


def test_a_vocabulary_size_beside_a_vocabulary_file_is_refused(refusal):
    """--vocab_size cannot be combined with a vocabulary file."""
    Path("x.txt").write_text(GOOD_TEXT)
    Path("x.vocab.txt").write_text("\n".join(set(GOOD_TEXT.split())))
    arguments = ["--data_dir=.", "--data_prefix=x", "--language_model=word", "--vocab_size=5"]
    code, line = refusal(train, arguments)
    assert code == 2
    assert "contradict each other" in line


def test_a_test_text_that_cannot_be_scored_is_refused_before_training(refusal):
    """A test text that is too short is found before training, not after it."""
    for part, text in {"train": GOOD_TEXT, "valid": GOOD_TEXT, "test": "a"}.items():
        Path(f"x.{part}.txt").write_text(text)
    code, line = refusal(train, ["--data_dir=.", "--data_prefix=x"])
    assert code == 65
    assert "the test text must have at least 2 tokens, got 1" in line
