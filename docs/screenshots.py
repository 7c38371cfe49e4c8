"""Writes the pictures of docs/serving.md, docs/scoring.md, docs/training.md and docs/report.md to docs/pictures/.

They show pages in Chromium: the served playground in three widths, each light and dark, an exported page and the page of a scored text, all
with texts of the base model, and the report of the demo, which is trained. And they show terminals: the example of a client, and two jobs,
which are trained, too. Run this as `make pictures`.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).with_name("pictures")
SIZES = {360: 740, 768: 1024, 1440: 820}
"""The height of the window for each width."""

REPORT_SIZES = {360: 1400, 768: 1400, 1440: 1490}
"""The same for a report, of which more is shown."""

TEXT = {
    "model": "base",
    "text": "The old lighthouse keeper climbed the stairs, and ",
    "length": 430,
    "seed": 11,
    "temperature": 0.65,
}
"""What the page writes, as in its links."""

USUAL_ADDRESS = "http://127.0.0.1:8000"

COLUMNS = 76
"""The width of a terminal."""
WIDE = 100
"""The width of one for a table."""

JOBS = {"large": 256, "small": 128}
"""The jobs on the terminal: their names and the sizes of their states."""
STEPS = 1200

POINTED_AT = 54
"""The token whose alternatives are shown."""


SCORED = """\
In the morning the captain came down to the quay, and looked at the sky, and shook his head. "There will be wind," said he.

The old man answered that there would be soup. He had been a cook for forty years, and was afraid of nothing but spinach.
"""
"""The text that `textgen score` reads."""


@contextmanager
def serve() -> Iterator[str]:
    """Serves the base model on a free port, and yields the address."""
    command = [sys.executable, "-m", "textgen", "serve", "base", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own command
        assert server.stderr is not None  # noqa: S101 - it is a pipe
        try:
            for line in server.stderr:
                if found := re.search(r"http://[\d.:]+", line):
                    yield found[0]
                    break
        finally:
            server.send_signal(signal.SIGTERM)
            server.stderr.read()


def write(page: Page, address: str) -> None:
    """Has the text written, and opens the alternatives of a token."""
    page.goto(f"{address}/#{urlencode(TEXT)}")
    page.wait_for_selector("#figure:not(:empty)", timeout=120_000)
    page.wait_for_selector("#write", state="visible")
    token = page.locator("#backdrop > span").nth(POINTED_AT)
    token.scroll_into_view_if_needed()
    box = token.bounding_box()
    assert box is not None  # noqa: S101 - it is visible
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#card", state="visible")
    page.evaluate(
        "document.getElementById('card').getBoundingClientRect().bottom > innerHeight - 70 && scrollBy(0, 200)"
    )


def take_exported(browser: Browser) -> None:
    """Takes a picture of an exported page, opened from a disk without a network."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "captain.html"
        command = ["export", "base", "--format", "html", "--output", str(file)]
        subprocess.run([sys.executable, "-m", "textgen", *command], check=True, capture_output=True)  # noqa: S603 - our own command
        context = browser.new_context(
            viewport={"width": 1440, "height": SIZES[1440]}, color_scheme="light", reduced_motion="reduce", offline=True
        )
        page = context.new_page()
        page.goto(f"{file.as_uri()}#{urlencode(TEXT)}")
        page.wait_for_selector("#figure:not(:empty)", timeout=120_000)
        page.wait_for_selector("#write", state="visible")
        page.get_by_label("Rank").check()
        page.locator(".about").scroll_into_view_if_needed()
        page.screenshot(path=PICTURES / "exported-1440-light.png")
        context.close()


def run_client(address: str) -> None:
    """Runs the client of docs/serving.md, and draws a terminal with what it prints."""
    [program] = re.findall(
        r"```python\n(.*?)```", PICTURES.with_name("serving.md").read_text(encoding="utf-8"), re.DOTALL
    )
    program = program.replace(USUAL_ADDRESS, address)
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own program
    draw_terminal("openai-client", "python client.py", printed, COLUMNS)


def draw_terminal(name: str, command: str, printed: str, columns: int) -> None:
    """Draws a terminal with a command and what it has printed, in which escape sequences are colours."""
    terminal = Console(record=True, width=columns, file=io.StringIO())
    terminal.print(Text.from_ansi(f"$ {command}\n{printed}$"))
    picture = terminal.export_svg(title=command)
    # The fonts of the picture would be loaded from another website.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")


def run_in_terminal(arguments: list[str], folder: str, columns: int) -> str:
    """Runs a command of textgen in a terminal, and returns what it prints there."""
    ours, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 40, columns, 0, 0))
    command = [sys.executable, "-m", "textgen", *arguments]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(command, cwd=folder, stdin=its, stdout=its, env=environment):  # noqa: S603 - our own command
        os.close(its)
        printed = b""
        try:
            while part := os.read(ours, 1 << 16):
                printed += part
        except OSError:  # how Linux tells that the command has ended
            os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def take_jobs() -> None:
    """Trains two jobs on the bundled story for a minute, and draws terminals that compare them and show a curve."""
    with tempfile.TemporaryDirectory() as folder:
        for name, states in JOBS.items():
            settings = {
                "init_from": "none",
                "layers": 1,
                "lstm_state_size": states,
                "max_steps": STEPS,
                "eval_steps": 50,
            }
            flags = [f"--{setting}={value}" for setting, value in settings.items()]
            command = [sys.executable, "-m", "textgen", "train", "--job-dir", f"job/{name}", "--deterministic", *flags]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - our own command
        for command, columns in {"compare": WIDE, "curve large": COLUMNS}.items():
            printed = run_in_terminal(command.split(), folder, columns)
            draw_terminal(command.split()[0], f"textgen {command}", printed, columns)


def take(browser: Browser, address: str, width: int, scheme: str) -> None:
    """Takes one picture."""
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    write(page, address)
    page.screenshot(path=PICTURES / f"playground-{width}-{scheme}.png")
    context.close()


def take_scores(browser: Browser, width: int = 1024, height: int = 470) -> None:
    """Takes the picture of a scored text, with the alternatives of a surprising token."""
    with tempfile.TemporaryDirectory() as place:
        text = Path(place, "captain.txt")
        text.write_text(SCORED, encoding="utf-8")
        command = [sys.executable, "-m", "textgen", "score", "base", text.name, "--top", "5", "--html", "captain.html"]
        subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
        page = context.new_page()
        page.goto(text.with_suffix(".html").as_uri())
        page.locator("#scored > span").nth(SCORED.index("spinach")).hover()
        page.screenshot(path=PICTURES / f"score-{width}-light.png")
        context.close()


def take_report(browser: Browser) -> None:
    """Trains the demo, and takes the pictures of the first part of its report."""
    with tempfile.TemporaryDirectory() as place:
        for command in (["train", "--config", "demo"], ["report", "--output", "report.html"]):
            subprocess.run([sys.executable, "-m", "textgen", *command], cwd=place, check=True, capture_output=True)  # noqa: S603 - our own command
        for width, height in REPORT_SIZES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = context.new_page()
                page.goto(Path(place, "report.html").as_uri())
                page.screenshot(path=PICTURES / f"report-{width}-{scheme}.png")
                context.close()


def main() -> None:
    """Takes all pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("screenshots: error: Chromium is not installed; install it, on Debian with: apt-get install chromium")
    with serve() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in SIZES:
            for scheme in ("light", "dark"):
                take(browser, address, width, scheme)
        take_exported(browser)
        take_scores(browser)
        take_report(browser)
        run_client(address)
        take_jobs()
        browser.close()


if __name__ == "__main__":
    main()
