import importlib
from pathlib import Path

import pytest

from textgen.generation import write_model

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def small_texts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("small_texts")


def record(steps, loss):
    return {"steps": steps, "seconds": steps / 100, "valid_loss": loss}


def test_a_paragraph_becomes_a_line(small_texts):
    """Blank lines stay, and so do the entries of a fortune file, whose authors are indented."""
    assert small_texts.unwrap("A\nDead Wire\n\nI have\nbeen") == "A Dead Wire\n\nI have been"
    assert small_texts.unwrap("Gut\nso.\n\t\t-- Nie\n%\nJa") == "Gut so. -- Nie\n\nJa"


def test_the_validation_text_follows_the_text_to_learn(small_texts):
    """The two parts are adjacent, and a text that is too short for both is refused."""
    text = "ab" * 20_000
    learn, validate = small_texts.split("story", text, 15_000)
    assert (learn + validate, len(validate)) == (text, 25_000)
    with pytest.raises(SystemExit, match="story needs 40,001 characters, got 40,000"):
        small_texts.split("story", text, 15_001)


def test_words_are_runs_of_letters_and_apostrophes(small_texts):
    """Digits, dashes and quotation marks separate words, in any alphabet."""
    found = small_texts.find_words("'Don’t!' said the CURING-yards' clerk in 1870: Straße")  # noqa: RUF001 - as in print
    assert found == ["don't", "said", "the", "curing", "yards", "clerk", "in", "straße"]


def test_the_share_of_known_words(small_texts):
    """A possessive is known by its noun; a word that is cut off at the end does not count; no words make no share."""
    known = frozenset({"the", "clerk", "don't"})
    assert small_texts.known_share(["The clerk's wire ", "don't th"], known) == pytest.approx(3 / 4)
    assert small_texts.known_share(["1870", ""], known) == 0


def test_a_run_that_overfits_is_summarised(small_texts):
    """The best loss, its step and seconds, the last loss, the best by step 600, and the first within 0.01 of the best."""
    records = [record(300, 1.5), record(600, 1.26), record(900, 1.255), record(1200, 1.25), record(1500, 1.4)]
    run = small_texts.summarise(records, wall=20.0, known=0.97)
    assert run == small_texts.Run(1.25, 1200, 12.0, 1.4, 1.26, 600, 20.0, 0.97)


def test_a_run_without_an_early_evaluation(small_texts):
    """Nothing is known of step 600 if the first evaluation comes later."""
    assert small_texts.summarise([record(700, 1.5)], wall=1.0, known=1.0).early is None


def test_the_german_text_is_unwrapped_and_knows_its_own_words(small_texts, tmp_path):
    """Its words are known in addition to those of every text."""
    path = tmp_path / "zitate"
    path.write_text("Man muß\nwissen.\n\t\t-- Abélard\n%\n" * 5_000, encoding="utf-8")
    ((name, text),) = small_texts.read_texts(["german"], "", str(path), frozenset({"clerk"}))
    assert (name, text.learn[:37]) == ("german", "Man muß wissen. -- Abélard\n\nMan muß w")
    assert text.words == {"clerk", "man", "muß", "wissen", "abélard"}


def test_texts_that_are_missing_are_skipped_with_a_reason(small_texts, capsys, tmp_path):
    """The story is always there; the other texts are not."""
    missing = str(tmp_path / "missing")
    found = dict(small_texts.read_texts(small_texts.TEXTS, missing, missing, frozenset()))
    assert list(found) == ["story-30", "story-100", "story-185"]
    assert [len(text.learn) for text in found.values()] == [30_000, 100_000, 184_646]
    assert {len(text.validate) for text in found.values()} == {25_000}
    assert capsys.readouterr().out.splitlines() == [
        f"shakespeare: skipped, because there is no {missing}; name the file with --shakespeare",
        f"german: skipped, because there is no {missing}; install Debian's fortunes-de, or name its file zitate with --german",
    ]


def test_the_n_gram_reaches_the_loss_that_is_known_of_it(small_texts, tmp_path):
    """An independent program found 1.618 nats per character for the first 30,000 characters of the story."""
    _, text = next(iter(small_texts.read_texts(["story-30"], "", "", frozenset())))
    (tmp_path / "story.train.txt").write_text(text.learn, encoding="utf-8")
    (tmp_path / "story.valid.txt").write_text(text.validate, encoding="utf-8")
    assert small_texts.kneser_ney_loss(str(tmp_path), "story") == pytest.approx(1.618, abs=0.001)


def test_samples_are_complete_and_repeatable(small_texts, random_model, tmp_path):
    """Each seed gives one text of full length, the same each time."""
    path = tmp_path / "model.safetensors"
    write_model(path, random_model())
    texts = small_texts.write_samples(path, 3, 0.7)
    assert [len(text) for text in texts] == [1_000] * 3
    assert len(set(texts)) == 3
    assert texts == small_texts.write_samples(path, 3, 0.7)
