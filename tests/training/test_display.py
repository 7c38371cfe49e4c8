import io

import pytest
from rich.console import Console as RichConsole
from rich.progress import Task

from textgen.config import TrainingConfig
from textgen.console import Console
from textgen.planning import Plan
from textgen.training.display import Display
from textgen.training.progress import Progress


def terminal(width, *, is_terminal=True):
    """Returns a console on a terminal of `width` columns, in memory."""
    console = Console()
    console.rich = RichConsole(
        file=io.StringIO(), force_terminal=is_terminal, color_system=None, width=width, soft_wrap=True
    )
    return console


@pytest.fixture
def screen(monkeypatch):
    """A function that shows a step on a terminal of `width` columns, and returns the live line."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def show(width, *, seconds_left, unknown_share=0.0, step=12345, speed=56789.0):
        monkeypatch.setattr(Task, "time_remaining", seconds_left)
        console = terminal(width)
        progress = Progress(steps_per_epoch=1000, tokens_per_step=1, unknown_share=unknown_share)
        progress.step, progress.epoch, progress.epoch_step = step, 12, 340
        progress.window_loss, progress.run_steps, progress.run_seconds = 1.234, speed, 1.0
        with Display(console, Plan(TrainingConfig(minutes=5), 50), progress) as display:
            display.on_train_batch_end(0)
            assert display._live is not None
            other = terminal(width).rich
            with other.capture() as capture:
                other.print(display._live.get_renderable(), soft_wrap=False)
        [line] = capture.get().splitlines()
        return line

    return show


@pytest.mark.parametrize(("seconds", "left"), [(None, "--:-- left"), (299, "04:59 left")])
def test_everything_fits_into_eighty_columns(screen, seconds, left):
    """The figures of a job on a laptop and the time left are all on the line."""
    line = screen(80, seconds_left=seconds)
    for part in ("epoch 12.34", "step 12345", "loss 1.234", "1.780 bits/char", "57k tokens/s", left):
        assert f" {part}" in line
    assert len(line) <= 80


@pytest.mark.parametrize("width", [40, 60, 79, 80, 81, 100, 120])
@pytest.mark.parametrize("seconds", [None, 5, 3600, 100_000])
@pytest.mark.parametrize(("step", "speed"), [(1, 0.0), (9_999_999, 1e7)])
def test_the_time_left_is_never_cut_off(screen, width, seconds, step, speed):
    """Where a line would be too long, whole figures are left out from its end, and the time stays."""
    whole = screen(300, seconds_left=seconds, unknown_share=0.0123, step=step, speed=speed)
    line = screen(width, seconds_left=seconds, unknown_share=0.0123, step=step, speed=speed)
    assert line.endswith(whole[-len("00:00 left") :])
    assert len(line) <= width
    parts, all_parts = line[2:].split("  "), whole[2:].split("  ")
    assert parts[:-1] == all_parts[: len(parts) - 1]
    if len(parts) < len(all_parts):
        assert len("  ".join([*all_parts[: len(parts)], all_parts[-1]])) + 2 > width


def test_samples_are_wrapped_between_words_on_a_terminal():
    """A bar is before each line; a pipe gets the lines of the text as they are."""
    text = "A line of many words, and\n\n    an indented one"
    shown = []
    for is_terminal in (True, False):
        console = terminal(20, is_terminal=is_terminal)
        with console.rich.capture() as capture:
            console.quote(text)
        shown.append(capture.get())
    assert shown == [
        "  | A line of many\n  | words, and\n  | \n  |     an indented\n  | one\n",
        "  | A line of many words, and\n  | \n  |     an indented one\n",
    ]


def test_samples_cannot_steer_a_terminal():
    """The model may have learned from a text that anybody wrote; each character has its columns on the line."""
    console = terminal(30)
    with console.rich.capture() as capture:
        console.quote("a\x1b[2J\r\x07 b\x9b31m")
    assert capture.get() == "  | a\\x1b[2J\\r\\x07 b\\x9b31m\n"


def test_figures_that_are_not_numbers_are_not_shown(monkeypatch):
    """After a divergence the job returns to earlier figures, or ends with an error."""
    console = terminal(80, is_terminal=False)
    monkeypatch.setattr("textgen.training.display.PLAIN_LINE_SECONDS", 0.0)
    progress = Progress(steps_per_epoch=1000, tokens_per_step=1)
    with Display(console, Plan(TrainingConfig(minutes=5), 50), progress) as display, console.rich.capture() as capture:
        for loss in (1.5, float("nan")):
            progress.add_call(1, loss=loss, gradient_norm=1.0, seconds=1.0)
            display.on_train_batch_end(0)
    assert "loss 1.500" in capture.get()
    assert "nan" not in capture.get()
