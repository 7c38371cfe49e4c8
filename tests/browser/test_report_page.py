import pytest

from tests.browser.accessibility import check_accessibility
from tests.browser.conftest import HANG_MILLISECONDS
from tests.browser.html_checker import check_html
from textgen.cli.report import main

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(trained, tmp_path_factory):
    """The report on the trained job."""
    place = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained.place)  # where its text is
        patch.setenv("TEXTGEN_CACHE", str(place / "cache"))
        assert main([str(trained.job), "--output", str(place / "report.html")]) == 0
    return place / "report.html"


@pytest.fixture
def open_report(browser, report):
    """A function that opens the report in a new browser window without a network; the page may report no error."""
    contexts, problems = [], []
    address = report.as_uri()

    def open_page(**settings):
        contexts.append(browser.new_context(offline=True, **settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(HANG_MILLISECONDS)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: None if request.url == address else problems.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def test_the_page_is_valid(report):
    check_html(report.read_text(encoding="utf-8"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_is_accessible(open_report, width, scheme):
    """axe-core finds no fault with everything open, and neither the page nor a label of a chart is wider than the window."""
    page = open_report(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")
    check_accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    outside = """[...document.querySelectorAll('.chart text')].filter((label) => {
        const { left, right } = label.getBoundingClientRect();
        return left < 0 || right > innerWidth;
    }).map((label) => label.textContent)"""
    assert page.evaluate(outside) == []


def test_the_page_works_with_the_keyboard(open_report):
    """The first key leads to the report, and every sample can be opened."""
    page = open_report()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.locator("summary", has_text="The numbers").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open] table").first.is_visible()


def test_lines_of_a_chart_differ_without_their_colours(open_report):
    """Training and validation have different dashes, and the four kinds of lines different colours too."""
    page = open_report()
    looks = page.evaluate("""[0, 1, 2, 3].map((style) => {
        const look = getComputedStyle(document.querySelector(`.line.l${style}`));
        return [look.stroke, look.strokeDasharray];
    })""")
    colours, dashes = zip(*looks, strict=True)
    assert len(set(colours)) == 4
    assert len(set(dashes)) >= 3


def test_a_print_has_every_text_on_white(open_report):
    """Printed from a dark window, the page has dark text, no navigation, and the whole of each text, also of closed samples."""
    page = open_report(color_scheme="dark")
    page.evaluate("document.querySelectorAll('details.written').forEach((details) => { details.open = false })")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    luminance = page.evaluate(
        "getComputedStyle(document.body).color.match(/\\d+/g).reduce((sum, part) => sum + Number(part), 0)"
    )
    assert luminance < 200
    assert page.locator(".written .text").first.evaluate("(text) => text.getBoundingClientRect().height > 10")
    assert page.locator(".texts .text").first.evaluate("(text) => text.scrollHeight <= text.clientHeight + 1")
    assert page.pdf(format="A4").startswith(b"%PDF")
