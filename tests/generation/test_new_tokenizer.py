"""Adds a tokenizer of another kind, as a later version might: pieces of one or two letters, which it learns from the text."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pytest

from tests.markov import make_model
from textgen.corpus import Tokenizer, Vocabulary, find_sources, open_corpus, tokenizers
from textgen.corpus.copy_index import CopyIndex
from textgen.errors import FormatError
from textgen.evaluation import measure_novelty
from textgen.generation import TextGenerator, read_model, write_model
from textgen.planning import choose

TEXT = "the cat sat on the mat,\nthen the rat sat on the cat.\n" * 40


@dataclass(frozen=True)
class PairTokenizer(Tokenizer):
    """Makes tokens of the most frequent pairs of letters, and of all other characters."""

    pairs: tuple[str, ...] = ()
    name = "pairs"
    noun = "pieces"
    characters_per_token = 1.5

    def fit(self, texts) -> Self:
        counts = Counter(pair for text in texts for pair in map("".join, pairwise(text)) if pair.isalpha())
        return replace(self, pairs=tuple(pair for pair, _ in counts.most_common(6)))

    def _split(self, text) -> list[str]:
        tokens, start = [], 0
        while start < len(text):
            tokens.append(text[start : start + (2 if text[start : start + 2] in self.pairs else 1)])
            start += len(tokens[-1])
        return tokens

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "pairs": list(self.pairs)}

    @classmethod
    def from_json(cls, content) -> Self:
        if not isinstance(content.get("pairs"), list):
            raise FormatError("its pairs are not a list")
        return cls(content["lowercase"], tuple(content["pairs"]))


@pytest.fixture
def corpus(monkeypatch, tmp_path):
    """A text of these tokens, which an entry in the table of tokenizers adds."""
    monkeypatch.setitem(tokenizers._TOKENIZERS, "pairs", (PairTokenizer,))
    (tmp_path / "book.txt").write_text(TEXT)
    return open_corpus(find_sources([str(tmp_path / "book.txt")], None, None), language_model="pairs")


def test_a_text_is_read_with_what_the_tokenizer_learned_from_it(corpus):
    """The tokens are those of the fitted tokenizer; together they are the text."""
    vocabulary = corpus.vocabulary
    assert "th" in vocabulary.tokens
    assert len(vocabulary.encode(TEXT)) < 0.8 * len(TEXT)
    assert vocabulary.decode(vocabulary.encode(TEXT)) == TEXT
    assert vocabulary.split_prompt("the cat") == vocabulary.tokenizer.split("the cat")


def test_what_the_tokenizer_learned_is_part_of_the_vocabulary(corpus):
    """It is written, read and hashed with the vocabulary; if it is damaged, the vocabulary is."""
    vocabulary = corpus.vocabulary
    content = json.loads(json.dumps(vocabulary.to_json()))
    assert Vocabulary.from_json(content) == vocabulary
    other = replace(vocabulary, tokenizer=replace(vocabulary.tokenizer, pairs=("at",)))
    assert other.sha256 != vocabulary.sha256
    with pytest.raises(FormatError, match="sha256 is not that"):
        Vocabulary.from_json({**content, "pairs": ["at"]})
    with pytest.raises(FormatError, match="the vocabulary cannot be used, its pairs are not a list"):
        Vocabulary.from_json({**content, "pairs": 3})


def test_a_model_of_such_tokens_writes(corpus, tmp_path):
    """A model that has counted the pairs of tokens is stored, opened and continues a prompt with the words of its text."""
    vocabulary = corpus.vocabulary
    ids = vocabulary.encode("".join(corpus.train.chunks()))
    chain = np.full((vocabulary.size - 2, vocabulary.size - 2), 1e-6)
    np.add.at(chain, (np.array(ids[:-1]) - 2, np.array(ids[1:]) - 2), 1)
    model = make_model(chain / chain.sum(axis=1, keepdims=True), vocabulary)
    # The setting language_model has no value for these tokens.
    write_model(tmp_path / "model.safetensors", replace(model, settings={}))
    opened = read_model(tmp_path / "model.safetensors")
    assert opened.vocabulary == vocabulary
    pieces = list(TextGenerator(opened).generate("the cat", length=50, seed=1))
    assert {*pieces} <= {*vocabulary.tokens}
    assert {*pairwise(pieces)} <= {*pairwise(vocabulary.tokenizer.split(TEXT))}
    index = CopyIndex.build(TEXT)
    assert measure_novelty(TEXT[:99], index, vocabulary.tokenizer).kind_of_span == "40-character"


def test_a_run_with_such_tokens_is_planned(corpus):
    """Tokens that were not measured are planned like words."""
    arguments = (3, 1_000_000)
    assert (
        choose(*arguments, "pairs", "cpu", unroll_steps=64)[0] == choose(*arguments, "word", "cpu", unroll_steps=64)[0]
    )


def test_without_its_entry_a_later_textgen_made_it(corpus, monkeypatch):
    """A program that does not have the tokenizer asks for an upgrade."""
    content = corpus.vocabulary.to_json()
    monkeypatch.undo()
    with pytest.raises(
        FormatError, match=r"^its tokenizer is 'pairs', which textgen .* does not know; upgrade textgen$"
    ):
        Vocabulary.from_json(content)
