import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from tests.portable.test_page import Elements, source
from textgen.config import TrainingConfig
from textgen.evaluation.advice import Advice
from textgen.evaluation.model_measures import Bins, Measures
from textgen.evaluation.novelty import Novelty
from textgen.evaluation.real_text import RealText
from textgen.evaluation.scores import Scores
from textgen.evaluation.text_statistics import TextStatistics
from textgen.evaluation.written import WrittenText
from textgen.jobs import JobFacts, LoggedSample
from textgen.portable.report_page import Report, make_report

HOSTILE = '</script></style></details><script>alert("x")</script><img src=x>\x1b\u202e&\0'
HISTORY = [
    {
        "steps": steps,
        "train_loss": 3.0 - steps / 100,
        "valid_loss": loss,
        "valid_bits_per_character": loss / np.log(2),
        "learning_rate": 0.01,
        "gradient_norm": 0.25,
        "machine": "the CPU, 2 cores",
    }
    for steps, loss in ((10, 2.5), (20, 2.0), (30, 2.1))
]
COUNTS = np.arange(15)


def make(a_model, text="A bell rang. Nobody came.", name="book", **changes):
    """Makes a report with everything in it, in which a text of any origin is the given one."""
    statistics = TextStatistics.of("A bell rang. Nobody came. A boat went out.", {"a", "bell"})
    confidences = np.where(COUNTS > 0, (COUNTS + 0.5) / 15, np.nan)
    fields = {
        "name": name,
        "place": f"job/{name}",
        "facts": JobFacts("job/book", "stopped", 30, 2, 1.5, valid_bits_per_character=2.0 / np.log(2)),
        "config": TrainingConfig(texts=(text.replace("\0", ""),), sample_prompt=text.replace("\0", "")),
        "history": [{**values, "machine": text} for values in HISTORY],
        "samples": [LoggedSample(10, text, text), LoggedSample(20, "step 20", text)],
        "model": a_model,
        "sections": None,
        "baselines": {"uniform": 6.0, "unigram": 4.0, "kneser_ney": 3.0, "xz": 3.5},
        "measures": Measures(Scores(2.0, 1), 0.5, Bins(COUNTS, confidences, confidences * 0.9), None),
        "written": [
            WrittenText(0.5, text, statistics, Novelty(text, 0.25, 8, "8-word")),
            WrittenText(1.0, text, statistics, None),
        ],
        "real": RealText(text.split(), statistics),
        "advice": [Advice(f"Train for longer: {text}", "minutes", 10)],
        "command": ["textgen-train", text],
        "baseline_notes": [text],
        "notes": [text],
    }
    return Report(**{**fields, **changes})


@pytest.fixture
def report(random_model):
    return lambda *arguments, **changes: make(random_model(), *arguments, **changes)


def test_a_report_runs_nothing_and_asks_for_nothing(report):
    """There is no script; the policy allows the style of the page alone, and no request. No link leaves the page."""
    document = make_report(report())
    elements = Elements(document).found
    policy = next(str(fields["content"]) for _, fields, _ in elements if "http-equiv" in fields)
    [style] = [text for tag, _, text in elements if tag == "style"]
    assert {"default-src 'none'", "script-src 'none'", "connect-src 'none'", f"style-src {source(style)}"} < {
        *policy.split("; ")
    }
    assert [tag for tag, *_ in elements if tag in {"script", "img", "iframe"}] == []
    assert [fields["rel"] for tag, fields, _ in elements if tag == "link"] == ["icon"]
    assert not any("style" in fields or "src" in fields for _, fields, _ in elements)
    assert all(str(fields["href"]).startswith("#") for tag, fields, _ in elements if tag == "a")


def test_nothing_in_a_job_is_read_as_html(report):
    """Texts, names, settings and notes are escaped, and control characters are visible."""
    plain, hostile = (make_report(report(text, name=text.replace("/", ""))) for text in ("abc", HOSTILE))
    assert [tag for tag, *_ in Elements(hostile).found] == [tag for tag, *_ in Elements(plain).found]
    assert set(hostile).isdisjoint("\x1b\u202e\0")


def test_a_report_says_what_is_good_and_what_to_change(report):
    """The verdict, the advice, the samples, the texts, the command and the machine are on the page."""
    document = make_report(report())
    for part in (
        "Good.</strong> The model needs 2.89 bits",
        "Train for longer: A bell rang.",
        "The validation loss was lowest at step 20, with 2.885 bits per character",
        "better than 6-gram, xz -9 and unigram",
        "Temperature 0.5",
        "25% of its 8-word passages are copied",
        "The model is too sure of its guesses",
        "<span>textgen-train</span>",
        "50%",
    ):
        assert part in document, part
    assert document.count("A bell rang. Nobody came.") >= 8


