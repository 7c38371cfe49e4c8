from pathlib import Path

import pytest

from textgen.cli.models_and_texts import sort_arguments
from textgen.errors import MissingError, UsageError


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make(*names):
    """Makes empty files, and the directories that they are in."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_what_is_a_model_and_what_is_a_text():
    """Directories of jobs, .safetensors files, names below job/, URIs and base are models; other files, - and several words are texts."""
    make("job/austen/model.safetensors", "letters.safetensors", "letter.txt", "a letter", "letter")
    models, texts = sort_arguments(
        [
            "letter.txt",
            "austen",
            "-",
            "letters.safetensors",
            "two words",
            "a letter",
            "letter",
            "job/austen",
            "gs://b/j",
        ]
    )
    assert models == ["job/austen", "letters.safetensors", "job/austen", "gs://b/j"]
    assert texts == ["letter.txt", "-", "two words", "a letter", "letter"]


def test_a_folder_of_texts_is_a_text_unless_it_is_a_job():
    """Texts in a folder or below it make it a text; a job, whose samples are texts, and an empty folder are models."""
    make("books/old/a.txt.gz", "mine/model.safetensors", "mine/samples.txt", "new/config.yaml", "new/state.json")
    make("new/samples.txt", "notes/readme.md")
    assert sort_arguments(["books", "mine", "new", "notes"]) == (["mine", "new", "notes"], ["books"])


def test_a_name_that_can_only_be_a_texts_is_one():
    """A missing file, a glob and an object in a bucket are texts by their names, so that the message can be about texts."""
    make("books/a.md")
    names = ["absent.txt", "absent/*.txt.gz", "books/*.md", "gs://bucket/books/*.txt"]
    assert sort_arguments(names) == ([], names)


def test_what_is_neither_is_refused():
    """An absent job is refused with the command's advice, and so is standard input twice."""
    with pytest.raises(MissingError, match="neither nowhere nor job/nowhere; put it in quotes; "):
        sort_arguments(["nowhere"], "put it in quotes")
    with pytest.raises(UsageError, match="got - twice"):
        sort_arguments(["-", "-"])


def test_a_text_of_any_length_can_be_an_argument():
    """A text that is too long for the name of a file is a text all the same."""
    text = "some words " * 1000
    assert sort_arguments([text]) == ([], [text])
