import dataclasses

import numpy as np
import pytest

from tests.browser.accessibility import check_accessibility
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.portable import export_model

pytestmark = pytest.mark.browser


@pytest.fixture
def exported(random_model, tmp_path):
    """An exported page of a model with random weights, whose job has a name with markup in it."""
    model = dataclasses.replace(random_model(embedding_size=5), scores={"valid_bits_per_character": 1.9512})
    path = tmp_path / "model.html"
    export_model(model, "html", path, "night <b>watch</b>")
    return path


@pytest.fixture
def open_file(browser):
    """A function that opens a file in a browser without a network; the page must log nothing and request nothing but itself."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(60_000)
    problems = []

    def open_in_browser(path, fragment=""):
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: problems.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
        )
        page.goto(path.as_uri() + fragment)
        return page

    yield open_in_browser
    context.close()
    assert problems == []


def field(page):
    """The field in which the text is written."""
    return page.get_by_role("textbox", name="Text", exact=True)


def write(page):
    """Presses Write, and returns the text when it is written."""
    page.get_by_role("button", name="Write", exact=True).click()
    page.locator("#status", has_text="Wrote").wait_for()
    return field(page).input_value()


def test_it_writes_without_a_network(exported, open_file):
    """Someone types, has the text continued, sees alternatives, has one of them written in place of a token, and undoes that.

    The page is as accessible as axe-core can tell.
    """
    page = open_file(exported)
    assert page.title() == "night <b>watch</b> - textgen"
    assert "1.95 bits per character" in page.locator(".about").inner_text()
    field(page).fill("abc")
    text = write(page)
    assert (text[:3], len(text)) == ("abc", 303)
    check_accessibility(page)
    assert page.locator("#backdrop span").count() > 300
    place = next(place for place in range(5, len(text)) if text[place] != "\n")
    token = page.locator("#backdrop > span").nth(place)
    token.scroll_into_view_if_needed()
    box = token.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # the field is over it
    alternatives = page.locator("#card button")
    alternatives.first.wait_for()
    assert alternatives.count() == 10
    other = page.locator("#card button:not([aria-current])").first
    chosen = other.locator(".piece").inner_text()
    other.click()
    page.locator("#status", has_text="Chose").wait_for()
    page.locator("#write").wait_for()
    rewritten = field(page).input_value()
    assert (rewritten[:place], rewritten != text) == (text[:place], True)
    assert chosen in {rewritten[place], "\u21b5"}
    page.get_by_role("button", name="Undo").click()
    assert field(page).input_value() == text


def test_several_variants_can_be_stopped_at_once(random_model, tmp_path, open_file):
    """Long texts are written next to each other, and end at once when they are stopped; the page is drawn meanwhile."""
    export_model(random_model(lstm_state_size=512), "html", tmp_path / "slow.html")
    page = open_file(tmp_path / "slow.html")
    page.get_by_label("Length").fill("4000")
    page.get_by_role("radio", name="3").check(force=True)
    page.evaluate("window.frames_ = 0; const count = () => { frames_++; requestAnimationFrame(count) }; count()")
    page.get_by_role("button", name="Write", exact=True).click()
    for place in range(3):
        page.locator(".variant-text").nth(place).locator("span").nth(100).wait_for(state="attached")
    assert page.evaluate("frames_") > 2
    page.get_by_role("button", name="Stop", exact=True).click()
    text = page.locator("#variants").inner_text()
    page.wait_for_timeout(200)
    assert page.locator("#variants").inner_text() == text
    assert page.get_by_role("button", name="Write", exact=True).is_visible()


def test_a_text_can_be_had_again(exported, open_file):
    """The link of a text writes the same text again, in another tab."""
    page = open_file(exported)
    field(page).fill("abc")
    text = write(page)
    other = open_file(exported, page.evaluate("location.hash"))
    other.locator("#status", has_text="Wrote").wait_for()
    assert field(other).input_value() == text


def test_unknown_characters_are_skipped_with_a_notice(exported, open_file):
    """Characters that the model does not know are named, and the text is continued."""
    page = open_file(exported)
    field(page).fill("ab<i>Z</i>  ")
    assert write(page).startswith("ab<i>Z</i>  ")
    page.locator("#unknown", has_text="Unknown to the model: < > Z / \u2423. ").wait_for()


def with_tokens(model, tokens, tokenizer):
    """A model with another vocabulary, and with weights that make all tokens equally likely."""
    shape = dataclasses.replace(model.shape, vocabulary_size=len(tokens))
    tensors = {name: np.zeros(size, np.float32) for name, size in shape.tensors.items()}
    return dataclasses.replace(
        model, vocabulary=Vocabulary(tokens, make_tokenizer(tokenizer)), shape=shape, tensors=tensors
    )


def test_white_space_stays_in_a_page_whose_model_has_no_token_for_it(random_model, tmp_path, open_file):
    """Nothing that is typed is lost when it has been read, though a model of pre-tokenized text reads no token."""
    path = tmp_path / "spaced.html"
    export_model(with_tokens(random_model(), ("", "[UNK]", ".", "a"), "spaced"), "html", path)
    page = open_file(path)
    page.locator("#bars li").first.wait_for()
    field(page).press_sequentially("  ")
    page.locator("#tree .how", has_text="Edited").wait_for(state="attached")
    assert field(page).input_value() == "  "
    field(page).press_sequentially("a")
    page.locator("#figure", has_text="bits").wait_for(state="hidden")
    assert field(page).input_value() == "  a"


def test_the_drawing_counts_tokens_that_it_does_not_list(random_model, tmp_path, open_file):
    """Without settings that change anything, its shares are the model's own, for a vocabulary of any size."""
    path = tmp_path / "large.html"
    export_model(
        with_tokens(random_model(), ("", "[UNK]", "\n", *map(chr, range(0x4E00, 0x4E00 + 997))), "char"), "html", path
    )
    page = open_file(path)
    page.locator("#bars li").first.wait_for()
    assert page.locator("#bars .share").all_inner_texts() == ["0.1%"] * 12
    assert page.locator("#bars-note").inner_text().endswith("leave more than 500 of 998 tokens.")


def test_hostile_tokens_are_text(random_model, tmp_path, open_file):
    """Tokens that look like markup are written as text."""
    tokens = ("", "[UNK]", "\n", " ", "</script>", "<!--", "<img src=x onerror=alert(1)>", "\u2028", "&lt;", "a")
    path = tmp_path / "hostile.html"
    export_model(with_tokens(random_model(), tokens, "word"), "html", path, "</title><script>console.log(1)</script>")
    page = open_file(path)
    text = write(page)
    assert all(token in text for token in tokens[4:])
    assert page.locator("img").count() == 0