def test_losses_on_an_earlier_text_are_left_out(report):
    """They cannot be compared with the losses on the present text, nor with the baselines."""
    history = [{**values, "valid_sha256": "old" if values["steps"] < 30 else "new"} for values in HISTORY]
    assert "There was one evaluation, at step 30, with 3.030 bits per character" in make_report(report(history=history))


def test_small_figures_are_not_rounded_to_nothing(report):
    """Neither a short training nor a low accuracy is 0, and no share that is below 1 is 100%."""
    facts = JobFacts("job/book", "stopped", 30, 2, 0.021, valid_bits_per_character=2.9)
    accurate = Measures(Scores(2.0, 1), 0.996, Bins(COUNTS, COUNTS / 15, COUNTS / 15), None)
    document = make_report(report(facts=facts, measures=accurate))
    assert "0.021 minutes of training" in document
    assert "99.6%" in document
    inaccurate = Measures(Scores(2.0, 1), 0.004, Bins(COUNTS, COUNTS / 15, COUNTS / 15), None)
    one_minute = dataclasses.replace(facts, minutes=1.0)
    document = make_report(report(facts=one_minute, measures=inaccurate))
    assert "1 minute of training" in document
    assert "<dd>0.4%</dd>" in document


def test_each_chart_has_a_text_and_a_table(report):
    """A screen reader gets the finding of each chart as its name, and everyone its numbers."""
    document = make_report(report())
    figures = re.findall(r"<figure>.*?</figure>", document, re.DOTALL)
    assert len(figures) == 8
    for figure in figures:
        [label] = re.findall(r'role="img" aria-label="([^"]+)"', figure)
        assert f"<figcaption>{label}</figcaption>" in figure
        assert figure.count("<table>") == 1
        assert figure.count("<td>") >= 2


def test_what_is_not_known_is_left_out(report):
    """Without a model, its text and what older versions did not record, the page has the rest, and no empty section."""
    history = [
        {name: values[name] for name in ("steps", "valid_loss", "valid_bits_per_character")} for values in HISTORY
    ]
    bare: dict[str, Any] = {
        "model": None,
        "baselines": {},
        "measures": None,
        "written": (),
        "real": None,
        "advice": (),
        "samples": (),
    }
    document = make_report(report(history=history, notes=(), **bare))
    assert re.findall(r'<h2 id="(\w+)-title">', document) == ["verdict", "learning", "making"]
    assert document.count("<figure>") == 1
    for missing in ("gradient norm", ">machine<", "What to change", "simple method", "training</li>"):
        assert missing not in document, missing
    assert "2.89 bits for each character" in document


def test_a_model_that_writes_no_words(report):
    """Its texts are shown, and not compared with real text."""
    written = [WrittenText(0.8, "?!", TextStatistics.of("?!"), None)]
    document = make_report(report(written=written))
    assert "Temperature 0.8" in document
    assert "Written and real text" not in document


def test_damaged_values_do_not_break_the_page(report):
    """Values of a wrong type or size in metrics.jsonl are left out."""
    strange = [
        {"steps": "x", "valid_loss": [], "machine": 7},
        {"steps": 1e300, "valid_loss": 1e300, "valid_bits_per_character": 1e300, "learning_rate": -1e308},
        {"steps": None, "gradient_norm": True},
    ]
    document = make_report(report(history=[*strange, *HISTORY]))
    assert "nan" not in document.lower().replace("finance", "")
    assert make_report(
        report(history=strange, facts=dataclasses.replace(report().facts, valid_bits_per_character=1e300))
    )


def test_a_long_job_makes_a_bounded_page(report):
    """Of thousands of evaluations and samples, some are shown, among them the first and the last."""
    history = [{**HISTORY[0], "steps": steps} for steps in range(1, 20_001)]
    samples = [LoggedSample(steps, f"step {steps}", "abc" * 100) for steps in range(1, 5001)]
    document = make_report(report(history=history, samples=samples))
    assert len(document) < 200_000
    assert document.count('<details class="written"') == 12
    assert "Step 1 " in document
    assert "Step 5,000 " in document


def test_a_running_job_is_called_that(report):
    """The page gives the step, because it will be out of date."""
    document = make_report(report(facts=dataclasses.replace(report().facts, state="running")))
    assert "still training; this is its state at step 30" in document
