import re

import pytest

from tests.browser.conftest import COPIED, wait_for
from tests.browser.playing import (
    PROMPT,
    point_at,
    start_writing,
    text,
    token,
    wait_until_read,
    wait_until_written,
    write,
    write_more,
)

pytestmark = pytest.mark.browser


def test_text_streams_into_the_field_and_every_token_is_tinted(open_page, service):
    """The text grows while it is written, and what the field shows and what is tinted are the same text."""
    page = open_page(service)
    start_writing(page, length=1500)
    for length in (40, 200):
        wait_for(page, f"document.getElementById('text').value.length > {length}")
    assert page.is_visible("#stop")
    wait_until_written(page)
    wait_until_read(page)
    assert len(text(page)) == len(PROMPT) + 1500
    spans = page.locator("#backdrop > span").all_text_contents()
    assert "".join(spans) == text(page)
    assert len(page.locator("#backdrop > [class^=s]").all()) == len(text(page)) - 1


def test_stopping_keeps_what_was_written_and_continuing_adds_to_it(open_page, service):
    page = open_page(service)
    start_writing(page, length=4000)
    wait_for(page, "document.getElementById('text').value.length > 100")
    page.keyboard.press("Escape")
    wait_until_written(page)
    stopped = text(page)
    assert 100 < len(stopped) < 4000
    write_more(page, 10)
    assert text(page).startswith(stopped)
    assert len(text(page)) == len(stopped) + 10


def test_an_alternative_rewrites_the_text_from_there(open_page, service):
    """Ten alternatives are listed with their probabilities, and a click replaces the token and everything after it."""
    page = open_page(service)
    write(page)
    before = text(page)
    place = point_at(page, len(PROMPT) + 10)
    buttons = page.locator("#card button")
    assert buttons.count() == 10
    assert all(re.search(r"\d%$", label) for label in buttons.all_text_contents())
    other = page.locator("#card button:not([aria-current])").first
    chosen = other.locator(".piece").text_content().replace("␣", " ").replace("↵", "\n")
    other.click()
    wait_until_written(page)
    after = text(page)
    assert after[:place] == before[:place]
    assert after[place : place + len(chosen)] == chosen
    assert after[place : place + len(chosen)] != before[place : place + len(chosen)]
    assert len(after) == place + len(chosen) + 40


def test_a_clicked_token_keeps_its_alternatives_until_they_are_dismissed(open_page, service):
    """They stay while the pointer is elsewhere, Escape closes them, and they are back when the cursor has been elsewhere."""
    page = open_page(service)
    page.fill("#text", PROMPT)
    wait_until_read(page)
    box = token(page, 10).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#card", state="visible")
    heading = page.text_content("#card .facts")
    page.mouse.move(2, 2)
    page.wait_for_timeout(600)
    assert page.text_content("#card .facts") == heading
    page.keyboard.press("Escape")
    assert page.is_hidden("#card")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#card", state="visible")
    assert page.text_content("#card .facts") != heading
    page.keyboard.type("x")
    assert page.is_hidden("#card")


def test_a_new_page_shows_an_example(open_page, service):
    """A newcomer sees a tinted text, continues it with one click, or has an empty page with one more."""
    page = open_page(service)
    wait_until_read(page)
    example = text(page)
    assert len(example) > 20
    write_more(page, 10)
    assert text(page).startswith(example)
    page.click("#undo")
    page.click("#undo")
    assert text(page) == ""
    assert page.is_disabled("#undo")


def test_a_double_click_on_write_writes(open_page, service):
    """Its second click does not stop what the first one has started."""
    page = open_page(service)
    page.fill("#text", PROMPT)
    page.fill("#setting-length", "50")
    page.dblclick("#write")
    wait_until_written(page)
    assert len(text(page)) == len(PROMPT) + 50


def test_a_text_that_is_selected_stays_selected_while_it_grows(open_page, service):
    """So typing replaces all of it, as in any field."""
    page = open_page(service)
    start_writing(page, length=4000)
    page.focus("#text")
    page.keyboard.press("Control+a")
    wait_for(page, "document.getElementById('text').value.length > 200")
    page.keyboard.type("New")
    assert text(page) == "New"


def test_what_the_model_does_not_know_is_named(open_page, service):
    """The bits per character are then not comparable, and the text can still be continued."""
    page = open_page(service)
    page.fill("#text", "日, café ")
    page.wait_for_selector("#unknown", state="visible")
    assert page.text_content("#unknown").startswith("Unknown to the model: \u65e5 \u00e9. ")
    write_more(page, 10)
    assert page.is_hidden("#problem")
    page.fill("#text", "caf, caf")
    page.wait_for_selector("#unknown", state="hidden")


