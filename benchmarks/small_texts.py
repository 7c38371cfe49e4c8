"""What does a small text teach? Compares textgen-train, with and without the base model, with an n-gram.

Each text is split into a training part and the characters after it for validation. Each row is one way to learn the text: a
Kneser-Ney n-gram of 6 characters, and textgen-train without the base model, with it, and without a flag for either.

    python benchmarks/small_texts.py [--shakespeare tinyshakespeare.txt] [--seeds 1 2 3] [--rows scratch base auto] [--texts story-30 ...]
        [--json FILE] [further flags of textgen-train, with =]

- story-30, story-100, story-185: the first 30,000 and 100,000 characters of the bundled story, and all of it before its last
  25,000, which are for validation. Its paragraphs are unwrapped.
- shakespeare: the first 300,000 characters of tiny shakespeare, which does not come with textgen; the next 25,000 are for validation.
- german: the first 100,000 characters of the quotations in Debian's package fortunes-de, unwrapped; the next 25,000 are for validation.
  Without root, use `apt-get download fortunes-de`, `dpkg -x` and `--german`.

Known words are counted in 20,000 characters that the best model writes at temperature 0.7. A word is letters and apostrophes. It is
known if it occurs, in upper or lower case, in the story, in tiny shakespeare, in the file that the text is from, or in the dictionary
of Debian's package wamerican (`--dictionary`); a possessive also if its noun does. A word that the end of a sample cuts off does not count.

After one line per run, the means of the row are printed, with the standard deviation of the best loss. Losses are in nats per character.
Seconds are those of training, without evaluation; the wall time is from starting the command to its end.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from learning import train

from textgen.config import SamplingConfig
from textgen.corpus import find_sources, open_corpus
from textgen.evaluation.kneser_ney import KneserNey
from textgen.generation import load
from textgen.storage import bundled

ROWS = {"scratch": ["--init_from", "none"], "base": ["--init_from", "base"], "auto": []}
"""The flags of textgen-train in each row, in addition to the text and the seed."""

TEXTS = ("story-30", "story-100", "story-185", "shakespeare", "german")
VALIDATION = 25_000
ORDER = 6
EARLY_STEP = 600
CLOSE = 0.01
SAMPLES, SAMPLE_LENGTH, TEMPERATURE = 20, 1_000, 0.7
SHAKESPEARE = "tinyshakespeare.txt"
GERMAN = "/usr/share/games/fortunes/de/zitate"
DICTIONARY = "/usr/share/dict/american-english"


@dataclass(frozen=True)
class Text:
    """A text to train on, and the words that count as known.

    Attributes:
        learn: the characters to train on.
        validate: the characters that follow them.
        words: the known words, in lower case.
    """

    learn: str
    validate: str
    words: frozenset[str]


@dataclass(frozen=True)
class Run:
    """The result of one run of textgen-train. Losses are validation losses, in nats per character.

    Attributes:
        best: the loss of the best model, which is the one that is kept.
        best_step: the step of the best model.
        best_seconds: the seconds of training until then.
        last: the loss at the end.
        early: the lowest loss by step `EARLY_STEP`; None if there was no evaluation until then.
        close_step: the first step whose loss is at most `CLOSE` above the best.
        wall: the seconds from starting the command to its end.
        known: the share of words in the samples that are known.
    """

    best: float
    best_step: int
    best_seconds: float
    last: float
    early: float | None
    close_step: int
    wall: float
    known: float


def unwrap(text: str) -> str:
    """Makes one line of each paragraph. The entries of a fortune file, with lines of `%` between them, are paragraphs too."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text.replace("\n%\n", "\n\n")).replace("\t", "")


def split(name: str, text: str, length: int) -> tuple[str, str]:
    """Returns the first characters of a text, and the `VALIDATION` characters after them."""
    if len(text) < length + VALIDATION:
        raise SystemExit(f"{name} needs {length + VALIDATION:,} characters, got {len(text):,}; name another file")
    return text[:length], text[length : length + VALIDATION]


def find_words(text: str) -> list[str]:
    """Returns the words of a text in lower case: runs of letters and apostrophes, without apostrophes around them."""
    runs = re.findall(r"(?:[^\W\d_]|')+", text.replace("’", "'").lower())  # noqa: RUF001 - as in print
    return [word for run in runs if (word := run.strip("'"))]


def known_share(samples: Iterable[str], known: frozenset[str]) -> float:
    """Returns the share of the words in some samples that are known."""
    complete = [re.sub(r"(?:[^\W\d_]|['’])+\Z", "", sample) for sample in samples]  # noqa: RUF001 - as in print
    words = [word for sample in complete for word in find_words(sample)]
    return sum(word in known or word.removesuffix("'s") in known for word in words) / max(len(words), 1)


def write_samples(model: Path, samples: int, temperature: float) -> list[str]:
    """Generates texts of `SAMPLE_LENGTH` tokens, with the seeds 1, 2, 3 and so on.

    Args:
        model: a model file or a job directory.
        samples: the number of texts.
        temperature: of sampling.
    """
    config = SamplingConfig(length=SAMPLE_LENGTH, temperature=temperature, seed=1)
    found = {sample.seed: sample for sample, _ in load(model).write("", config, samples=samples)}
    return [sample.text for sample in found.values()]


