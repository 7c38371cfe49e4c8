"""Does a word model learn more than counts? Compares its validation perplexity with a Kneser-Ney trigram on the same tokens.

The trigram is evaluated from the first validation token on, textgen from the second.

    python benchmarks/words.py DATA_DIR PREFIX [--minutes 3] [--seeds 1 2 3] [further flags of textgen-train, with =]
"""

import argparse
import math
import statistics
import tempfile
from pathlib import Path

from learning import train

from textgen.corpus import find_sources, open_corpus
from textgen.dataset import encode
from textgen.evaluation.kneser_ney import KneserNey


def main() -> None:
    """Prints one line per model."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("data_dir")
    parser.add_argument("prefix")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    given, flags = parser.parse_known_args()
    flags += ["--minutes", str(given.minutes)]
    corpus = open_corpus(find_sources((), given.data_dir, given.prefix), language_model="word")
    with tempfile.TemporaryDirectory() as directory:
        tokens, valid = (
            encode(section, corpus.vocabulary, Path(directory))[:] for section in (corpus.train, corpus.valid)
        )
    print(f"{len(tokens):,} tokens to learn, {len(valid):,} to validate, a vocabulary of {corpus.vocabulary.size:,}")
    trigram = KneserNey(tokens, order=3, vocabulary_size=corpus.vocabulary.size)
    print(f"Kneser-Ney trigram: perplexity {math.exp(trigram.loss(valid)):.1f}", flush=True)
    found = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as directory:
            text = ["--data_dir", given.data_dir, "--data_prefix", given.prefix, "--language_model", "word"]
            summary, records = train(f"{directory}/job", [*text, "--seed", str(seed), "--sample_length", "0", *flags])
        best = min(record["valid_perplexity"] for record in records)
        found.append(best)
        print(
            f"textgen-train, seed {seed}: perplexity {best:.1f} at its best, {summary['valid_perplexity']:.1f} at the end, "
            f"{summary['steps']} steps, {summary['tokens_per_second']:,.0f} tokens/s",
            flush=True,
        )
    print(f"mean of {len(found)}: {statistics.mean(found):.1f}")


if __name__ == "__main__":
    main()
