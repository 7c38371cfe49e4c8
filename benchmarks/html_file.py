"""How fast does an exported page write, relative to textgen on the same machine?

It exports models with random weights, and writes with the page's scripts in Chromium and with `TextGenerator`, in turns. Each number is the
best of several turns. NumPy uses one thread, as the page does.

    python benchmarks/html_file.py
"""

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # before NumPy is imported

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.generation import ModelFile, TextGenerator
from textgen.planning import ModelShape
from textgen.portable import export_model, html_file

SIZES = ((128, 2), (512, 1))
CHARACTERS = 65
LENGTH = 1000
TURNS = 7
AT_LEAST = 0.05
"""The least speed of the page, relative to one row of NumPy."""

PLAYGROUND = Path(html_file.__file__).with_name("playground")
START = """() => {
  const text = (id) => document.getElementById(id).textContent;
  window.backend = new OfflineBackend(JSON.parse(text("model-content")), text("model-weights"));
}"""
WRITE = """async (length) => {
  const start = performance.now();
  await backend.write({ prompt: "A", length, seed: 1, temperature: 0.8, alternatives: 10 }, { onTokens: () => {} });
  return (performance.now() - start) / 1000;
}"""


def random_model(state_size: int, layers: int) -> ModelFile:
    """Makes a model with random weights."""
    tokens = ("", "[UNK]", *(chr(ord("!") + number) for number in range(CHARACTERS)))
    vocabulary, rng = Vocabulary(tokens, make_tokenizer("char")), np.random.default_rng(1)
    shape = ModelShape(state_size, layers, vocabulary.size, embedding_size=state_size)
    tensors = {name: rng.normal(scale=0.1, size=size).astype(np.float32) for name, size in shape.tensors.items()}
    return ModelFile(tensors, shape, vocabulary, {}, "", 1, "")


def open_page(page: Page, path: Path) -> None:
    """Opens an exported page, and starts its backend again where this script can reach it."""
    page.goto(path.as_uri())
    names = ("backend.js", "sampling.js", "dom.js", *html_file.SCRIPTS[:-1])
    page.add_script_tag(content="\n".join((PLAYGROUND / name).read_text(encoding="utf-8") for name in names))
    page.evaluate(START)


def main() -> int:
    """Measures and prints all rates; returns 1 if the page is too slow."""
    worst = np.inf
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(bypass_csp=True)  # only so that this script may add the scripts once more
        for state_size, layers in SIZES:
            model, path = random_model(state_size, layers), Path(folder, "model.html")
            export_model(model, "html", path)
            open_page(page, path)
            generator = TextGenerator(model)
            ours, numpys = [], []
            for _ in range(TURNS):
                ours.append(page.evaluate(WRITE, LENGTH))
                start = time.perf_counter()
                for _ in generator.generate("A", length=LENGTH, temperature=0.8, seed=1):
                    pass
                numpys.append(time.perf_counter() - start)
            ratio = min(numpys) / min(ours)
            worst = min(worst, ratio)
            print(
                f"{layers} x {state_size}: page {LENGTH / min(ours):,.0f} characters/s, NumPy {LENGTH / min(numpys):,.0f} characters/s, "
                f"ratio {ratio:.2f}; file {path.stat().st_size / 2 / model.shape.parameters:.2f} x its float16 weights"
            )
        browser.close()
    return int(worst < AT_LEAST)


if __name__ == "__main__":
    sys.exit(main())
