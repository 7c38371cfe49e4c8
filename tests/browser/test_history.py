import pytest

from tests.browser.conftest import wait_for
from tests.browser.playing import PROMPT, open_panel, start_writing, text, wait_until_written, write

pytestmark = pytest.mark.browser


def test_undo_and_redo_walk_a_tree_that_keeps_every_branch(open_page, service):
    page = open_page(service)
    write(page)
    first = text(page)
    page.click("#undo")
    assert text(page) == PROMPT
    page.click("#write")
    wait_until_written(page)
    second = text(page)
    assert second != first
    assert page.text_content("#branch-place") == "2 of 2"
    page.click("#branch-before")
    assert text(page) == first
    page.click("#branch-after")
    assert text(page) == second
    page.click("#undo")
    page.click("#redo")
    assert text(page) == second
    open_panel(page, "history-panel")
    rows = page.locator("#tree [role=treeitem]")
    assert [label.split("Wrote")[0] for label in rows.locator(".how").all_text_contents()] == [
        "Empty page",
        "Example",
        "Edited",
        "",
        "",
    ]
    rows.nth(3).click()
    assert text(page) == first


def test_undo_while_text_is_written_keeps_both_versions(open_page, service):
    page = open_page(service)
    start_writing(page, length=4000)
    wait_for(page, "document.getElementById('text').value.length > 100")
    page.click("#undo")
    assert text(page) == PROMPT
    page.click("#redo")
    assert text(page).startswith(PROMPT)
    assert len(text(page)) > 100
    wait_until_written(page)


def test_undo_in_the_field_takes_back_what_was_typed(open_page, service):
    """The keys of undo work in the text as people expect, also after the page has changed the text itself."""
    page = open_page(service)
    write(page)
    written = text(page)
    page.focus("#text")
    page.keyboard.press("Control+End")
    page.keyboard.type("and then")
    assert text(page) == f"{written}and then"
    page.keyboard.press("Control+z")
    assert text(page) == written
    page.keyboard.press("Control+Shift+z")
    assert text(page) == f"{written}and then"
