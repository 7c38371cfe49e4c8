"""Assembles a single HTML document, such as the playground, from plain files.

There is no build step: the scripts are joined, in a fixed order, into one module, and the styles and that module are the only ones that
the document's content security policy allows, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_DOCUMENT = Path(__file__).with_name("document.html")
_FILES = Path(__file__).with_name("playground")
_NONE = "'none'"
_MARK = re.compile(r"<!-- (\w+) -->")

PAGE_SCRIPTS = (
    "backend.js",
    "sampling.js",
    "dom.js",
    "colours.js",
    "tree.js",
    "history.js",
    "editor.js",
    "alternatives.js",
    "settings.js",
    "distribution.js",
    "variants.js",
    "notices.js",
    "writer.js",
    "keys.js",
    "neurons.js",
    "link.js",
    "example.js",
    "main.js",
)
"""The scripts of the page itself, which need no particular backend. The scripts of a backend follow, and start the page."""


@dataclass(frozen=True)
class Page:
    """An HTML document that makes no request except to its own server.

    Attributes:
        html: the document, which also contains the policy, for use without a server.
        policy: the value of the header `Content-Security-Policy`.
    """

    html: str
    policy: str


@cache
def served_page() -> Page:
    """Returns the playground that talks to the server it comes from."""
    page = document(["server.js"], connect="'self'")
    # Only a header can contain this rule.
    return Page(page.html, f"{page.policy}; frame-ancestors 'none'")


def document(
    backend: Sequence[str],
    *,
    connect: str = _NONE,
    data: Mapping[str, str] | None = None,
    title: str = "textgen playground",
    about: str = "",
) -> Page:
    r"""Joins the files of the playground into one document.

    Args:
        backend: the scripts of the backend, files in `playground/`. The last one calls `startPlayground` with the backend.
        connect: where the page may send requests, as in the policy's `connect-src`.
        data: texts that the scripts find in elements with these ids, as `document.getElementById(id).textContent`. HTML cannot
            escape anything in such a text, so it must not contain `<` (JSON can write `\u003c`).
        title: the title of the document.
        about: a line below the page; empty for none.

    Returns:
        The page.
    """
    return seal(
        read_asset("body.html"),
        title=title,
        style=read_asset("style.css"),
        script="\n".join(read_asset(name) for name in (*PAGE_SCRIPTS, *backend)),
        data=data,
        parts={"about": f'<footer class="about">{html.escape(about)}</footer>' if about else ""},
        connect=connect,
    )


def seal(
    body: str,
    *,
    title: str,
    style: str,
    script: str = "",
    data: Mapping[str, str] | None = None,
    parts: Mapping[str, str],
    connect: str = _NONE,
) -> Page:
    """Makes a document from its body, and lets it run its own script and style alone.

    Args:
        body: the HTML of the body, with a mark such as `<!-- about -->` for each part.
        title: the title of the document.
        style: the style sheet.
        script: the script, a module; empty for none.
        data: as in `document`.
        parts: the HTML of each part, by name.
        connect: as in `document`.

    Returns:
        The page.
    """
    # The Nu HTML checker compares the hashes with those of the texts without white space at their ends.
    style, script = style.strip(), script.strip()
    policy = "; ".join(
        (
            f"default-src {_NONE}",
            f"script-src {_hash(script) if script else _NONE}",
            f"style-src {_hash(style)}",
            "img-src data:",
            f"connect-src {connect}",
            f"base-uri {_NONE}",
            f"form-action {_NONE}",
        )
    )
    blocks = []
    for name, text in (data or {}).items():
        if "<" in text:
            raise ValueError(f"data must not contain '<', got some in {name!r}; escape it")
        blocks.append(f'<script type="text/plain" id="{html.escape(name)}">{text}</script>\n')
    filled = {
        "policy": f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">',
        "title": html.escape(title),
        "style": f"<style>{style}</style>",
        "body": _fill(body, parts),
        "script": "".join(blocks) + (f'<script type="module">{script}</script>' if script else ""),
    }
    return Page(_fill(_DOCUMENT.read_text(encoding="utf-8"), filled), policy)


def _fill(template: str, parts: Mapping[str, str]) -> str:
    """Replaces each mark in a template by the part that it names."""
    pieces = _MARK.split(template)
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def read_asset(name: str) -> str:
    """Returns the text of a file of the playground."""
    return (_FILES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Returns the source expression that allows an inline script or style with this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
