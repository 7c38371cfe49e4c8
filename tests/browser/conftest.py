import base64
import contextlib
import dataclasses
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.serving.running import running
from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.corpus import open_sections
from textgen.corpus.find_text import find_text
from textgen.generation import read_model, write_model
from textgen.portable import html_file
from textgen.storage import base_path

PLAYGROUND = Path(html_file.__file__).with_name("playground")
HANG_MILLISECONDS = 60_000

COPIED = "It was the best of times, and nobody in the harbour knew why the old captain had gone to sea again."
"""A sentence of the training text."""


def wait_for(page, expression):
    """Waits until an expression is true. Playwright's own function for this needs `eval`, which the page's policy refuses."""
    end = time.monotonic() + HANG_MILLISECONDS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)


@pytest.fixture(scope="session")
def browser():
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.fail("these tests need Chromium; install it, on Debian with: apt-get install chromium", pytrace=False)
    # As root, as in a container, Chromium starts only without its sandbox.
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if is_root else [])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def scripts(browser):
    """An empty page with the scripts of an exported page, whose functions and classes `evaluate` can use."""
    page = browser.new_page()
    names = ["backend.js", "sampling.js", "dom.js", *html_file.SCRIPTS[:-1]]
    page.add_script_tag(content="\n".join((PLAYGROUND / name).read_text(encoding="utf-8") for name in names))
    yield page
    page.close()


@pytest.fixture
def start_backend(scripts):
    """A function that starts the backend of an exported page in `scripts`, as `backend`, with a model whose weights become float16."""

    def start(model):
        weights = b"".join(tensor.astype("<f2").tobytes() for tensor in model.tensors.values())
        scripts.evaluate(
            "([content, weights]) => { window.backend = new OfflineBackend(content, weights) }",
            [html_file._content(model, "model"), base64.b64encode(weights).decode()],
        )
        return scripts

    return start


@pytest.fixture(scope="session")
def job(tmp_path_factory):
    """The directory of a job: the base model, as if it had been trained on a short text that contains `COPIED`."""
    place = tmp_path_factory.mktemp("served")
    text = place / "harbour.txt"
    text.write_text(f"{COPIED}\n\nThe ships came in, and the people went down to the water to see them.\n\n" * 40)
    config = TrainingConfig(texts=(str(text),))
    directory = place / "harbour"
    directory.mkdir()
    (directory / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    sections = open_sections(find_text(config), valid_fraction=config.valid_fraction, encoding=config.encoding)
    model = dataclasses.replace(read_model(base_path()), data_sha256=sections.sha256)
    write_model(directory / "model.safetensors", model)
    return directory


@pytest.fixture(scope="session")
def models(job, tmp_path_factory):
    """Two models to serve: harbour, whose training text is at hand, and base."""
    from textgen.serving.models import Models

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        with contextlib.closing(Models([job, base_path()])) as opened:
            yield opened


@pytest.fixture(scope="session")
def service(models):
    """The address of a service."""
    from textgen.serving.app import make_app

    with running(make_app(models)) as served:
        yield f"http://127.0.0.1:{served.port}"


class Windows:
    """Opens addresses, each in a browser window of its own.

    Attributes:
        problems: what the pages have reported as errors.
    """

    def __init__(self, browser):
        self._browser = browser
        self._contexts = []
        self.problems: list[str] = []

    def __call__(self, address, *, width=1280, height=900, **settings):
        """Opens an address, and waits until the page is ready."""
        context = self._browser.new_context(viewport={"width": width, "height": height}, **settings)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(HANG_MILLISECONDS)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(address)
        wait_for(page, "document.querySelector('#bars li') !== null")
        return page

    def _note(self, message):
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)

    def close(self):
        for context in self._contexts:
            context.close()


@pytest.fixture
def open_page(browser):
    """A function that opens an address in a new browser window; afterwards, no page may have reported an error."""
    with contextlib.closing(Windows(browser)) as windows:
        yield windows
    assert windows.problems == []
