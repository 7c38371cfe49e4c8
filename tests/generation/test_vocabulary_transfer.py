from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.markov import CHARACTERS, make_chain, make_model, write
from textgen.corpus import UNKNOWN_ID, make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.evaluation.prediction import mean_loss
from textgen.generation import LSTMStep, read_model, write_model
from textgen.generation.vocabulary_transfer import UNMATCHED, match_tokens, matched_share, with_vocabulary


def vocabulary_of(tokens, name="char"):
    return Vocabulary(("", "[UNK]", *tokens), make_tokenizer(name))


def encode(vocabulary, text):
    """Returns the ids of a text, and how often each occurs."""
    ids = np.array(vocabulary.encode(text))
    return ids, np.bincount(ids, minlength=vocabulary.size)


def test_the_same_tokens_in_another_order_give_the_same_predictions(random_model, any_kind, tmp_path):
    """A model of any kind predicts as before if the text has its tokens in another order; the file is a sound one."""
    model = random_model(**any_kind)
    vocabulary = vocabulary_of(("c", "\n", *"jihgfedab"))
    ids, counts = encode(vocabulary, "abcdefghij\n" * 5)
    changed = with_vocabulary(model, vocabulary, counts, ids)
    texts = np.array([model.vocabulary.encode("abcabcjig\n")])
    others = np.array([vocabulary.encode("abcabcjig\n")])
    matches = model.vocabulary.ids(vocabulary.tokens)
    for logits, expected in zip(LSTMStep(changed).read(others), LSTMStep(model).read(texts), strict=True):
        np.testing.assert_allclose(logits[:, 2:], expected[:, matches[2:]], rtol=1e-5, atol=1e-5)
    write_model(tmp_path / "m", changed)
    assert read_model(tmp_path / "m").vocabulary == vocabulary


def test_the_source_is_not_changed(random_model, any_kind):
    """Neither the weights of the source nor its vocabulary are changed."""
    model = random_model(**any_kind)
    before = {name: tensor.copy() for name, tensor in model.tensors.items()}
    vocabulary = vocabulary_of("abxyzé")
    ids, counts = encode(vocabulary, "abxyzé" * 20)
    changed = with_vocabulary(model, vocabulary, counts, ids)
    assert changed.vocabulary == vocabulary
    for name, tensor in before.items():
        np.testing.assert_array_equal(model.tensors[name], tensor)
        if name not in {"embedding", "layers.0.kernel", "output.kernel", "output.bias"}:
            np.testing.assert_array_equal(changed.tensors[name], tensor)


def test_a_token_that_the_source_lacks_is_predicted_as_often_as_it_occurs():
    """A character without a match costs about as many nats as by its frequency, and the others cost hardly more."""
    chain = make_chain(1)
    model = make_model(chain)
    text = list(write(chain, 8000))
    text[::50] = "☃" * 160
    vocabulary = vocabulary_of((*CHARACTERS, "☃"))
    ids, counts = encode(vocabulary, "".join(text))
    changed = with_vocabulary(model, vocabulary, counts, ids)
    pieces = np.array([ids[start + 1 : start + 51] for start in range(0, 4000, 50)])
    assert (pieces[:, -1] == vocabulary.ids("☃")[0]).all()
    run = LSTMStep(changed).read(pieces[:, :-1])
    *_, last = (logits.copy() for logits in run)
    shares = np.exp(last - last.max(axis=1, keepdims=True))
    cost = -np.log(shares[:, -1] / shares.sum(axis=1)).mean()
    assert cost == pytest.approx(np.log(50), abs=0.5)
    known = np.array([model.vocabulary.encode("".join(text[start + 1 : start + 50])) for start in range(0, 4000, 50)])
    assert mean_loss(changed, pieces[:, :-1]) == pytest.approx(mean_loss(model, known), abs=0.1)


