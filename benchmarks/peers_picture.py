"""Draws the picture of `peers.py`: validation loss over minutes of training. It needs matplotlib, and nothing else.

    python benchmarks/peers_picture.py peers.json peers.svg

The picture has its own background, and dark colours for browsers that prefer them.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

INK, GRID, PAPER = ("#1f2328", "#e6edf3"), ("#d1d9e0", "#30363d"), ("#ffffff", "#0d1117")
"""Pairs of colours, on light and on dark paper."""
LEAST_GAP = 0.055
"""The distance between two labels, as a share of the height."""
SHOWN, MARGIN = 0.8, 0.04
"""The range of losses that is shown, which grows until all curves end inside it, and the distance to its edges; in nats."""


class Style(NamedTuple):
    """How to draw a contestant.

    Attributes:
        label: what stands at the end of its curve.
        colours: on light and on dark paper. Each has a contrast of at least 4.5 to its paper, and colour-blind people can tell them apart.
        dashes: the pattern of the line, so that it can be told without colours.
        width: of the line.
    """

    label: str
    colours: tuple[str, str]
    dashes: Any = "-"
    width: float = 1.6


STYLES = {
    "textgen": Style("textgen", ("#0969da", "#58a6ff"), width=2.8),
    "textgen-base": Style("textgen, from its base model", ("#0969da", "#58a6ff"), (0, (5, 2))),
    "torch-lstm": Style("torch.nn.LSTM, same recipe", ("#a84300", "#f0883e"), (0, (7, 1.5, 1.5, 1.5))),
    "tuned-gpt": Style("GPT, tuned for these minutes", ("#8a3b8f", "#d2a8ff"), (0, (3, 1))),
    "nanogpt": Style("GPT, nanoGPT's CPU settings", ("#00705a", "#3fb98a"), (0, (1, 1))),
    "kneser-ney": Style("Kneser-Ney, 6-gram, {seconds:.0f} s", ("#57606a", "#9198a1"), (0, (1, 2.5)), 1.3),
}


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Moves heights apart until no two are closer than a gap, and keeps their order.

    Args:
        heights: the heights, in any order.
        gap: the least distance.
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    groups: list[list[int]] = []
    centres: list[float] = []
    for index in order:
        groups.append([index])
        centres.append(heights[index])
        # Two groups that touch become one, around the mean of their heights.
        while len(groups) > 1 and centres[-1] - centres[-2] < gap * (len(groups[-1]) + len(groups[-2])) / 2:
            groups[-2:] = [groups[-2] + groups[-1]]
            centres[-2:] = [statistics.mean(heights[member] for member in groups[-1])]
    moved = [0.0] * len(heights)
    for group, centre in zip(groups, centres, strict=True):
        for place, member in enumerate(group):
            moved[member] = centre + gap * (place - (len(group) - 1) / 2)
    return moved


def add_dark_colours(svg: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Returns a picture that takes the second colour of each pair instead of the first where dark pages are preferred."""
    rules = "".join(
        f'[style*="{part}: {light}"]{{{part}:{dark} !important}}'
        for light, dark in pairs
        for part in ("fill", "stroke")
    )
    return svg.replace("</svg>", f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style></svg>")


def draw(found: dict[str, Any], path: Path) -> None:
    """Draws the curves of all runs, with the label of each contestant at the end of its curve.

    Args:
        found: the contents of the file of results.
        path: the picture, a .svg or a .png file.
    """
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        sys.exit("the picture needs matplotlib; name an interpreter that has it with --torch")
    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "textgen"  # the same curves give the same file
    from matplotlib import pyplot as plt

    runs = {name: [run for run in found["runs"] if run["contestant"] == name] for name in STYLES}
    runs = {name: of for name, of in runs.items() if of}
    ends = {name: statistics.mean(run["points"][-1][1] for run in of) for name, of in runs.items()}
    minutes = found["setting"]["minutes"]
    figure, axes = plt.subplots(figsize=(9, 4.6), layout="constrained", facecolor=PAPER[0])
    axes.set_facecolor(PAPER[0])
    bottom = min(ends.values()) - MARGIN
    top = max(bottom + SHOWN, max(ends.values()) + MARGIN)
    axes.set(xlim=(0, minutes), ylim=(bottom, top))
    labels = spread(list(ends.values()), LEAST_GAP * (top - bottom))
    for (name, of), height in zip(runs.items(), labels, strict=True):
        style = STYLES[name]
        options = {"color": style.colours[0], "linestyle": style.dashes, "linewidth": style.width}
        for run in of:
            if name == "kneser-ney":
                axes.axhline(run["points"][0][1], **options)
            else:
                axes.plot(
                    [seconds / 60 for seconds, _ in run["points"]], [loss for _, loss in run["points"]], **options
                )
        best = statistics.mean(min(loss for _, loss in run["points"]) for run in of)
        text = f"{best:.2f}  {style.label.format(seconds=statistics.mean(run['seconds'] for run in of))}"
        end = minutes if name == "kneser-ney" else statistics.mean(run["points"][-1][0] for run in of) / 60
        axes.annotate(
            text,
            xy=(end, ends[name]),
            xytext=(minutes * 1.025, height),
            color=style.colours[0],
            fontweight="bold" if name == "textgen" else "normal",
            verticalalignment="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": style.colours[0], "linewidth": 0.6, "shrinkA": 1, "shrinkB": 1},
        )
    ink = INK[0]
    axes.set_xlabel(f"minutes of training on {found['setting']['cores']} CPU cores", color=ink)
    axes.set_ylabel("validation loss, nats per character", color=ink)
    axes.tick_params(colors=ink)
    axes.grid(color=GRID[0], linewidth=0.8)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(GRID[0])
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    if path.suffix == ".svg":
        pairs = (INK, GRID, PAPER, *(STYLES[name].colours for name in runs))
        path.write_text(add_dark_colours(path.read_text(encoding="utf-8"), pairs), encoding="utf-8")


def main() -> None:
    """Draws the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    draw(json.loads(given.results.read_text(encoding="utf-8")), given.picture)


if __name__ == "__main__":
    main()
