import pytest

from textgen.corpus import make_tokenizer
from textgen.evaluation.baselines import describe_baselines
from textgen.portable.report_page.verdict import judge

BASELINES = {"uniform": 6.0, "unigram": 4.0, "kneser_ney": 2.0, "xz": 2.5, "ppmd": 1.9}
DESCRIPTIONS = describe_baselines(make_tokenizer("char"))


@pytest.mark.parametrize(
    ("bits", "grade"),
    [
        (1.7, "Very good."),
        (1.72, "Good."),
        (1.87, "Good."),
        (1.9, "Fair: no better than a simple method."),
        (1.93, "Not there yet: a simple method is better."),
        (4.1, "It has hardly learned anything: knowing how frequent the characters are is as good."),
    ],
)
def test_a_grade_for_each_distance_to_the_best_simple_method(bits, grade):
    """The best simple method decides, and is named with its bits."""
    verdict = judge(bits, BASELINES, DESCRIPTIONS, 0.0)
    assert verdict.grade == grade
    assert "the best simple method (PPMd) needs 1.9." in verdict.finding


def test_without_baselines_there_is_no_grade():
    """The bits are explained, but not judged."""
    verdict = judge(2.0, {}, {}, 0.0)
    assert (verdict.grade, verdict.choices) == ("", 4.0)
    assert "4.0 equally likely" in verdict.meaning
    assert judge(1e9, {"uniform": 6.0}, DESCRIPTIONS, 0.0).choices < float("inf")


def test_a_model_of_words_is_compared_with_frequencies_of_words():
    """The grade names what the baseline counts."""
    words = describe_baselines(make_tokenizer("word"))
    assert judge(4.1, BASELINES, words, 0.0).grade.endswith("knowing how frequent the tokens are is as good.")


def test_unknown_tokens_are_reported():
    """The page says that the bits are not comparable."""
    verdict = judge(1.95, BASELINES, DESCRIPTIONS, 0.02)
    assert "not comparable: 2% of the tokens are [UNK]" in verdict.meaning
