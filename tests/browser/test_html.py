import pytest

from tests.browser.html_checker import check_html
from tests.browser.playing import PROMPT, open_panels, point_at, start_writing, wait_until_written, write
from textgen.cli.export import main as export
from textgen.cli.score import main as score
from textgen.portable.page import served_page

pytestmark = pytest.mark.browser

SCORED = "Call me <b>Ishmael</b>.\n\nSome years ago, never mind how long,"


def test_the_served_page_is_valid():
    check_html(served_page().html)


def test_an_exported_page_is_valid(tmp_path):
    path = tmp_path / "model.html"
    assert export(["base", "--format", "html", "--output", str(path)]) == 0
    check_html(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("options", [["--top=5"], ["--compare=base"]])
def test_the_page_of_a_scored_text_is_valid(browser, tmp_path, options):
    """As it is written, and while it shows a token."""
    path = tmp_path / "scores.html"
    assert score(["base", SCORED, "--html", str(path), *options]) == 0
    check_html(path.read_text(encoding="utf-8"))
    page = browser.new_page()
    page.goto(path.as_uri())
    page.locator("#scored > span").nth(3).hover()
    page.wait_for_selector("#token h2")
    check_html(page.content(), is_rendered=True)
    page.close()


def test_the_playground_is_valid_while_it_is_used(open_page, service):
    """With a text, its alternatives and every panel open, and with variants."""
    page = open_page(service)
    write(page)
    open_panels(page)
    page.locator(".chip").first.wait_for()
    point_at(page, len(PROMPT) + 5)
    check_html(page.content(), is_rendered=True)
    page.get_by_role("button", name="Find what excites it").click()
    page.wait_for_selector(".passage")
    page.get_by_role("radio", name="2").check()
    start_writing(page)
    wait_until_written(page)
    check_html(page.content(), is_rendered=True)
