import re

import pytest

from textgen.cli.train import main
from textgen.config import TrainingConfig
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.errors import DataError
from textgen.runs.checks import check_model_file


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A text of 2,100 long words, whose vocabulary is too large for a model file."""
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("".join(f"{number:017d}{'x' * 16_000}\n" for number in range(2100)))
    return path


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_a_vocabulary_too_large_for_a_model_file_is_refused(words, tmp_path, monkeypatch, no_training, capsys, dry_run):
    """A vocabulary too large for a model file is refused before training; the --vocab_size in the message is accepted."""
    monkeypatch.chdir(tmp_path)
    command = [str(words), "--language_model=word", "--batch_size=4", "--lstm_state_size=8", "--embedding_size=8"]
    assert main([*command, *dry_run]) == 65
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "the vocabulary must take at most 32,000,000 bytes in a model file, got 32," in err
    assert " bytes for 2,039 tokens; " in err
    (flag,) = re.findall(r"keep only the most frequent ones, with (--vocab_size \d+)\n$", err)
    assert main([*command, *flag.split(), "--dry_run"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_vocabulary_file_that_is_too_large_is_refused(words, tmp_path, no_training, capsys):
    """If the text has a vocabulary file, the message says how many of its tokens to keep, because --vocab_size is not allowed."""
    for part in ("train", "vocab"):
        (tmp_path / f"x.{part}.txt").write_bytes(words.read_bytes())
    assert main([f"--data_dir={tmp_path}", "--data_prefix=x", "--language_model=word", "--batch_size=4"]) == 65
    assert capsys.readouterr().err.endswith("; list only the first 1900 in the vocabulary file\n")


def test_the_size_that_is_advised_fits_whatever_the_lengths_of_the_tokens():
    """The most frequent tokens may be the longest."""
    tokens = [*(f"{'x' * 3000}{number}" for number in range(20_000)), *(f"w{number}" for number in range(100_000))]
    vocabulary = Vocabulary(("", "[UNK]", *tokens), make_tokenizer("word"))
    config = TrainingConfig(language_model="word")
    with pytest.raises(DataError, match=r" vocab_size 10000$"):
        check_model_file(config, vocabulary)
    check_model_file(config, Vocabulary(vocabulary.tokens[:10_002], vocabulary.tokenizer))
