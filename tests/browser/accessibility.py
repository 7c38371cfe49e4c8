"""The check of a page by axe-core."""

from axe_playwright_python.sync_playwright import Axe


def check_accessibility(page):
    """Checks that axe-core finds no fault with a page, which must have its final colours: nothing may be fading in."""
    violations = Axe().run(page).response["violations"]
    found = [(violation["id"], [node["html"][:200] for node in violation["nodes"]]) for violation in violations]
    assert not found, found
