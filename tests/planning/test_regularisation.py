import pytest

from textgen.planning import dropout


@pytest.mark.parametrize("language_model", ["char", "word"])
@pytest.mark.parametrize("started", [False, True])
def test_more_passes_get_more_dropout(language_model, started):
    """Dropout never falls as the passes grow, and is always between 0 and 1."""
    rates = [dropout(passes, 100_000, language_model, started=started) for passes in (0, 0.1, 1, 2, 5, 12, 40, 1e9)]
    assert rates == sorted(rates)
    assert 0 < rates[0] < rates[-1] < 1


def test_a_shorter_text_gets_more_dropout():
    """For the same passes, dropout falls with the length of the text, and depends on nothing else in short ones."""
    rates = [dropout(13, characters, "char", started=False) for characters in (1, 200_000, 1_000_000, 1_000_000_000)]
    assert rates[0] == rates[1]
    assert rates == sorted(rates, reverse=True)
    assert rates[1] > rates[2] > rates[3]
