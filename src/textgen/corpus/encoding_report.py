"""Reports the files of a text that are not UTF-8, or that look as if they were decoded in the wrong encoding."""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from textgen.console import visible
from textgen.corpus.decoding import AUTO, FALLBACK, detect_encoding, read_chunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_CONTROLS = re.compile("[\x80-\x9f]")
"""The C1 control characters, which no text needs. Text in cp1252 that is read as Latin-1 has them instead of quotes and dashes."""

_SAVE_AGAIN = "save it as UTF-8 again, from its original"
_ADVICE = {"iso8859-1": "try the encoding cp1252", "utf-8": _SAVE_AGAIN, AUTO: _SAVE_AGAIN}


def describe_detected(paths: Sequence[Path], encoding: str) -> str:
    """Lists the files that `auto` does not read as UTF-8, with the reason.

    Args:
        paths: the files.
        encoding: the setting.

    Returns:
        One line, with an example for each encoding; empty if every file is UTF-8 or the encoding is not `auto`.
    """
    found: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for path in paths if encoding == AUTO else ():
        name, reason = detect_encoding(path)
        if reason:
            found[name].append((path, reason))
    return "; ".join(_describe_group(name, files) for name, files in found.items())


def describe_controls(paths: Iterable[Path], encoding: str, tokens: Iterable[str]) -> str:
    """Warns about C1 control characters, a sign of a wrong encoding.

    Args:
        paths: the files. They are read again only if a token contains such a character, up to the first one.
        encoding: the setting.
        tokens: every token of the text.

    Returns:
        One line that names the first one; empty if there is none.
    """
    if not _CONTROLS.search("\0".join(tokens)):
        return ""
    name = AUTO if encoding == AUTO else codecs.lookup(encoding).name
    advice = _ADVICE.get(name, "check the encoding")
    for path in paths:
        line = 1
        for text in read_chunks(path, encoding):
            if found := _CONTROLS.search(text):
                line += text.count("\n", 0, found.start())
                return (
                    f"{visible(str(path))} has control characters such as U+{ord(found[0]):04X} in line {line}, "
                    f"a sign of the wrong encoding; {advice}"
                )
            line += text.count("\n")
    return ""


def _describe_group(encoding: str, files: Sequence[tuple[Path, str]]) -> str:
    path, reason = files[0]
    if encoding == FALLBACK:
        reason += "; if it is not Western European, name its encoding"
    if len(files) == 1:
        return f"{visible(str(path))} is read as {encoding}: {reason}"
    return f"{len(files):,} files are read as {encoding}, such as {visible(str(path))}: {reason}"
