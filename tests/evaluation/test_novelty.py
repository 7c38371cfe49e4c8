import itertools
import random
import re

import pytest

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.corpus.copy_index import CopyIndex
from textgen.evaluation import Novelty, measure_novelty
from textgen.evaluation.novelty import find_copies
from textgen.generation.text_tokens import split_text

CHAR, WORD, SPACED = (make_tokenizer(name) for name in ("char", "word", "spaced"))
TRAINING = (
    "It was the best of times, it was the worst of times,\nit was the age of wisdom, it was the age of foolishness\n"
)


def novelty(text, tokenizer, training=TRAINING):
    return measure_novelty(text, CopyIndex.build(tokenizer.plain(training)), tokenizer)


def stitched(tokenizer, seed):
    """Returns a training text of random words, and a text stitched together from pieces of it."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    words = ["he", "said", "nothing", "at", "all", "then", "no", "more", "of", "it"]
    training = " ".join(rng.choices(words, k=2000))
    starts = [rng.randrange(len(training) - 200) for _ in range(8)]
    return training, tokenizer.plain("".join(training[start : start + rng.randrange(30, 200)] for start in starts))


def test_characters_by_hand():
    """45 characters have six spans of 40 consecutive ones; if the first 42 are copied, so are three of the spans."""
    text = TRAINING[7:49] + "XYZ"
    assert novelty(text, CHAR) == Novelty(TRAINING[7:49], 3 / 6, 6, "40-character")


def test_words_by_hand():
    """Eleven words have four spans of eight; punctuation and white space between the words are part of the span."""
    #        1   2     3  4      5  6   7   8      9  10     11
    text = 'the worst of times,\nit was the age of wisdom "Tell'
    assert novelty(text, WORD) == Novelty("the worst of times,\nit was the age of wisdom", 3 / 4, 4, "8-word")
    other_mark = text.replace(",\n", ";\n")  # is in every span
    assert novelty(other_mark, WORD) == Novelty("\nit was the age of wisdom", 0.0, 4, "8-word")


def test_the_tokens_of_a_spaced_text_are_compared():
    """In a pre-tokenized training text, line ends are white space, and separate punctuation is not a word."""
    training = "he had come , saw it , and\nwent as ' quick ' as he\ncould"
    text = "had come , saw it , and went as ' quick"
    assert novelty(text, SPACED, training) == Novelty(text, 1.0, 1, "8-word")


def test_a_text_is_measured_in_the_case_of_the_model():
    """The text of a lower-casing model is compared with the lower-cased training text."""
    lower = make_tokenizer("char", lowercase=True)
    assert novelty(TRAINING[:45].upper(), lower).copied_share == 1.0
    assert novelty(TRAINING[:45].upper(), CHAR).copied_share == 0.0


@pytest.mark.parametrize(
    ("tokenizer", "text", "spans"),
    [
        (CHAR, "", 0),
        (CHAR, "x" * 39, 0),
        (CHAR, "x" * 40, 1),
        (WORD, "", 0),
        (WORD, "one two -- three, four\nfive six seven ...", 0),
        (WORD, "one two -- three, four\nfive six seven ... don't", 1),
        (SPACED, "one two - three , four five six seven .", 0),
        (SPACED, "one two - three , four five six seven 's", 1),
    ],
)
def test_the_number_of_spans(tokenizer, text, spans):
    """A text without spans has a copied share of 0."""
    found = novelty(text, tokenizer)
    assert (found.spans, found.copied_share) == (spans, 0.0)


@pytest.mark.parametrize("tokenizer", [CHAR, WORD, SPACED])
@pytest.mark.parametrize("seed", range(4))
def test_spans_are_those_found_by_trying(tokenizer, seed):
    """For a text stitched together from pieces, the share equals that of a search span by span."""
    training, text = stitched(tokenizer, seed)
    if tokenizer is CHAR:
        spans = [text[start : start + 40] for start in range(len(text) - 39)]
    else:
        spans = re.findall(r"\b(?=(\w+(?:\s+\w+){7})\b)", text)
    found = novelty(text, tokenizer, training)
    assert found.spans == len(spans)
    assert found.copied_share == pytest.approx(sum(span in training for span in spans) / len(spans))
    assert 0 < found.copied_share < 1


@pytest.mark.parametrize(
    ("measured", "line"),
    [
        (
            Novelty("and the captain of the ", 0.0305, 361, "40-character"),
            "longest copied passage: 23 characters ('and the captain of the '), copied 40-character spans: 3.05% of 361",
        ),
        (
            Novelty("a\n\x1b[2Jb", 0.00001, 100_000, "8-word"),
            r"longest copied passage: 7 characters ('a\n\x1b[2Jb'), copied 8-word spans: 0.001% of 100000",
        ),
        (
            Novelty("x", 0.0, 0, "8-word"),
            "longest copied passage: 1 character ('x'), copied 8-word spans: none; the text is too short",
        ),
        (
            Novelty("", 0.0, 0, "8-word"),
            "longest copied passage: 0 characters, copied 8-word spans: none; the text is too short",
        ),
        (
            Novelty("ab" * 60, 1.0, 81, "40-character"),
            f"longest copied passage: 120 characters ('{'ab' * 50}'...), copied 40-character spans: 100% of 81",
        ),
    ],
)
def test_the_line_for_people(measured, line):
    """The measures are one line, whatever was copied: control characters are escaped, and a long passage is cut."""
    assert str(measured) == line


def copies(text, tokenizer, training=TRAINING):
    """Returns the copied passages of a text, by a model that knows each token of the training text."""
    tokens = dict.fromkeys(tokenizer.split(training))
    vocabulary = Vocabulary(("", "[UNK]", *tokens), tokenizer)
    found = find_copies(split_text(text, vocabulary), CopyIndex.build(tokenizer.plain(training)))
    return [text[start:stop] for start, stop in found]


def test_copied_passages_by_hand():
    """A passage of 40 characters is found, one of 39 is not, and each is as long as it can be."""
    assert copies(f"?{TRAINING[7:47]}?{TRAINING[60:99]}?{TRAINING[:44]}?", CHAR) == [TRAINING[7:47], TRAINING[:44]]
    assert copies(TRAINING, CHAR) == [TRAINING]
    assert copies("", CHAR) == copies(TRAINING[:39], CHAR) == []


def test_copied_passages_may_overlap():
    """If the training text contains two passages but not both as one, both are found."""
    first, second = TRAINING[0:60], TRAINING[30:57]
    training = f"{first}|{second[-25:]} of nothing at all, said the other"
    text = f"{first[:57]} of nothing at all, said the other"
    assert copies(text, CHAR, training) == [text[:57], text[57 - 25 :]]


def test_copied_passages_of_words():
    """Eight words are a passage, from the start of a word to the end of one; in a pre-tokenized text, too."""
    text = 'Never the worst of times,\nit was the age of wisdom "Tell'
    assert copies(text, WORD) == ["the worst of times,\nit was the age of wisdom"]
    assert copies(text.replace(",\n", ";\n"), WORD) == []
    training = "he had come , saw it , and\nwent as ' quick ' as he\ncould"
    text = "She said he had come, saw it, and went as"
    assert copies(text, SPACED, training) == ["he had come, saw it, and went as"]
    assert copies(f"{text} home", SPACED, training) == ["he had come, saw it, and went as"]


def test_copied_passages_have_the_case_and_places_of_the_text():
    """A lower-casing model's passage is found in a text in capitals, and in one whose lower case is longer."""
    lower = make_tokenizer("char", lowercase=True)
    text = f"İİİ\r\n{TRAINING[:60].upper()}?"
    assert copies(text, lower) == [TRAINING[:60].upper()]


