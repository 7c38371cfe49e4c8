import pytest

from tests.browser.accessibility import check_accessibility
from tests.browser.playing import (
    PROMPT,
    open_panels,
    point_at,
    text,
    token,
    wait_until_read,
    wait_until_written,
    write,
)

pytestmark = pytest.mark.browser


def test_everything_works_with_the_keyboard_alone(open_page, service):
    """From the top of the page to a rewritten text and back, with the focus visible at every step."""
    page = open_page(service)
    keyboard = page.keyboard

    def press_until(key, selector):
        for _ in range(40):
            keyboard.press(key)
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"{key} never reaches {selector}")

    press_until("Tab", "#text")
    keyboard.press("Control+a")
    keyboard.type(PROMPT)
    page.fill("#setting-length", "30")
    page.focus("#text")
    press_until("Tab", "#write")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    keyboard.press("Enter")
    wait_until_written(page)
    assert page.evaluate("document.activeElement.id") == "write"
    written = text(page)
    wait_until_read(page)
    press_until("Shift+Tab", "#text")
    keyboard.press("Control+End")
    for _ in range(10):
        keyboard.press("ArrowLeft")
    page.wait_for_selector("#card", state="visible")
    keyboard.press("Escape")
    assert page.is_hidden("#card")
    keyboard.press("ArrowLeft")
    page.wait_for_selector("#card", state="visible")
    keyboard.press("Tab")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    wait_until_written(page)
    assert text(page)[:-31] == written[: len(written) - 11]
    assert page.evaluate("document.activeElement.id") == "text"
    keyboard.press("Control+z")
    assert text(page) == written
    press_until("Tab", "[role=treeitem]")
    keyboard.press("ArrowUp")
    keyboard.press("Enter")
    assert text(page) == PROMPT
    assert page.evaluate("document.activeElement.getAttribute('role')") == "treeitem"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, service, scheme):
    """Neither in an empty page, nor with a text, its alternatives, variants and every panel open."""
    page = open_page(service, color_scheme=scheme)
    check_accessibility(page)
    write(page)
    open_panels(page)
    page.locator(".chip").first.wait_for()
    point_at(page, len(PROMPT) + 5)
    check_accessibility(page)
    page.get_by_role("radio", name="Neuron").check()
    page.get_by_role("button", name="Find what excites it").click()
    page.wait_for_selector(".passage")
    page.get_by_role("radio", name="2").check()
    page.click("#write")
    wait_until_written(page)
    check_accessibility(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_tint(open_page, service, scheme):
    """The contrast of the text is at least 4.5 on each tint (WCAG 2.2, 1.4.3); no tool can measure this through two layers."""
    page = open_page(service, color_scheme=scheme)
    colours = page.evaluate("""() => {
      const probe = document.body.appendChild(document.createElement("span"));
      const colour = (name) => {
        probe.style.backgroundColor = `var(--${name})`;
        return getComputedStyle(probe).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number);
      };
      const names = [..."0123456"].flatMap((level) => [`s${level}`, `n${level}`]).filter((name) => name !== "n3");
      return { ink: colour("ink"), tints: Object.fromEntries(names.map((name) => [name, colour(name)])) };
    }""")

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for name, tint in colours["tints"].items():
        low, high = sorted((luminance(tint), luminance(colours["ink"])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, name


def test_tints_and_bars_stay_where_the_system_forces_its_colours(open_page, service):
    """They are what the page shows; without them, all texts would look alike."""
    page = open_page(service, forced_colors="active")
    write(page)
    colour = "element => getComputedStyle(element).backgroundColor"
    tints = {token(page, index).evaluate(colour) for index in range(1, len(PROMPT))}
    assert len(tints) > 3
    assert page.locator("#text").evaluate(colour) == "rgba(0, 0, 0, 0)"  # the tints are behind it
    bar, row = page.locator("#bars .after").first.evaluate(colour), page.locator("#bars li").first.evaluate(colour)
    assert bar != row


@pytest.mark.parametrize("width", [320, 360])
def test_a_phone_shows_everything_without_scrolling_sideways(open_page, service, width):
    """A tap shows the alternatives, and everything that can be tapped is at least 24 pixels large (WCAG 2.2, 2.5.8)."""
    page = open_page(service, width=width, height=740, has_touch=True, is_mobile=True)
    open_panels(page)
    write(page)
    token(page, 20).scroll_into_view_if_needed()
    box = token(page, 20).bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#card", state="visible")
    card = page.locator("#card").bounding_box()
    assert card["x"] >= 0
    assert card["x"] + card["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate("""() => [...document.querySelectorAll("button, select, input, summary, [role=treeitem]")]
      .filter((element) => element.checkVisibility())
      .map((element) => (element.type === "radio" ? element.parentElement : element))
      .filter((element) => element.getBoundingClientRect().height < 24 || element.getBoundingClientRect().width < 24)
      .map((element) => element.outerHTML)""")
    assert small == []
