import contextlib
import dataclasses
import fcntl
import json
import os
import struct
import subprocess
import termios

import numpy as np
import pytest

from tests.commands import installed, run_installed
from textgen.cli.sample_output import in_turn
from textgen.cli.word_wrap import WordWrap
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import ModelFile, Sample, load, write_model


def interleave(texts, first=0, ended_early=()):
    """Yields texts as a generator does: a character of each in turn, until the text ends with its last character.

    The copy guard ends a text one round later, with an empty piece. The texts whose numbers are in `ended_early` end so.
    """
    samples = [Sample("", 5 + number, number) for number in range(first, first + len(texts))]
    for place in range(max(map(len, texts))):
        for number in ended_early:
            if place == len(texts[number]) - 1:
                samples[number].finish_reason = "max_copy"
        for number, (sample, text) in enumerate(zip(samples, texts, strict=True)):
            if place >= len(text):
                continue
            if number not in ended_early or place < len(text) - 1:
                sample.pieces.append(text[place])
            if place == len(text) - 1 and number not in ended_early:
                sample.finish_reason = "length"
            yield sample, sample.pieces[-1] if sample.finish_reason != "max_copy" else ""


def collect(pieces):
    """Returns the texts by seed, in order, and checks that each ends once and has no piece after its end."""
    texts: dict[int, str] = {}
    ended: list[int] = []
    for sample, piece in in_turn(pieces):
        assert sample.seed not in ended
        assert list(texts)[-1:] == [sample.seed] or sample.seed not in texts
        texts[sample.seed] = texts.get(sample.seed, "") + piece
        if sample.finish_reason is not None:
            ended.append(sample.seed)
    assert ended == list(texts)
    return texts


@pytest.mark.parametrize(
    "texts", [["abc"], ["abc", "defgh"], ["abcdefgh", "ij", "klmnop", "q"], ["a", "bcd", "e"], ["ab", "cd", "ef"]]
)
def test_each_text_comes_as_a_whole(texts):
    """Interleaved texts are written one after the other."""
    assert collect(interleave(texts)) == dict(enumerate(texts, start=5))


@pytest.mark.parametrize("early", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_a_text_without_a_last_piece_ends_once(early):
    """A text that the copy guard ends is ended once, even if it is not its turn to be written."""
    texts = ["abc", "defg", "hij"]
    expected = [text[:-1] if number in early else text for number, text in enumerate(texts)]
    assert collect(interleave(texts, ended_early=early)) == dict(enumerate(expected, start=5))


def test_seeds_do_not_matter():
    """Texts are written in the order of their numbers, whatever their seeds."""

    def with_other_seeds():
        for sample, piece in interleave(["abc", "d", "efgh"]):
            sample.seed = {0: 7, 1: 123, 2: 6}[sample.number]
            yield sample, piece

    assert list(collect(with_other_seeds()).items()) == [(7, "abc"), (123, "d"), (6, "efgh")]


def test_blocks_of_texts_follow_one_another():
    """Texts generated in several blocks are written in the order of their numbers."""

    def blocks():
        yield from interleave(["abc", "d"])
        yield from interleave(["ef", "ghi"], first=2)

    assert collect(blocks()) == {5: "abc", 6: "d", 7: "ef", 8: "ghi"}


def test_the_first_text_is_written_at_once():
    """A piece of the current text is written at once; the pieces of the next text, as soon as the current one ends."""
    pieces = interleave(["abc", "defgh"])
    log = []

    def logged():
        for sample, piece in pieces:
            log.append("taken " + piece)
            yield sample, piece

    for _, piece in in_turn(logged()):
        log.append("given " + piece)
    assert log[:6] == ["taken a", "given a", "taken d", "taken b", "given b", "taken e"]
    assert log[6:] == [
        "taken c",
        "given c",
        "given de",
        "taken f",
        "given f",
        "taken g",
        "given g",
        "taken h",
        "given h",
    ]


@pytest.fixture
def terminal():
    """A function that runs `textgen-sample` on a terminal of a given width, and returns everything that it shows."""

    def run(width, *arguments, typed=""):
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        attributes = termios.tcgetattr(theirs)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        command = [*installed("textgen-sample"), *arguments]
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True) as process:
            os.close(theirs)
            os.write(ours, typed.encode())
            seen = b""
            with contextlib.suppress(OSError):  # raised by Linux at the end
                while block := os.read(ours, 1 << 16):
                    seen += block
            error = process.communicate()[1]
        assert process.returncode == 0, error
        os.close(ours)
        return seen.decode().replace("\r\n", "\n")

    return run


