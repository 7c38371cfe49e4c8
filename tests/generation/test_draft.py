import types
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest

from textgen.config import SamplingConfig
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.errors import DataError, MissingError, UsageError
from textgen.generation.draft import READ_AGAIN, Draft
from textgen.generation.prompt import read_prompt


@dataclass
class Writer:
    """Stands in for a `TextGenerator`: writes the seed in angle brackets, and records its calls."""

    vocabulary: Vocabulary
    calls: list[Any] = field(default_factory=list)

    @property
    def model(self):
        return types.SimpleNamespace(vocabulary=self.vocabulary)

    @property
    def prompts(self):
        return [call.prompt for call in self.calls]

    def read(self, prompt):
        return read_prompt(prompt, self.vocabulary)

    def write(self, prompt, config, *, copies):
        if config.length == 0:
            raise UsageError("refused")
        self.calls.append(types.SimpleNamespace(prompt=prompt, config=config, copies=copies))
        return ((None, piece) for piece in f"<{config.seed}>")


def open_index() -> Any:
    return "the index"


def make_writer(tokenizer="char", tokens="abcxyz <>\n0123456789"):
    return Writer(Vocabulary(("", "[UNK]", *tokens), make_tokenizer(tokenizer)))


@pytest.fixture
def writer():
    return make_writer()


def make_draft(writer, **settings):
    return Draft(writer, SamplingConfig(**{"seed": 7, **settings}), open_index)


@pytest.fixture
def draft(writer):
    return make_draft(writer)


def test_a_text_grows_by_passages(draft, writer):
    """A passage is what the user added and what the model wrote; the model reads the whole text before it."""
    assert "".join(draft.write("abc")) == "<7>"
    assert "".join(draft.write()) == "<8>"
    assert "".join(draft.write(" xyz")) == "<9>"
    assert draft.text == "abc<7><8> xyz<9>"
    assert writer.prompts == ["abc", "abc<7>", "abc<7><8> xyz"]
    assert [(passage.added, passage.seed) for passage in draft.passages] == [("abc", 7), ("", 8), (" xyz", 9)]


def test_without_a_seed_sessions_differ(writer):
    """Without a seed, the seeds of a session count up from a random one."""
    drafts = [make_draft(writer, seed=None) for _ in range(3)]
    for each in drafts:
        list(each.write())
        list(each.write())
        assert each.passages[1].seed == each.passages[0].seed + 1
    assert len({each.text for each in drafts}) == 3


def test_a_stopped_passage_keeps_the_pieces_so_far(draft, writer):
    """If a passage is not read to its end, the text ends where the reading stopped, and can be continued."""
    assert list(islice(draft.write("abc"), 2)) == ["<", "7"]
    assert draft.text == "abc<7"
    list(draft.write())
    assert writer.prompts[-1] == "abc<7"
    assert draft.text == "abc<7<8>"


def test_retry_writes_the_last_passage_again(draft, writer):
    """Retry replaces the model's part of the last passage, with the next seed and the same prompt, and keeps the user's part."""
    list(draft.write("abc"))
    list(draft.write(" x"))
    assert "".join(draft.retry()) == "<9>"
    assert "".join(draft.retry()) == "<10>"
    assert draft.text == "abc<7> x<10>"
    assert writer.prompts[1:] == ["abc<7> x"] * 3


def test_undo_removes_the_passages_one_by_one(draft):
    """Each undo removes the last passage with the user's part; without a passage, undo and retry are refused."""
    for added in ("abc", "", "abc", ""):
        list(draft.write(added))
    texts = []
    while draft.passages:
        draft.undo()
        texts.append(draft.text)
    assert texts == ["abc<7><8>abc<9>", "abc<7><8>", "abc<7>", ""]
    for act in (draft.undo, draft.retry):
        with pytest.raises(UsageError, match="there is no passage yet"):
            act()
    assert "".join(draft.write("a")) == "<11>"


def test_retry_after_undo_rewrites_the_passage_before(draft):
    """After undo, retry applies to the passage that is the last one now."""
    list(draft.write("abc"))
    list(draft.write("x"))
    draft.undo()
    list(draft.retry())
    assert draft.text == "abc<9>"


