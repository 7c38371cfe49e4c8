"""Does a word model learn more than counts? Compares its validation perplexity with a Kneser-Ney trigram on the same tokens.

The trigram is interpolated, with one discount per order as estimated by Ney, Essen and Kneser (1994), n1 / (n1 + 2 n2), and ends in
a uniform distribution. It is evaluated from the third validation token on, textgen from the second.

    python benchmarks/words.py DATA_DIR PREFIX [--minutes 3] [--seeds 1 2 3] [further flags of textgen-train, with =]
"""

import argparse
import math
import statistics
import tempfile
from collections import Counter
from pathlib import Path

from learning import train

from textgen.corpus import find_sources, open_corpus
from textgen.dataset import encode


class Order:
    """The counts of the n-grams of one order.

    Args:
        counts: the count of each n-gram, a tuple of ids.
    """

    def __init__(self, counts: Counter[tuple[int, ...]]) -> None:
        self.counts = counts
        self.totals: Counter[tuple[int, ...]] = Counter()
        self.followers: Counter[tuple[int, ...]] = Counter()
        for gram, count in counts.items():
            self.totals[gram[:-1]] += count
            self.followers[gram[:-1]] += 1
        of_counts = Counter(counts.values())
        self.discount = of_counts[1] / (of_counts[1] + 2 * of_counts[2])

    def below(self) -> "Order":
        """Returns the next lower order, which counts the contexts of each of its n-grams."""
        return Order(Counter(gram[1:] for gram in self.counts))

    def probability(self, gram: tuple[int, ...], lower: float) -> float:
        """Returns the probability of an n-gram's last token.

        Args:
            gram: the n-gram.
            lower: its probability by the next lower order.
        """
        total = self.totals[gram[:-1]]
        if not total:
            return lower
        left = self.discount * self.followers[gram[:-1]] / total
        return max(0.0, self.counts[gram] - self.discount) / total + left * lower


def trigram_perplexity(train: list[int], valid: list[int], vocabulary: int) -> float:
    """Returns the perplexity of the validation tokens after the first two, by a trigram of the training tokens."""
    trigrams = Order(Counter(zip(train, train[1:], train[2:], strict=False)))
    orders = [trigrams, trigrams.below(), trigrams.below().below()]
    nats = 0.0
    for gram in zip(valid, valid[1:], valid[2:], strict=False):
        probability = 1 / vocabulary
        for length, order in enumerate(reversed(orders), start=1):
            probability = order.probability(gram[-length:], probability)
        nats -= math.log(probability)
    return math.exp(nats / (len(valid) - 2))


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
            encode(section, corpus.vocabulary, Path(directory)).tolist() for section in (corpus.train, corpus.valid)
        )
    print(f"{len(tokens):,} tokens to learn, {len(valid):,} to validate, a vocabulary of {corpus.vocabulary.size:,}")
    print(f"Kneser-Ney trigram: perplexity {trigram_perplexity(tokens, valid, corpus.vocabulary.size):.1f}", flush=True)
    found = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as directory:
            text = ["--data_dir", given.data_dir, "--data_prefix", given.prefix, "--language_model", "word"]
            summary, records = train(f"{directory}/job", [*text, "--seed", str(seed), *flags])
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
