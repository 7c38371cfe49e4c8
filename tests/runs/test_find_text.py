import os
from pathlib import Path

import pytest

from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.corpus import open_sections
from textgen.errors import AccessError, DataError, FormatError, MissingError, TextgenError, UsageError
from textgen.runs.find_text import find_text, open_training_text
from textgen.storage import bundled

TEXT = "".join(f"line {number} of the text\n" for number in range(100))
JOB = Path("jobs", "mine")


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def train():
    """A function that writes config.yaml as training does, and returns the hash of the text."""

    def leave(**settings):
        config = TrainingConfig(**settings)
        JOB.mkdir(parents=True, exist_ok=True)
        (JOB / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
        sections = open_sections(find_text(config), valid_fraction=config.valid_fraction, encoding=config.encoding)
        return sections.sha256

    return leave


def read(section):
    return "".join(section.chunks())


def refusal(model, sha256):
    """Checks that the training text cannot be opened, with a message of one line; returns the error."""
    with pytest.raises(TextgenError) as caught:
        open_training_text(model, sha256)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_default_is_the_story():
    """A config without a text means the bundled story, whatever its prefix."""
    assert find_text(TrainingConfig()).train == (bundled("data/story.txt"),)
    assert find_text(TrainingConfig()).prefix == "story"
    assert find_text(TrainingConfig(data_prefix="mine")).prefix == "mine"


def test_the_text_of_a_config_is_found(tmp_path):
    """A config's texts, or its folder and prefix, determine the files."""
    for name in ("book.txt", "x.train.txt", "x.valid.txt"):
        Path(name).write_text(TEXT)
    assert find_text(TrainingConfig(texts=("book.txt",))).train == (Path("book.txt"),)
    corpus = find_text(TrainingConfig(data_dir=str(tmp_path), data_prefix="x"))
    assert (corpus.train, corpus.valid) == ((tmp_path / "x.train.txt",), (tmp_path / "x.valid.txt",))
    with pytest.raises(MissingError, match="there is no absent"):
        find_text(TrainingConfig(texts=("absent.txt",)))


@pytest.mark.parametrize("model", [JOB, JOB / "model.safetensors"])
def test_the_training_section_is_opened(train, model):
    """A job directory, or the model file in it, is enough to open the text that was trained on, without the validation text."""
    Path("book.txt").write_text(TEXT)
    section = open_training_text(model, train(texts=("book.txt",), valid_fraction=0.2))
    assert read(section) == TEXT[: TEXT.index("line 81")]


def test_the_encoding_and_the_split_of_the_text_are_used(train):
    """The text is read with the encoding of the training, and a corpus with its own split is split in the same way."""
    Path("x.train.txt").write_bytes("café\n".encode("latin-1") * 50)
    Path("x.valid.txt").write_bytes("thé\n".encode("latin-1") * 50)
    section = open_training_text(JOB, train(data_dir=".", encoding="latin-1"))
    assert read(section) == "café\n" * 50


def test_the_story_is_found_from_every_directory(train, tmp_path, monkeypatch):
    """The training text of a job on the bundled story is found from any current directory."""
    sha256 = train()
    monkeypatch.chdir("/")
    text = bundled("data/story.txt").read_text(encoding="utf-8")
    section = open_training_text(tmp_path / JOB, sha256)
    assert text.replace("\n", " ").startswith(read(section).replace("\n", " "))


def test_a_model_without_a_job_has_no_training_text():
    """A model file without a job directory is refused, because config.yaml is missing."""
    Path("alone").mkdir()
    for model in (Path("alone"), Path("alone", "model.safetensors")):
        error = refusal(model, "0")
        assert isinstance(error, MissingError)
        assert f"there is no {Path('alone', 'config.yaml')}" in str(error)
        assert "name the job directory" in str(error)


def test_a_missing_text_is_named(train):
    """If the text is missing, the message names it and explains what its relative path starts from."""
    Path("book.txt").write_text(TEXT)
    sha256 = train(texts=("book.txt",))
    Path("book.txt").unlink()
    error = refusal(JOB, sha256)
    assert isinstance(error, MissingError)
    assert "there is no book.txt" in str(error)
    assert f"paths in {JOB / 'config.yaml'} are relative to the folder where textgen-train was run" in str(error)


def test_a_relative_path_starts_where_training_ran(train, tmp_path, monkeypatch):
    """In another current directory the text is refused, as missing or, if a file has the same name, as changed."""
    Path("book.txt").write_text(TEXT)
    sha256 = train(texts=("book.txt",))
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert isinstance(refusal(tmp_path / JOB, sha256), MissingError)
    Path("book.txt").write_text(TEXT.upper())
    assert isinstance(refusal(tmp_path / JOB, sha256), DataError)


@pytest.mark.parametrize(
    "change",
    [
        TEXT + "x",
        TEXT[:-1],
        TEXT.replace("line 7 ", "line seven "),
        "x",
        "",
        "\0",
        TEXT.replace("line 99 ", "line 98 "),
    ],
    ids=["longer", "shorter", "other words", "one character", "empty", "not text", "other validation"],
)
def test_a_text_that_has_changed_is_refused(train, change):
    """Any change of the text, even of its validation part, is refused with a message that names the file."""
    Path("book.txt").write_text(TEXT)
    sha256 = train(texts=("book.txt",))
    Path("book.txt").write_text(change)
    error = refusal(JOB, sha256)
    assert isinstance(error, DataError)
    assert "book.txt" in str(error)


def test_a_folder_that_has_changed_is_refused(train):
    """A new file or corpus in the folder of the text is refused as a changed text, not as a usage error."""
    Path("books").mkdir()
    Path("books", "a.txt").write_text(TEXT)
    sha256 = train(texts=("books",))
    assert read(open_training_text(JOB, sha256))
    Path("books", "b.txt").write_text("more\n")
    assert isinstance(refusal(JOB, sha256), DataError)
    for name in "xy":
        Path("books", f"{name}.train.txt").write_text(TEXT)
    error = refusal(JOB, sha256)
    assert isinstance(error, DataError)
    assert "several corpora" in str(error)


@pytest.mark.parametrize("content", [b"layrs: 2", b"layers: [", b"\xff", b"layer_norm: true\nnum_proj: 3"])
def test_a_damaged_config_is_refused(train, content):
    """An invalid config.yaml is a format error, not a usage error, and the message names the file."""
    sha256 = train()
    (JOB / "config.yaml").write_bytes(content)
    error = refusal(JOB, sha256)
    assert isinstance(error, FormatError)
    assert not isinstance(error, UsageError)
    assert str(JOB / "config.yaml") in str(error)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_text_that_may_not_be_read_is_refused(train):
    """A text that the user may not read is an access error, not a missing text."""
    Path("book.txt").write_text(TEXT)
    sha256 = train(texts=("book.txt",))
    Path("book.txt").chmod(0)
    assert isinstance(refusal(JOB, sha256), AccessError)