PROMPT = "It was a long prompt of many words,\nwith a line end of its own and 漢字 of two columns. "


@pytest.mark.parametrize("options", [[], ["--samples=3"], ["--no_echo"], ["--json"]])
@pytest.mark.parametrize("width", [0, 20, 40])
def test_a_terminal_gets_whole_words(width, options, trained, terminal):
    """A terminal shows prompt and text wrapped between words; a pipe and --json get the text unchanged."""
    arguments = [str(trained.job), "--prompt", PROMPT, "--oov=skip", "--seed=2", "--length=300", *options]
    written = run_installed("textgen-sample", *arguments).stdout
    assert "--json" in options or max(map(len, written.split("\n"))) > 40
    shown = terminal(width, *arguments)
    if width == 0 or "--json" in options:
        assert shown == written
    else:
        wrap = WordWrap(lambda: width)
        assert shown == "".join(map(wrap.add, written))
        assert shown.split() == written.split()
        assert shown != written


HOSTILE = "\x1b]0;pwned\x07\x1b[2J\r\x9b31m\x7f\u202e"


@pytest.fixture
def hostile(random_model, tmp_path):
    """The path of a model that writes what steers a terminal, and characters of ordinary texts."""
    vocabulary = Vocabulary(("", "[UNK]", "\n", "\t", "a", "\u200f", *dict.fromkeys(HOSTILE)), make_tokenizer("char"))
    shape = dataclasses.replace(random_model().shape, vocabulary_size=vocabulary.size)
    rng = np.random.default_rng(1)
    tensors = {name: rng.normal(size=size).astype(np.float32) for name, size in shape.tensors.items()}
    write_model(tmp_path / "hostile", ModelFile(tensors, shape, vocabulary, {}, "", 1, "0.1.0"))
    return str(tmp_path / "hostile")


@pytest.mark.parametrize(
    "arguments", [["--json"], ["--prompt", HOSTILE], ["--interactive"]], ids=lambda given: given[0]
)
def test_a_model_cannot_steer_a_terminal(hostile, terminal, arguments):
    """On a terminal the text of a model is escaped, except line breaks, tabs and the marks of scripts; a pipe gets every byte."""
    options = [hostile, *arguments, "--length=400", "--seed=1"]
    raw = run_installed("textgen-sample", *options, input=b"a\n", text=False).stdout.decode()
    shown = terminal(0, *options, typed="a\n/show\n/quit\n" if "--interactive" in arguments else "")
    assert set(shown).isdisjoint(
        HOSTILE[-1] + "\x1b\x07\r\x9b\x7f" if "--json" not in arguments else "\x1b\x07\r\x9b\x7f"
    )
    assert "\u200f" in shown
    if "--json" in arguments:
        assert {**json.loads(shown), "model": 0} == {**json.loads(raw), "model": 0}
        assert "\x9b" in raw
    else:
        assert {"\x1b", "\x9b", "\r"} < set(raw)
        assert "\\x1b" in shown
        assert "\\x9b" in shown


def test_a_session_wraps_too(trained, terminal):
    """An interactive session wraps each passage, and /show wraps the whole text in the same way."""
    shown = terminal(
        30, str(trained.job), "--interactive", "--seed=1", "--length=200", typed="The sea was\n/show\n/quit\n"
    )
    passage, whole = shown.split("> ")[1:3]
    assert passage == whole
    assert passage.startswith("The sea was")
    text = "The sea was" + "".join(load(trained.job).generate("The sea was", seed=1, length=200)) + "\n"
    wrap = WordWrap(lambda: 30)
    assert passage == "".join(map(wrap.add, text)) != text
