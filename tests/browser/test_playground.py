import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import COPIED, wait_for
from tests.serving.running import running
from textgen.serving.access import Access
from textgen.serving.app import make_app

pytestmark = pytest.mark.browser

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


def write(page, prompt=PROMPT, length=40):
    """Types a prompt, has a text written, and returns what was added."""
    page.fill("#text", prompt)
    page.fill("#setting-length", str(length))
    page.click("#write")
    wait_until_written(page)
    wait_until_read(page)
    assert text(page).startswith(prompt)
    return text(page).removeprefix(prompt)


def open_panel(page, name):
    if not page.evaluate(f"document.getElementById('{name}').open"):
        page.click(f"#{name} summary")


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


def check_accessibility(page):
    # The page fades nothing in, so that everything has its final colours.
    violations = Axe().run(page).response["violations"]
    assert [(found["id"], [node["html"][:200] for node in found["nodes"]]) for found in violations] == []


def test_text_streams_into_the_field_and_every_token_is_tinted(open_page, service):
    """The text grows while it is written, and what the field shows and what is tinted are the same text."""
    page = open_page(service)
    page.fill("#text", PROMPT)
    page.fill("#setting-length", "1500")
    page.click("#write")
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
    page.fill("#text", PROMPT)
    page.fill("#setting-length", "4000")
    page.click("#write")
    wait_for(page, "document.getElementById('text').value.length > 100")
    page.keyboard.press("Escape")
    wait_until_written(page)
    stopped = text(page)
    assert 100 < len(stopped) < 4000
    page.fill("#setting-length", "10")
    page.click("#write")
    wait_until_written(page)
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
    page.fill("#text", PROMPT)
    page.fill("#setting-length", "4000")
    page.click("#write")
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
    page.fill("#text", PROMPT)
    page.fill("#setting-length", "4000")
    page.click("#write")
    wait_for(page, "document.getElementById('text').value.length > 100")
    page.click("#copy-link")
    copied = text(page)
    assert len(copied) > 100
    other = open_page(page.url)
    wait_until_written(other)
    assert text(other) == copied


def test_a_new_page_shows_an_example(open_page, service):
    """A newcomer sees a tinted text, continues it with one click, or has an empty page with one more."""
    page = open_page(service)
    wait_until_read(page)
    example = text(page)
    assert len(example) > 20
    page.fill("#setting-length", "10")
    page.click("#write")
    wait_until_written(page)
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
    page.fill("#text", PROMPT)
    page.fill("#setting-length", "4000")
    page.click("#write")
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
    page.fill("#setting-length", "10")
    page.click("#write")
    wait_until_written(page)
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


def test_variants_are_written_next_to_each_other_and_one_is_chosen(open_page, service):
    page = open_page(service)
    page.get_by_role("radio", name="3").check()
    page.fill("#text", PROMPT)
    page.fill("#setting-length", "40")
    page.click("#write")
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
    page.fill("#setting-length", "30")
    page.click("#write")
    wait_until_written(page)
    assert page.locator(".variant h2").all_text_contents() == ["harbour", "base"]
    written = page.locator(".variant-text").nth(1).text_content()
    page.get_by_role("button", name="Use this one: base").click()
    assert text(page) == PROMPT + written
    assert page.input_value("#model") == "base"


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


def test_marks_of_passages_go_with_the_model_whose_text_they_are_in(open_page, service):
    """They are gone when the text of another model is chosen, whose training text is not at hand."""
    page = open_page(service)
    page.fill("#text", f"Nobody said it. {COPIED}")
    page.wait_for_selector("#backdrop .copied", state="attached")
    page.select_option("#second", "base")
    page.fill("#setting-length", "10")
    page.click("#write")
    wait_until_written(page)
    page.get_by_role("button", name="Use this one: base").click()
    page.wait_for_selector("#backdrop .copied", state="detached")


def test_a_neuron_is_shown_along_the_text(open_page, service):
    page = open_page(service)
    write(page)
    open_panel(page, "neuron-panel")
    page.locator(".chip").first.click()
    wait_for(page, "document.querySelectorAll('#backdrop [class^=n]').length > 40")
    strongest = page.locator(".chip").first.text_content()
    assert re.fullmatch("\\d+[+\N{MINUS SIGN}]\\d\\.\\d\\d", strongest)
    unit = int(page.input_value("#neuron-unit"))
    assert strongest.startswith(str(unit))
    page.get_by_role("button", name="Next unit").click()
    assert int(page.input_value("#neuron-unit")) == (unit + 1) % 512
    page.get_by_role("button", name="Find what excites it").click()
    page.wait_for_selector(".passage")
    assert page.locator(".passage").count() > 1
    assert page.locator(".passage [class^=n]").count() > 10


def test_text_is_never_read_as_elements(open_page, service):
    """Elements in a typed text, a linked one and a model's name stay text everywhere on the page."""
    hostile = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
    page = open_page(service)
    page.fill("#text", hostile)
    wait_until_read(page)
    page.fill("#setting-length", "10")
    page.click("#write")
    wait_until_written(page)
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
    for panel in ("settings-panel", "neuron-panel", "history-panel"):
        open_panel(page, panel)
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
    for panel in ("settings-panel", "neuron-panel", "history-panel"):
        open_panel(page, panel)
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
    page.fill("#setting-length", "50")
    page.click("#write")
    wait_until_written(page)
    assert page.evaluate("window.made") == 50
    page.focus("#text")
    page.evaluate("document.getElementById('text').setSelectionRange(30, 30)")
    page.keyboard.insert_text("up")
    assert page.evaluate("window.made") == 51
    wait_until_read(page)
    assert page.evaluate("window.made") == 53


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
    page.fill("#text", PROMPT)
    page.fill("#setting-length", "50")
    logprobs = '{"tokens": ["s"], "token_logprobs": [-0.5], "top_logprobs": [{"s": -0.5}], "text_offset": [0]}'
    event = f'data: {{"choices": [{{"index": 0, "text": "s", "logprobs": {logprobs}, "finish_reason": null}}]}}\n\n'
    page.route("**/v1/completions", lambda route: route.fulfill(body=event, content_type="text/event-stream"))
    page.click("#write")
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
