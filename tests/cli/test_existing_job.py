import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from textgen.cli.train import main
from textgen.corpus import UNKNOWN_ID, Vocabulary, find_sources, keep_split, make_tokenizer, open_corpus
from textgen.jobs import JobState

FLAG = "--allow_changed_data"
BOOK = Path("book.txt")
JOB = Path("jobs", "book-8-states-1-layers")
REMARK = "The text has changed: the job keeps its own vocabulary"

LINES = "the captain looked at the sea .\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def job(trained, tmp_path, monkeypatch):
    """The arguments of a finished job, and its book, in the current folder; with them it would go on."""
    monkeypatch.chdir(trained.copy(tmp_path).place)
    return [*trained.command, "--max_steps=8"]


@pytest.fixture
def spaced(tmp_path, monkeypatch, training):
    """The arguments of a job that learned a text which brings its vocabulary file; the file lies here."""
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
    """The vocabulary that the book alone gives."""
    return open_corpus(find_sources([str(BOOK)], None, None), language_model="char").vocabulary


def make_frequent_what_was_rare():
    """Adds as much of the rarest letter as there is text: in a vocabulary of this text alone, it comes first."""
    text = BOOK.read_text()
    rarest = min(filter(str.isalpha, text), key=Counter(text).__getitem__)
    BOOK.write_text(text + f"{rarest * 50}\n" * (len(text) // 50))
    assert own_vocabulary().tokens[2] == rarest != kept_vocabulary().tokens[2]


def everything_here():
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def refused(capsys, code, arguments):
    """The one line of a run that ends with this code and leaves the job as it was."""
    before = everything_here()
    capsys.readouterr()
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert everything_here() == before
    return err


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_a_changed_text_is_refused_with_the_ways_out(job, no_training, capsys, dry_run):
    """Without the flag nobody trains on another text by mistake; the line names the flag."""
    make_frequent_what_was_rare()
    assert refused(capsys, 65, [*job, *dry_run]) == (
        f"textgen-train: error: {JOB} was trained on a different text; name another --job_dir or --data_prefix, use --fresh to "
        "start over, or use --allow_changed_data to resume with the text as it is now\n"
    )


def test_with_the_flag_it_goes_on_with_the_vocabulary_of_the_job(job, training, capsys):
    """Whatever vocabulary the text alone would give, the ids stay; that the text has changed is said once."""
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


def test_the_next_run_needs_no_leave_for_the_same_text(job, training, capsys):
    """A text that was changed on purpose is the job's own from then on, and still read with the job's vocabulary."""
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
def test_what_the_vocabulary_lacks_is_read_as_unknown(job, training, capsys, dry_run):
    """Up to a twentieth of the tokens may be new; their share is said, and the plan is one of the job's vocabulary."""
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
    """Beyond a twentieth the line has the share, examples, and what to do."""
    BOOK.write_text("Один два три четыре пять.\n" * 300)
    line = refused(capsys, 65, [*job, FLAG, *dry_run])
    assert f"{JOB / 'vocabulary.json'} lacks 76.9% of the tokens of the training text, such as 'т', " in line
    assert (
        "; at most 5% may be missing: give a text closer to the one that the job started with, or use --fresh" in line
    )


def test_an_unchanged_text_is_no_matter_for_the_flag(job, training, capsys):
    """Nothing is said, and the vocabulary is that of both."""
    assert main([*job, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == kept_vocabulary() == own_vocabulary()
    assert "has changed" not in capsys.readouterr().err


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_with_fresh_the_flag_has_no_effect(job, training, capsys, dry_run):
    """A new job takes the vocabulary of its text."""
    make_frequent_what_was_rare()
    assert main([*job, FLAG, "--fresh", *dry_run]) == 0
    assert "has changed" not in capsys.readouterr().err
    assert [call.corpus.vocabulary for call in training.calls] == ([] if dry_run else [own_vocabulary()])


def test_without_a_job_the_flag_does_nothing(book, training, capsys):
    """There is nothing to go on with."""
    assert main(["book.txt", FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == own_vocabulary()
    assert "has changed" not in capsys.readouterr().err


def test_a_text_by_another_name_is_another_job(job, training, capsys):
    """The flag brings no job to a text whose name leads elsewhere."""
    BOOK.rename("other.txt")
    assert main(["other.txt", *job[1:], FLAG]) == 0
    assert training.calls[0].job.root == JOB.with_name("other-8-states-1-layers")
    assert "has changed" not in capsys.readouterr().err


def test_without_the_vocabulary_of_the_job_a_changed_text_cannot_be_read(job, no_training, capsys):
    """The ids of what the model knows are in no other file."""
    make_frequent_what_was_rare()
    (JOB / "vocabulary.json").unlink()
    line = refused(capsys, 66, [*job, FLAG])
    assert (
        f"and its vocabulary, {JOB / 'vocabulary.json'}, is missing; restore it, or use --fresh to start over" in line
    )


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 9999, "\ufeff"])
def test_a_damaged_vocabulary_costs_no_job(job, training, capsys, content):
    """It can be removed, and comes back from the same text as it was; --fresh would throw away what was learned."""
    before = kept_vocabulary()
    (JOB / "vocabulary.json").write_text(content)
    line = refused(capsys, 78, job)
    assert f"{JOB / 'vocabulary.json'} is damaged; remove it, and training rebuilds it from the text\n" in line
    (JOB / "vocabulary.json").unlink()
    assert main(job) == 0
    assert training.calls[0].corpus.vocabulary == before == kept_vocabulary()


def test_a_vocabulary_that_the_text_no_longer_gives_must_be_restored(job, no_training, capsys):
    """A job that resumed with a changed text keeps its first vocabulary: without the file it cannot go on."""
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
    """From another text another vocabulary would come."""
    make_frequent_what_was_rare()
    (JOB / "vocabulary.json").write_text("")
    for arguments in (job, [*job, FLAG]):
        line = refused(capsys, 78, arguments)
        assert "vocabulary.json is damaged; restore it, or use --fresh to start over\n" in line


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_another_fraction_for_validation_is_another_text(job, no_training, capsys, dry_run):
    """The model may have learned what it would be scored on; the line has both values."""
    line = refused(capsys, 65, [*job, "--valid_fraction=0.2", *dry_run])
    assert (
        f"{JOB} was trained on a different text (valid_fraction is 0.1 in the job and 0.2 in this run); give the job's "
        "value, name another --job_dir or --data_prefix, use --fresh to start over, or use --allow_changed_data" in line
    )


def test_another_fraction_for_validation_is_allowed_with_the_flag(job, training, capsys):
    """As any other change of the text; from then on the job has the new one."""
    assert main([*job, "--valid_fraction=0.2", FLAG]) == 0
    assert REMARK in capsys.readouterr().err
    assert main([*job, "--valid_fraction=0.2", "--max_steps=12"]) == 0
    assert "valid_fraction is 0.2 in the job and 0.1 in this run" in refused(capsys, 65, job)


def test_a_lost_state_does_not_hide_a_changed_text(job, training, capsys):
    """Where only the vocabulary tells that the text is another, that is refused, and allowed, just the same."""
    before = kept_vocabulary()
    make_frequent_what_was_rare()
    (JOB / "state.json").unlink()
    assert "was trained on a different vocabulary" in refused(capsys, 65, job)
    assert main([*job, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == before
    assert "The vocabulary has changed: the job keeps its own vocabulary\n" in capsys.readouterr().err


def test_a_finished_job_with_a_changed_text_says_that_it_is_finished(job, no_training, capsys):
    """The totals are those of the job, whatever it was trained on."""
    make_frequent_what_was_rare()
    assert main([*job[:-1], FLAG]) == 0
    assert "This job is finished: 5 steps" in capsys.readouterr().err
    assert JobState.read(JOB / "state.json").steps == 5


@pytest.mark.parametrize("order", [reversed, sorted])
def test_a_changed_vocabulary_file_is_a_changed_text(spaced, training, capsys, order):
    """Another order would move the ids: refused without the flag, and passed over with it."""
    before = kept_vocabulary(Path("x"))
    Path("x.vocab.txt").write_text("\n".join(order(LINES.split())))
    line = refused(capsys, 65, spaced)
    assert "x was trained on a different vocabulary; name another --job_dir" in line
    assert FLAG in line
    assert main([*spaced, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == before
    assert "The vocabulary has changed: the job keeps its own vocabulary\n" in capsys.readouterr().err


def test_without_its_vocabulary_file_a_text_is_still_read_as_it_was(spaced, training, capsys):
    """The vocabulary of a job decides how its text is split, and a text of printed words is then refused."""
    Path("x.vocab.txt").unlink()
    assert main([*spaced, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == kept_vocabulary(Path("x"))
    Path("x.train.txt").write_text("The captain, as I said, looked at the sea.\n" * 300)
    line = refused(capsys, 65, [*spaced, "--max_steps=12", FLAG])
    assert "x/vocabulary.json lacks 66.7% of the tokens of the training text, such as 'The', 'captain,'" in line


def test_a_vocabulary_that_was_cut_may_lack_as_much_as_before(tmp_path, monkeypatch, training, capsys):
    """Where vocab_size leaves a fifth of the words out on purpose, a slip that is mended is no reason to refuse."""
    monkeypatch.chdir(tmp_path)
    Path("cut.txt").write_text(LINES * 300)
    arguments = ["cut.txt", "--language_model=word", "--vocab_size=5", "--job_dir=cut"]
    assert main(arguments) == 0
    capsys.readouterr()
    Path("cut.txt").write_text("The" + (LINES * 300)[3:])
    assert main([*arguments, "--minutes=9", FLAG]) == 0
    assert training.calls[1].corpus.vocabulary == training.calls[0].corpus.vocabulary
    # Each of 270 lines has 14 tokens: 6 spaces, `the` twice, and 6 others, 3 of which are kept; and there is one `The`.
    share = f"{100 * (270 * 3 + 1) / (270 * 14):.3g}%"
    assert f"{REMARK}; {share} of the tokens are not in it and are read as [UNK]\n" in capsys.readouterr().err


@pytest.fixture
def old_words(tmp_path, monkeypatch, training):
    """The arguments of a word job of the version in which a combining mark ended a word."""
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
    """Its text is read as before, without a word about it, also where it was stopped before its first step."""
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


def test_a_changed_text_of_an_older_version_is_split_as_the_job_does(old_words, training, capsys):
    """As much of it may be unknown as of the old text, by the same split."""
    before = kept_vocabulary(Path("hindi"))
    Path("hindi.txt").write_text("एक और वाक्य है\n" + Path("hindi.txt").read_text(encoding="utf-8"), encoding="utf-8")
    assert main([*old_words, FLAG]) == 0
    assert training.calls[0].corpus.vocabulary == before
    assert REMARK in capsys.readouterr().err


def test_a_job_of_a_later_version_is_refused(old_words, no_training, capsys):
    """What splits its text is not known here."""
    content = json.loads(Path("hindi/vocabulary.json").read_text())
    Path("hindi/vocabulary.json").write_text(json.dumps({**content, "tokenizer_version": 3}))
    line = refused(capsys, 78, old_words)
    assert "hindi/vocabulary.json: its word split has version 3, and textgen" in line
    assert line.endswith("; upgrade textgen\n")


def test_a_changed_text_that_is_too_short_is_refused(job, no_training, capsys):
    """What is short for a new job is short for one that goes on."""
    BOOK.write_text(BOOK.read_text()[:60])
    line = refused(capsys, 65, [*job, FLAG])
    assert "too short: it has 54 tokens, and one step of 4 x 16 tokens needs 65" in line
