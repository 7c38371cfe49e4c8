import pytest

from textgen.cli import train
from textgen.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (
            ["--sample_prompt=the €"],
            DataError,
            "--sample_prompt must contain only tokens that occur in the text, got '€'; leave them out\n",
        ),
        (
            ["--language_model=word", "--sample_prompt=the zebra"],
            DataError,
            "--sample_prompt must contain only tokens that occur in the text, got 'zebra'; leave them out\n",
        ),
        (["--sample_prompt=a\0b"], UsageError, "--sample_prompt must be text, got NUL"),
        (["--sample_prompt"], UsageError, "--sample_prompt needs a value"),
        (["--sample_temperature=-1"], UsageError, "--sample_temperature must be at least 0, got -1\n"),
        (["--sample_temperature=nan"], UsageError, "--sample_temperature must be at least 0, got nan\n"),
    ],
)
def test_a_prompt_that_the_model_will_not_know_is_refused(good_text, no_training, refusal, arguments, error, said):
    """It is refused in one line before TensorFlow is loaded and before anything is written."""
    code, line = refusal(train, ["good.txt", *arguments])
    assert code == error.exit_code
    assert line.startswith(said)


def test_a_prompt_is_read_in_the_spelling_of_the_text(good_text, training):
    """As for textgen-sample, a quote that the text lacks is read as the one that it has; an empty prompt is none."""
    good_text.write_text(good_text.read_text() + "it's\n" * 50)
    assert train.main(["good.txt", "--sample_prompt=it’s", "--dry_run"]) == 0  # noqa: RUF001 - as in print
    assert train.main(["good.txt", "--sample_prompt="]) == 0
    assert training.calls[0].config.sample_prompt == ""
