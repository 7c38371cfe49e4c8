"""What a person does on the page of the playground."""

from tests.browser.conftest import wait_for

PROMPT = "It was a dark night, and the captain "


def text(page):
    return page.input_value("#text")


def wait_until_written(page):
    page.wait_for_selector("#stop", state="hidden")
    page.wait_for_selector("#write", state="visible")


def wait_until_read(page):
    """Waits until every token, here a character, has been read: all have a tint but the first, which nothing predicts."""
    tinted = "document.querySelectorAll('#backdrop > [class^=s]').length"
    wait_for(page, f"{tinted} > 0 && {tinted} === document.getElementById('text').value.length - 1")


def start_writing(page, prompt=PROMPT, length=40):
    """Types a prompt, and presses Write."""
    page.fill("#text", prompt)
    page.fill("#setting-length", str(length))
    page.click("#write")


def write_more(page, length):
    """Has the text continued, and waits until that is written."""
    page.fill("#setting-length", str(length))
    page.click("#write")
    wait_until_written(page)


def write(page, prompt=PROMPT, length=40):
    """Types a prompt, has a text written, and returns what was added."""
    page.fill("#text", prompt)
    write_more(page, length)
    wait_until_read(page)
    assert text(page).startswith(prompt)
    return text(page).removeprefix(prompt)


def open_panel(page, name):
    if not page.evaluate(f"document.getElementById('{name}').open"):
        page.click(f"#{name} summary")


def open_panels(page):
    for name in ("settings-panel", "neuron-panel", "history-panel"):
        open_panel(page, name)


def token(page, index):
    """The element that tints a token."""
    return page.locator("#backdrop > span").nth(index)


def point_at(page, index):
    """Points at a token, or at the next one that is not white space, which can have no width; returns its index."""
    while token(page, index).text_content().isspace():
        index += 1
    token(page, index).scroll_into_view_if_needed()
    box = token(page, index).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#card", state="visible")
    return index
