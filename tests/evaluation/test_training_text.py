import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.corpus import open_sections
from textgen.corpus.copy_index import CopyIndex
from textgen.corpus.find_text import find_text
from textgen.errors import AccessError, DataError, FormatError, MissingError, TextgenError, UsageError
from textgen.evaluation.training_text import TrainingText, find_training_text, training_text
from textgen.storage import base_path, bundled

TEXT = "".join(f"line {number} of the text\n" for number in range(100))
JOB = Path("jobs", "mine")


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def train(random_model):
    """A function that writes config.yaml as training does, and returns a model that was trained on that text."""

    def leave(**settings):
        config = TrainingConfig(**settings)
        JOB.mkdir(parents=True, exist_ok=True)
        (JOB / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
        sections = open_sections(find_text(config), valid_fraction=config.valid_fraction, encoding=config.encoding)
        return dataclasses.replace(random_model(), data_sha256=sections.sha256)

    return leave


def read(section):
    return "".join(section.chunks())


def refusal(place, model):
    """Checks that the training text cannot be opened, with a message of one line; returns the error."""
    with pytest.raises(TextgenError) as caught:
        find_training_text(place, model).section  # noqa: B018 - opens it
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("place", [JOB, JOB / "model.safetensors"])
def test_the_training_section_is_opened(train, place):
    """A job directory, or the model file in it, is enough to open the text that was trained on, without the validation text."""
    Path("book.txt").write_text(TEXT)
    section = find_training_text(place, train(texts=("book.txt",), valid_fraction=0.2)).section
    assert read(section) == TEXT[: TEXT.index("line 81")]


def test_the_encoding_and_the_split_of_the_text_are_used(train):
    """The text is read with the encoding of the training, and a corpus with its own split is split in the same way."""
    Path("x.train.txt").write_bytes("café\n".encode("latin-1") * 50)
    Path("x.valid.txt").write_bytes("thé\n".encode("latin-1") * 50)
    section = find_training_text(JOB, train(data_dir=".", encoding="latin-1")).section
    assert read(section) == "café\n" * 50


def test_the_story_is_found_from_every_directory(train, tmp_path, monkeypatch):
    """The training text of a job on the bundled story is found from any current directory."""
    model = train()
    monkeypatch.chdir("/")
    text = bundled("data/story.txt").read_text(encoding="utf-8")
    section = find_training_text(tmp_path / JOB, model).section
    assert text.replace("\n", " ").startswith(read(section).replace("\n", " "))


def test_a_model_without_a_job_has_no_training_text(random_model):
    """A model file without a job directory is refused, because config.yaml is missing."""
    Path("alone").mkdir()
    for place in (Path("alone"), Path("alone", "model.safetensors")):
        error = refusal(place, random_model())
        assert isinstance(error, MissingError)
        assert f"there is no {Path('alone', 'config.yaml')}" in str(error)
        assert "name the job directory" in str(error)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (base_path(), "the training text of the base model does not come with textgen"),
        ("gs://bucket/job", "gs://bucket/job is in a bucket, and only a local job directory names its training text"),
    ],
)
def test_a_text_that_is_never_at_hand_is_refused_without_naming_a_setting(random_model, place, reason):
    """The base model, and a model in a bucket, are refused with the reason alone, whatever the text is needed for."""
    error = refusal(place, random_model())
    assert isinstance(error, UsageError)
    assert str(error) == f"{reason}; name a local job"


def test_a_missing_text_is_named(train):
    """If the text is missing, the message names it and explains what its relative path starts from."""
    Path("book.txt").write_text(TEXT)
    model = train(texts=("book.txt",))
    Path("book.txt").unlink()
    error = refusal(JOB, model)
    assert isinstance(error, MissingError)
    assert "there is no book.txt" in str(error)
    assert f"paths in {JOB / 'config.yaml'} are relative to the folder where textgen-train was run" in str(error)


