import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.commands import JOB, files_below
from textgen.cli.train import main
from textgen.corpus import UNKNOWN_ID, Vocabulary, find_sources, keep_split, make_tokenizer, open_corpus
from textgen.jobs import Checkpoint, CheckpointStore, JobDirectory, JobState

FLAG = "--allow_changed_data"
BOOK = Path("book.txt")
REMARK = "The text has changed: the job keeps its own vocabulary"

LINES = "the captain looked at the sea .\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def job(copied):
    """The arguments that resume the finished job in the current folder, with a higher limit."""
    return [*copied.command, "--max_steps=8"]


@pytest.fixture
def spaced(tmp_path, monkeypatch, training):
    """The arguments that resume a job whose text has its own vocabulary file, `x.vocab.txt`."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"train": LINES * 300, "valid": LINES * 30, "vocab": "\n".join(LINES.split())}.items():
        Path(f"x.{name}.txt").write_text(text)
    arguments = ["--data_dir=.", "--data_prefix=x", "--language_model=word", "--job_dir=x", "--max_steps=7"]
    assert main(arguments) == 0
    training.calls.clear()
    return [*arguments, "--max_steps=9"]


def kept_vocabulary(job=JOB):
    return Vocabulary.from_json(json.loads((job / "vocabulary.json").read_text()))


def own_vocabulary():
    """Returns the vocabulary that a new job would make from the book."""
    return open_corpus(find_sources([str(BOOK)], None, None), language_model="char").vocabulary


def make_frequent_what_was_rare():
    """Appends so much of the rarest letter that it would come first in a new vocabulary."""
    text = BOOK.read_text()
    rarest = min(filter(str.isalpha, text), key=Counter(text).__getitem__)
    BOOK.write_text(text + f"{rarest * 50}\n" * (len(text) // 50))
    assert own_vocabulary().tokens[2] == rarest != kept_vocabulary().tokens[2]


def refused(capsys, code, arguments):
    """Checks that a run ends with this code and one line, without changing a file; returns the line."""
    before = files_below(Path())
    capsys.readouterr()
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert files_below(Path()) == before
    return err


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_a_changed_text_is_refused_with_the_ways_out(job, no_training, capsys, dry_run):
    """Without the flag a changed text is refused; the line names the flag."""
    make_frequent_what_was_rare()
    assert refused(capsys, 65, [*job, *dry_run]) == (
        f"textgen-train: error: {JOB} was trained on a different text; name another --job_dir or --data_prefix, use --fresh to "
        "start over, or use --allow_changed_data to resume with the text as it is now\n"
    )


def test_with_the_flag_it_resumes_with_the_vocabulary_of_the_job(job, training, capsys):
    """The job keeps its token ids, whatever vocabulary the new text would have; one line reports the change."""
    before = kept_vocabulary()
    make_frequent_what_was_rare()
    assert main([*job, FLAG]) == 0
    [call] = training.calls
    assert call.allow_changed_data
    assert call.corpus.vocabulary == before == kept_vocabulary()
    assert call.corpus.train.characters > 6000
    err = capsys.readouterr().err
    assert err.splitlines().count(REMARK) == 1
    assert "[UNK]" not in err


def test_the_next_run_needs_no_flag_for_the_same_text(job, training, capsys):
    """After a run with the flag, the new text counts as the job's, and is still encoded with the job's vocabulary."""
    before = kept_vocabulary()
    make_frequent_what_was_rare()
    assert main([*job, FLAG]) == 0
    assert REMARK in capsys.readouterr().err
    assert main([*job, "--max_steps=12"]) == 0
    assert training.calls[1].corpus.vocabulary == before
    assert not training.calls[1].allow_changed_data
    assert training.calls[1].corpus.sha256 == training.calls[0].corpus.sha256
    assert "has changed" not in capsys.readouterr().err


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_tokens_that_are_not_in_the_vocabulary_are_read_as_unknown(job, training, capsys, dry_run):
    """Up to 5% of the tokens may be unknown; the percentage is printed, and the plan counts the job's vocabulary."""
    text = f"{'☃' * 99}\n{BOOK.read_text()}"
    BOOK.write_text(text)
    corpus = open_corpus(find_sources([str(BOOK)], None, None), language_model="char")
    share = 99 / corpus.train.characters
    assert 0.01 < share < 0.03
    assert main([*job, FLAG, *dry_run]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert f"{REMARK}; {100 * share:.3g}% of the tokens are not in it and are read as [UNK]" in lines
    size = kept_vocabulary().size
    assert corpus.vocabulary.size == size + 1
    assert f"  vocabulary {size - 2} characters" in lines
    parameters = (size + 8 + 1) * 4 * 8 + (8 + 1) * size
    assert f"  model      1 LSTM layer of 8 states, one-hot input, {parameters:,} parameters" in lines
    if not dry_run:
        [call] = training.calls
        assert call.corpus.vocabulary.encode("☃") == [UNKNOWN_ID]


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_a_text_of_which_the_vocabulary_lacks_much_is_refused(job, no_training, capsys, dry_run):
    """With more than 5% unknown tokens, the line has the percentage, examples and what to do."""
    BOOK.write_text("Один два три четыре пять.\n" * 300)
    line = refused(capsys, 65, [*job, FLAG, *dry_run])
    assert f"{JOB / 'vocabulary.json'} lacks 76.9% of the tokens of the training text, such as 'т', " in line
    assert (
        "; at most 5% may be missing: give a text closer to the one that the job started with, or use --fresh" in line
    )


def test_an_unchanged_text_is_no_matter_for_the_flag(job, training, capsys):
    """With an unchanged text the flag prints nothing and changes nothing."""
    assert main([*job, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == kept_vocabulary() == own_vocabulary()
    assert "has changed" not in capsys.readouterr().err


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_with_fresh_the_flag_has_no_effect(job, training, capsys, dry_run):
    """With --fresh the vocabulary is made from the new text."""
    make_frequent_what_was_rare()
    assert main([*job, FLAG, "--fresh", *dry_run]) == 0
    assert "has changed" not in capsys.readouterr().err
    assert [call.corpus.vocabulary for call in training.calls] == ([] if dry_run else [own_vocabulary()])


def test_without_a_job_the_flag_does_nothing(book, training, capsys):
    """For a new job the flag prints nothing, and the vocabulary is made from the text."""
    assert main(["book.txt", FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == own_vocabulary()
    assert "has changed" not in capsys.readouterr().err


def test_a_text_by_another_name_is_another_job(job, training, capsys):
    """The job name follows the text's name, with the flag too."""
    BOOK.rename("other.txt")
    assert main(["other.txt", *job[1:], FLAG]) == 0
    assert training.calls[0].job.root == JOB.with_name("other-8-states-1-layers")
    assert "has changed" not in capsys.readouterr().err


def test_without_the_vocabulary_of_the_job_a_changed_text_cannot_be_read(job, no_training, capsys):
    """If vocabulary.json is missing, a changed text is refused, because only that file contains the token ids."""
    make_frequent_what_was_rare()
    (JOB / "vocabulary.json").unlink()
    line = refused(capsys, 66, [*job, FLAG])
    assert (
        f"and its vocabulary, {JOB / 'vocabulary.json'}, is missing; restore it, or use --fresh to start over" in line
    )


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 9999, "\ufeff"])
def test_a_damaged_vocabulary_costs_no_job(job, training, capsys, content):
    """A damaged vocabulary.json may be removed: the same text gives the same vocabulary again."""
    before = kept_vocabulary()
    (JOB / "vocabulary.json").write_text(content)
    line = refused(capsys, 78, job)
    assert f"{JOB / 'vocabulary.json'} is damaged; remove it, and training rebuilds it from the text\n" in line
    (JOB / "vocabulary.json").unlink()
    assert main(job) == 0
    assert training.calls[0].corpus.vocabulary == before == kept_vocabulary()


def test_a_vocabulary_that_the_text_no_longer_gives_must_be_restored(job, no_training, capsys):
    """A job that was resumed with a changed text cannot be resumed without its vocabulary.json."""
    make_frequent_what_was_rare()
    state = JobState.read(JOB / "state.json")
    corpus = open_corpus(find_sources([str(BOOK)], None, None), language_model="char")
    replace(state, data_sha256=corpus.sha256).write(JOB / "state.json")
    assert main([*job[:-1]]) == 0
    (JOB / "vocabulary.json").write_text("")
    assert "vocabulary.json is damaged; restore it, or use --fresh to start over\n" in refused(capsys, 78, job)
    (JOB / "vocabulary.json").unlink()
    assert refused(capsys, 66, job) == (
        f"textgen-train: error: {JOB / 'vocabulary.json'} is missing, and cannot be rebuilt from the text as it is "
        "now; restore it, or use --fresh to start over\n"
    )


def test_where_the_text_has_changed_a_damaged_vocabulary_must_be_restored(job, no_training, capsys):
    """If the text has changed too, a damaged vocabulary.json cannot be made again from it."""
    make_frequent_what_was_rare()
    (JOB / "vocabulary.json").write_text("")
    for arguments in (job, [*job, FLAG]):
        line = refused(capsys, 78, arguments)
        assert "vocabulary.json is damaged; restore it, or use --fresh to start over\n" in line


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_another_fraction_for_validation_is_another_text(job, no_training, capsys, dry_run):
    """Another valid_fraction would put text that was trained on into validation; the line has both values."""
    line = refused(capsys, 65, [*job, "--valid_fraction=0.2", *dry_run])
    assert (
        f"{JOB} was trained on a different text (valid_fraction is 0.1 in the job and 0.2 in this run); give the job's "
        "value, name another --job_dir or --data_prefix, use --fresh to start over, or use --allow_changed_data" in line
    )


def test_another_fraction_for_validation_is_allowed_with_the_flag(job, training, capsys):
    """The flag allows another valid_fraction, which is the job's from then on."""
    assert main([*job, "--valid_fraction=0.2", FLAG]) == 0
    assert REMARK in capsys.readouterr().err
    assert main([*job, "--valid_fraction=0.2", "--max_steps=12"]) == 0
    assert "valid_fraction is 0.2 in the job and 0.1 in this run" in refused(capsys, 65, job)


def test_a_lost_state_does_not_hide_a_changed_text(job, training, capsys):
    """Without state.json a changed text is recognised by its vocabulary; it needs the flag all the same."""
    before = kept_vocabulary()
    make_frequent_what_was_rare()
    (JOB / "state.json").unlink()
    assert "was trained on a different vocabulary" in refused(capsys, 65, job)
    assert main([*job, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == before
    assert "The vocabulary has changed: the job keeps its own vocabulary\n" in capsys.readouterr().err


def test_a_finished_job_with_a_changed_text_is_still_finished(job, no_training, capsys):
    """A changed text does not make a finished job unfinished."""
    make_frequent_what_was_rare()
    assert main([*job[:-1], FLAG]) == 0
    assert "This job is finished: 5 steps" in capsys.readouterr().err
    assert JobState.read(JOB / "state.json").steps == 5


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_a_finished_job_without_its_model_file_resumes(job, fault, training, capsys):
    """If the model file of a finished job is missing or damaged, the same command resumes, which rebuilds it."""
    model = JOB / "model.safetensors"
    if fault == "missing":
        model.unlink()
    else:
        model.write_bytes(model.read_bytes()[:-1])
    assert main(job[:-1]) == 0
    assert len(training.calls) == 1
    assert "This job is finished" not in capsys.readouterr().err


@pytest.mark.parametrize("order", [reversed, sorted])
def test_a_changed_vocabulary_file_is_a_changed_text(spaced, training, capsys, order):
    """A reordered vocabulary file, which would change the ids, is refused without the flag and ignored with it."""
    before = kept_vocabulary(Path("x"))
    Path("x.vocab.txt").write_text("\n".join(order(LINES.split())))
    line = refused(capsys, 65, spaced)
    assert "x was trained on a different vocabulary; name another --job_dir" in line
    assert FLAG in line
    assert main([*spaced, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == before
    assert "The vocabulary has changed: the job keeps its own vocabulary\n" in capsys.readouterr().err


def test_without_its_vocabulary_file_a_text_is_still_read_as_it_was(spaced, training, capsys):
    """The job's vocabulary decides that its text is split at white space, even if the vocabulary file is gone."""
    Path("x.vocab.txt").unlink()
    assert main([*spaced, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == kept_vocabulary(Path("x"))
    Path("x.train.txt").write_text("The captain, as I said, looked at the sea.\n" * 300)
    line = refused(capsys, 65, [*spaced, "--max_steps=12", FLAG])
    assert "x/vocabulary.json lacks 66.7% of the tokens of the training text, such as 'The', 'captain,'" in line


def test_a_vocabulary_that_was_cut_may_lack_as_much_as_before(tmp_path, monkeypatch, training, capsys):
    """With vocab_size, as many unknown tokens are allowed as the job's first text had, although they are more than 5%."""
    monkeypatch.chdir(tmp_path)
    Path("cut.txt").write_text(LINES * 300)
    arguments = ["cut.txt", "--language_model=word", "--vocab_size=5", "--job_dir=cut"]
    assert main(arguments) == 0
    capsys.readouterr()
    Path("cut.txt").write_text("The" + (LINES * 300)[3:])
    assert main([*arguments, "--minutes=9", FLAG]) == 0
    assert training.calls[1].corpus.vocabulary == training.calls[0].corpus.vocabulary
    # Each of the 270 lines has 14 tokens: 6 spaces, `the` twice, and 6 others, of which 3 are in the vocabulary. `The` comes once.
    share = f"{100 * (270 * 3 + 1) / (270 * 14):.3g}%"
    assert f"{REMARK}; {share} of the tokens are not in it and are read as [UNK]\n" in capsys.readouterr().err


@pytest.fixture
def old_words(tmp_path, monkeypatch, training):
    """The arguments that resume a word job with the first version of the split, in which a combining mark ended a word."""
    monkeypatch.chdir(tmp_path)
    Path("hindi.txt").write_text("हिन्दी में एक वाक्य है\nऔर दूसरा वाक्य\n" * 300, encoding="utf-8")
    arguments = ["hindi.txt", "--language_model=word", "--vocab_size=12", "--job_dir=hindi"]
    assert main(arguments) == 0
    corpus = training.calls.pop().corpus
    assert "हिन्दी" in corpus.vocabulary.tokens
    first = keep_split(corpus, make_tokenizer("word", version=1), 12).vocabulary
    assert (first.size, "हिन्दी" in first.tokens) == (14, False)
    content = {name: part for name, part in first.to_json().items() if name != "tokenizer_version"}
    Path("hindi/vocabulary.json").write_text(json.dumps(content))
    return [*arguments, "--minutes=9"]


@pytest.mark.parametrize("begun", [True, False])
def test_a_job_of_an_older_version_keeps_its_split(old_words, training, capsys, begun):
    """A job with an older split keeps it, without a message, even if it was stopped before its first step."""
    before = kept_vocabulary(Path("hindi"))
    if not begun:
        Path("hindi/state.json").unlink()
    capsys.readouterr()
    assert main(old_words) == 0
    assert training.calls[0].corpus.vocabulary == before
    assert before.encode("ही") == [*before.ids("ह"), *before.ids("ी")]
    err = capsys.readouterr().err
    assert "vocabulary 12 words" in err
    assert "changed" not in err


def test_a_lost_vocabulary_of_an_older_version_is_rebuilt(old_words, training, capsys):
    """A missing vocabulary.json is made again with the split of the newest checkpoint."""
    before = kept_vocabulary(Path("hindi"))
    store = CheckpointStore(JobDirectory(Path("hindi")).checkpoints)
    store.write(Checkpoint(7, {"weight": np.zeros(1, np.float32)}, {"vocabulary_sha256": before.sha256}), 7)
    Path("hindi/vocabulary.json").write_text("")
    assert "is damaged; remove it, and training rebuilds it from the text\n" in refused(capsys, 78, old_words)
    Path("hindi/vocabulary.json").unlink()
    assert main(old_words) == 0
    assert training.calls[0].corpus.vocabulary == before
    assert "changed" not in capsys.readouterr().err


def test_a_changed_text_of_an_older_version_is_split_as_the_job_does(old_words, training, capsys):
    """With --allow_changed_data the new text is split as the old one was, and may have as many unknown tokens."""
    before = kept_vocabulary(Path("hindi"))
    Path("hindi.txt").write_text("एक और वाक्य है\n" + Path("hindi.txt").read_text(encoding="utf-8"), encoding="utf-8")
    assert main([*old_words, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == before
    assert REMARK in capsys.readouterr().err


def test_a_job_of_a_later_version_is_refused(old_words, no_training, capsys):
    """A vocabulary with a later version of the split asks for an upgrade of textgen."""
    content = json.loads(Path("hindi/vocabulary.json").read_text())
    Path("hindi/vocabulary.json").write_text(json.dumps({**content, "tokenizer_version": 3}))
    line = refused(capsys, 78, old_words)
    assert "hindi/vocabulary.json: its word split has version 3, and textgen" in line
    assert line.endswith("; upgrade textgen\n")


def test_a_changed_text_that_is_too_short_is_refused(job, no_training, capsys):
    """A changed text must be long enough for one step."""
    BOOK.write_text(BOOK.read_text()[:60])
    line = refused(capsys, 65, [*job, FLAG])
    assert "too short: it has 54 tokens, and one step of 4 x 16 tokens needs 65" in line
