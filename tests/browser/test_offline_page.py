import dataclasses

import numpy as np
import pytest

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


def write(page):
    """Presses Write, and returns the text when it is written."""
    page.get_by_role("button", name="Write", exact=True).click()
    page.wait_for_function("document.getElementById('status').textContent.startsWith('Wrote')")
    return page.get_by_label("Text", exact=True).input_value()


def test_it_writes_without_a_network(exported, open_file):
    """Someone types, has the text continued, sees colours and alternatives, and chooses one of them."""
    page = open_file(exported)
    assert page.title() == "night <b>watch</b> - textgen"
    assert "1.95 bits per character" in page.locator(".about").inner_text()
    page.get_by_label("Text", exact=True).fill("abc")
    text = write(page)
    assert (text[:3], len(text)) == ("abc", 303)
    assert page.locator("#backdrop span").count() > 300
    page.locator("#backdrop span").nth(10).hover()


def test_a_text_can_be_had_again(exported, open_file):
    """The link of a text writes the same text again, in another tab."""
    page = open_file(exported)
    page.get_by_label("Text", exact=True).fill("abc")
    text = write(page)
    fragment = page.evaluate("location.hash")
    other = open_file(exported, fragment)
    other.wait_for_function("document.getElementById('status').textContent.startsWith('Wrote')")
    assert other.get_by_label("Text", exact=True).input_value() == text


def test_unknown_characters_are_skipped_with_a_notice(exported, open_file):
    """Characters that the model does not know are named, and the text is continued."""
    page = open_file(exported)
    page.get_by_label("Text", exact=True).fill("ab<i>Z</i>")
    text = write(page)
    assert text.startswith("ab<i>Z</i>")
    assert page.get_by_role("alert").inner_text() == (
        "The model does not know “<”, “>”, “Z”, “/”, and has skipped them."
    )


def test_hostile_tokens_are_text(random_model, tmp_path, open_file):
    """Tokens that look like markup are written as text."""
    tokens = ("", "[UNK]", "\n", " ", "</script>", "<!--", "<img src=x onerror=alert(1)>", "\u2028", "&lt;", "a")
    model = random_model()
    shape = dataclasses.replace(model.shape, vocabulary_size=len(tokens))
    tensors = {name: np.zeros(size, np.float32) for name, size in shape.tensors.items()}
    model = dataclasses.replace(
        model, vocabulary=Vocabulary(tokens, make_tokenizer("word")), shape=shape, tensors=tensors
    )
    path = tmp_path / "hostile.html"
    export_model(model, "html", path, "</title><script>console.log(1)</script>")
    page = open_file(path)
    text = write(page)
    assert all(token in text for token in tokens[4:])
    assert page.locator("img").count() == 0
