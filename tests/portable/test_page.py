import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import textgen.portable.page
from textgen.portable.page import PAGE_SCRIPTS, document, seal, served_page

FILES = Path(textgen.portable.page.__file__).with_name("playground")


class Elements(HTMLParser):
    """Collects the elements of a document, each with its attributes and, for scripts and styles, its text."""

    def __init__(self, text):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs), ""))

    def handle_data(self, data):
        if self.cdata_elem:  # inside a script or a style
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)


def source(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_the_inline_script_and_style_and_nothing_else():
    page = served_page()
    elements = Elements(page.html).found
    scripts = [text for tag, _, text in elements if tag == "script"]
    styles = [text for tag, _, text in elements if tag == "style"]
    policy = dict(part.split(" ", 1) for part in page.policy.split("; "))
    assert len(scripts) == len(styles) == 1
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == source(scripts[0])
    assert policy["style-src"] == source(styles[0])
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    meta = next(
        attributes for tag, attributes, _ in elements if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert page.policy == f"{meta['content']}; frame-ancestors 'none'"


def test_a_document_without_a_server_may_send_no_request():
    assert "connect-src 'none'" in document(["server.js"]).policy


def test_a_part_is_filled_in_once():
    """A mark inside a part or a title is text like any other, and a title is never read as HTML."""
    page = seal(
        "<p><!-- part --></p>", title="<!-- part -->", style="", script="", data={}, parts={"part": "<!-- style -->"}
    )
    assert "<p><!-- style --></p>" in page.html
    assert "<title>&lt;!-- part --&gt;</title>" in page.html


def test_data_of_a_document_is_found_under_its_name_and_is_not_a_script():
    elements = Elements(document(["server.js"], data={"weights": "AAEC"}).html).found
    assert [text for _, attributes, text in elements if attributes.get("id") == "weights"] == ["AAEC"]
    assert (
        next(attributes for _, attributes, _ in elements if attributes.get("id") == "weights")["type"] == "text/plain"
    )


def test_data_that_could_end_its_element_is_refused():
    with pytest.raises(ValueError, match="must not contain '<'"):
        document(["server.js"], data={"weights": "</script><script>"})


@pytest.mark.parametrize(
    "path", [FILES.with_name("document.html"), *sorted(FILES.iterdir())], ids=lambda path: path.name
)
def test_the_files_name_no_other_place_and_handle_no_html(path):
    """What a content security policy would refuse, or what would let text become elements, is not written at all."""
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(
        r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\son\w+=|\sstyle=|@import|url\(", text
    )
    if path.suffix == ".js":
        assert not re.search(r"</script|<!--|^(import|export) ", text, re.MULTILINE)
        assert text.startswith(("/** ", "/**\n", "//"))
        assert len(text.splitlines()) <= 300


def test_every_script_belongs_to_a_document():
    assert set(PAGE_SCRIPTS) <= {path.name for path in FILES.iterdir()}


def test_top_level_names_of_scripts_are_unique():
    """All scripts share one scope."""
    names = [
        name
        for path in FILES.glob("*.js")
        for name in re.findall(
            r"^(?:async )?(?:function\*?|class|const|let) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert sorted(names) == sorted(set(names))
