import re

import pytest

from tests.browser.conftest import wait_for
from tests.browser.playing import open_panel, write

pytestmark = pytest.mark.browser


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
