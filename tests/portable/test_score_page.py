import json
import re

import pytest

from tests.portable.test_page import Elements, source
from textgen.errors import UsageError
from textgen.evaluation.surprise import Part, total
from textgen.generation.scored_text import Alternative
from textgen.portable.score_page import ScorePage, make_page, refuse_large

HOSTILE = '</script><script>alert("x")</script>\x1b\u202e&\0'


def page(text="ab", title="a text", name="model", **changes):
    top = (Alternative(HOSTILE, 1.0, 3, (0.25, 0.125)),)
    parts = [Part(text[:1], 0, None), Part(text[1:], 1, 7.0, None, 4, top)]
    fields = {"title": title, "models": [name], "parts": parts, "total": total(parts)}
    return ScorePage(**{**fields, "unknown_share": 0.0, "temperatures": (0.5, 1.0), **changes})


def test_a_page_runs_its_own_script_alone():
    """The policy allows the style and the script of the page and nothing else, and no request."""
    elements = Elements(make_page(page())).found
    policy = next(str(fields["content"]) for _, fields, _ in elements if "http-equiv" in fields)
    [script] = [text for tag, fields, text in elements if tag == "script" and fields["type"] == "module"]
    [style] = [text for tag, _, text in elements if tag == "style"]
    assert {
        "default-src 'none'",
        "connect-src 'none'",
        f"script-src {source(script)}",
        f"style-src {source(style)}",
    } < {*policy.split("; ")}


def test_nothing_in_a_text_or_a_name_is_read_as_html():
    """Texts, names and alternatives are escaped, and control characters are visible."""
    plain, hostile = (Elements(make_page(page(*3 * [text]))).found for text in ("abc", HOSTILE))
    assert [tag for tag, *_ in hostile] == [tag for tag, *_ in plain]
    document = make_page(page(*3 * [HOSTILE]))
    assert set(document).isdisjoint("\x1b\u202e\0")
    [data] = re.findall(r'<script type="text/plain" id="scores">([^<]*)</script>', document)
    assert json.loads(data)["tokens"][1][3] == [[HOSTILE, 0.25, 0.125]]


def test_each_token_has_its_tint():
    """The first token has no tint; the others have that of their bits, or of the difference between two models."""
    assert '<span class="">a</span><span class="s6">b</span>' in make_page(page())
    parts = [Part("a", 0, None, None), Part("b", 1, 9.0, 1.0)]
    compared = make_page(page(models=["one", "two"], parts=parts, total=total(parts, of_two=True), temperatures=()))
    assert '<span class="n6">b</span>' in compared
    assert "two is less surprised" in compared
    assert "one: 12.98, two: 1.44 bits per character" in compared


def test_a_score_that_is_not_comparable():
    """The page says so."""
    assert "not comparable: 25% of the tokens are [UNK]" in make_page(page(unknown_share=0.25))


@pytest.mark.parametrize(
    ("tokens", "top", "message"), [(100_001, 0, "100,001"), (100_000, 11, "top 11 lists 1,100,000")]
)
def test_a_page_that_is_too_large(tokens, top, message):
    """More tokens or alternatives than a browser shows are refused."""
    refuse_large(100_000, 10)
    with pytest.raises(UsageError, match=message):
        refuse_large(tokens, top)