def read_texts(
    names: Sequence[str], shakespeare: str, german: str, known: frozenset[str]
) -> Iterator[tuple[str, Text]]:
    """Reads the texts, and prints which ones are missing.

    Args:
        names: which texts to read, in the order of `TEXTS`.
        shakespeare: the file of tiny shakespeare.
        german: the file with German quotations.
        known: the words that are known in any text.
    """
    story = unwrap(bundled("data/story.txt").read_text(encoding="utf-8"))
    rest = len(story) - VALIDATION
    for name, length in {"story-30": 30_000, "story-100": 100_000, "story-185": rest}.items():
        if name in names:
            yield name, Text(story[:length], story[rest:], known)
    others = {
        "shakespeare": (shakespeare, 300_000, "name the file with --shakespeare"),
        "german": (german, 100_000, "install Debian's fortunes-de, or name its file zitate with --german"),
    }
    for name, (path, length, advice) in others.items():
        if name in names and Path(path).exists():
            text = Path(path).read_text(encoding="utf-8")
            parts = split(name, unwrap(text) if name == "german" else text, length)
            yield name, Text(*parts, known | frozenset(find_words(text)))
        elif name in names:
            print(f"{name}: skipped, because there is no {path}; {advice}")


def read_words(paths: Iterable[str]) -> frozenset[str]:
    """Reads the words of those files that exist, and prints which they are."""
    found = [path for path in paths if Path(path).exists()]
    print(f"known words: those of {', '.join(found)}, and of the text's own file")
    return frozenset(word for path in found for word in find_words(Path(path).read_text(encoding="utf-8")))


def kneser_ney_loss(directory: str, prefix: str) -> float:
    """Returns the validation loss of a Kneser-Ney n-gram, on the tokens that textgen-train reads."""
    corpus = open_corpus(find_sources((), directory, prefix), language_model="char")
    learn, validate = (
        np.array(corpus.vocabulary.encode("".join(section.chunks(1 << 16)))) for section in (corpus.train, corpus.valid)
    )
    return KneserNey(learn, ORDER, corpus.vocabulary.size).loss(validate)


def summarise(records: Sequence[dict[str, Any]], wall: float, known: float) -> Run:
    """Summarises the records of a run's evaluations, which are in the order of their steps."""
    best = min(records, key=lambda record: record["valid_loss"])
    early = [record["valid_loss"] for record in records if record["steps"] <= EARLY_STEP]
    close = next(record["steps"] for record in records if record["valid_loss"] <= best["valid_loss"] + CLOSE)
    return Run(
        best["valid_loss"],
        best["steps"],
        best["seconds"],
        records[-1]["valid_loss"],
        min(early, default=None),
        close,
        wall,
        known,
    )


def learn_once(directory: str, prefix: str, flags: Sequence[str], known: frozenset[str]) -> Run:
    """Runs textgen-train once, in a job directory of its own."""
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        _, records = train(f"{place}/job", ["--data_dir", directory, "--data_prefix", prefix, *flags])
        wall = time.perf_counter() - began
        return summarise(records, wall, known_share(write_samples(Path(place, "job"), SAMPLES, TEMPERATURE), known))


def print_row(row: str, runs: Sequence[Run]) -> None:
    """Prints the means of some runs of a row."""

    def mean(name: str, digits: str) -> str:
        values = [value for run in runs if (value := getattr(run, name)) is not None]
        return format(statistics.mean(values), digits) if values else "-"

    spread = f" ± {statistics.stdev(run.best for run in runs):.3f}" if len(runs) > 1 else ""
    print(
        f"  {row:10} {mean('best', '.3f')}{spread} at step {mean('best_step', ',.0f')}, {mean('best_seconds', '.1f')} s; "
        f"last {mean('last', '.3f')}; {mean('early', '.3f')} by step {EARLY_STEP}; "
        f"within {CLOSE} at step {mean('close_step', ',.0f')}; wall {mean('wall', '.0f')} s; known words {mean('known', '.1%')}",
        flush=True,
    )


def compare(
    name: str, text: Text, rows: Iterable[str], seeds: Sequence[int], flags: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Learns a text in all ways. Prints one line per run and one per row, and yields the figures of each run."""
    print(f"{name}: {len(text.learn):,} characters to learn, {len(text.validate):,} to validate")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, f"{name}.train.txt").write_text(text.learn, encoding="utf-8")
        Path(directory, f"{name}.valid.txt").write_text(text.validate, encoding="utf-8")
        counted = kneser_ney_loss(directory, name)
        print(f"  {f'{ORDER}-gram':10} {counted:.3f}", flush=True)
        yield {"text": name, "row": f"{ORDER}-gram", "best": counted}
        for row in rows:
            runs = []
            for seed in seeds:
                run = learn_once(directory, name, [*ROWS[row], "--seed", str(seed), *flags], text.words)
                print_row(f"{row}, {seed}", [run])
                yield {"text": name, "row": row, "seed": seed, **asdict(run)}
                runs.append(run)
            if len(runs) > 1:
                print_row(row, runs)


def main() -> None:
    """Prints the figures and, with `--json`, writes them to a file after each run."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--shakespeare", metavar="FILE", default=SHAKESPEARE)
    parser.add_argument("--german", metavar="FILE", default=GERMAN)
    parser.add_argument("--dictionary", metavar="FILE", default=DICTIONARY)
    parser.add_argument("--texts", nargs="+", choices=TEXTS, default=TEXTS)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=tuple(ROWS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--json", metavar="FILE")
    given, flags = parser.parse_known_args()
    known = read_words([str(bundled("data/story.txt")), given.shakespeare, given.dictionary])
    found = []
    for name, text in read_texts(given.texts, given.shakespeare, given.german, known):
        for figures in compare(name, text, given.rows, given.seeds, flags):
            found.append(figures)
            if given.json:
                Path(given.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
