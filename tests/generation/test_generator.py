from __future__ import annotations

import math
import subprocess
import sys
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.config import SamplingConfig
from textgen.corpus.copy_index import CopyIndex
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.errors import DataError, MissingError, UsageError
from textgen.generation import LSTMStep, Sample, TextGenerator, load, write_model
from textgen.generation.generator import MOST_SIDE_BY_SIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textgen.generation import ModelFile


@pytest.fixture
def random_generator(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> TextGenerator:
    """A generator that knows nothing: its weights are random."""
    return TextGenerator(make_model(plain))


@pytest.fixture
def generator(remembering_model: ModelFile) -> TextGenerator:
    """A generator that writes a, b, a, c over and over."""
    return TextGenerator(remembering_model)


def write(generator: TextGenerator, prompt: str = "", length: int = 8, **options: Any) -> str:
    return "".join(generator.generate(prompt, length=length, **({"temperature": 0} | options)))


@pytest.mark.parametrize(
    ("prompt", "text"), [("a", "bacabaca"), ("ba", "cabacaba"), ("ca", "bacabaca"), ("abac", "abacabac")]
)
def test_whole_prompt_is_read(generator: TextGenerator, prompt: str, text: str) -> None:
    """The text depends on all of the prompt: after "a" the next token is the one that the tokens before "a" ask for."""
    assert write(generator, prompt) == text


def test_no_prompt_starts_after_a_blank_line(generator: TextGenerator) -> None:
    """Without a prompt the model reads what its tokenizer names, for characters a blank line."""
    assert write(generator) == write(generator, "\n\n") == "abacabac"


def test_no_prompt_without_line_break(make_model: Callable[..., ModelFile], remembering_model: ModelFile) -> None:
    """Where the vocabulary lacks the line break, the first real token stands in."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", "x", "a", "b", "c"), tokenizer=make_tokenizer("char"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    assert write(generator) == write(generator, "xx") == "abacabac"


def test_same_seed_same_text(random_generator: TextGenerator) -> None:
    """A seed fixes the text; two seeds give two texts."""
    first, again, other = (write(random_generator, length=50, temperature=1, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_no_seed_another_text_every_time(random_generator: TextGenerator) -> None:
    """Without a seed no two texts are the same."""
    assert len({write(random_generator, length=100, temperature=5) for _ in range(5)}) == 5


@pytest.mark.parametrize("length", [0, 1, 37])
def test_length_in_tokens(random_generator: TextGenerator, length: int) -> None:
    """There are as many pieces as asked for, one a token; of characters, each is one."""
    pieces = list(random_generator.generate("ab", length=length, seed=1))
    assert len(pieces) == length
    assert all(len(piece) == 1 for piece in pieces)


def test_pieces_come_one_by_one(random_generator: TextGenerator) -> None:
    """A text of a thousand million tokens begins at once, and begins as a short one does."""
    endless = random_generator.generate("ab", length=10**9, seed=1)
    assert list(islice(endless, 5)) == list(random_generator.generate("ab", length=5, seed=1))


def test_texts_side_by_side(random_generator: TextGenerator) -> None:
    """Two texts written in turns by one generator are those written one after the other."""
    first = random_generator.generate("ab", length=20, seed=1)
    second = random_generator.generate("ca", length=20, seed=2)
    turns = list(zip(first, second, strict=True))
    assert [piece for piece, _ in turns] == list(random_generator.generate("ab", length=20, seed=1))
    assert [piece for _, piece in turns] == list(random_generator.generate("ca", length=20, seed=2))


@pytest.mark.parametrize("temperature", [0, 1, 10])
def test_padding_and_unknown_are_never_written(
    make_model: Callable[..., ModelFile], plain: dict[str, Any], temperature: float
) -> None:
    """A model that longs to say padding and `[UNK]` is not allowed to."""
    tensors = dict(make_model(plain).tensors)
    tensors["output.bias"] = np.array([1000, 1000, 0, 0, 0, 0], dtype=np.float32)
    pieces = list(TextGenerator(make_model(plain, tensors)).generate(length=200, temperature=temperature, seed=1))
    assert set(pieces) <= {"\n", "a", "b", "c"}


def test_unknown_tokens_are_an_error(generator: TextGenerator) -> None:
    """By default a prompt's unknown tokens are listed once each, with the two ways out, before a piece is asked for."""
    with pytest.raises(DataError, match=r"'x', 'é'; .*oov skip.*oov unk"):
        generator.generate("axbéx")


@pytest.mark.parametrize(("prompt", "same"), [("b\r\na", "b\na"), ("\ufeffba", "ba"), ("\ufeff", ""), ("a\r\n", "a\n")])
def test_prompt_is_read_as_a_file(generator: TextGenerator, prompt: str, same: str) -> None:
    """A leading byte order mark is dropped and CRLF read as LF, as in the text that the model learned from."""
    assert write(generator, prompt) == write(generator, same)


@pytest.mark.parametrize("prompt", ["a\rb", "a\ufeffb"])
def test_other_marks_are_unknown(generator: TextGenerator, prompt: str) -> None:
    """A lone CR, or a byte order mark elsewhere, is a character like any other."""
    with pytest.raises(DataError, match="does not know"):
        generator.generate(prompt)


def test_long_list_of_unknown_tokens_is_cut(generator: TextGenerator) -> None:
    """At most ten unknown tokens are listed, the others counted."""
    with pytest.raises(DataError, match="'m' and 2 more;") as caught:
        generator.generate("defghijklmno")
    assert "'n'" not in str(caught.value)


def test_unknown_tokens_skipped(generator: TextGenerator) -> None:
    """With "skip" the model reads the prompt as if they were not there."""
    assert write(generator, "xbéa", oov="skip") == write(generator, "ba")


def test_unknown_tokens_read_as_unk(generator: TextGenerator) -> None:
    """With "unk" the model reads `[UNK]`, after which this one says "c"."""
    assert write(generator, "ax", length=1, oov="unk") == "c"


def test_nothing_left_of_the_prompt(random_generator: TextGenerator) -> None:
    """A prompt that is skipped whole is as none."""
    assert write(random_generator, "xyz", oov="skip", seed=1) == write(random_generator, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": -1}, "length must be at least 0"),
        ({"length": 2.5}, "length must be a whole number, got 2.5"),
        ({"temperature": None}, "temperature must be a number, got None"),
        ({"top_k": 2.5}, "top_k must be a whole number"),
        ({"temperature": -0.5}, "temperature must be"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"top_p": 0}, "top_p must be above 0 and at most 1"),
        ({"min_p": 1.5}, "min_p must be at least 0 and at most 1"),
        ({"repetition_penalty": 0.5}, "repetition_penalty must be at least 1"),
        ({"until": ""}, "until must not be empty"),
        ({"lines": 0}, "lines must be at least 1"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"oov": "ignore"}, "oov must be one of error, skip, unk, got .ignore."),
    ],
)
def test_impossible_options(generator: TextGenerator, options: dict[str, Any], message: str) -> None:
    """An option that makes no sense is refused by name before a piece is asked for."""
    with pytest.raises(UsageError, match=message):
        generator.generate("a", **options)


