"""Does the base model repeat its sources? Prints their longest passage in 100,000 characters of its samples.

It should be shorter than 60 characters. Shorter passages are turns of phrase; longer ones are memorised.

    python benchmarks/base_passages.py SOURCES [MODEL]

SOURCES is a folder with the texts that the base model was trained on, in the files *.txt that the recipe in data/base/ writes.
MODEL is a model file or a job directory; the default is the bundled base model.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from small_texts import SAMPLE_LENGTH, write_samples

from textgen.corpus.copy_index import CopyIndex
from textgen.storage import bundled

TEMPERATURES = (1.0, 0.7)
CHARACTERS = 100_000
LIMIT = 60


def read_sources(folder: Path) -> str:
    """Returns the texts in a folder, with blank lines in between."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]
    if not texts:
        raise SystemExit(f"there is no .txt file in {folder}; name the folder that the recipe in data/base/ writes")
    return "\n\n".join(texts)


def longest_passage(samples: Iterable[str], index: CopyIndex) -> str:
    """Returns the longest passage of the indexed text in any of the samples; the first if there are several."""
    return max(map(index.longest_copy, samples), key=len)


def main() -> None:
    """Prints one line per temperature."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("sources", type=Path)
    parser.add_argument("model", nargs="?", type=Path, default=bundled("data/base.safetensors"))
    given = parser.parse_args()
    index = CopyIndex.build(read_sources(given.sources))
    print(f"{given.sources}: {len(index.text):,} characters")
    for temperature in TEMPERATURES:
        samples = write_samples(given.model, CHARACTERS // SAMPLE_LENGTH, temperature)
        passage = longest_passage(samples, index)
        verdict = "below" if len(passage) < LIMIT else "not below"
        print(
            f"temperature {temperature}: {len(passage)} characters, {verdict} {LIMIT}, in {sum(map(len, samples)):,}: {passage!r}",
            flush=True,
        )


if __name__ == "__main__":
    main()