def test_a_token_that_only_the_validation_text_has_is_not_impossible():
    """A character that does not occur in the training text costs no more than if it occurred once."""
    chain = make_chain(1)
    vocabulary = vocabulary_of((*CHARACTERS, "☃"))
    ids, counts = encode(vocabulary, write(chain, 1000))
    changed = with_vocabulary(make_model(chain), vocabulary, counts, ids)
    pieces = np.array([[ids[0], vocabulary.size - 1]])
    assert mean_loss(changed, pieces) < np.log(1000) + 3


@pytest.mark.parametrize(
    ("token", "place"),
    [
        ("’", "'"),  # noqa: RUF001 - as in print
        ("“", '"'),
        ("—", "-"),
        ("–", "-"),  # noqa: RUF001 - as in print
        ("é", "e"),
        ("Å", "A"),
        ("\u00a0", " "),
        ("☃", None),
        ("Ж", None),
        ("ß", None),
    ],
)
def test_a_token_that_is_printed_alike_serves(token, place):
    """Quotes, dashes, accents and spaces that the source lacks start with the weights of its plain ones; others do not."""
    known = vocabulary_of("ab'\"-eA ")
    matches = match_tokens(known, vocabulary_of(["b", token]), np.array([0, 0, 1, 1]))
    assert matches.tolist() == [0, 1, 3, UNMATCHED if place is None else known.ids([place])[0]]


def test_a_word_with_another_apostrophe_serves():
    """Words are matched as they are written, and with the apostrophe of the source."""
    known = vocabulary_of(["don't", "Ned"], "word")
    matches = match_tokens(known, vocabulary_of(["Ned", "don’t", "ned"], "word"), np.ones(5, int))  # noqa: RUF001 - as in print
    assert matches.tolist() == [0, 1, 3, 2, UNMATCHED]


def test_tokens_of_one_source_share_its_probability():
    """Two apostrophes that begin as one are together as likely as it was, each in proportion to its frequency."""
    model = make_model(make_chain(1))
    known = dataclasses.replace(model, vocabulary=vocabulary_of(("'", *CHARACTERS[1:])))
    vocabulary = vocabulary_of(("'", "’", *CHARACTERS[1:]))  # noqa: RUF001 - as in print
    counts = np.array([0, 0, 10, 30, *[7] * (len(CHARACTERS) - 1)])
    changed = with_vocabulary(known, vocabulary, counts, np.arange(2, vocabulary.size))
    [before] = (logits[0].copy() for logits in LSTMStep(known).read(np.array([[5]])))
    [after] = (logits[0].copy() for logits in LSTMStep(changed).read(np.array([[6]])))
    before, after = (np.exp(logits) / np.exp(logits).sum() for logits in (before, after))
    assert after[2] + after[3] == pytest.approx(before[2], rel=1e-4)
    assert after[3] == pytest.approx(3 * after[2], rel=1e-4)


def test_unknown_characters_are_predicted_by_their_frequency():
    """A model whose text had no [UNK] has learned that there is none; in a text that has, it starts as a new token."""
    chain = make_chain(1)
    vocabulary = vocabulary_of(CHARACTERS)
    ids, counts = encode(vocabulary, write(chain, 999) + "☃")
    assert match_tokens(vocabulary, vocabulary, counts)[UNKNOWN_ID] == UNMATCHED
    changed = with_vocabulary(make_model(chain), vocabulary, counts, ids)
    assert mean_loss(changed, np.array([[ids[0], UNKNOWN_ID]])) < np.log(1000) + 3
    words = vocabulary_of(["a"], "word")
    assert match_tokens(words, words, np.array([0, 3, 9])).tolist() == [0, 1, 2]


def test_the_share_counts_occurrences():
    """The share of matched tokens is that of the text, not that of the vocabulary."""
    matches = np.array([0, 1, 2, UNMATCHED, UNMATCHED])
    assert matched_share(matches, np.array([0, 0, 6, 1, 1])) == 0.75