def test_the_last_passage_can_be_replaced(draft, writer):
    """The last passage can be replaced by the user's words, which can then be continued and undone."""
    draft.replace_last("a")
    assert draft.text == "a"
    list(draft.write("bc"))
    draft.replace_last("xyz")
    assert draft.text == "axyz"
    assert "".join(draft.retry()) == "<8>"
    assert writer.prompts[-1] == "axyz"
    draft.undo()
    assert draft.text == "a"


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("abc<7> x<8>", ["abc<7>", " x<8>"]),
        ("abc<7> x<8> y", ["abc<7>", " x<8>", " y"]),
        ("abc<7> z", ["abc<7>", " z"]),
        ("abc<7>", ["abc<7>"]),
        ("abc<7> ", ["abc<7>", " "]),
        ("xbc<7> x<8>", ["xbc<7> x<8>"]),
        ("", []),
    ],
)
def test_an_edited_text_keeps_the_passages_before_the_change(text, passages, draft):
    """After an edit, the text from the change on is one passage; the passages before it can still be undone one by one."""
    list(draft.write("abc"))
    list(draft.write(" x"))
    before = list(draft.passages)
    draft.replace(text)
    assert draft.text == text
    assert [passage.text for passage in draft.passages] == passages
    for old, new in zip(before, draft.passages, strict=False):
        assert old is new or old.text != new.text


@pytest.mark.parametrize(
    "act", [lambda draft: draft.write("a☃b"), lambda draft: draft.replace("☃"), lambda draft: draft.replace_last("☃")]
)
def test_unknown_words_are_refused(act, draft):
    """With oov error, unknown words are named, and the text does not change."""
    list(draft.write("abc"))
    with pytest.raises(DataError, match="does not know '☃'; set oov to skip"):
        act(draft)
    assert draft.text == "abc<7>"
    assert "".join(draft.write()) == "<8>"


@pytest.mark.parametrize("oov", ["skip", "unk"])
def test_unknown_words_can_be_accepted(oov, writer):
    """With oov skip and unk, unknown words are part of the text, and the generator gets the setting."""
    draft = make_draft(writer, oov=oov)
    list(draft.write("☃"))
    assert draft.text == "☃<7>"
    assert writer.calls[-1].config.oov == oov


def test_unknown_words_of_the_model_are_accepted():
    """If the model writes two words without a space, which make an unknown word, the user can still continue the text."""
    writer = make_writer("word", ("ab", "<", "7", ">", "x", " ", "8"))
    draft = make_draft(writer)
    list(draft.write("ab x"))
    draft.passages[0].pieces = ["ab"]
    assert draft.text == "ab xab"
    list(draft.write(" x"))
    assert writer.calls[-1].config.oov == "skip"
    assert draft.text == "ab xab x<8>"
    with pytest.raises(DataError, match="does not know 'y'"):
        draft.write(" y")


def test_a_word_may_be_completed():
    """The user's letters can complete the last word; only the complete word must be known."""
    writer = make_writer("word", ("ship", "sh", " "))
    draft = make_draft(writer)
    list(islice(draft.write("sh"), 0))
    list(islice(draft.write("ip"), 0))
    assert writer.prompts == ["sh", "ship"]


def test_a_refused_passage_leaves_the_text_alone(draft):
    """If the generator refuses a passage, the text does not change."""
    list(draft.write("abc"))
    draft.set("length", "0")
    for act in (draft.write, draft.retry):
        with pytest.raises(UsageError, match="refused"):
            act()
    assert draft.text == "abc<7>"


def test_the_model_reads_the_end_of_a_long_text(draft, writer):
    """The model reads at most READ_AGAIN characters, from white space on, so that no word is cut in two."""
    lines = "".join(f"abc {number}\n" for number in range(1000))
    assert len(lines) > READ_AGAIN
    list(draft.write(lines))
    prompt = writer.prompts[-1]
    assert lines.endswith(prompt)
    assert READ_AGAIN - 10 < len(prompt) <= READ_AGAIN
    assert prompt[0].isspace()
    assert not lines[-len(prompt) - 1].isspace()
    short = lines[-READ_AGAIN:]
    draft.replace(short)
    list(draft.retry())
    assert writer.prompts[-1] == short


