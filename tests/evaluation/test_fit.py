import dataclasses

import numpy as np
import pytest

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.corpus.sections import open_whole
from textgen.errors import DataError
from textgen.evaluation.evaluated_text import count_text
from textgen.evaluation.fit import refuse_misfit, why_not_comparable
from textgen.generation.reading import ScoredTokens
from textgen.generation.scored_text import ScoredText
from textgen.generation.text_tokens import split_text


@pytest.fixture(params=["score", "eval"])
def read(request, tmp_path):
    """A function that returns a text as `textgen score` or `textgen eval` reads it with a vocabulary."""

    def as_read(text, vocabulary):
        if request.param == "score":
            return ScoredText(split_text(text, vocabulary), ScoredTokens(np.zeros(0, np.float32)), ())
        path = tmp_path / "text.txt"
        path.write_text(text, encoding="utf-8")
        return count_text(open_whole([path], unwrap="no"), vocabulary)

    return as_read


def test_more_than_a_quarter_of_unknown_tokens_is_refused(random_model, read):
    """Whatever the command, the message has the share, the tokens and the limit."""
    model = random_model()
    refuse_misfit(read("abcabcxy", model.vocabulary), model, "job/mine", "letter.txt")
    with pytest.raises(DataError) as caught:
        refuse_misfit(read("abcabxyx", model.vocabulary), model, "job/mine", "letter.txt")
    assert str(caught.value) == (
        "letter.txt does not fit job/mine: 37.5% of its tokens are [UNK], namely 'x', 'y', and at most 25% may be; "
        "name a text like its training text, or another model"
    )


def test_the_share_in_the_models_own_text_is_allowed_in_addition(random_model, read):
    """A model with a small vocabulary reads its own text with `[UNK]` too, so a similar text fits it."""
    model = dataclasses.replace(random_model(), scores={"valid_unknown_share": 0.2})
    refuse_misfit(read("abcabxyx", model.vocabulary), model, "job/mine", "letter.txt")
    with pytest.raises(DataError, match=r"at most 45% may be"):
        refuse_misfit(read("abcxyxyx", model.vocabulary), model, "job/mine", "letter.txt")


def test_a_text_in_another_language_does_not_fit_a_model_of_words(random_model, read):
    """Spaces and punctuation, which languages share, do not make a text fit; a few unknown names do not keep it from fitting."""
    words = ("the", "captain", "was", "on", "a", "ship", "of", ",", ".")
    vocabulary = Vocabulary(("", "[UNK]", " ", *words), make_tokenizer("word"))
    model = dataclasses.replace(random_model(), vocabulary=vocabulary)
    refuse_misfit(read("the captain of the nautilus, nemo, was on a ship.", vocabulary), model, "job/mine", "a")
    with pytest.raises(DataError, match=r"namely 'der', 'kapitän', 'war', 'auf', 'dem', 'schiff', and"):
        refuse_misfit(read("der kapitän war auf dem schiff.", vocabulary), model, "job/mine", "a")


def test_any_unknown_token_makes_a_score_incomparable(random_model, read):
    """The sentence has the share, and lists each unknown token once, without the white space before it."""
    letters = random_model().vocabulary
    assert why_not_comparable(read("abcabc", letters), "job/mine", "letter.txt") == ""
    assert why_not_comparable(read("aaxyxa\n", letters), "job/mine", "letter.txt") == (
        "the score of letter.txt by job/mine is not comparable: 42.9% of its tokens are [UNK], namely 'x', 'y'"
    )
    spaced = Vocabulary(("", "[UNK]", "a", "bb"), make_tokenizer("spaced"))
    assert "50% of its tokens are [UNK], namely 'zz'" in why_not_comparable(read("a  zz a zz", spaced), "", "")
