from collections import Counter
from pathlib import Path

import pytest

from textgen.corpus import UNKNOWN, Vocabulary, make_tokenizer
from textgen.corpus.coverage import check_coverage, share_lacking
from textgen.errors import DataError

VOCABULARY = Vocabulary(("", UNKNOWN, "to", "be"), make_tokenizer("spaced"))


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ({"to": 7, "be": 3}, 0.0),
        ({"to": 6, "or": 3, "not": 1}, 0.4),
        ({"or": 5}, 1.0),
        ({"to": 6, "or": 2, UNKNOWN: 92}, 0.25),
        ({UNKNOWN: 3}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_share_of_the_tokens_that_a_vocabulary_lacks(counts, share):
    """Each occurrence counts; what is `[UNK]` in the text already is neither lacking nor there."""
    assert share_lacking(Counter(counts), VOCABULARY) == pytest.approx(share)


def test_a_twentieth_may_be_missing():
    """Exactly so much is let through, and returned; one token more is refused with the share and examples."""
    assert check_coverage(Counter({"to": 95, "or": 5}), VOCABULARY, Path("v"), "mend it") == 0.05
    with pytest.raises(DataError) as caught:
        check_coverage(Counter({"to": 94, "or": 4, "not": 2}), VOCABULARY, Path("v"), "mend it")
    assert str(caught.value) == (
        "v lacks 6.0% of the tokens of the training text, such as 'or', 'not'; at most 5% may be missing: mend it"
    )


def test_the_most_frequent_of_what_is_missing_are_named():
    """Five examples are enough, those that matter most."""
    counts = Counter({letter: number for number, letter in enumerate("abcdefgh", start=1)})
    with pytest.raises(DataError, match="such as 'h', 'g', 'f', 'e', 'd'; at most"):
        check_coverage(counts, VOCABULARY, Path("v"), "mend it")


def test_what_is_spared_may_be_missing_on_top():
    """Where 30% are to be `[UNK]` in any case, 35% is the most."""
    assert check_coverage(Counter({"to": 66, "or": 34}), VOCABULARY, Path("v"), "mend it", spared=0.3) == 0.34
    with pytest.raises(DataError, match=r"v lacks 36\.0% of .* at most 35% may be missing"):
        check_coverage(Counter({"to": 64, "or": 36}), VOCABULARY, Path("v"), "mend it", spared=0.3)