def test_a_long_text_without_white_space_is_cut_anywhere(draft, writer):
    """Without white space to cut at, the model reads exactly the last READ_AGAIN characters."""
    list(draft.write("a" * (READ_AGAIN + 1)))
    assert writer.prompts == ["a" * READ_AGAIN]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("temperature", "1.5", 1.5),
        ("top_k", "5", 5),
        ("top_k", "none", None),
        ("lines", "2", 2),
        ("until", "The End", ("The End",)),
        ("until", "none", ("none",)),
        ("oov", "unk", "unk"),
        ("temperature", None, 0.8),
        ("until", None, ()),
    ],
)
def test_a_setting_applies_from_the_next_passage(name, value, expected, writer):
    """A setting is parsed like a flag, without a value it is reset to its default, and the others do not change."""
    draft = make_draft(writer, temperature=0.3, until=("x",), length=9)
    draft.set(name, value)
    list(draft.write())
    config = writer.calls[-1].config
    assert getattr(config, name) == expected
    assert config.length == 9


def test_a_seed_applies_to_the_next_passage(draft):
    """The next passage uses a new seed, and the later ones count up from it."""
    list(draft.write())
    draft.set("seed", "40")
    list(draft.write())
    draft.set("seed", "none")
    list(draft.write())
    assert [passage.seed for passage in draft.passages] == [7, 40, 41]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lenght", "3", "there is no setting lenght; did you mean length?"),
        ("length", "-3", "length must be at least 0, got -3"),
        ("length", "x", "length must be a whole number, got 'x'"),
        ("oov", "x", "oov must be one of error, skip, unk"),
        ("max_copy", "5", "max_copy must be at least 16"),
        ("model", "x", "there is no setting model; the settings are length, "),
    ],
)
def test_a_setting_is_checked_like_a_flag(name, value, message, draft):
    """An invalid setting is refused with the message for the flag, and changes nothing."""
    before = draft.config
    with pytest.raises(UsageError) as raised:
        draft.set(name, value)
    assert message in str(raised.value)
    assert draft.config is before


def test_the_copy_index_is_opened_once(writer):
    """The copy index is opened when max_copy is set for the first time, and never otherwise."""
    opened = []

    def open_once() -> Any:
        opened.append(1)
        return "the index"

    draft = Draft(writer, SamplingConfig(), open_once)
    list(draft.write())
    assert (writer.calls[-1].copies, opened) == (None, [])
    draft.set("max_copy", "40")
    draft.set("max_copy", "50")
    list(draft.write())
    assert (writer.calls[-1].copies, opened) == ("the index", [1])
    assert make_draft(writer, max_copy=40).config.max_copy == 40


def test_without_a_training_text_max_copy_is_refused(writer):
    """If the training text is missing, max_copy is refused and not changed, and the text can be continued."""

    def fail():
        raise MissingError("gone")

    draft = Draft(writer, SamplingConfig(), fail)
    with pytest.raises(MissingError, match="gone"):
        draft.set("max_copy", "40")
    assert draft.config.max_copy is None
    assert list(draft.write())


def test_a_quote_is_read_as_the_text_before_it_demands():
    """A quote after a word closes, one after a space opens; each change is listed once, with the passage that has it."""
    draft = Draft(make_writer(tokens="abc “”\n<>0123456789"), SamplingConfig(seed=7), open_index)
    assert draft.changes() == ()
    draft.write("ab")
    assert draft.changes() == ()
    draft.write('" c')
    assert draft.changes() == ('” for "',)
    draft.write('" a')
    assert draft.changes() == ()
    draft.write(' "b')
    assert draft.changes() == ('“ for "',)


def test_a_line_that_starts_with_a_space_continues_a_text_that_ends_with_one():
    """Two spaces in a row, which no training text of words may have, are read as one."""
    writer = make_writer("word", ["a", "b", " ", "<", ">", "7"])
    draft = Draft(writer, SamplingConfig(seed=7), open_index)
    draft.write("a ")
    draft.write(" b")
    assert (draft.text, draft.changes()) == ("a  b", ("single spaces",))
