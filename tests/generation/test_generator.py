from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
import pytest

from textgen.config import SamplingConfig, settings
from textgen.corpus.copy_index import CopyIndex
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.errors import DataError, MissingError, UsageError
from textgen.generation import LSTMStep, Sample, TextGenerator, load, write_model
from textgen.generation.reading import MOST_ROWS
from textgen.generation.samplers import find_sampler
from textgen.generation.text import keep_best

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from textgen.generation import ModelFile


@pytest.fixture
def random_generator(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> TextGenerator:
    """A generator whose model has random weights."""
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
    """The text depends on the whole prompt: the token after "a" depends on the tokens before it."""
    assert write(generator, prompt) == text


def test_no_prompt_starts_after_a_blank_line(generator: TextGenerator) -> None:
    """Without a prompt, a character model starts as if after a blank line."""
    assert write(generator) == write(generator, "\n\n") == "abacabac"


def test_no_prompt_without_line_break(make_model: Callable[..., ModelFile], remembering_model: ModelFile) -> None:
    """If the vocabulary lacks the line break, its first real token is read in its place."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", "x", "a", "b", "c"), tokenizer=make_tokenizer("char"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    assert write(generator) == write(generator, "xx") == "abacabac"


def test_same_seed_same_text(random_generator: TextGenerator) -> None:
    """The same seed gives the same text; another seed gives another text."""
    first, again, other = (write(random_generator, length=50, temperature=1, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_without_a_seed_every_text_differs(random_generator: TextGenerator) -> None:
    """Without a seed, no two texts are the same."""
    assert len({write(random_generator, length=100, temperature=5) for _ in range(5)}) == 5


@pytest.mark.parametrize("length", [0, 1, 37])
def test_length_in_tokens(random_generator: TextGenerator, length: int) -> None:
    """A text has `length` pieces, one per token; in a character model, each is one character."""
    pieces = list(random_generator.generate("ab", length=length, seed=1))
    assert len(pieces) == length
    assert all(len(piece) == 1 for piece in pieces)


def test_pieces_come_one_by_one(random_generator: TextGenerator) -> None:
    """A text of a billion tokens starts at once, and with the same pieces as a short one."""
    endless = random_generator.generate("ab", length=10**9, seed=1)
    assert list(islice(endless, 5)) == list(random_generator.generate("ab", length=5, seed=1))


def test_interleaved_texts(random_generator: TextGenerator) -> None:
    """One generator can write two texts in turns; they are the same as when written one after the other."""
    first = random_generator.generate("ab", length=20, seed=1)
    second = random_generator.generate("ca", length=20, seed=2)
    turns = list(zip(first, second, strict=True))
    assert [piece for piece, _ in turns] == list(random_generator.generate("ab", length=20, seed=1))
    assert [piece for _, piece in turns] == list(random_generator.generate("ca", length=20, seed=2))


@pytest.mark.parametrize("temperature", [0, 1, 10])
def test_padding_and_unknown_are_never_written(
    make_model: Callable[..., ModelFile], plain: dict[str, Any], temperature: float
) -> None:
    """Padding and `[UNK]` are never written, however probable the model finds them."""
    tensors = dict(make_model(plain).tensors)
    tensors["output.bias"] = np.array([1000, 1000, 0, 0, 0, 0], dtype=np.float32)
    pieces = list(TextGenerator(make_model(plain, tensors)).generate(length=200, temperature=temperature, seed=1))
    assert set(pieces) <= {"\n", "a", "b", "c"}


def test_unknown_tokens_are_an_error(generator: TextGenerator) -> None:
    """By default, unknown tokens in the prompt are an error, which lists each once and names the two alternatives."""
    with pytest.raises(DataError, match=r"'x', 'é'; .*oov skip.*oov unk"):
        generator.generate("axbéx")


@pytest.mark.parametrize(("prompt", "same"), [("b\r\na", "b\na"), ("\ufeffba", "ba"), ("\ufeff", ""), ("a\r\n", "a\n")])
def test_prompt_is_read_as_a_file(generator: TextGenerator, prompt: str, same: str) -> None:
    """A leading byte order mark is dropped and CRLF becomes LF, as in the training text."""
    assert write(generator, prompt) == write(generator, same)


@pytest.mark.parametrize("prompt", ["a\rb", "a\ufeffb"])
def test_other_marks_are_unknown(generator: TextGenerator, prompt: str) -> None:
    """A lone CR, or a byte order mark elsewhere, is a character like any other."""
    with pytest.raises(DataError, match="does not know"):
        generator.generate(prompt)


def test_long_list_of_unknown_tokens_is_cut(generator: TextGenerator) -> None:
    """At most ten unknown tokens are listed; the others are counted."""
    with pytest.raises(DataError, match="'m' and 2 more;") as caught:
        generator.generate("defghijklmno")
    assert "'n'" not in str(caught.value)


def test_unknown_tokens_skipped(generator: TextGenerator) -> None:
    """With "skip", the model reads the prompt without its unknown tokens."""
    assert write(generator, "xbéa", oov="skip") == write(generator, "ba")


def test_unknown_tokens_read_as_unk(generator: TextGenerator) -> None:
    """With "unk", the model reads `[UNK]`, after which this model writes "c"."""
    assert write(generator, "ax", length=1, oov="unk") == "c"


def test_nothing_left_of_the_prompt(random_generator: TextGenerator) -> None:
    """If every token of the prompt is skipped, the text starts as without a prompt."""
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
        ({"temprature": 1}, "there is no setting temprature; did you mean temperature"),
        ({"until": 5}, "until must be a text, or a list of texts, got 5"),
        ({"ban": [""]}, "ban must not be empty"),
        ({"ban": ["a", 3]}, "ban must be a text, or a list of texts"),
        ({"best_of": 0}, "best_of must be at least 1"),
        ({"logit_bias": {"a": 101}}, "logit_bias must be a token, = and a number from -100 to 100, got 'a=101'"),
        ({"logit_bias": {"a": float("nan")}}, "logit_bias must be a token"),
        ({"logit_bias": {"": 1}}, "logit_bias must be a token"),
        ({"logit_bias": ["a"]}, "logit_bias must be a token"),
        ({"logit_bias": 3}, "logit_bias must be a mapping from tokens to numbers, got 3"),
        ({"logit_bias": {5: 1}}, "logit_bias must name tokens by their text, got 5"),
        ({"logit_bias": {"[UNK]": 1}}, r"logit_bias must name tokens that the model writes, got '\[UNK\]'"),
        ({"logit_bias": {"ab": 1, "x": 2}}, "logit_bias must name tokens that the model writes, got 'ab', 'x'"),
    ],
)
def test_impossible_options(generator: TextGenerator, options: dict[str, Any], message: str) -> None:
    """An invalid option is an error that names it, raised by the call to `generate` itself."""
    with pytest.raises(UsageError, match=message) as raised:
        generator.generate("a", **options)
    assert raised.value.settings[0] == next(iter(options))


@pytest.mark.parametrize("prompt", [None, 7, b"a", ["a"]])
def test_a_prompt_that_is_no_text(generator: TextGenerator, prompt: Any) -> None:
    """The call to `generate` refuses it in one line."""
    with pytest.raises(UsageError) as raised:
        generator.generate(prompt)
    assert str(raised.value) == f"prompt must be a text, got {prompt!r}"


def test_numbers_of_numpy(random_generator: TextGenerator) -> None:
    """A setting can be a NumPy scalar."""
    plain = random_generator.generate("ab", length=9, seed=3, temperature=0.5)
    settings: dict[str, Any] = {"length": np.int64(9), "seed": np.uint32(3), "temperature": np.float32(0.5)}
    assert list(random_generator.generate("ab", **settings)) == list(plain)


def test_until_a_text(generator: TextGenerator) -> None:
    """The text ends with the first text of `until` that is written; one in the prompt does not count."""
    assert write(generator, "ac", until="ac") == "abac"
    assert write(generator, "ba", until=["bb", "ab"]) == "cab"


def test_lines(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """The text has `lines` lines, without the last line break."""
    tensors = {name: np.zeros_like(tensor) for name, tensor in make_model(plain).tensors.items()}
    text = write(TextGenerator(make_model(plain, tensors)), lines=3, length=1000, temperature=1, seed=1)
    assert text.count("\n") == 2


def test_the_narrowest_choice_is_the_likeliest(random_generator: TextGenerator) -> None:
    """If only one token is left to choose from, the text is the one at temperature 0."""
    greedy = write(random_generator, "ab", length=50)
    for narrow in ({"top_k": 1}, {"top_p": 1e-9}, {"min_p": 1.0}):
        assert write(random_generator, "ab", length=50, temperature=1, **narrow) == greedy


def test_repetition_penalty_counts_the_prompt(random_generator: TextGenerator) -> None:
    """The repetition penalty applies to tokens of the prompt: a high one leaves the only token that is not in it."""
    prompts = ["abc", "abca", "bac", "cab", "aabc"]
    assert any(write(random_generator, prompt, length=1) != "\n" for prompt in prompts)
    assert all(write(random_generator, prompt, length=1, repetition_penalty=100) == "\n" for prompt in prompts)


SEVERAL = 5


def samples(generator: TextGenerator, prompt: str = "ab", **settings: Any) -> list[Sample]:
    """Writes some texts in one batch, and returns them in the order of their seeds."""
    config = SamplingConfig(**({"length": 30, "temperature": 1, "seed": 3} | settings))
    found = dict.fromkeys(sample for sample, _ in generator.write(prompt, config, samples=SEVERAL, scored=True))
    return sorted(found, key=lambda sample: sample.seed)


def test_samples_are_those_of_their_seeds(random_generator: TextGenerator) -> None:
    """In a batch, each seed gives the same text as alone, though the texts end at different lengths."""
    texts = samples(random_generator, until=("cc",))
    assert [sample.seed for sample in texts] == [3, 4, 5, 6, 7]
    assert len({sample.tokens for sample in texts}) > 1
    for sample in texts:
        options: dict[str, Any] = {"length": 30, "temperature": 1, "seed": sample.seed, "until": "cc"}
        assert sample.text == "".join(random_generator.generate("ab", **options))
        assert sample.finish_reason == ("until" if sample.text.endswith("cc") else "length")


def test_many_samples(random_generator: TextGenerator) -> None:
    """Texts that do not fit in one batch are written in another one, each with its own seed."""
    config = SamplingConfig(length=3, seed=0, temperature=1)
    pieces = list(random_generator.write("", config, samples=MOST_ROWS + 2))
    assert len(pieces) == 3 * (MOST_ROWS + 2)
    assert [sample.seed for sample, _ in pieces[-2:]] == [MOST_ROWS, MOST_ROWS + 1]
    assert pieces[-1][0].text == "".join(random_generator.generate(length=3, seed=MOST_ROWS + 1, temperature=1))


def test_a_length_of_zero_ends_each_sample(random_generator: TextGenerator) -> None:
    """With a length of 0, each text is yielded once, empty and ended."""
    texts = samples(random_generator, length=0)
    assert [(sample.text, sample.finish_reason, sample.bits_per_character) for sample in texts] == [
        ("", "length", None)
    ] * SEVERAL


def test_bits_per_character(random_generator: TextGenerator) -> None:
    """A sample's bits per character equal those of reading it again, whatever settings it was written with."""
    for sample in samples(random_generator, temperature=3, top_k=3, repetition_penalty=1.5):
        run = LSTMStep(random_generator.model).start()
        ids = random_generator.model.vocabulary.encode("ab" + sample.text)
        nats = 0.0
        for position, (token_id, next_id) in enumerate(pairwise(ids)):
            logits = run(np.array([token_id]))[0].astype(np.float64)
            if position >= 1:
                nats += np.log(np.exp(logits).sum()) - logits[next_id]
        assert sample.bits_per_character == pytest.approx(nats / math.log(2) / 30, rel=1e-4)


def test_max_copy_needs_the_training_text(generator: TextGenerator) -> None:
    """`max_copy` without the training text is an error before anything is written."""
    with pytest.raises(UsageError, match="max_copy needs the training text"):
        generator.write("a", SamplingConfig(max_copy=20))


def test_max_copy_counts_the_whole_prompt(generator: TextGenerator) -> None:
    """Skipped tokens of the prompt count as part of a copied passage."""
    prompt, training = "é" * 16, "é" * 16 + "abacabac"
    config = SamplingConfig(length=8, temperature=0, max_copy=16, oov="skip")
    text = prompt + "".join(piece for _, piece in generator.write(prompt, config, copies=CopyIndex.build(training)))
    assert len(text) == 24
    assert not any(text[end - 17 : end] in training for end in range(17, 25))


def test_a_text_ends_if_every_token_would_copy(generator: TextGenerator) -> None:
    """If every next token would copy too much, the text ends, and no nats are added for an unwritten token."""
    prompt = "é" * 16
    copies = CopyIndex.build("".join(prompt + token for token in "\nabc"))
    config = SamplingConfig(length=8, max_copy=16, oov="skip", seed=1)
    ((sample, piece),) = generator.write(prompt, config, scored=True, copies=copies)
    assert (piece, sample.text, sample.tokens, sample.finish_reason) == ("", "", 0, "max_copy")
    assert (sample.nats, sample.bits_per_character) == (0, None)


def test_bits_of_a_text_that_ends_within_a_token(
    make_model: Callable[..., ModelFile], remembering_model: ModelFile
) -> None:
    """If `until` cuts a token, its bits are divided by all of its characters, written or not."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", ".", "one", "two", "three"), tokenizer=make_tokenizer("spaced"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    whole, cut = (
        next(generator.write("one", SamplingConfig(length=1, seed=1, temperature=9, until=until), scored=True))[0]
        for until in ((), ("t", "o", "."))
    )
    assert len(cut.text) < len(whole.text)
    assert cut.bits_per_character == whole.bits_per_character


def test_words_join_to_the_prompt(make_model: Callable[..., ModelFile], remembering_model: ModelFile) -> None:
    """The pieces of a pre-tokenized model contain the spaces that join them to the prompt and to each other."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", ".", "one", "two", "three"), tokenizer=make_tokenizer("spaced"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    assert list(generator.generate("one", length=3, temperature=0)) == [" two", " one", " three"]
    assert write(generator, "one ", length=2) == "two one"


def test_printed_prompt_of_a_spaced_model(make_model: Callable[..., ModelFile], remembering_model: ModelFile) -> None:
    """A pre-tokenized model splits punctuation from words in the prompt, and an error names only the unknown word."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", ".", "one", "two", ","), tokenizer=make_tokenizer("spaced"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    assert write(generator, "two one,") == write(generator, "two one ,")
    with pytest.raises(DataError, match="prompt: 'three';"):
        generator.generate("two three, one")
    assert write(generator, "two three, one", oov="skip") == write(generator, "two , one")


def test_load(tmp_path: Path, remembering_model: ModelFile) -> None:
    """A model is loaded from its file or its directory, given as text or as a path, and writes the same text."""
    write_model(tmp_path / "model.safetensors", remembering_model)
    for path in (tmp_path, str(tmp_path), tmp_path / "model.safetensors"):
        assert write(load(path), "ba") == "cabacaba"
    with pytest.raises(MissingError):
        load(tmp_path / "nowhere")


def test_sampling_needs_no_framework(tmp_path: Path, remembering_model: ModelFile) -> None:
    """A fresh interpreter that samples from a model loads neither TensorFlow, nor Keras, nor Google's libraries."""
    write_model(tmp_path / "model.safetensors", remembering_model)
    program = """
import sys
before = set(sys.modules)  # an installed namespace package may have added an empty `google` already
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


def test_every_setting_is_a_keyword(random_generator: TextGenerator) -> None:
    """`generate` accepts each setting of `SamplingConfig` by its name, with its default."""
    config = SamplingConfig(seed=1, length=20)
    values = {setting.name: getattr(config, setting.name) for setting in settings(SamplingConfig)}
    values |= {"until": [], "ban": [], "logit_bias": {}}
    assert write(random_generator, **values) == write(random_generator, seed=1, length=20, temperature=0.8)


def test_logit_bias(random_generator: TextGenerator) -> None:
    """A bias of 100 makes a token the only one, -100 removes it, and ln 3 makes it three times as likely as another."""
    assert write(random_generator, "ab", logit_bias={"c": 100}, temperature=1) == "cccccccc"
    text = write(random_generator, "ab", logit_bias={"c": -100, "\n": -100}, temperature=1, length=300)
    assert set(text) == {"a", "b"}


def test_logit_bias_shifts_the_odds(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """If all tokens are equally likely, a bias of ln 3 makes one of four come in half of all cases."""
    tensors = {name: np.zeros_like(tensor) for name, tensor in make_model(plain).tensors.items()}
    generator = TextGenerator(make_model(plain, tensors))
    text = write(generator, length=4000, temperature=1, seed=1, logit_bias={"b": math.log(3)})
    assert text.count("b") / 4000 == pytest.approx(0.5, abs=0.03)
    assert text.count("a") / 4000 == pytest.approx(1 / 6, abs=0.03)


def test_best_of(random_generator: TextGenerator) -> None:
    """The best of several texts is the one with the fewest nats per token, and the first of them is that of the seed alone."""
    config = SamplingConfig(length=30, temperature=1.5, seed=3, until=("cc",), best_of=6)
    kept = list(random_generator.write("ab", config, samples=5))
    assert sorted(sample.number for sample, _ in kept) == list(range(5))
    for sample, piece in kept:
        alone = "".join(
            random_generator.generate("ab", length=30, temperature=1.5, seed=sample.seed, until="cc", best_of=6)
        )
        assert piece == sample.text == alone
    mean = {sample.number: sample.nats / sample.tokens for sample, _ in kept}
    single = replace(config, best_of=1)
    first = {
        sample.number: sample.nats / sample.tokens
        for sample, _ in random_generator.write("ab", single, samples=5, scored=True)
    }
    assert all(mean[number] <= first[number] + 1e-6 for number in range(5))
    assert sum(mean.values()) < sum(first.values()) - 0.5


def test_choosing_the_best_of_many_keeps_only_the_best() -> None:
    """Of the texts that have ended, only the best so far is in memory, and of equally good ones the first is kept."""
    alive: WeakSet[Sample] = WeakSet()

    def ended() -> Iterator[tuple[Sample, str]]:
        for seed, nats in enumerate([3.0, 2.0, 4.0, 2.0, 5.0, 6.0]):
            sample = Sample("", seed, pieces=["a"], nats=nats, finish_reason="length")
            alive.add(sample)
            yield sample, "a"
            assert len(alive) <= 2

    [(kept, text)] = keep_best(ended(), 6)
    assert (kept.seed, text) == (1, "a")


@pytest.mark.parametrize(
    "settings", [{}, {"ban": ("ab", "ca")}, {"until": ("bc",)}, {"lines": 2}, {"best_of": 3}, {"length": 0}], ids=str
)
def test_rows_for_an_engine(random_generator: TextGenerator, settings: dict[str, Any]) -> None:
    """The rows of several requests, written by one engine, give the texts that `write` gives."""
    requests = [
        ("ab", SamplingConfig(**{"length": 50, "seed": 1, **settings})),
        ("", SamplingConfig(length=80, seed=2)),
    ]
    engine, found = random_generator.engine(), []
    for prompt, config in requests:
        texts = dict(random_generator.start(random_generator.read(prompt), config, samples=2, alternatives=3))
        engine.admit(list(texts))
        found.append(texts)
    while engine.step():
        pass
    for (prompt, config), texts in zip(requests, found, strict=True):
        for row, sample in texts.items():
            sample.end(row)
            assert sum(score.nats for score in sample.scores) == pytest.approx(sample.nats)
            assert len(sample.scores) == len(sample.pieces)
        samples = list(texts.values())
        best = [
            min(samples[start : start + config.best_of], key=lambda one: one.nats_per_token)
            for start in range(0, len(samples), config.best_of)
        ]
        expected = {sample.number: sample for sample, _ in random_generator.write(prompt, config, samples=2)}
        assert [(one.text, one.finish_reason, one.seed, one.prompt) for one in best] == [
            (one.text, one.finish_reason, one.seed, prompt) for _, one in sorted(expected.items())
        ]


def test_alternatives_have_their_probabilities(random_generator: TextGenerator) -> None:
    """The alternatives to a token are the likeliest tokens that a model writes, with their nats, among them the token's own."""
    [(row, sample)] = random_generator.start(
        random_generator.read("ab"), SamplingConfig(length=30, seed=1, temperature=1), alternatives=4
    )
    engine = random_generator.engine()
    engine.admit([row])
    while engine.step():
        pass
    for token, score in zip(sample.pieces, sample.scores, strict=True):
        texts, nats = zip(*score.alternatives, strict=True)
        assert sorted(texts) == ["\n", "a", "b", "c"]
        assert list(nats) == sorted(nats)
        assert dict(score.alternatives)[token] == pytest.approx(score.nats, rel=1e-4)
        assert sum(math.exp(-each) for each in nats) <= 1


def test_prompts_of_token_ids(random_generator: TextGenerator) -> None:
    """A prompt of token ids is read like the text that they stand for; other ids are refused."""
    prompt = random_generator.read_ids([3, 1, 4])
    assert (prompt.text, prompt.tokens) == ("a[UNK]b", ("a", "[UNK]", "b"))
    assert random_generator.read_ids([3, 4]) == random_generator.read("ab")
    for wrong in (0, 6, -1):
        with pytest.raises(UsageError, match=f"must have token ids from 1 to 5, got {wrong}"):
            random_generator.read_ids([3, wrong])


def test_equal_settings_share_a_sampler() -> None:
    """Equal settings of the choice have one sampler, so that the rows of all requests with them are sampled in one call."""
    one = find_sampler(SamplingConfig(temperature=0.7, length=5, seed=1))
    assert find_sampler(SamplingConfig(temperature=0.7, length=9, until=("a",))) is one
    assert find_sampler(SamplingConfig(temperature=0.7, top_k=3)) is not one
