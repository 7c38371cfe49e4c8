from itertools import pairwise

import numpy as np
import pytest

from textgen.config import SamplingConfig
from textgen.corpus import is_restricted, make_tokenizer
from textgen.corpus.copy_index import CopyIndex
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import ModelFile, TextGenerator, read_model, write_model
from textgen.generation.spacing import Spacing
from textgen.planning import ModelShape

TOKENS = ("", "[UNK]", " ", "\n", "  ", ",", ".", ";", "the", "sea", "'")
FRENCH = {" ": [";"], "\n": ["\n", "  "]}
PAIRS = {(" ", ";"), ("\n", "\n"), ("\n", "  ")}


def make_model(after_white_space, tokens=TOKENS):
    """Makes a word model in which any token may follow any other."""
    vocabulary = Vocabulary(tokens, make_tokenizer("word"))
    shape = ModelShape(layers=1, lstm_state_size=4, vocabulary_size=vocabulary.size)
    rng = np.random.default_rng(3)
    tensors = {name: 0.1 * rng.normal(size=size).astype(np.float32) for name, size in shape.tensors.items()}
    return ModelFile(tensors, shape, vocabulary, {}, "", 1, "0.1.0", after_white_space)


def write(model, prompt="the", samples=1, copies=None, **how):
    """Writes texts, and returns each as a list of tokens."""
    config = SamplingConfig(**{"length": 300, "seed": 5, "temperature": 1.0, **how})
    texts = {}
    for sample, _ in TextGenerator(model).write(prompt, config, samples=samples, copies=copies):
        texts[sample.seed] = sample.pieces
    return list(texts.values())


def restricted_pairs(tokens):
    """Returns the pairs of white space and a restricted token."""
    return {(before, after) for before, after in pairwise(tokens) if before.isspace() and is_restricted(after)}


@pytest.mark.parametrize(
    "how",
    [{}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.6}, {"min_p": 0.5}, {"repetition_penalty": 2.0}],
    ids=str,
)
def test_only_what_the_training_text_has_comes_after_white_space(how):
    """With every sampler, what follows white space is what follows it in the training text, and all of that occurs."""
    pairs = restricted_pairs(["the", *write(make_model(FRENCH), **how)[0]])
    assert pairs <= PAIRS
    if not how:
        assert pairs == PAIRS
        assert restricted_pairs(write(make_model(None))[0]) > PAIRS


def test_greedy_takes_the_likeliest_allowed_token():
    """At temperature 0, the most likely of the allowed tokens is taken."""
    model = make_model({})
    model.tensors["output.bias"][[TOKENS.index(","), TOKENS.index("sea")]] = 9, 8
    assert write(model, prompt="the", temperature=0.0, length=1) == [[","]]
    assert write(model, prompt="the ", temperature=0.0, length=1) == [["sea"]]


@pytest.mark.parametrize("prompt", ["the sea ", "the\n", ""])
def test_white_space_at_the_end_of_the_prompt_counts(prompt):
    """White space at the end of the prompt restricts the first token; without a prompt, the text starts after line breaks."""
    firsts = {tokens[0] for tokens in write(make_model({}), prompt=prompt, samples=64, length=1)}
    assert firsts == {"the", "sea", "'"}


def test_a_batch_writes_the_same_texts():
    """A seed gives the same text alone and in a batch, though the texts end at different lengths."""
    model = make_model(FRENCH)
    together = write(model, samples=5, until=("sea",))
    assert together == [write(model, seed=seed, until=("sea",))[0] for seed in range(5, 10)]
    assert len({len(tokens) for tokens in together}) > 1


def test_a_token_that_replaces_a_copy_is_restricted_too():
    """A token chosen because the copy guard refused another one is restricted after white space, too."""
    copies = CopyIndex.build("the sea " * 40)
    for tokens in write(make_model({}), samples=20, max_copy=16, copies=copies):
        assert restricted_pairs(tokens) == set()


@pytest.mark.parametrize("tokens", [("", "[UNK]", " ", ","), ("", "[UNK]", " ", "\n", ",", ".")])
def test_a_vocabulary_of_nothing_else_still_writes(tokens):
    """If every token would be forbidden, none is; padding and `[UNK]` still are."""
    (written,) = write(make_model({}, tokens), prompt=" ", length=50)
    assert len(written) == 50
    assert set(written) <= set(tokens[2:])


def test_a_file_without_the_entry_restricts_nothing(tmp_path):
    """A model file without `after_white_space`, as earlier versions wrote it, still gives the same texts."""
    write_model(tmp_path / "old", make_model(None))
    assert b"after_white_space" not in (tmp_path / "old").read_bytes()
    model = read_model(tmp_path / "old")
    assert model.after_white_space is None
    assert write(model) == write(make_model(None))
    assert {(" ", " "), (" ", ",")} <= restricted_pairs(write(model)[0])


def test_a_file_keeps_what_follows_white_space(tmp_path):
    """A model file preserves `after_white_space`, and the model read from it writes the same texts."""
    write_model(tmp_path / "new", make_model(FRENCH))
    model = read_model(tmp_path / "new")
    assert model.after_white_space == FRENCH
    assert write(model) == write(make_model(FRENCH))


def test_only_forbidden_logits_change():
    """Allowed tokens keep their logits, and after a word all tokens do."""
    logits = np.arange(2 * len(TOKENS), dtype=np.float32).reshape(2, -1)
    before = logits.copy()
    Spacing(TOKENS, FRENCH)(logits, np.array([TOKENS.index(" "), TOKENS.index("the")]))
    forbidden = np.isneginf(logits)
    assert [TOKENS[place] for place in np.flatnonzero(forbidden[0])] == [" ", "\n", "  ", ",", "."]
    assert not forbidden[1].any()
    assert (logits[~forbidden] == before[~forbidden]).all()
