import pytest

from tests.browser.conftest import wait_for
from tests.browser.playing import PROMPT, start_writing, text, wait_until_read, wait_until_written, write

pytestmark = pytest.mark.browser


def test_a_link_writes_the_same_text_again(open_page, service):
    page = open_page(service)
    assert page.locator("#setting-temperature").get_attribute("aria-valuetext") == "0.80"
    page.fill("#setting-seed", "7")
    page.locator("#setting-temperature").fill("14")
    page.locator("#setting-topK").fill("6")
    written = write(page)
    link = page.url
    assert "seed=7" in link
    assert "top_p" not in link  # as a setting that changes nothing
    page.fill("#setting-seed", "8")
    assert write(page) != written
    page.click("#copy-link")
    other = open_page(link)
    wait_for(other, f"document.getElementById('text').value.length === {len(PROMPT) + len(written)}")
    assert text(other) == PROMPT + written
    assert other.url == link
    other.click("#undo")
    other.evaluate("location.hash = '#model=base&text=Another'")
    wait_for(other, "document.getElementById('text').value === 'Another'")
    assert other.input_value("#model") == "base"


def test_a_link_to_a_text_that_a_person_wrote_writes_nothing(open_page, service):
    page = open_page(service)
    page.fill("#text", "Only this: ½ & + # %")
    page.click("#copy-link")
    wait_for(page, "location.hash.length > 1")
    other = open_page(page.url)
    assert text(other) == "Only this: ½ & + # %"
    assert other.is_visible("#write")


def test_a_link_to_a_model_that_is_not_here_says_so(open_page, service):
    page = open_page(f"{service}/#model=gone&text=Once&length=20&seed=1")
    page.wait_for_selector("#problem", state="visible")
    assert "There is no model gone here" in page.text_content("#problem")
    assert text(page) == "Once"


@pytest.mark.parametrize("model", ["", "model=&"])
def test_a_link_may_name_nothing_but_a_text(open_page, service, model):
    """A page of lessons can link to a text, whatever the model is called; the link of an empty page names none either."""
    page = open_page(f"{service}/#{model}text=One%0D%0Atwo")
    wait_until_read(page)
    assert text(page) == "One\ntwo"
    assert page.is_hidden("#problem")


def test_settings_of_a_link_that_are_out_of_range_are_as_in_a_new_page(open_page, service):
    page = open_page(f"{service}/#text=One&length=10&seed=-1&temperature=9&top_k=0&top_p=0&min_p=x")
    wait_until_written(page)
    wait_until_read(page)
    assert len(text(page)) == 13
    shown = page.locator("#settings output").all_text_contents()
    assert shown == ["1.00", "off", "off", "off"]
    assert page.is_hidden("#problem")


def test_a_link_can_be_copied_while_text_is_written(open_page, service):
    """The text ends there, so that the link is that of the text that is shown."""
    page = open_page(service)
    start_writing(page, length=4000)
    wait_for(page, "document.getElementById('text').value.length > 100")
    page.click("#copy-link")
    copied = text(page)
    assert len(copied) > 100
    other = open_page(page.url)
    wait_until_written(other)
    assert text(other) == copied
