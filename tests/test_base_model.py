import pytest

from textgen.cli.train import main
from textgen.generation import read_model
from textgen.generation.model_metadata import FORMAT_VERSIONS
from textgen.storage import base_path, bundled


def test_the_base_model_is_small_and_of_english_characters():
    """The base model is a file of float16 of at most 6 MB, whose tokens are ASCII characters."""
    content = base_path().read_bytes()
    assert len(content) <= 6_000_000
    assert f'\\"format_version\\":{FORMAT_VERSIONS["F16"]}'.encode() in content[:2000]
    model = read_model(base_path())
    assert model.vocabulary.tokenizer.name == "char"
    assert {"\n", " ", "e", "E", "'", '"', "-"} < set(model.vocabulary.tokens)
    assert all(token.isascii() for token in model.vocabulary.tokens)
    assert model.started_from is None


@pytest.fixture
def start(tmp_path, monkeypatch, capsys):
    """A function that returns the line of the plan about what a text starts from."""

    def plan(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
        assert main([*map(str, arguments), "--dry_run", "--device=cpu"]) == 0
        [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  start ")]
        return line.split(maxsplit=1)[1]

    return plan


@pytest.mark.parametrize("characters", [3000, 30_000, None])
def test_english_prose_starts_from_the_base_model(start, tmp_path, characters):
    """The bundled story, or a small part of it, starts from the base model."""
    text = bundled("data/story.txt").read_text(encoding="utf-8")
    (tmp_path / "book.txt").write_text(text[:characters], encoding="utf-8")
    assert start("book.txt").startswith("from the base model: ")


def test_what_is_not_prose_starts_from_scratch(start, tmp_path):
    """A program does not start from the base model."""
    sources = sorted(bundled("src").rglob("*.py"))
    (tmp_path / "program.txt").write_text("".join(path.read_text(encoding="utf-8") for path in sources)[:300_000])
    assert start("program.txt") == (
        "from scratch: this text differs too much from the English prose that the base model knows"
    )
