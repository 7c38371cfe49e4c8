import pytest

from tests.browser.conftest import COPIED
from tests.browser.playing import PROMPT, start_writing, text, wait_until_read, wait_until_written, write, write_more

pytestmark = pytest.mark.browser


def test_variants_are_written_next_to_each_other_and_one_is_chosen(open_page, service):
    page = open_page(service)
    page.get_by_role("radio", name="3").check()
    start_writing(page, length=40)
    wait_until_written(page)
    texts = page.locator(".variant-text").all_text_contents()
    assert len(set(texts)) == 3
    assert [len(each) for each in texts] == [40, 40, 40]
    assert text(page) == PROMPT
    wait_until_read(page)
    page.get_by_role("button", name="Use this one: Variant 2").click()
    assert text(page) == PROMPT + texts[1]
    assert page.text_content("#branch-place") == "2 of 3"
    page.click("#branch-after")
    assert text(page) == PROMPT + texts[2]


def test_the_focus_stays_where_a_button_goes_away(open_page, service):
    """Buttons that hide themselves pass the focus on, so that the keyboard continues from there."""
    page = open_page(service)
    page.get_by_role("radio", name="2").check()
    write(page, length=10)
    page.get_by_role("button", name="None of them").press("Enter")
    assert page.is_hidden("#variants")
    assert page.evaluate("document.activeElement.id") == "write"
    page.get_by_role("radio", name="1").check()
    write(page, length=10)
    page.get_by_role("button", name="again").press("Enter")
    assert page.evaluate("document.activeElement.id") == "setting-seed"
    assert page.input_value("#setting-seed") in page.url


def test_two_models_write_next_to_each_other(open_page, service):
    page = open_page(service)
    page.fill("#text", PROMPT)
    page.select_option("#second", "base")
    write_more(page, 30)
    assert page.locator(".variant h2").all_text_contents() == ["harbour", "base"]
    written = page.locator(".variant-text").nth(1).text_content()
    page.get_by_role("button", name="Use this one: base").click()
    assert text(page) == PROMPT + written
    assert page.input_value("#model") == "base"


def test_marks_of_passages_go_with_the_model_whose_text_they_are_in(open_page, service):
    """They are gone when the text of another model is chosen, whose training text is not at hand."""
    page = open_page(service)
    page.fill("#text", f"Nobody said it. {COPIED}")
    page.wait_for_selector("#backdrop .copied", state="attached")
    page.select_option("#second", "base")
    write_more(page, 10)
    page.get_by_role("button", name="Use this one: base").click()
    page.wait_for_selector("#backdrop .copied", state="detached")
