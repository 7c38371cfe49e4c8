import shutil
from pathlib import Path

import pytest

from textgen.portable import html_file

PLAYGROUND = Path(html_file.__file__).with_name("playground")


@pytest.fixture(scope="session")
def browser():
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def scripts(browser):
    """An empty page with the scripts of an exported page, whose functions and classes `evaluate` can use."""
    page = browser.new_page()
    names = ["backend.js", "sampling.js", *html_file.SCRIPTS[:-1]]
    page.add_script_tag(content="\n".join((PLAYGROUND / name).read_text(encoding="utf-8") for name in names))
    yield page
    page.close()
