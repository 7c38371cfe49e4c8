import dataclasses

import pytest

from textgen.config import (
    ExportCommand,
    InspectCommand,
    JobsCommand,
    SampleCommand,
    SamplingConfig,
    ServeCommand,
    TrainCommand,
    TrainingConfig,
    settings,
)
from textgen.config.flags import Parser, build
from textgen.errors import UsageError
from textgen.formatting import described


def parse(*arguments):
    parser = Parser("textgen-train", "textgen-train [TEXT ...]", "Trains.")
    parser.add_settings(TrainingConfig)
    parser.add_settings(TrainCommand)
    parser.add_help_and_version()
    return build(TrainingConfig, parser.parse(arguments))


def parse_sampling(*arguments):
    parser = Parser("textgen-sample", "textgen-sample JOB_DIR", "Writes.")
    parser.add_settings(SampleCommand)
    parser.add_settings(SamplingConfig)
    values = parser.parse(["job", *arguments])
    return build(SampleCommand, values), build(SamplingConfig, values)


def test_every_setting_has_a_flag_that_takes_its_default():
    """Each setting has a flag, which accepts the setting's default."""
    for setting in settings(TrainingConfig):
        if setting.option.positional is None:
            value = "none" if setting.default is None else str(setting.default)
            assert getattr(parse(f"{setting.flag}={value}"), setting.name) == setting.default


def test_every_help_text_is_a_sentence():
    """Each help text begins with a capital letter and ends with a full stop."""
    commands = (TrainCommand, SampleCommand, ServeCommand, ExportCommand, JobsCommand, InspectCommand)
    for config in (TrainingConfig, SamplingConfig, *commands):
        for setting in settings(config):
            assert setting.option.help.endswith(".")
            assert setting.option.help[0].isupper()


@pytest.mark.parametrize("spelling", ["--job-dir", "--job_dir"])
def test_dashes_and_underscores_are_the_same(spelling):
    """--job-dir and --job_dir are the same flag, with an equals sign or a space before the value."""
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
    """A switch is turned on by its name, off by its name with --no-, and takes a value after an equals sign."""
    assert parse(argument).layer_norm is expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--use_fp16"], "mixed_float16"),
        (["--use-fp16=true", "--precision=mixed_float16"], "mixed_float16"),
        (["--no-use_fp16"], "float32"),
        (["--use_fp16=false", "--precision=mixed_bfloat16"], "mixed_bfloat16"),
    ],
)
def test_a_switch_can_stand_for_a_value(arguments, expected):
    """--use_fp16 is the same as --precision mixed_float16."""
    assert parse(*arguments).precision == expected


def test_a_switch_must_not_contradict_the_value():
    """The error names both flags."""
    with pytest.raises(UsageError) as raised:
        parse("--use_fp16", "--precision=mixed_bfloat16")
    assert raised.value.on_command_line == (
        "--use_fp16 means --precision mixed_float16, got --precision mixed_bfloat16 too; leave one out"
    )


def test_a_bare_switch_leaves_the_next_argument_alone():
    """The argument after a switch is not taken as its value."""
    config = parse("--layer_norm", "book.txt", "--layers", "3", "more.txt")
    assert config.layer_norm is True
    assert config.texts == ("book.txt", "more.txt")


def test_only_flag_names_are_respelled():
    """Dashes in the value of a flag are kept."""
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
        (["--layer_norm=maybe"], "--layer_norm must be true or false, got 'maybe'"),
        (["--layers"], "--layers needs a value; see textgen-train --help"),
        (["--learn=1"], "unknown argument --learn; did you mean --learning_rate?"),
        (["--vocab_size"], "--vocab_size needs a value"),
        (
            ["--job-dir", "--fresh"],
            "--job_dir needs a value, got the flag --fresh; if that is its value, write --job_dir=",
        ),
        (["--no-layers"], "unknown argument --no-layers"),
        (["-x.txt"], "unknown argument -x.txt; a name that begins with a dash must come after --"),
        (["--layer_norm", "--num_proj=3"], "cannot be combined"),
        (["book.txt", "--data_dir=there"], "text and --data_dir cannot be combined"),
    ],
)
def test_a_wrong_argument_is_a_usage_error_that_says_why(arguments, message):
    """An invalid command line raises a UsageError of one line that names the flag and the rule."""
    with pytest.raises(UsageError, match=r"^[^\n]*$") as raised:
        parse(*arguments)
    assert message in raised.value.on_command_line


def test_two_configs_share_a_parser():
    """Two configs can share a parser, and each gets its own values."""
    command, config = parse_sampling("--length=3", "--samples=2", "--top_k", "5", "--no-json", "--no-echo")
    assert (command.model, command.samples, command.json, command.no_echo) == ("job", 2, False, True)
    assert (config.length, config.top_k) == (3, 5)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ()),
        (["--until=end"], ("end",)),
        (["--until", "end", "--length=3", "--until=The End"], ("end", "The End")),
        (["--until=a", "--until=a"], ("a", "a")),
        (["--until=--"], ("--",)),
        (["--until=a", "--until=--", "--until=-"], ("a", "--", "-")),
        (["--until=none"], ("none",)),
        (["--until=a,b"], ("a,b",)),
        (["--until=\n"], ("\n",)),
    ],
)
def test_a_repeatable_flag_collects_its_values(arguments, expected):
    """A repeatable flag collects its values in a tuple, unchanged and in order."""
    assert parse_sampling(*arguments)[1].until == expected


