import dataclasses
from pathlib import Path

import pytest

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.evaluation.evaluation import evaluate
from textgen.storage import bundled


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_unknown_tokens_of_a_pretokenized_text_are_warned_of(random_model):
    """`<unk>` in a text is `[UNK]`: there is no token to list, but the figures are not comparable all the same."""
    model = random_model()
    words = Vocabulary(model.vocabulary.tokens, make_tokenizer("spaced"))
    Path("text.txt").write_text("a b c d e <unk> f g h i\n" * 4)
    model = dataclasses.replace(model, vocabulary=words, scores={"valid_unknown_share": 0.09})
    result = evaluate("model.safetensors", model, ["text.txt"])
    assert result.text.unknown_share == pytest.approx(0.1)
    assert result.warnings == [
        "the score of text.txt by model.safetensors is not comparable: 10% of its tokens are [UNK]"
    ]


@pytest.mark.parametrize("unwrapped", [True, False])
def test_a_text_is_unwrapped_if_the_training_text_was(random_model, unwrapped):
    """A hard-wrapped text is read as the model knows its text: unwrapped, or as it is."""
    story = bundled("data/story.txt").read_text(encoding="utf-8")[:20_000]
    Path("text.txt").write_text(story, encoding="utf-8")
    model = dataclasses.replace(random_model(), unwrapped=unwrapped, scores={"valid_unknown_share": 1.0})
    section = evaluate("model.safetensors", model, ["text.txt"]).text.section
    assert ("".join(section.chunks()) != story) is unwrapped
