from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.errors import UsageError
from textgen.generation import TextGenerator

if TYPE_CHECKING:
    from collections.abc import Callable

    from textgen.generation import ModelFile

WEIGHTS = [5, 4, 1, 4, 3, 2]
"""How likely the tokens of the model are: of the padding, `[UNK]`, the line break, a, b and c."""


@pytest.fixture
def steady(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> Callable[[Vocabulary], TextGenerator]:
    """A function that returns a model in which every token is always as likely, whatever precedes it."""

    def make(vocabulary: Vocabulary) -> TextGenerator:
        model = make_model(plain, vocabulary=vocabulary)
        tensors = {name: np.zeros_like(tensor) for name, tensor in model.tensors.items()}
        tensors["output.bias"] = np.log(WEIGHTS).astype(np.float32)
        return TextGenerator(replace(model, tensors=tensors))

    return make


def nats(token_id: int) -> Any:
    return pytest.approx(math.log(sum(WEIGHTS) / WEIGHTS[token_id]), rel=1e-5)


def test_the_score_of_a_text_by_hand(steady: Callable[..., TextGenerator], vocabulary: Vocabulary) -> None:
    """Each token but the first has nats and a rank; an unknown one is read as `[UNK]`, which has no rank."""
    scored = steady(vocabulary).score("cab?", top=2, after=3)
    first, a, b, unknown = scored
    assert first == ("c", 0, None, None, ())
    assert (a.text, a.offset, a.nats, a.rank) == ("a", 1, nats(3), 1)
    assert (b.text, b.offset, b.nats, b.rank) == ("b", 2, nats(4), 2)
    assert (unknown.text, unknown.offset, unknown.nats, unknown.rank) == ("?", 3, nats(1), None)
    assert unknown.top == a.top
    assert [other[:3] for other in a.top] == [("a", nats(3), 3), ("b", nats(4), 4)]
    assert [other[:3] for other in scored.next] == [("a", nats(3), 3), ("b", nats(4), 4), ("c", nats(5), 5)]
    assert len(scored) == 4
    assert scored.unknown_share == 1 / 4
    assert scored.bits_per_character == pytest.approx(math.log2(19**3 / (4 * 3 * 4)) / 3, rel=1e-5)


def test_probabilities_at_temperatures(steady: Callable[..., TextGenerator], vocabulary: Vocabulary) -> None:
    """At a temperature t, alternatives are written with probabilities like p^(1/t), without the padding and `[UNK]`."""
    scored = steady(vocabulary).score("ca", top=2, temperatures=(1, 0.5))
    _, token = scored
    a, b = token.top
    assert a.probabilities == pytest.approx((4 / 10, 16 / (1 + 16 + 9 + 4)), rel=1e-5)
    assert b.probabilities == pytest.approx((3 / 10, 9 / (1 + 16 + 9 + 4)), rel=1e-5)
    assert scored.next == ()
    assert all(other.probabilities == () for other in list(steady(vocabulary).score("ca", top=2))[1].top)


@pytest.mark.parametrize(
    "temperatures", [0.8, "08", [0], [-1], [0.001], [math.inf], [math.nan], ["1"], [True], [1, None]]
)
def test_wrong_temperatures(steady: Callable[..., TextGenerator], vocabulary: Vocabulary, temperatures: Any) -> None:
    """Anything but a list of numbers from 0.01 is refused."""
    with pytest.raises(UsageError, match=r"temperatures must be a list of numbers from 0\.01, got "):
        steady(vocabulary).score("ca", temperatures=temperatures)


def test_the_first_piece_does_not_count(steady: Callable[..., TextGenerator]) -> None:
    """The characters of a text are those that were predicted: all but those of the first token."""
    words = Vocabulary(("", "[UNK]", " ", "one", "other", "word"), make_tokenizer("word"))
    scored = steady(words).score("other one")
    assert [token.text for token in scored] == ["other", " ", "one"]
    assert scored.bits_per_character == pytest.approx(math.log2(19 / 1 * 19 / 4) / 4, rel=1e-5)


def test_alternatives_in_place(steady: Callable[..., TextGenerator]) -> None:
    """Alternatives in a pre-tokenized text have the spacing that they would have there."""
    spaced = Vocabulary(("", "[UNK]", "(", "he", ",", "said"), make_tokenizer("spaced"))
    scored = steady(spaced).score("he , ( said", top=4, after=4)
    assert [token.text for token in scored] == ["he", " ,", " (", " said"]
    first, *rest = [[other.text for other in token.top] for token in scored]
    assert first == []
    assert rest == [[" he", ",", " said", " ("], [" he", ",", " said", " ("], ["he", ",", "said", "("]]
    assert [other.text for other in scored.next] == [" he", ",", " said", " ("]
    assert [other.text for other in steady(spaced).score("he ", after=4).next] == ["he", ",", "said", "("]


def test_what_starts_a_text(random_model: Callable[..., ModelFile]) -> None:
    """After an empty text come the tokens with which the model starts a text without a prompt."""
    generator = TextGenerator(random_model())
    scored = generator.score("", top=2, after=20)
    assert list(scored) == []
    assert (scored.bits_per_character, scored.unknown_share) == (None, 0)
    assert scored.next == generator.score("\n\n", after=20).next
    assert len(scored.next) == 11
    assert next(generator.generate(temperature=0, length=1)) == scored.next[0].text


def test_a_text_is_scored_as_it_was_written(random_model: Callable[..., ModelFile]) -> None:
    """A model that reads a text of its own finds it as likely as when it wrote it."""
    from textgen.config import SamplingConfig

    generator = TextGenerator(random_model())
    written = dict.fromkeys(
        sample for sample, _ in generator.write("abc", SamplingConfig(length=300, seed=1), scored=True)
    )
    [sample] = written
    scored = list(generator.score("abc" + sample.text))
    assert sum(token.nats or 0 for token in scored[3:]) == pytest.approx(sample.nats, rel=1e-3)


def test_nothing_is_respelled(random_model: Callable[..., ModelFile]) -> None:
    """A text with white space that the vocabulary lacks is not changed, unlike a prompt."""
    scored = TextGenerator(random_model()).score("a\u2003b")
    assert [(token.text, token.rank is None) for token in scored] == [("a", True), ("\u2003", True), ("b", False)]


@pytest.mark.parametrize(
    "wrong",
    [{"text": None}, {"text": 3}, {"text": "a", "top": -1}, {"text": "a", "after": 1.0}, {"text": "a", "top": True}],
)
def test_wrong_arguments_are_refused(random_model: Callable[..., ModelFile], wrong: dict[str, Any]) -> None:
    """An argument of the wrong type, or a negative number, is named in the error."""
    with pytest.raises(UsageError, match=f"^{list(wrong)[-1]} must be a"):
        TextGenerator(random_model()).score(**wrong)
