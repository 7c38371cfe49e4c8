import math
import re
from pathlib import Path

import textgen.portable.tints
from textgen.portable.tints import SURPRISE, comparison, light_colours, tint_of

PLAYGROUND = Path(textgen.portable.tints.__file__).with_name("playground")


def test_surprise_has_the_scale_of_the_playground():
    """A token has the same tint and the same legend as in the playground."""
    script = (PLAYGROUND / "colours.js").read_text(encoding="utf-8")
    scale = re.search(r"surprise: \[(.*?)\]", script, re.DOTALL)
    assert scale is not None
    tints = re.findall(r'name: "(\w+)", label: "([^"]*)", most: ([\w.]+)', scale[1])
    assert [(name, label, float(most.replace("Infinity", "inf"))) for name, label, most in tints] == list(SURPRISE)


def test_each_tint_is_in_the_style_sheet():
    """Each tint has a class, and a colour by day, except for the transparent one between the two sides of a comparison."""
    style = (PLAYGROUND / "style.css").read_text(encoding="utf-8")
    for tint in (*SURPRISE, *comparison("one", "other")):
        assert f".{tint.name} {{ background" in style
        assert (tint.name in light_colours()) == (tint.name != "n3")
    assert light_colours()["s6"] == "#f0a04b"


def test_values_get_tints():
    """A value has the first tint that reaches it; the first token, which is not predicted, has none."""
    assert [tint_of(SURPRISE, bits) for bits in (None, 0, 0.5, 0.51, 9, 9.1, math.inf)] == [
        "",
        "s0",
        "s0",
        "s1",
        "s5",
        "s6",
        "s6",
    ]
    assert [tint_of(comparison("a", "b"), bits) for bits in (-5, 0, 5)] == ["n0", "n3", "n6"]