def test_an_edit_keeps_the_tints_before_it_and_has_the_rest_read_again(open_page, service):
    page = open_page(service)
    write(page)
    before = [token(page, index).evaluate("span => span.className") for index in range(1, 20)]
    page.evaluate("document.querySelector('#backdrop > span').isTheSame = true")
    page.focus("#text")
    page.evaluate("document.getElementById('text').setSelectionRange(30, 30)")
    page.keyboard.insert_text("old ")
    assert token(page, 30).text_content() == "old "
    assert token(page, 30).get_attribute("class") is None or token(page, 30).get_attribute("class") == ""
    assert [token(page, index).evaluate("span => span.className") for index in range(1, 20)] == before
    wait_until_read(page)
    assert page.evaluate("document.querySelector('#backdrop > span').isTheSame")
    spans = page.locator("#backdrop > span").all_text_contents()
    assert "".join(spans) == text(page)


def test_ranks_are_another_way_to_tint(open_page, service):
    page = open_page(service)
    write(page)
    surprise = page.locator("#backdrop > .s0").count()
    page.get_by_role("radio", name="Rank").check()
    likeliest = page.locator("#backdrop > .s0").count()
    assert likeliest != surprise
    assert page.locator("#legend li").all_text_contents()[:4] == ["first choice", "2 or 3", "4 to 10", "beyond 10"]
    page.get_by_role("radio", name="Nothing").check()
    assert page.locator("#backdrop > .s0").count() == 0


def test_the_drawing_shows_what_the_settings_do(open_page, service):
    page = open_page(service)
    write(page)
    wait_for(page, "document.querySelectorAll('#bars li').length === 12")
    shares = page.locator("#bars .share").all_text_contents()
    page.locator("#setting-topK").fill("2")
    assert page.text_content("#settings output[for=setting-topK]") == "3"
    assert page.locator("#bars .out").count() == 9
    assert page.locator("#bars .share").all_text_contents() != shares
    page.locator("#setting-temperature").fill("0")
    assert page.locator("#bars .share").all_text_contents() == ["100%", *["out"] * 11]


def test_passages_of_the_training_text_are_marked(open_page, service):
    page = open_page(service)
    page.fill("#text", f"Nobody said it. {COPIED} Was it so?")
    page.wait_for_selector("#backdrop .copied", state="attached")
    marked = "".join(page.locator("#backdrop .copied").all_text_contents())
    assert COPIED in marked
    assert "Nobody said" not in marked
    assert "in the training text" in page.text_content("#legend")
    page.select_option("#model", "base")
    page.wait_for_selector("#backdrop .copied", state="detached")
    assert "in the training text" not in page.text_content("#legend")


def test_the_field_and_its_backdrop_break_lines_alike(open_page, service):
    """Both are equally high for texts that break in many ways."""
    page = open_page(service, width=700)
    for sample in (
        "word " * 300,
        "x" * 2000,
        "a\n\n\tb\n" * 30,
        "end\n",
        "two  spaces   three " * 60,
        "„ … é ñ 漢字 " * 80,
    ):
        page.fill("#text", sample)
        # A text area is at least as high as its text needs.
        area, backdrop = page.evaluate("""() => {
          const area = document.getElementById("text");
          area.style.height = "0";
          const height = area.scrollHeight;
          area.style.height = "";
          const backdrop = document.getElementById("backdrop");
          backdrop.style.alignSelf = "start";
          const other = backdrop.scrollHeight;
          backdrop.style.alignSelf = "";
          return [height, other];
        }""")
        assert area == backdrop, sample[:20]


def test_a_long_text_stays_fluid(open_page, service):
    """Appending to a long text makes elements for the new tokens only, and so does an edit in its middle."""
    page = open_page(service)
    page.fill("#text", "The ships came in. " * 300)
    wait_until_read(page)
    page.evaluate("""() => {
      window.made = 0;
      new MutationObserver((records) => records.forEach((record) => (window.made += record.addedNodes.length)))
        .observe(document.getElementById("backdrop"), { childList: true });
    }""")
    write_more(page, 50)
    assert page.evaluate("window.made") == 50
    page.focus("#text")
    page.evaluate("document.getElementById('text').setSelectionRange(30, 30)")
    page.keyboard.insert_text("up")
    assert page.evaluate("window.made") == 51
    wait_until_read(page)
    assert page.evaluate("window.made") == 53
