import pytest

from tests.browser.accessibility import check_accessibility
from tests.browser.conftest import HANG_MILLISECONDS, wait_for
from textgen.cli.score import main

pytestmark = pytest.mark.browser


@pytest.fixture
def open_scores(browser, tmp_path):
    """A function that scores a text with the base model, and opens the page in a new browser window, which may report no error."""
    contexts, problems = [], []

    def open_page(*options, text="Call me Ishmael.\n\nSome years ago, never mind how long,", **settings):
        path = tmp_path / "page.html"
        assert main(["base", text, "--html", str(path), "--force", *options]) == 0
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(HANG_MILLISECONDS)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def test_a_token_shows_its_alternatives(open_scores):
    """A token under the pointer, or at the cursor keys, is shown with its bits and its alternatives at each temperature."""
    page = open_scores("--top=5")
    page.locator("#scored > span").nth(3).hover()
    wait_for(page, "document.querySelector('#token table') !== null")
    assert page.locator("#token h2").text_content() == "l"
    assert " bits, " in page.locator("#token p").text_content()
    assert page.locator("#token thead th").all_text_contents() == ["token", "0.5", "0.8", "1", "1.2"]
    assert page.locator("#token tbody tr").count() == 5
    page.locator("#scored").focus()
    for key, expected in {"ArrowRight": "␣", "ArrowLeft": "l", "Home": "C", "End": ","}.items():
        page.keyboard.press(key)
        assert page.locator("#token h2").text_content() == expected
    assert page.locator(".marked").count() == 1


def test_the_page_shows_the_text(open_scores):
    """The page contains the text unchanged, with tints."""
    page = open_scores()
    assert page.locator("#scored").text_content() == "Call me Ishmael.\n\nSome years ago, never mind how long,"
    colours = page.evaluate("new Set([...scored.children].map((span) => getComputedStyle(span).backgroundColor)).size")
    assert colours >= 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("options", [["--top=5"], ["--compare=base"]])
def test_the_page_is_accessible(open_scores, options, width, scheme):
    """axe-core finds no fault with a token shown, and nothing is wider than the window."""
    page = open_scores(*options, viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    page.locator("#scored > span").nth(9).click()
    check_accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