@pytest.mark.parametrize("text", ["-hello", "- Hello", "--", "-- Well.", "--wait", "-", "-1", "a=b", "--a=b", ""])
@pytest.mark.parametrize("joined", [True, False])
def test_a_value_may_begin_with_a_dash(text, joined):
    """The argument after a flag is its value even if it begins with a dash, as lines of dialogue do."""
    given = [f"--prompt={text}"] if joined else ["--prompt", text]
    command, config = parse_sampling(*given, "--length=3")
    assert (command.prompt, command.model, config.length) == (text, "job", 3)


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--", "-x.txt"], ("-x.txt",)),
        (["book.txt", "--layers=3", "--", "-x.txt", "--layers", "--"], ("book.txt", "-x.txt", "--layers", "--")),
        (["--job_dir", "--", "--layers=3"], ()),
        (["--"], ()),
        (["-"], ("-",)),
    ],
)
def test_two_dashes_end_the_flags(arguments, texts):
    """After --, every argument is a text, even if it looks like a flag."""
    assert parse(*arguments).texts == texts


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [
        ("--temp", "--temperature"),
        ("--temperatur", "--temperature"),
        ("--top", "--top_k or --top_p"),
        ("-p", "--prompt"),
        ("-temperature", "--temperature"),
    ],
)
def test_the_flag_that_was_meant_is_suggested(typed, suggestion):
    """A shortened or misspelled flag is refused, and the error suggests the one that was meant."""
    with pytest.raises(UsageError) as raised:
        parse_sampling(typed, "1")
    assert str(raised.value) == f"unknown argument {typed}; did you mean {suggestion}?"


@pytest.mark.parametrize("typed", ["--x", "--wild", "---", "--e"])
def test_nothing_is_suggested_where_nothing_is_close(typed):
    """An unknown flag that resembles no other gets no suggestion: the dashes do not count as a resemblance."""
    with pytest.raises(UsageError, match=rf"^unknown argument {typed}; see textgen-sample --help$"):
        parse_sampling(typed)


def test_an_argument_too_many_is_named():
    """A command that takes one job refuses a second."""
    with pytest.raises(UsageError, match=r"^unknown argument other; see textgen-sample --help$"):
        parse_sampling("other")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--until="], "--until must not be empty"),
        (["--until=a", "--until="], "--until must not be empty"),
        (["--until=a", "--until=b\0"], "--until must be text, got NUL"),
        (["--until"], "--until needs a value"),
    ],
)
def test_each_value_of_a_repeatable_flag_is_checked(arguments, message):
    """A repeatable flag is refused if one of its values is invalid."""
    with pytest.raises(UsageError) as raised:
        parse_sampling(*arguments)
    assert message in raised.value.on_command_line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        ("", "none"),
        ((), "none"),
        (("The End", "\n"), r"'The End' '\n'"),
        (True, "on"),
        (1.0, "1"),
        (1234567.5, "1234567.5"),
        (3, "3"),
    ],
)
def test_values_are_described_as_people_write_them(value, text):
    """Help pages, tables and the interactive session show None and empty values as none, and switches as on or off."""
    assert described(value) == text


def test_a_required_flag_must_be_given():
    """A required flag that is missing is named in the error, and `--help` marks it."""
    parser = Parser("textgen export", "textgen export JOB --format NAME", "Exports.")
    parser.add_settings(ExportCommand)
    for given in ([], ["job"]):
        with pytest.raises(UsageError, match=r"arguments are required: .*--format;"):
            parser.parse(given)
    expected = ExportCommand(model="job", format="onnx")
    assert build(ExportCommand, parser.parse(["--format", "onnx", "job"])) == expected
    assert build(ExportCommand, parser.parse(["job", "--format=onnx"])) == expected
    page = " ".join(parser.format_help().split())
    assert "(required) --output" in page


def test_a_config_is_immutable():
    """A config is immutable."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingConfig().layers = 3  # type: ignore[misc]


@pytest.mark.parametrize("columns", [40, 80])
def test_help_is_wrapped_to_the_terminal(columns, monkeypatch):
    """The text above and below the flags is wrapped to the width of the terminal; indented lines, such as examples, are kept."""
    monkeypatch.setenv("COLUMNS", str(columns))
    example = "  textgen-train " + "book.txt " * 20
    prose = ("Learns with --learning_rate " * 10).strip()
    page = Parser("textgen-train", "textgen-train", prose, f"examples:\n{example}\n\n{prose}\n{prose}").format_help()
    lines = page.splitlines()
    assert example in lines
    assert max(len(line) for line in lines if line != example) <= columns
    assert page.count("--learning_rate") == 30
