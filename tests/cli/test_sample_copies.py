import dataclasses
import json

import pytest

from textgen.cli.sample import main
from textgen.evaluation.training_text import find_training_text
from textgen.generation import read_model, write_model


@pytest.fixture
def at_home(trained, tmp_path, monkeypatch):
    """Makes the folder of the training the current one, where the training text is found, with a new cache."""
    monkeypatch.chdir(trained.place)
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))


def training_text_of(job):
    """Returns the text that a job was trained on."""
    return "".join(find_training_text(job, read_model(job)).section.chunks())


def longest_copied(text, source):
    """Returns the longest passage of a text that is in a source, the first if several are equally long; slow, but simple."""
    passages = (text[start:stop] for start in range(len(text)) for stop in range(start, len(text) + 1))
    return max((passage for passage in passages if passage in source), key=len)


@pytest.mark.usefixtures("at_home")
def test_novelty_is_reported(trained, written, capsys):
    """--novelty reports what each text copies from the training text, in JSON fields or one line on standard error."""
    options = (str(trained.job), "--length=60", "--seed=3", "--samples=2", "--novelty", "--temperature=0.5")
    source = training_text_of(trained.job)
    found = [json.loads(line) for line in written(*options, "--json").splitlines()]
    for each in found:
        assert each["longest_copy"] == longest_copied(each["text"], source)
        assert each["longest_copy_characters"] == len(each["longest_copy"]) > 0
        spans = [each["text"][start : start + 40] for start in range(60 - 40 + 1)]
        assert each["spans"] == len(spans)
        assert each["copied_share"] == sum(span in source for span in spans) / len(spans)
    assert main(options) == 0
    out, err = capsys.readouterr()
    assert out == "---\n".join(each["text"] + "\n" for each in found)
    for each, line in zip(found, err.splitlines(), strict=True):
        assert f"{each['longest_copy_characters']} character" in line
        assert repr(each["longest_copy"]) in line


@pytest.mark.usefixtures("at_home")
def test_novelty_ignores_the_prompt(trained, written):
    """A prompt from the training text does not count as copied."""
    prompt = training_text_of(trained.job)[1000:1100]
    found = json.loads(written(str(trained.job), "--prompt", prompt, "--length=20", "--novelty", "--json"))
    assert found["longest_copy_characters"] <= 20


@pytest.mark.usefixtures("at_home")
def test_no_more_is_copied_than_is_allowed(trained, written):
    """With --max_copy N, no passage of N + 1 characters is in the training text, even one that begins in the prompt."""
    source = training_text_of(trained.job)
    prompt = source[1000:1016]
    text = written(str(trained.job), "--prompt", prompt, "--length=200", "--max_copy=16", "--seed=1").removesuffix("\n")
    assert len(text) > len(prompt)
    assert not any(text[start : start + 17] in source for start in range(len(text) - 17 + 1))


def test_copies_from_what_a_model_started_from_are_not_found(copied, capsys, monkeypatch, tmp_path):
    """For a model that started from another one, --novelty and --max_copy print in one line what they do not search."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
    model = read_model(copied.job)
    for source in (None, "0" * 64):
        write_model(copied.job / "model.safetensors", dataclasses.replace(model, started_from=source))
        for flag in ("--novelty", "--max_copy=30"):
            assert main([str(copied.job), "--length=20", "--seed=1", flag]) == 0
            err = capsys.readouterr().err
            assert err.count("This model started from another one, whose training text is not searched") == (
                source is not None
            )