def test_a_relative_path_starts_where_training_ran(train, tmp_path, monkeypatch):
    """In another current directory the text is refused, as missing or, if a file has the same name, as changed."""
    Path("book.txt").write_text(TEXT)
    model = train(texts=("book.txt",))
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert isinstance(refusal(tmp_path / JOB, model), MissingError)
    Path("book.txt").write_text(TEXT.upper())
    assert isinstance(refusal(tmp_path / JOB, model), DataError)


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
    model = train(texts=("book.txt",))
    Path("book.txt").write_text(change)
    error = refusal(JOB, model)
    assert isinstance(error, DataError)
    assert "book.txt" in str(error)


def test_a_folder_that_has_changed_is_refused(train):
    """A new file or corpus in the folder of the text is refused as a changed text, not as a usage error."""
    Path("books").mkdir()
    Path("books", "a.txt").write_text(TEXT)
    model = train(texts=("books",))
    assert read(find_training_text(JOB, model).section)
    Path("books", "b.txt").write_text("more\n")
    assert isinstance(refusal(JOB, model), DataError)
    for name in "xy":
        Path("books", f"{name}.train.txt").write_text(TEXT)
    error = refusal(JOB, model)
    assert isinstance(error, DataError)
    assert "several corpora" in str(error)


@pytest.mark.parametrize("content", [b"layrs: 2", b"layers: [", b"\xff", b"layer_norm: true\nnum_proj: 3"])
def test_a_damaged_config_is_refused(train, content):
    """An invalid config.yaml is a format error, not a usage error, and the message names the file."""
    model = train()
    (JOB / "config.yaml").write_bytes(content)
    error = refusal(JOB, model)
    assert isinstance(error, FormatError)
    assert not isinstance(error, UsageError)
    assert str(JOB / "config.yaml") in str(error)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_text_that_may_not_be_read_is_refused(train):
    """A text that the user may not read is an access error, not a missing text."""
    Path("book.txt").write_text(TEXT)
    model = train(texts=("book.txt",))
    Path("book.txt").chmod(0)
    assert isinstance(refusal(JOB, model), AccessError)


def test_whether_a_text_is_at_hand(train, random_model):
    """A text is at hand if a local job names it and its files exist; a damaged job, the base model and a bucket have none."""
    Path("book.txt").write_text(TEXT)
    model = train(texts=("book.txt",))
    text = training_text(JOB, model)
    assert text is not None
    assert read(text.section).startswith("line 0 of the text")
    for place in (base_path(), str(base_path()), "gs://bucket/job", "absent"):
        assert training_text(place, random_model()) is None
    (JOB / "config.yaml").write_text("layrs: 2")
    assert training_text(JOB, model) is None
    train(texts=("book.txt",))
    Path("book.txt").unlink()
    assert training_text(JOB, model) is None


@pytest.mark.usefixtures("own_cache")
def test_threads_open_the_copies_once(train, monkeypatch):
    """Threads that need the copy index at once share one, and the text is read for it only once."""
    Path("book.txt").write_text(TEXT)
    text = find_training_text(JOB, train(texts=("book.txt",)))
    opened = []
    really_open = TrainingText._open

    def count_and_open(self):
        opened.append(self)
        return really_open(self)

    monkeypatch.setattr(TrainingText, "_open", count_and_open)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: text.copies, range(8)))
    assert len(opened) == 1
    assert all(copies is found[0] for copies in found)
    assert found[0].text == CopyIndex.build(read(text.section)).text


@pytest.mark.usefixtures("own_cache")
def test_a_text_is_opened_after_it_was_repaired(train):
    """A text that had changed when it was first needed is opened when it is back."""
    Path("book.txt").write_text(TEXT)
    text = find_training_text(JOB, train(texts=("book.txt",)))
    Path("book.txt").write_text(TEXT.upper())
    with pytest.raises(DataError):
        text.copies  # noqa: B018
    Path("book.txt").write_text(TEXT)
    assert text.copies.contains("line 7 of the text")