def test_until_a_text(generator: TextGenerator) -> None:
    """The text ends where one of the texts of `until` is written, and not at one in the prompt."""
    assert write(generator, "ac", until="ac") == "abac"
    assert write(generator, "ba", until=["bb", "ab"]) == "cab"


def test_so_many_lines(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """The text has as many lines as asked for; the last one's end is not written."""
    tensors = {name: np.zeros_like(tensor) for name, tensor in make_model(plain).tensors.items()}
    text = write(TextGenerator(make_model(plain, tensors)), lines=3, length=1000, temperature=1, seed=1)
    assert text.count("\n") == 2


def test_the_narrowest_choice_is_the_likeliest(random_generator: TextGenerator) -> None:
    """With a single token to choose from, chance has no say."""
    greedy = write(random_generator, "ab", length=50)
    for narrow in ({"top_k": 1}, {"top_p": 1e-9}, {"min_p": 1.0}):
        assert write(random_generator, "ab", length=50, temperature=1, **narrow) == greedy


def test_repetition_penalty_counts_the_prompt(random_generator: TextGenerator) -> None:
    """A high penalty keeps this model from what came in the prompt, as long as there is anything else."""
    prompts = ["abc", "abca", "bac", "cab", "aabc"]
    assert any(write(random_generator, prompt, length=1) != "\n" for prompt in prompts)
    assert all(write(random_generator, prompt, length=1, repetition_penalty=100) == "\n" for prompt in prompts)


SEVERAL = 5


def samples(generator: TextGenerator, prompt: str = "ab", **settings: Any) -> list[Sample]:
    """Writes some texts side by side, and returns them in their order."""
    config = SamplingConfig(**({"length": 30, "temperature": 1, "seed": 3} | settings))
    found = dict.fromkeys(sample for sample, _ in generator.write(prompt, config, samples=SEVERAL, scored=True))
    return sorted(found, key=lambda sample: sample.seed)


def test_samples_are_those_of_their_seeds(random_generator: TextGenerator) -> None:
    """Texts that are written side by side are those that each seed gives alone, as far as each goes."""
    texts = samples(random_generator, until=("cc",))
    assert [sample.seed for sample in texts] == [3, 4, 5, 6, 7]
    assert len({sample.tokens for sample in texts}) > 1
    for sample in texts:
        options: dict[str, Any] = {"length": 30, "temperature": 1, "seed": sample.seed, "until": "cc"}
        assert sample.text == "".join(random_generator.generate("ab", **options))
        assert sample.finish_reason == ("until" if sample.text.endswith("cc") else "length")


def test_many_samples(random_generator: TextGenerator) -> None:
    """More texts than are written side by side come all the same, each of its seed."""
    config = SamplingConfig(length=3, seed=0, temperature=1)
    pieces = list(random_generator.write("", config, samples=MOST_SIDE_BY_SIDE + 2))
    assert len(pieces) == 3 * (MOST_SIDE_BY_SIDE + 2)
    assert [sample.seed for sample, _ in pieces[-2:]] == [MOST_SIDE_BY_SIDE, MOST_SIDE_BY_SIDE + 1]
    assert pieces[-1][0].text == "".join(random_generator.generate(length=3, seed=MOST_SIDE_BY_SIDE + 1, temperature=1))


def test_a_length_of_zero_ends_each_sample(random_generator: TextGenerator) -> None:
    """Each of the texts comes once, empty and ended."""
    texts = samples(random_generator, length=0)
    assert [(sample.text, sample.finish_reason, sample.bits_per_character) for sample in texts] == [
        ("", "length", None)
    ] * SEVERAL


def test_bits_per_character(random_generator: TextGenerator) -> None:
    """A text's score is what reading it afresh gives, whatever the settings it was written with."""
    for sample in samples(random_generator, temperature=3, top_k=3, repetition_penalty=1.5):
        run = LSTMStep(random_generator.model).start()
        ids = random_generator.model.vocabulary.encode("ab" + sample.text)
        nats = 0.0
        for position, (token_id, next_id) in enumerate(pairwise(ids)):
            logits = run(np.array([token_id]))[0].astype(np.float64)
            if position >= 1:
                nats += np.log(np.exp(logits).sum()) - logits[next_id]
        assert sample.bits_per_character == pytest.approx(nats / math.log(2) / 30, rel=1e-4)


def test_max_copy_wants_the_training_text(generator: TextGenerator) -> None:
    """Without the text to compare with, copying cannot be limited: this is said before anything is written."""
    with pytest.raises(UsageError, match="max_copy needs the training text"):
        generator.write("a", SamplingConfig(max_copy=20))


def test_max_copy_counts_the_prompt_as_it_stands_there(generator: TextGenerator) -> None:
    """What the model does not know of the prompt, and passes over, is part of the passage that is copied."""
    prompt, training = "é" * 16, "é" * 16 + "abacabac"
    config = SamplingConfig(length=8, temperature=0, max_copy=16, oov="skip")
    text = prompt + "".join(piece for _, piece in generator.write(prompt, config, copies=CopyIndex.build(training)))
    assert len(text) == 24
    assert not any(text[end - 17 : end] in training for end in range(17, 25))


def test_where_every_token_copies_the_text_ends(generator: TextGenerator) -> None:
    """When each way to go on would copy too much, the text ends there, and what was not written costs nothing."""
    prompt = "é" * 16
    copies = CopyIndex.build("".join(prompt + token for token in "\nabc"))
    config = SamplingConfig(length=8, max_copy=16, oov="skip", seed=1)
    ((sample, piece),) = generator.write(prompt, config, scored=True, copies=copies)
    assert (piece, sample.text, sample.tokens, sample.finish_reason) == ("", "", 0, "max_copy")
    assert (sample.nats, sample.bits_per_character) == (0, None)


def test_bits_of_a_text_that_ends_within_a_token(
    make_model: Callable[..., ModelFile], remembering_model: ModelFile
) -> None:
    """Where `until` cuts a token, its bits are shared out among all of its characters."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", ".", "one", "two", "three"), tokenizer=make_tokenizer("spaced"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    whole, cut = (
        next(generator.write("one", SamplingConfig(length=1, seed=1, temperature=9, until=until), scored=True))[0]
        for until in ((), ("t", "o", "."))
    )
    assert len(cut.text) < len(whole.text)
    assert cut.bits_per_character == whole.bits_per_character


def test_words_join_to_the_prompt(make_model: Callable[..., ModelFile], remembering_model: ModelFile) -> None:
    """A word model's pieces carry the spaces that join them to the prompt and to each other."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", ".", "one", "two", "three"), tokenizer=make_tokenizer("spaced"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    assert list(generator.generate("one", length=3, temperature=0)) == [" two", " one", " three"]
    assert write(generator, "one ", length=2) == "two one"


def test_printed_prompt_of_a_spaced_model(make_model: Callable[..., ModelFile], remembering_model: ModelFile) -> None:
    """A spaced model reads marks that touch their word as it reads them apart; what is unknown is named alone."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", ".", "one", "two", ","), tokenizer=make_tokenizer("spaced"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    assert write(generator, "two one,") == write(generator, "two one ,")
    with pytest.raises(DataError, match="does not know 'three';"):
        generator.generate("two three, one")
    assert write(generator, "two three, one", oov="skip") == write(generator, "two , one")


def test_load(tmp_path: Path, remembering_model: ModelFile) -> None:
    """A written model is loaded by its path or its directory's, as text or as a path, and writes the same."""
    write_model(tmp_path / "model.safetensors", remembering_model)
    for path in (tmp_path, str(tmp_path), tmp_path / "model.safetensors"):
        assert write(load(path), "ba") == "cabacaba"
    with pytest.raises(MissingError):
        load(tmp_path / "nowhere")


def test_sampling_needs_no_framework(tmp_path: Path, remembering_model: ModelFile) -> None:
    """A fresh interpreter that samples from a model loads neither TensorFlow nor Keras nor anything of Google's."""
    write_model(tmp_path / "model.safetensors", remembering_model)
    program = """
import sys
before = set(sys.modules)  # installed namespace packages may already have put an empty `google` there
from textgen.generation import load
print("".join(load(sys.argv[1]).generate("ba", length=8, temperature=0)))
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""
    output = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    text, modules = output.splitlines()
    assert text == "cabacaba"
    assert not {"tensorflow", "keras", "google", "tensorboard", "rich", "yaml"} & set(modules.split())
