import dataclasses

import pytest

from textgen.config import TrainCommand, TrainingConfig, settings
from textgen.config.flags import Parser, build
from textgen.errors import UsageError


def parse(*arguments):
    parser = Parser("textgen-train", "textgen-train [TEXT ...]", "Trains.")
    parser.add_settings(TrainingConfig)
    parser.add_settings(TrainCommand)
    parser.add_help_and_version()
    return build(TrainingConfig, parser.parse(arguments))


def test_every_setting_has_a_flag_that_takes_its_default():
    """Each setting can be given on the command line, and its own default is accepted there."""
    for setting in settings(TrainingConfig):
        if setting.option.positional is None:
            value = "none" if setting.default is None else str(setting.default)
            assert getattr(parse(f"{setting.flag}={value}"), setting.name) == setting.default


def test_every_help_text_is_a_sentence():
    """Each help text ends as a sentence does and says when to change the setting or what it does."""
    for config in (TrainingConfig, TrainCommand):
        for setting in settings(config):
            assert setting.option.help.endswith(".")
            assert setting.option.help[0].isupper()


@pytest.mark.parametrize("spelling", ["--job-dir", "--job_dir"])
def test_dashes_and_underscores_are_the_same(spelling):
    """The original's --job-dir works beside --job_dir, with = and with a space."""
    assert parse(spelling, "there").job_dir == "there"
    assert parse(f"{spelling}=there").job_dir == "there"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--layer_norm", True),
        ("--layer-norm", True),
        ("--layer_norm=True", True),
        ("--layer_norm=false", False),
        ("--no-layer_norm", False),
        ("--no_layer_norm", False),
    ],
)
def test_a_switch_has_all_its_spellings(argument, expected):
    """A switch is on by its name, off by --no-, and takes a value behind an equals sign."""
    assert parse(argument).layer_norm is expected


def test_a_bare_switch_leaves_the_next_argument_alone():
    """A text behind a switch is a text, not the switch's value."""
    config = parse("--layer_norm", "book.txt", "--layers", "3", "more.txt")
    assert config.layer_norm is True
    assert config.texts == ("book.txt", "more.txt")


def test_only_flag_names_are_respelled():
    """A dash in a value stays."""
    assert parse("--data_dir=my-data").data_dir == "my-data"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layrs", "2"], "did you mean --layers?"),
        (["--layers", "two"], "--layers must be a whole number, got 'two'"),
        (["--layers=2.5"], "--layers must be a whole number"),
        (["--layers=0"], "--layers must be at least 1 and at most 64, got 0"),
        (["--dropout=1"], "below 1"),
        (["--learning_rate=nan"], "--learning_rate must be"),
        (["--learning_rate=inf"], "--learning_rate must be"),
        (["--minutes=0"], "--minutes must be above 0"),
        (["--language_model=words"], "did you mean word?"),
        (["--layer_norm=maybe"], "--layer_norm is a switch"),
        (["--layers"], "expected one argument"),
        (["--layer_norm", "--num_proj=3"], "exclude each other"),
        (["book.txt", "--data_dir=there"], "either texts or --data_dir"),
    ],
)
def test_a_wrong_argument_is_a_usage_error_that_says_why(arguments, message):
    """Nothing that can be typed gives a traceback; the message names the flag and the rule."""
    with pytest.raises(UsageError, match=r"^[^\n]*$") as raised:
        parse(*arguments)
    assert message in str(raised.value)


def test_a_config_is_immutable():
    """A config cannot be changed once it is checked."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingConfig().layers = 3  # type: ignore[misc]
