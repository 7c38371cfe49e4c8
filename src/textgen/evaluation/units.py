"""Shows what the units of a layer do: their outputs along a text, and where they are strongest in a training text."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from textgen.generation.reading import MOST_ROWS
from textgen.planning.model_shape import tensors_of_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from textgen.corpus import Section, Vocabulary
    from textgen.generation import LSTMStep, ModelFile
    from textgen.generation.layers import Floats

_TOKENS_AT_ONCE = 64

_PIECE_TOKENS = 512
"""The tokens of a piece of the training text, which is read from a zero state."""

_MOST_PIECES = 400
"""The most pieces that are read to find where units are strongest."""

_MOST_PRODUCTS = 400e9
"""The most products of a weight and a state in which they are read: of a large model, fewer pieces are read, but never less than a
batch. This takes about five seconds of CPU time."""

_UNCOUNTED = 64
"""The tokens at the start of a piece that only bring its state to what it would be in the whole text."""

_MEASURED = 10_000
"""The characters at the start of a text in which the mean length of a token is measured."""

_CUT = re.compile(r"(?<=\S)\s")
"""The end of a word: if a text is cut there, what follows has the same tokens as in the whole text."""

_CUT_WITHIN = 16
"""A piece is cut there only in its first part, so that its other parts remain even in a text with few spaces."""

_CHARACTERS_BEFORE = 60
_CHARACTERS_AFTER = 30
"""About the characters of a passage before and after its peak."""


def outputs_of_unit(
    network: LSTMStep, ids: Sequence[int], layer: int, unit: int, *, check: Callable[[], None] = lambda: None
) -> Floats:
    """Reads a text from a zero state, and returns the output of a unit after each token, `(tokens,)`.

    Args:
        network: the network.
        ids: the token ids of the text.
        layer: the index of the layer.
        unit: the index of the unit in the layer.
        check: is called before each part of the reading. To end it, it raises an exception.
    """
    found = np.empty(len(ids), np.float32)
    for first, outputs in _outputs(network, np.array(ids, np.intp)[:, np.newaxis], layer, check):
        found[first : first + len(outputs)] = outputs[:, 0, unit]
    return found


def strongest_units(
    network: LSTMStep, ids: Sequence[int], layer: int, count: int, *, check: Callable[[], None] = lambda: None
) -> list[tuple[int, float]]:
    """Reads a text from a zero state, and returns the units of a layer with the strongest outputs after its last token.

    Args:
        network: the network.
        ids: the token ids of the text.
        layer: the index of the layer.
        count: the number of units.
        check: as in `outputs_of_unit`.

    Returns:
        The units with their outputs, the strongest first; none for an empty text.
    """
    outputs = np.empty(0, np.float32)
    for _, block in _outputs(network, np.array(ids, np.intp)[:, np.newaxis], layer, check):
        outputs = block[-1, 0]
    order = np.argsort(-np.abs(outputs), kind="stable")[:count]
    return list(zip(order.tolist(), outputs[order].tolist(), strict=True))


def _outputs(
    network: LSTMStep, texts: NDArray[np.intp], layer: int, check: Callable[[], None] = lambda: None
) -> Iterator[tuple[int, Floats]]:
    """Reads texts from zero states.

    Args:
        network: the network.
        texts: `(tokens, texts)`, the token ids.
        layer: the index of the layer.
        check: as in `outputs_of_unit`.

    Yields:
        The index of a token, and the outputs after this token and some that follow it, `(some, texts, output_size)`.
    """
    run = network.start(texts.shape[1])
    for first in range(0, len(texts), _TOKENS_AT_ONCE):
        check()
        yield first, run.outputs(texts[first : first + _TOKENS_AT_ONCE], layer)


class Passage(NamedTuple):
    """A passage of the training text in which a unit has a strong output.

    Attributes:
        pieces: the text of the passage, one piece per token.
        values: the output of the unit after each token.
        peak: the index of the token with the strongest output.
    """

    pieces: list[str]
    values: list[float]
    peak: int


@dataclass(frozen=True, eq=False)
class StrongestPlaces:
    """Where the units of a layer have their strongest outputs in pieces of the training text.

    Attributes:
        network: the network.
        vocabulary: of the model.
        layer: the index of the layer.
        texts: `(tokens, pieces)`, the token ids of the pieces, each of which is read from a zero state.
        lengths: `(pieces,)`, the number of tokens in each piece; those after them are padding.
        peaks: `(pieces, units)`, the strongest output of each unit in each piece.
        places: `(pieces, units)`, the index of the token after which it has this output.
    """

    network: LSTMStep
    vocabulary: Vocabulary
    layer: int
    texts: NDArray[np.intp]
    lengths: NDArray[np.intp]
    peaks: Floats
    places: NDArray[np.int16]

    def passages(self, unit: int, count: int) -> list[Passage]:
        """Returns the passages in which a unit has its strongest outputs, the strongest first; none are from the same piece.

        The pieces are read again to find the other outputs, so that those of all units need not be kept.

        Args:
            unit: the index of the unit in the layer.
            count: the number of passages; fewer are returned if there are fewer pieces.
        """
        order = np.argsort(-np.abs(self.peaks[:, unit]), kind="stable")[:count]
        if not len(order):
            return []
        places = self.places[order, unit].tolist()
        mean = self.vocabulary.tokenizer.characters_per_token
        before, after = round(_CHARACTERS_BEFORE / mean), round(_CHARACTERS_AFTER / mean)
        texts = self.texts[: max(places) + 1 + after, order]
        values = np.concatenate([outputs[:, :, unit] for _, outputs in _outputs(self.network, texts, self.layer)])
        found = []
        for column, (place, length) in enumerate(zip(places, self.lengths[order].tolist(), strict=True)):
            start, stop = max(place - before, 0), min(place + 1 + after, length)
            join = self.vocabulary.tokenizer.joiner().add
            pieces = [join(self.vocabulary.tokens[number]) for number in texts[start:stop, column].tolist()]
            found.append(Passage(pieces, values[start:stop, column].tolist(), place - start))
        return found


def find_strongest_places(
    network: LSTMStep, model: ModelFile, section: Section, layer: int, *, most_pieces: int = _MOST_PIECES
) -> StrongestPlaces:
    """Reads pieces of a training text that are evenly spread over it, and finds the strongest output of each unit in each.

    Args:
        network: the network.
        model: its model file.
        section: the training text.
        layer: the index of the layer.
        most_pieces: the most pieces to read. Of a large model, fewer are read.

    Raises:
        TextgenError: if the text cannot be read.
    """
    vocabulary = model.vocabulary
    weights = sum(
        tensor.size
        for number in range(len(network.layers))
        for tensor in tensors_of_layer(model.tensors, number).values()
    )
    pieces = _cut_pieces(
        vocabulary, section, min(most_pieces, max(int(_MOST_PRODUCTS / weights / _PIECE_TOKENS), MOST_ROWS))
    )
    lengths = np.array([len(piece) for piece in pieces], np.intp)
    texts = np.zeros((max(lengths, default=0), len(pieces)), np.intp)
    for column, piece in enumerate(pieces):
        texts[: len(piece), column] = piece
    uncounted = np.minimum(lengths // 4, _UNCOUNTED)
    shape = len(pieces), network.layers[layer].output_size
    peaks, places = np.zeros(shape, np.float32), np.zeros(shape, np.int16)
    for column in range(0, len(pieces), MOST_ROWS):
        group = slice(column, column + MOST_ROWS)
        for first, outputs in _outputs(network, texts[:, group], layer):
            tokens = np.arange(first, first + len(outputs))[:, np.newaxis]
            is_counted = (tokens >= uncounted[group]) & (tokens < lengths[group])
            counted = outputs * is_counted[:, :, np.newaxis]
            here = np.abs(counted).argmax(axis=0)
            values = np.take_along_axis(counted, here[np.newaxis], axis=0)[0]
            better = np.abs(values) > np.abs(peaks[group])
            peaks[group] = np.where(better, values, peaks[group])
            places[group] = np.where(better, first + here, places[group])
    return StrongestPlaces(network, vocabulary, layer, texts, lengths, peaks, places)


def _cut_pieces(vocabulary: Vocabulary, section: Section, most: int) -> list[list[int]]:
    """Returns the token ids of pieces that are evenly spread over a text, or cover it."""
    pieces: list[list[int]] = []
    starts: Iterator[int] = iter(())
    start, position, length = 0, 0, 0
    for chunk in section.chunks():
        if not position:
            head = chunk[:_MEASURED]
            mean = len(head) / max(len(vocabulary.tokenizer.split(head)), 1)
            number = min(max(int(section.characters / mean / (_PIECE_TOKENS - _UNCOUNTED)), 1), most)
            length = math.ceil(2 * mean * _PIECE_TOKENS)  # some pieces have longer tokens
            starts = (section.characters * piece // number for piece in range(number))
            start = next(starts)
        while start < position + len(chunk):
            text = chunk[start - position : start - position + length]
            cut = _CUT.search(text, 0, length // _CUT_WITHIN) if start else None
            pieces.append(vocabulary.encode(text[0 if cut is None else cut.start() :])[:_PIECE_TOKENS])
            start = next(starts, section.characters)
        position += len(chunk)
    return [piece for piece in pieces if piece]
