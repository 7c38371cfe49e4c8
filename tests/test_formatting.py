import pytest

from textgen.formatting import count, described, not_comparable, one_line, percent, rounded, shorten, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a" * 30, f"'{'a' * 12}...{'a' * 13}'"),
        (7, "7"),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}, "{'a': {'b': {'c': {'d': {'e': {'f': {...}}}}}}}"),
        (["x" * 20] * 6, f"{str(['x' * 20] * 6)[:60]}..."),
    ],
)
def test_a_wrong_value_is_shown_as_python_writes_it(value, text):
    """A wrong value is shown as Python writes it, and is shortened if it is long or deep."""
    assert shown(value) == text


def test_a_number_that_python_refuses_to_write_is_shown():
    """Python refuses to convert integers of more than 4300 digits to text."""
    assert shown(10**5000) == "a number with thousands of digits"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(True, "on"), (False, "off"), (None, "none"), ("", "none"), ((), "none"), ("word", "word"), (384, "384")],
        *[(0.1 + 0.2, "0.3"), (1e-5, "1e-05"), (("a b", "c"), "'a b' 'c'")],
    ],
)
def test_a_setting_is_described_as_users_write_it(value, text):
    """The value of a setting is described as on the command line, without the noise of binary fractions."""
    assert described(value) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        *[((1, "step"), "1 step"), ((0, "step"), "0 steps"), ((1200, "step"), "1,200 steps")],
        *[((0.5, "minute"), "0.5 minutes"), ((1.0, "minute"), "1 minute")],
        *[((1, "pass", "passes"), "1 pass"), ((2, "pass", "passes"), "2 passes")],
    ],
)
def test_a_number_has_its_unit_in_the_right_form(arguments, text):
    """Only 1 has the singular."""
    assert count(*arguments) == text


def test_numbers_are_rounded_to_what_is_worth_reading():
    """An estimate has two significant digits, and a percentage three."""
    assert [rounded(number) for number in (1234567, 0.3456, 7)] == ["1,200,000", "0.35", "7"]
    assert [percent(share) for share in (0.12345, 0.001, 1)] == ["12.3%", "0.1%", "100%"]
    assert not_comparable(0.03) == "not comparable: 3% of the tokens are [UNK]"


def test_a_text_becomes_one_line():
    """Line breaks become spaces; a message of a service is also shortened and loses its full stop."""
    assert one_line(ValueError("one\n\ttwo ")) == "one two"
    assert shorten("It is refused.\nTry again.") == "It is refused. Try again"
    assert shorten("word " * 100, 20) == "word word word [...]"
