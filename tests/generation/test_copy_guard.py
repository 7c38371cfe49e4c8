import random

import pytest

from textgen.config import SamplingConfig, settings
from textgen.corpus import make_tokenizer
from textgen.corpus.copy_index import Comparison, CopyIndex
from textgen.errors import UsageError
from textgen.generation.copy_guard import LEAST_LIMIT, CopyGuard

CHAR, WORD, SPACED = (make_tokenizer(name) for name in ("char", "word", "spaced"))
WORDS = ["he", "said", "don't", "extraordinarily", "-", ",", "it", "was", "ten"]


def make_training(tokenizer, seed):
    """Returns a text with many repetitions, and its tokens."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    phrases = [" ".join(rng.choices(WORDS, k=rng.randrange(2, 8))) for _ in range(12)]
    training = tokenizer.plain("\n".join(rng.choices(phrases, k=60)))
    return training, tokenizer.split(training)


def breaks_limit(tokens, limit, training, tokenizer):
    """Returns whether a passage longer than the limit that ends in the last token is in the training text.

    It tries every passage. In a pre-tokenized text, the space after the last token counts as part of it.
    """
    *before, last = (token + tokenizer.separator for token in tokens)
    start = len("".join(before))
    text = "".join([*before, last])
    return any(text[end - limit - 1 : end] in training for end in range(max(start, limit) + 1, len(text) + 1))


@pytest.mark.parametrize("tokenizer", [CHAR, WORD, SPACED], ids=lambda tokenizer: tokenizer.name)
@pytest.mark.parametrize("limit", [16, 17, 23, 40, 75])
@pytest.mark.parametrize("seed", range(4))
def test_a_token_is_refused_if_it_makes_too_long_a_run_and_only_then(tokenizer, limit, seed):
    """A generator that copies whenever it can is stopped exactly where a brute-force search says so."""
    training, tokens = make_training(tokenizer, seed)
    guard = CopyGuard(CopyIndex.build(training), limit, tokenizer)
    rng = random.Random(seed)  # noqa: S311 - not a secret
    written: list[str] = []
    place, refusals = 0, 0
    while len(written) < 300:
        token = tokens[place]
        allowed = guard.allows(token)
        assert allowed != breaks_limit([*written, token], limit, training, tokenizer)
        if allowed:
            guard.add(token)
            written.append(token)
            place = (place + 1) % len(tokens)
        else:
            refusals += 1
            place = rng.randrange(len(tokens))
            if refusals % 3 == 0:  # a token that the training text lacks, so that the loop cannot get stuck
                guard.add("@")
                written.append("@")
    text = tokenizer.separator.join(written)
    assert refusals > 2
    assert not any(text[start : start + limit + 1] in training for start in range(len(text) - limit))


@pytest.mark.parametrize("tokenizer", [CHAR, WORD, SPACED], ids=lambda tokenizer: tokenizer.name)
def test_a_run_that_begins_in_the_prompt_counts(tokenizer):
    """A copied passage may start in the prompt; without the prompt, only the generated text counts."""
    training, tokens = make_training(tokenizer, 1)
    index = CopyIndex.build(training)
    for begin in range(0, len(tokens) - 60, 7):
        prompt, rest = tokens[begin : begin + 12], tokens[begin + 12 : begin + 60]
        for before in (prompt[:0], prompt):
            guard = CopyGuard(index, 30, tokenizer, before)
            written = list(before)
            for token in rest:
                written.append(token)
                assert guard.allows(token) != breaks_limit(written, 30, training, tokenizer)
                guard.add(token)


def test_a_prompt_that_is_one_long_run_must_not_be_continued():
    """The prompt may be copied at any length; only the copied continuation is refused."""
    training = "the quick brown fox jumps over the lazy dog and runs away"
    index = CopyIndex.build(training)
    guard = CopyGuard(index, 16, CHAR, training[:50])
    assert not guard.allows(training[50])
    assert guard.allows("X")
    assert CopyGuard(index, 16, CHAR, "X").allows("the quick brown ")
    assert not CopyGuard(index, 16, CHAR, "X").allows("the quick brown f")


def test_the_runs_within_a_long_token_count():
    """A token longer than the limit is checked everywhere, not only at its end."""
    training = "-" * 40 + "!" + "x" * 10
    guard = CopyGuard(CopyIndex.build(training), 20, WORD)
    assert guard.allows("." * 100)
    assert not guard.allows("." * 50 + "-" * 21 + "." * 50)
    assert guard.allows("." * 50 + "-" * 20 + "." * 50 + "-" * 20)
    guard.add("-" * 15)
    assert guard.allows("-" * 5)
    assert not guard.allows("-" * 6 + "." * 50)


def test_a_run_of_just_the_limit_leaves_room_for_a_token():
    """The space between pre-tokenized tokens is unavoidable, so it is counted with the token before it."""
    training = "the quick brown fox jumps over it"
    guard = CopyGuard(CopyIndex.build(training), len("the quick brown fox"), SPACED)
    for token in ["the", "quick", "brown"]:
        assert guard.allows(token)
        guard.add(token)
    assert not guard.allows("fox")
    assert guard.allows("dog")


def test_allows_changes_nothing():
    """`allows` changes nothing, however often it is called and whichever token is then added."""
    training = "it was the best of times"
    guard = CopyGuard(CopyIndex.build(training), 16, WORD)
    for token in ["it", " ", "was", " ", "the", " ", "best", " "]:
        for other in ["it", "best of times", "!", token]:
            guard.allows(other)
        assert guard.allows(token)
        guard.allows("worst")
        guard.add(token)
    assert not guard.allows("of")
    guard.add("if")
    assert guard.allows("best of times")


def test_most_tokens_cost_no_look_up(monkeypatch):
    """A run cannot grow faster than the text: if nothing is copied, one look-up covers many characters."""
    asked = []
    copied_end = Comparison.copied_end

    def note(comparison):
        asked.append(comparison)
        return copied_end(comparison)

    monkeypatch.setattr(Comparison, "copied_end", note)
    guard = CopyGuard(CopyIndex.build("a training text of no great length"), 50, CHAR)
    for character in "something else altogether, " * 20:
        assert guard.allows(character)
        guard.add(character)
    assert len(asked) <= 27 * 20 / (50 - 16)


@pytest.mark.parametrize("limit", [15, 0, -1])
def test_too_low_a_limit_is_refused(limit):
    """A limit below 16 characters is an error of one line."""
    with pytest.raises(UsageError, match=rf"^max_copy must be at least 16 characters, got {limit}; [^\n]*$"):
        CopyGuard(CopyIndex.build("a text"), limit, CHAR)


def test_an_empty_training_text_forbids_nothing():
    """From an empty training text, nothing can be copied."""
    guard = CopyGuard(CopyIndex.build(""), 16, CHAR)
    for character in "x" * 100:
        assert guard.allows(character)
        guard.add(character)


def test_the_least_limit_is_that_of_the_setting() -> None:
    """The guard accepts every limit that the setting allows."""
    (setting,) = (each for each in settings(SamplingConfig) if each.name == "max_copy")
    assert setting.option.least == LEAST_LIMIT
