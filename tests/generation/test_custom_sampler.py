from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.config import SamplingConfig
from textgen.config.sampling import choice_settings
from textgen.errors import UsageError
from textgen.generation import TextGenerator
from textgen.storage import bundled

if TYPE_CHECKING:
    from collections.abc import Callable

    from textgen.generation import ModelFile


class Drawn:
    """Draws a token with the probabilities of the model, in the simplest way."""

    def choose(self, logits: Any, rng: np.random.Generator, recent: Any) -> Any:
        weights = np.exp(logits.astype(np.float64) - logits.max())
        logits.fill(0)  # it may be overwritten
        assert recent.ndim == 1
        return rng.choice(len(weights), p=weights / weights.sum())


class Likeliest:
    """Takes the likeliest token that is none of the last two."""

    __hash__ = None  # type: ignore[assignment]

    def choose(self, logits: Any, rng: np.random.Generator, recent: Any) -> int:
        del rng
        logits[recent[-2:]] = -np.inf
        return int(logits.argmax())


class Always:
    """Chooses the same, whatever the model says."""

    def __init__(self, token: Any) -> None:
        self.token = token

    def choose(self, *_: Any) -> Any:
        return self.token


@pytest.fixture
def generator(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> TextGenerator:
    """A generator whose model has random weights."""
    return TextGenerator(make_model(plain))


def test_it_chooses_the_tokens(generator: TextGenerator) -> None:
    """The sampler's choice is written, and it gets the tokens of the prompt and the text, most recent last."""
    text = "ab" + "".join(generator.generate("ab", length=50, sampler=Likeliest()))
    assert all(len({*text[place : place + 3]}) == 3 for place in range(50))
    assert "".join(generator.generate("ab", length=3, sampler=Always(4))) == "bbb"


def test_its_random_numbers_come_from_the_seed(generator: TextGenerator) -> None:
    """A seed gives the same text alone and in a batch, and every seed gives another one."""
    config = SamplingConfig(length=30, seed=3)
    together: dict[int, str] = {}
    for sample, piece in generator.write("ab", config, samples=4, sampler=Drawn()):
        together[sample.seed] = together.get(sample.seed, "") + piece
    assert list(together) == [3, 4, 5, 6]
    assert len(set(together.values())) == 4
    for seed, text in together.items():
        assert text == "".join(generator.generate("ab", length=30, seed=seed, sampler=Drawn()))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (6, "sampler Always must choose an id from 0 to 5, got 6"),
        (-1, "sampler Always must choose an id from 0 to 5, got -1"),
        (10**30, "sampler Always must choose an id from 0 to 5, got 1000"),
        pytest.param(
            10**5000, "sampler Always must choose an id from 0 to 5, got a number with thousands of digits", id="huge"
        ),
        (2.0, "sampler Always must choose an integer, the id of a token, got 2.0"),
        (None, "sampler Always must choose an integer, the id of a token, got None"),
        ("a", "sampler Always must choose an integer"),
        (np.array([2, 3]), "sampler Always must choose an integer"),
        (0, "sampler Always must choose a token whose logit is not -inf, got 0"),
        (3, "sampler Always must choose a token whose logit is not -inf, got 3"),
    ],
)
def test_a_wrong_choice_is_one_line(generator: TextGenerator, chosen: Any, message: str) -> None:
    """What is no token, or a forbidden one, is an error of one line that names the sampler's class."""
    with pytest.raises(UsageError, match=message) as caught:
        list(generator.generate("ab", length=3, sampler=Always(chosen), ban="a"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("chosen", [np.int32(3), np.array(3), np.uint8(3)])
def test_numpys_integers_are_integers(generator: TextGenerator, chosen: Any) -> None:
    """The integers of NumPy, and an array of one without dimensions, are accepted."""
    assert "".join(generator.generate("ab", length=2, sampler=Always(chosen))) == "aa"


@pytest.mark.parametrize("sampler", [object(), "greedy", len, 0.5])
def test_an_object_that_is_no_sampler(generator: TextGenerator, sampler: Any) -> None:
    """An object without the method is refused by the call itself."""
    with pytest.raises(UsageError, match=r"sampler must have a method choose\(logits, rng, recent\), got"):
        generator.generate("ab", sampler=sampler)


def test_a_class_is_no_sampler(generator: TextGenerator) -> None:
    """A class in the place of an object is refused by the call itself, which says how to make an object."""
    with pytest.raises(UsageError, match=r"sampler must be an object, got the class Drawn; .* with Drawn\(\)"):
        generator.generate("ab", sampler=Drawn)  # type: ignore[arg-type]


def test_it_is_not_combined_with_what_it_replaces(generator: TextGenerator) -> None:
    """A setting that a sampler replaces cannot be given with it; the others can."""
    assert choice_settings() == ["repetition_penalty", "temperature", "top_k", "top_p", "min_p"]
    with pytest.raises(UsageError, match="sampler and top_k cannot be combined"):
        generator.generate("ab", sampler=Likeliest(), top_k=3)
    text = "".join(generator.generate("ab", sampler=Drawn(), ban="ca", logit_bias={"b": -100}, until="\n", seed=1))
    assert text.endswith("\n")
    assert "ca" not in text
    assert "b" not in text


def test_the_example_of_the_docs() -> None:
    """The sampler in docs/sampling.md runs as it is printed, with the base model, and a higher target gives more surprising texts."""
    page = (Path(__file__).parents[2] / "docs/sampling.md").read_text(encoding="utf-8")
    [code] = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def choose" in code]
    model = str(bundled("data/base.safetensors"))
    names: dict[str, Any] = {}
    exec(code.replace("job/story-from-base", model), names)  # noqa: S102 - our own page
    generator = names["writer"]
    config = SamplingConfig(length=500, seed=1)
    low, high = (
        list(generator.write("The captain", config, scored=True, sampler=names["Mirostat"](target)))[-1][0].nats / 500
        for target in (0.5, 2)
    )
    assert low < 0.8
    assert high > 1
