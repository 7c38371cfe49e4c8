from pathlib import Path

import pytest

from textgen.config import TrainingConfig
from textgen.corpus.find_text import find_text
from textgen.errors import MissingError
from textgen.storage import bundled

TEXT = "".join(f"line {number} of the text\n" for number in range(100))


def test_the_default_is_the_story():
    """A config without a text means the bundled story, whatever its prefix."""
    assert find_text(TrainingConfig()).train == (bundled("data/story.txt"),)
    assert find_text(TrainingConfig()).prefix == "story"
    assert find_text(TrainingConfig(data_prefix="mine")).prefix == "mine"


def test_the_text_of_a_config_is_found(tmp_path, monkeypatch):
    """A config's texts, or its folder and prefix, determine the files."""
    monkeypatch.chdir(tmp_path)
    for name in ("book.txt", "x.train.txt", "x.valid.txt"):
        Path(name).write_text(TEXT)
    assert find_text(TrainingConfig(texts=("book.txt",))).train == (Path("book.txt"),)
    corpus = find_text(TrainingConfig(data_dir=str(tmp_path), data_prefix="x"))
    assert (corpus.train, corpus.valid) == ((tmp_path / "x.train.txt",), (tmp_path / "x.valid.txt",))
    with pytest.raises(MissingError, match="there is no absent"):
        find_text(TrainingConfig(texts=("absent.txt",)))
