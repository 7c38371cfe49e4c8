from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.config import SamplingConfig
from textgen.corpus.copy_index import CopyIndex
from textgen.corpus.pretokenized import PrintedJoiner
from textgen.corpus.tokenizer import Joiner
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.errors import UsageError
from textgen.generation import LSTMStep, Sampler, TextGenerator
from textgen.generation.bans import Bans
from textgen.generation.engine import BatchEngine
from textgen.generation.row import Row
from textgen.planning import ModelShape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textgen.generation import ModelFile, Sample

TOKENS = ("", "[UNK]", "\n", "a", "b", "c")


@pytest.fixture
def model(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> ModelFile:
    """A model of each kind with random weights, which writes a, b, c and line breaks."""
    return make_model(kind)


def going_back(model: ModelFile, prompt: str, bans: Sequence[str], length: int) -> tuple[str, bool]:
    """Writes a text at temperature 0 as slowly as possible: every step reads the whole text again.

    What cannot be the start of a banned text is released, and is not taken back.

    Returns:
        The text, and whether no token was left before it had its length.
    """
    ids, tokens = model.vocabulary.encode(prompt), model.vocabulary.tokens
    chosen: list[int] = []
    forbidden: list[set[int]] = [{0, 1}]
    released = 0
    while len(chosen) < length:
        run = LSTMStep(model).start()
        for token_id in [*ids, *chosen]:
            logits = run(np.array([token_id]))[0]
        logits[list(forbidden[-1])] = -np.inf
        if np.isneginf(logits).all():
            return "".join(tokens[token_id] for token_id in chosen), True
        chosen.append(int(logits.argmax()))
        text = "".join(tokens[token_id] for token_id in chosen)
        starts = [text.find(ban) for ban in bans if ban in text]
        if starts:
            first = max(min(starts), released)
            del forbidden[first + 1 :]
            forbidden[first].add(chosen[first])
            del chosen[first:]
        else:
            forbidden.append({0, 1})
            held = max(size for ban in bans for size in range(len(ban)) if text.endswith(ban[:size]))
            released = max(released, len(chosen) - held)
    return text, False


BANS = [
    ["a"],
    ["ab"],
    ["bc", "ca"],
    ["abc", "bca", "cab", "\n"],
    ["aa", "bb", "cc", "\n\n"],
    ["cccc", "bab", "aba", "acac"],
    ["aab", "b\n", "cb", "ccc", "bac"],
    ["\na", "\nb", "\nc", "\n\n", "aa"],
    ["nothing like it"],
]


@pytest.mark.parametrize("bans", BANS)
def test_rewinding_equals_writing_again(model: ModelFile, bans: list[str]) -> None:
    """A text without banned texts is the one that is found by starting again, with the first token of each forbidden there."""
    for prompt in ("abcabc", "b", "cc\na"):
        config = SamplingConfig(length=40, temperature=0, ban=tuple(bans))
        pieces = list(TextGenerator(model).write(prompt, config))
        sample = pieces[-1][0]
        assert (sample.text, sample.finish_reason == "ban") == going_back(model, prompt, bans, 40)
        assert "".join(piece for _, piece in pieces) == sample.text
        assert sample.tokens == len(sample.text)
        assert not any(ban in sample.text for ban in bans)


def by_seed(model: ModelFile, count: int, **settings: Any) -> list[Sample]:
    config = SamplingConfig(**{"length": 200, "temperature": 1, "seed": 1} | settings)
    found = dict.fromkeys(sample for sample, _ in TextGenerator(model).write("ab", config, samples=count, scored=True))
    return sorted(found, key=lambda sample: sample.seed)


def test_seeds_decide_with_bans(model: ModelFile) -> None:
    """With banned texts too, a seed gives the same text alone as in a batch, and its nats are those of the text."""
    bans = ("aba", "cc", "b\nb")
    for together in by_seed(model, 7, ban=bans):
        [alone] = by_seed(model, 1, seed=together.seed, ban=bans)
        assert together.text == alone.text
        assert not any(ban in alone.text for ban in bans)
        ids = model.vocabulary.encode("ab" + alone.text)
        run, nats = LSTMStep(model).start(), 0.0
        for place, token_id in enumerate(ids[:-1]):
            logits = run(np.array([token_id]))[0].astype(np.float64)
            if place >= 1:
                nats += np.log(np.exp(logits - logits[ids[place + 1]]).sum())
        assert together.nats == pytest.approx(nats, rel=1e-4)
        assert alone.nats == pytest.approx(nats, rel=1e-4)


def test_rows_join_and_leave_while_tokens_are_held(model: ModelFile) -> None:
    """Texts of many lengths, in a batch that rows leave and join, are those of their seeds, though parts of them are held back."""
    settings = {"ban": ("aba", "cc", "b\nb", "acb"), "until": ("a\na", "bbb")}
    together = by_seed(model, 100, **settings)
    assert len({sample.tokens for sample in together}) > 10
    for sample in together:
        [alone] = by_seed(model, 1, seed=sample.seed, **settings)
        assert (alone.text, alone.finish_reason) == (sample.text, sample.finish_reason)
        assert alone.nats == pytest.approx(sample.nats, rel=1e-3)


def test_a_ban_that_never_comes_changes_nothing(model: ModelFile) -> None:
    """If no banned text would have been written, the text is the same as without bans, though parts of it were held back."""
    plain = by_seed(model, 3)
    never = next(text for text in ("abcabcab", "ccbbaacc", "aaaaaaaab") if not any(text in each.text for each in plain))
    assert [each.text for each in by_seed(model, 3, ban=(never,))] == [each.text for each in plain]


def test_text_is_held_back_only_while_it_may_become_banned(model: ModelFile) -> None:
    """After each step, the longest end of the text that is the start of a banned text is held back, except what was released before."""
    texts = ("abc", "ccb\n")
    engine = BatchEngine(LSTMStep(model))
    bans = Bans(texts, TOKENS, Joiner())
    row = Row([3], Sampler(SamplingConfig(temperature=1)), seed=2, length=200, bans=bans)
    engine.admit([row])
    taken_back, released = False, 0
    before: list[int] = []
    while engine.step() and row.finish_reason is None:
        chosen = [*row.ids[1:], *(held.token_id for held in row.held)]
        text = "".join(TOKENS[token_id] for token_id in chosen)
        starts = [size for ban in texts for size in range(1, len(ban)) if text.endswith(ban[:size])]
        taken_back = taken_back or chosen[: len(before)] != before
        released = max(released, len(chosen) - max(starts, default=0))
        assert len(row.ids) - 1 == released
        before = chosen
    assert len(row.ids) == 201
    assert not row.held
    assert taken_back


def test_bans_with_other_ends(model: ModelFile) -> None:
    """Bans combine with `until`, lines and `max_copy`: the text has no banned text, and ends as it does otherwise."""
    text = by_seed(model, 1, ban=("ab", "bcc"))[0].text
    end = text[60:64]
    [cut] = by_seed(model, 1, ban=("ab", "bcc"), until=end)
    assert cut.text == text[: text.index(end) + 4]
    assert cut.finish_reason == "until"
    training = "é" * 16 + text
    config = SamplingConfig(length=60, temperature=1, seed=1, max_copy=16, ban=("ab", "bcc"), oov="skip")
    written = "".join(
        piece for _, piece in TextGenerator(model).write("é" * 16, config, copies=CopyIndex.build(training))
    )
    assert "ab" not in written
    assert "bcc" not in written
    whole = "é" * 16 + written
    assert not any(whole[end - 17 : end] in training for end in range(17, len(whole) + 1))


def test_all_tokens_banned_is_an_error(model: ModelFile) -> None:
    """If the bans leave no token at all, the call fails and names the setting."""
    with pytest.raises(UsageError, match="ban must leave tokens to write"):
        TextGenerator(model).generate("a", ban=["a", "b", "c", "\n"])


def test_banned_texts_in_printed_words(make_model: Callable[..., ModelFile], remembering_model: ModelFile) -> None:
    """For a pre-tokenized model the printed text counts, with its spaces: the model writes two one three two ... otherwise."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", ".", "one", "two", "three"), tokenizer=make_tokenizer("spaced"))
    generator = TextGenerator(make_model(remembering_model.shape, dict(remembering_model.tensors), vocabulary))
    assert "".join(generator.generate("one", length=4, temperature=0)) == " two one three one"
    assert "one three" not in "".join(generator.generate("one", length=30, temperature=0, ban="one three"))
    assert "".join(generator.generate("one", length=2, temperature=0, ban="two")) == " three one"


def test_what_may_start_a_banned_text() -> None:
    """`add` counts the last tokens in which a banned text may have started, and `completes` those that contain one."""
    bans = Bans(["abc", "bcd x"], ["", "[UNK]", "a", "b", "c", "zab", "cd", " xy"], Joiner())
    assert [bans.add(token_id) for token_id in (2, 3, 3, 5)] == [1, 2, 1, 1]
    assert bans.completes(4) == bans.completes(6) == 2
    assert bans.completes(2) == 0
    copied = bans.copy()
    assert [copied.add(2), bans.completes(4)] == [1, 2]
    bans = Bans(["one two"], ["", "[UNK]", "one", "two"], PrintedJoiner("x"))
    assert [bans.add(2), bans.completes(3), bans.completes(3), bans.add(2), bans.completes(3)] == [1, 2, 2, 1, 2]


def test_a_long_ban_is_compared_only_with_what_was_written() -> None:
    """Of a banned text of many characters, no more beginnings are looked at than the text that may become one has characters."""

    class Counted(str):
        __slots__ = ()
        slices = 0

        def __getitem__(self, part: Any) -> str:
            Counted.slices += 1
            return super().__getitem__(part)

    bans = Bans([Counted("a" * 10_000)], ["", "[UNK]", "a", "b"], Joiner())
    assert [bans.add(token_id) for token_id in (3, 2, 2, 3, 2)] == [0, 1, 2, 0, 1]
    assert Counted.slices == 1 + 1 + 2 + 3 + 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 0}, {"top_p": 0.9}, {"top_k": 2}, {"min_p": 0.1}, {"repetition_penalty": 1.5}]
)
def test_a_text_without_any_token_left_just_ends(
    make_model: Callable[..., ModelFile], plain: dict[str, Any], settings: dict[str, Any]
) -> None:
    """NumPy warns of nothing when every token is banned, whether by going back or, for words, after a space."""
    generator = TextGenerator(make_model(plain))
    pieces = list(generator.write("a", SamplingConfig(seed=1, ban=("b", "c", "\n", "aa"), **settings)))
    assert [(sample.text, sample.finish_reason, piece) for sample, piece in pieces] == [("", "ban", "")]
    vocabulary = Vocabulary(tokens=("", "[UNK]", " ", ",", "one"), tokenizer=make_tokenizer("word"))
    words = replace(make_model(ModelShape.of(plain, 5), vocabulary=vocabulary), after_white_space={})
    pieces = list(TextGenerator(words).write("one", SamplingConfig(seed=1, ban=("one", ","), **settings)))
    assert (pieces[-1][0].text, pieces[-1][0].finish_reason) == (" ", "ban")
