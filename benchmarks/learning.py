"""What does a model know after some minutes? The validation loss of textgen-train with the default settings.

The text is split into its first 90% and last 10%; the validation text is scored as if it were read in one go.

    python benchmarks/learning.py [TEXT] [--minutes 3] [--seeds 1] [further flags of textgen-train, with =]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from textgen.storage import bundled


def main() -> None:
    """Prints a line for each seed, and the mean."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", nargs="?", default=str(bundled("data/story.txt")))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, default=1)
    given, flags = parser.parse_known_args()
    losses = []
    for seed in range(1, given.seeds + 1):
        with tempfile.TemporaryDirectory() as directory:
            command = [sys.executable, "-m", "textgen", "train", given.text, "--json", "--sample_length", "0", *flags]
            command += ["--minutes", str(given.minutes), "--seed", str(seed), "--job_dir", directory + "/job"]
            environment = {**os.environ, "TEXTGEN_CACHE": directory}
            printed = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(printed)
        losses.append(found["valid_loss"])
        print(
            f"{given.text}, {given.minutes:g} minutes, seed {seed}: {found['valid_loss']:.4f} nats per token, "
            f"{found['valid_bits_per_character']:.4f} bits per character, {found['tokens_per_second']:,.0f} tokens/s",
            flush=True,
        )
    print(f"mean of {len(losses)}: {statistics.mean(losses):.4f} nats per token")


if __name__ == "__main__":
    main()
