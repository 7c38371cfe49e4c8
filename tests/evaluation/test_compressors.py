import gzip
import lzma
import math
import random
import sys

import pytest

from textgen.evaluation.compressors import COMPRESSORS, added_bits

TEXT = "".join(random.Random(2).choices("abcdefghij \n", k=30_000))  # noqa: S311 - not a secret


def bits(name, before, text):
    return added_bits(COMPRESSORS[name], lambda: before, lambda: text)


def test_the_sizes_are_those_of_the_commands():
    """A text after nothing costs what the whole compressed file has, without the empty file's own size."""

    def size(compress, *arguments, **settings):
        return 8 * (len(compress(TEXT.encode(), *arguments, **settings)) - len(compress(b"", *arguments, **settings)))

    from backports import zstd

    assert bits("gzip", [], [TEXT]) == size(gzip.compress, 9)
    assert bits("xz", [], [TEXT]) == pytest.approx(size(lzma.compress, preset=9), abs=64)
    assert bits("zstd", [], [TEXT]) == pytest.approx(size(zstd.compress, level=19), abs=64)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_text_costs_what_it_adds_to_the_training_text(name):
    """The same text again costs nearly nothing, and other text of the same alphabet about log2(12) bits per character."""
    other = "".join(random.Random(3).choices("abcdefghij \n", k=30_000))  # noqa: S311 - not a secret
    assert bits(name, [TEXT], [other]) / len(other) == pytest.approx(math.log2(12), rel=0.2)
    assert bits(name, [TEXT], [TEXT]) / len(TEXT) < 0.5


@pytest.mark.parametrize("name", COMPRESSORS)
def test_pieces_make_no_difference(name):
    """A text that is read in pieces has the size of the whole, and letters beyond ASCII are UTF-8."""
    text = "Zürich, un café\n" * 200
    assert bits(name, [text[:99], text[99:]], [text]) == pytest.approx(bits(name, [text], [text]), abs=64)


def test_a_missing_package_is_noticed(monkeypatch):
    """Without their packages, zstd and PPMd cannot be used; gzip and xz come with Python."""
    assert all(each.is_installed for each in COMPRESSORS.values())
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    assert [name for name, each in COMPRESSORS.items() if each.is_installed] == ["gzip", "xz"]
