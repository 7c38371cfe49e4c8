import pytest

from tests.browser.playing import open_panel, point_at, wait_until_read, wait_until_written, write_more

pytestmark = pytest.mark.browser


def test_text_is_never_read_as_elements(open_page, service):
    """Elements in a typed text, a linked one and a model's name stay text everywhere on the page."""
    hostile = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
    page = open_page(service)
    page.fill("#text", hostile)
    wait_until_read(page)
    write_more(page, 10)
    open_panel(page, "history-panel")
    assert hostile[:40] in page.text_content("#tree")
    point_at(page, 4)
    other = open_page(page.url)
    wait_until_written(other)
    for each in (page, other):
        assert each.evaluate("window.broken") is None
        assert each.locator("#backdrop script, #backdrop img, #tree script, #tree img").count() == 0


def test_the_policy_refuses_other_places_and_other_scripts(open_page, service):
    page = open_page(service)
    tried = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)")
    assert tried == "TypeError"
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.broken = 1'}))"
    )
    assert page.evaluate("window.broken") is None
    assert page.evaluate("Object.keys(window).filter((name) => /Playground|Editor|TextTree/.test(name))") == []
    refused = [problem for problem in open_page.problems if "Content Security Policy" in problem]
    assert len(refused) == len(open_page.problems) >= 2
    open_page.problems.clear()