@pytest.mark.parametrize("tokenizer", [CHAR, WORD, SPACED])
@pytest.mark.parametrize("seed", range(6))
def test_copied_passages_are_those_of_the_novelty(tokenizer, seed):
    """A span counts as copied if it is in one of the passages, which the training text contains and which cannot be longer."""
    training, text = stitched(tokenizer, seed)
    vocabulary = Vocabulary(("", "[UNK]", *dict.fromkeys(tokenizer.split(training))), tokenizer)
    found = find_copies(split_text(text, vocabulary), CopyIndex.build(tokenizer.plain(training)))
    if tokenizer is CHAR:
        spans = [(start, start + 40) for start in range(len(text) - 39)]
    else:
        spans = [found.span(1) for found in re.finditer(r"\b(?=(\w+(?:\s+\w+){7})\b)", text)]
    measured = novelty(text, tokenizer, training)
    within = [any(start <= first and last <= stop for start, stop in found) for first, last in spans]
    assert sum(within) / len(spans) == pytest.approx(measured.copied_share)
    assert all(text[start:stop] in training for start, stop in found)
    assert found == sorted(found)
    assert all(first[1] < second[1] for first, second in itertools.pairwise(found))
    if tokenizer is CHAR:
        for start, stop in found:
            assert start == 0 or text[start - 1 : stop] not in training
            assert stop == len(text) or text[start : stop + 1] not in training
