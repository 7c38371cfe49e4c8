"""A small GPT for `peers.py`: a decoder-only transformer over characters, in PyTorch.

The architecture is that of nanoGPT (github.com/karpathy/nanoGPT), which follows GPT-2: learned positions, normalisation before each part of
a block, GELU, no biases, and one table for the input and the output. Each of these is a setting where the tuned model differs.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

_DEVIATION = 0.02
"""The standard deviation of initial weights, as in GPT-2."""
_LONGEST_WAVE = 10_000.0


@dataclass(frozen=True)
class GPTShape:
    """The shape of a GPT.

    Attributes:
        vocabulary: the number of token ids.
        layers: the number of blocks.
        heads: the attention heads of each block.
        width: the size of the vector of each position, a multiple of `2 * heads`.
        block: the number of tokens that the model sees at most.
        dropout: the fraction of the outputs of each part that is dropped in training.
        rotary: whether positions rotate queries and keys (Su et al. 2021) instead of being learned vectors.
        tied: whether the output uses the vectors of the input.
    """

    vocabulary: int
    layers: int = 4
    heads: int = 4
    width: int = 128
    block: int = 64
    dropout: float = 0.0
    rotary: bool = False
    tied: bool = True


class SmallGPT(nn.Module):
    """Predicts the next token at each position, from the tokens up to this position."""

    def __init__(self, shape: GPTShape) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.positions = None if shape.rotary else nn.Embedding(shape.block, shape.width)
        self.dropout = nn.Dropout(shape.dropout)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width, bias=False)
        self.output = nn.Linear(shape.width, shape.vocabulary, bias=False)
        if shape.tied:
            self.output.weight = self.tokens.weight
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                # The sum over all parts of all blocks then has the same variance in a model of any depth.
                scale = 1 / math.sqrt(2 * shape.layers) if name.endswith("project.weight") else 1.0
                nn.init.normal_(weight, std=_DEVIATION * scale)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Returns logits `(rows, time, vocabulary)` for ids `(rows, time)`, with a time of at most `shape.block`."""
        hidden = self.tokens(ids)
        if self.positions is not None:
            hidden = hidden + self.positions.weight[: ids.shape[1]]
        hidden = self.dropout(hidden)
        for block in self.blocks:
            hidden = block(hidden)
        return self.output(self.norm(hidden))


class Block(nn.Module):
    """Attention and a feed-forward network, each of which adds to the vector of its position."""

    def __init__(self, shape: GPTShape) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.expand = nn.Linear(shape.width, 4 * shape.width, bias=False)
        self.project = nn.Linear(4 * shape.width, shape.width, bias=False)
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width, bias=False) for _ in range(2))
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Transforms `(rows, time, width)`."""
        first, second = self.norms
        hidden = hidden + self.dropout(self.attention(first(hidden)))
        return hidden + self.dropout(self.project(functional.gelu(self.expand(second(hidden)))))


class Attention(nn.Module):
    """Causal self-attention: each position reads from itself and the positions before it."""

    def __init__(self, shape: GPTShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.queries_keys_values = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.project = nn.Linear(shape.width, shape.width, bias=False)
        self.register_buffer("rotation", _rotation(shape) if shape.rotary else None, persistent=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Transforms `(rows, time, width)`."""
        rows, time, width = hidden.shape
        parts = self.queries_keys_values(hidden).view(rows, time, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        if self.rotation is not None:
            queries, keys = self._rotate(queries), self._rotate(keys)
        # No dropout in here: with it, PyTorch has no fast attention for a CPU.
        read = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return self.project(read.transpose(1, 2).reshape(rows, time, width))

    def _rotate(self, vectors: torch.Tensor) -> torch.Tensor:
        """Rotates pairs of numbers by angles that grow with the position, in `(rows, heads, time, size)`."""
        cosine, sine = self.rotation[:, : vectors.shape[2]].type_as(vectors)
        left, right = vectors.chunk(2, dim=-1)
        return torch.cat([left * cosine - right * sine, left * sine + right * cosine], dim=-1)


def _rotation(shape: GPTShape) -> torch.Tensor:
    """Returns the cosines and sines of the angles of each position, `(2, block, half the size of a head)`."""
    half = shape.width // shape.heads // 2
    speeds = _LONGEST_WAVE ** -(torch.arange(half) / half)
    angles = torch.outer(torch.arange(shape.block), speeds)
    return torch.stack([angles.cos(), angles.sin()])
