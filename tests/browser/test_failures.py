import pytest

from tests.browser.conftest import wait_for
from tests.browser.playing import PROMPT, start_writing, text, wait_until_read, write
from tests.serving.running import running
from textgen.serving.access import Access
from textgen.serving.app import make_app

pytestmark = pytest.mark.browser


def test_a_failure_of_the_server_is_one_line(open_page, service):
    page = open_page(service)
    write(page)
    page.route("**/v1/completions", lambda route: route.abort())
    page.click("#write")
    page.wait_for_selector("#problem", state="visible")
    assert page.text_content("#problem") == "The server does not answer. Is it still running?"
    assert page.is_visible("#write")
    open_page.problems.clear()  # the browser itself reports the failed request


def test_a_text_whose_connection_breaks_is_kept_as_far_as_it_came(open_page, service):
    page = open_page(service)
    logprobs = '{"tokens": ["s"], "token_logprobs": [-0.5], "top_logprobs": [{"s": -0.5}], "text_offset": [0]}'
    event = f'data: {{"choices": [{{"index": 0, "text": "s", "logprobs": {logprobs}, "finish_reason": null}}]}}\n\n'
    page.route("**/v1/completions", lambda route: route.fulfill(body=event, content_type="text/event-stream"))
    start_writing(page, length=50)
    page.wait_for_selector("#problem", state="visible")
    assert "The connection was lost" in page.text_content("#problem")
    assert text(page) == f"{PROMPT}s"
    page.click("#undo")
    assert text(page) == PROMPT


def test_the_page_asks_for_a_token_once(browser, models):
    """A wrong token is asked for again; the right one is kept for this tab, and is not part of any link."""
    with running(make_app(models, Access.of("127.0.0.1", [], [], ["secret"]))) as served:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{served.port}/")
        for token, refused in (("wrong", False), ("secret", True)):
            page.wait_for_selector("#token-dialog[open]")
            assert ("did not accept" in page.text_content("#token-note")) == refused
            page.fill("#token", token)
            page.click("#token-dialog button")
        page.wait_for_selector("#bars li")
        write(page)
        assert "secret" not in page.url
        page.reload()
        wait_for(page, f"document.getElementById('text').value.length === {len(PROMPT) + 40}")
        assert page.is_hidden("#token-dialog")
        page.close()


def test_what_is_refused_is_said_in_the_servers_words(open_page, service):
    page = open_page(service)
    page.fill("#text", "word " * 14_000)
    page.wait_for_selector("#problem", state="visible")
    assert "65,536 bytes" in page.text_content("#problem")
    page.fill("#text", "word")
    wait_until_read(page)
    assert page.is_hidden("#problem")
    open_page.problems.clear()  # the browser itself reports the refused request
