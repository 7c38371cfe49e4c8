import importlib
from pathlib import Path

import pytest

from textgen.corpus.copy_index import CopyIndex

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def base_passages(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("base_passages")


def test_the_longest_passage_of_the_sources(base_passages, tmp_path):
    """The longest one in any sample is found, whichever file it is from."""
    (tmp_path / "a.txt").write_text("It is a truth universally acknowledged, that a single man\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("Fellow citizens of the Senate and House of Representatives", encoding="utf-8")
    index = CopyIndex.build(base_passages.read_sources(tmp_path))
    samples = ["a truth universally told", "My citizens of the Senate and House of cards", "Fellow citizens"]
    assert base_passages.longest_passage(samples, index) == " citizens of the Senate and House of "


def test_a_folder_without_sources_is_refused(base_passages, tmp_path):
    """An empty folder would otherwise look like a model that copies nothing."""
    with pytest.raises(SystemExit, match=r"there is no \.txt file in"):
        base_passages.read_sources(tmp_path)
