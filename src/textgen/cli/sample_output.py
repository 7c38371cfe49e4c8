"""Writes texts that are generated in parallel to standard output, one after the other.

The pieces of the first unfinished text are written at once; those of the others wait until it has ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from textgen.cli.standard_output import encode_output, put_json, text_writer
from textgen.console import Console

if TYPE_CHECKING:
    from textgen.evaluation import Novelty
    from textgen.generation import Sample

SEPARATOR = "---"
"""The line between two texts, for scripts that split them."""


def write_plain(
    pieces: Iterable[tuple[Sample, str]], echo: str, measure: Callable[[Sample], Novelty] | None = None
) -> None:
    """Writes texts for people: each after its prompt and followed by a line end, with a line `SEPARATOR` between them.

    Args:
        pieces: the pieces, from `TextGenerator.write`.
        echo: the prompt, written before each text; empty to leave it out.
        measure: measures a text's novelty, which is then written in a line to standard error; None to leave it out.

    Raises:
        KeyboardInterrupt: on Ctrl-C; an unfinished text gets its line end first.
    """
    encode_output("surrogateescape")
    console = Console()
    write = text_writer()
    ended = False
    try:
        write(echo)
        for sample, piece in in_turn(pieces):
            if ended:
                write(f"{SEPARATOR}\n{echo}")
            write(piece)
            ended = sample.finish_reason is not None
            if ended:
                write("\n")
            if ended and measure is not None:
                console.say(str(measure(sample)))
    except KeyboardInterrupt:
        if not ended:
            write("\n")
        raise


def write_json(
    pieces: Iterable[tuple[Sample, str]], model: str, *, echo: bool, measure: Callable[[Sample], Novelty] | None = None
) -> None:
    """Writes texts for scripts: one line of JSON per text, as soon as it and all texts before it have ended.

    Args:
        pieces: the pieces, from `TextGenerator.write` with `scored`.
        model: the hash of the model file.
        echo: whether to include the prompt.
        measure: measures a text's novelty, which is then included; None to leave it out.
    """
    # A byte of the prompt that is not UTF-8 is a lone surrogate, which is written as \udcff, an escape in JSON too.
    encode_output("backslashreplace")
    for sample, _ in in_turn(pieces):
        if sample.finish_reason is None:
            continue
        bits = sample.bits_per_character
        fields: dict[str, Any] = {
            "text": sample.text,
            "prompt": sample.prompt,
            "seed": sample.seed,
            "tokens": sample.tokens,
            "finish_reason": sample.finish_reason,
            "bits_per_character": bits if bits is not None and math.isfinite(bits) else None,
            "model": model,
        }
        if not echo:
            del fields["prompt"]
        if measure is not None:
            novelty = measure(sample)
            fields["longest_copy"] = novelty.longest_copy
            fields["longest_copy_characters"] = len(novelty.longest_copy)
            fields["copied_share"] = novelty.copied_share
            fields["spans"] = novelty.spans
        put_json(fields)


def in_turn(pieces: Iterable[tuple[Sample, str]]) -> Iterator[tuple[Sample, str]]:
    """Puts the pieces of texts that are generated in parallel in the order of the texts.

    Args:
        pieces: the texts, numbered from 0, and their pieces, from `TextGenerator.write`.

    Yields:
        Each text with its pieces, all of one text before those of the next. The text has a `finish_reason` only with its
        last piece.
    """
    waiting: dict[int, Sample] = {}
    turn = 0
    for sample, piece in pieces:
        waiting[sample.number] = sample
        if sample.number == turn:
            yield sample, piece
        while turn in waiting and waiting[turn].finish_reason is not None:
            del waiting[turn]
            turn += 1
            if turn in waiting:
                yield waiting[turn], waiting[turn].text
