"""Makes one HTML page about a job: how good its model is, how it learned, what it writes, and how it was made.

The page needs neither a script nor a network, so it can be read anywhere, printed and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.config import SamplingConfig, TrainingConfig, settings
from textgen.console import HARMLESS, visible
from textgen.errors import with_dashes
from textgen.evaluation.baselines import describe_baselines
from textgen.formatting import count, described, percent
from textgen.jobs import on_present_text
from textgen.portable.page import read_asset, seal
from textgen.portable.report_page.charts import Level
from textgen.portable.report_page.figures import (
    draw_calibration,
    draw_comparison,
    draw_history,
    draw_loss,
    draw_ranks,
    draw_sentence_lengths,
    draw_word_lengths,
    escaped,
    table,
)
from textgen.portable.report_page.verdict import judge

if TYPE_CHECKING:
    from textgen.corpus.sections import Sections
    from textgen.evaluation.advice import Advice
    from textgen.evaluation.baselines import Described
    from textgen.evaluation.model_measures import Measures
    from textgen.evaluation.real_text import RealText
    from textgen.evaluation.written import WrittenText
    from textgen.generation import ModelFile
    from textgen.jobs import JobFacts, LoggedSample

_FILES = Path(__file__).parent
_MOST_SAMPLES = 12
"""The most samples along training that are shown. Of more, evenly spread ones are."""
_LONGEST_SAMPLE = 3000
_LONGEST_TEXT = 20_000
_LONGEST_PREVIEW = 150
_LONGEST_FACT = 300
_MOST_MACHINES = 5


@dataclass(frozen=True, eq=False)
class Report:
    """The content of a report. What is None or empty is left out, and `notes` say why.

    Attributes:
        name: the name of the job.
        place: the job directory: a path or a URI.
        facts: the status of the job. It has had an evaluation.
        config: its settings.
        history: its evaluations, the oldest first.
        samples: what it wrote at evaluations, likewise.
        model: its model.
        sections: its text.
        baselines: the bits per character of each baseline that the model can be compared with, by its name.
        baseline_notes: how these are limited, in sentences.
        measures: how well the model predicts the validation text, or a part of it.
        written: what it writes now, at several temperatures.
        real: its text, for comparison with these.
        advice: what to change.
        command: the words of the command that trains such a model, quoted for a shell.
        notes: what is left out or read only in part, in sentences.
    """

    name: str
    place: str
    facts: JobFacts
    config: TrainingConfig
    history: Sequence[Mapping[str, Any]]
    samples: Sequence[LoggedSample]
    model: ModelFile | None
    sections: Sections | None
    baselines: Mapping[str, float]
    baseline_notes: Sequence[str]
    measures: Measures | None
    written: Sequence[WrittenText]
    real: RealText | None
    advice: Sequence[Advice]
    command: Sequence[str]
    notes: Sequence[str]


def make_report(report: Report) -> str:
    """Returns the HTML document."""
    sections = [
        ("verdict", "How good is it?", _verdict(report)),
        ("learning", "How it learned", _learning(report)),
        ("writing", "What it writes", _writing(report)),
        ("words", "Written and real text", _words(report)),
        ("certainty", "How sure it is", _certainty(report)),
        ("making", "How it was made", _making(report)),
        ("limits", "About this page", "".join(f"<p>{escaped(note)}</p>" for note in report.notes)),
    ]
    shown = [(name, title, content) for name, title, content in sections if content]
    document = seal(
        (_FILES / "body.html").read_text(encoding="utf-8"),
        title=f"{visible(report.name, HARMLESS)} - textgen report",
        style=read_asset("style.css") + (_FILES / "report.css").read_text(encoding="utf-8"),
        parts={
            "heading": escaped(report.name),
            "summary": escaped(_summary(report)),
            "contents": "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, _ in shown),
            "sections": "".join(
                f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{content}</section>'
                for name, title, content in shown
            ),
        },
    )
    return document.html


def _summary(report: Report) -> str:
    """Returns the line below the heading."""
    facts = report.facts
    state = (
        f"still training; this is its state at step {facts.steps:,}"
        if facts.state == "running"
        else f"{facts.state} after {count(facts.steps, 'step')}"
    )
    minutes = "" if not facts.minutes else f"{count(float(f'{facts.minutes:.3g}'), 'minute')} of training"
    weights = "" if report.model is None else f"{report.model.shape.parameters:,} weights"
    return ", ".join(filter(None, (weights, minutes, state)))


def _verdict(report: Report) -> str:
    """Returns the section on how good the model is."""
    bits = report.facts.valid_bits_per_character
    assert bits is not None  # noqa: S101 - only a job with an evaluation has a report
    baselines, descriptions = report.baselines, _descriptions(report)
    verdict = judge(bits, baselines, descriptions, report.facts.valid_unknown_share or 0.0)
    tiles = [
        (f"{bits:.3g}", "bits per character"),
        (f"{verdict.choices:,.1f}", "equally likely characters would be as hard to predict"),
    ]
    if report.measures is not None:
        tiles.append((percent(report.measures.accuracy), "of its first guesses are right"))
    usual = next((text for text in report.written if text.temperature == SamplingConfig.temperature), None)
    if usual is not None and usual.statistics.known_words is not None:
        tiles.append((percent(usual.statistics.known_words), "of the words it writes are in the training text"))
    advice = "".join(f"<li>{escaped(with_dashes(each.sentence).rstrip('.'))}.</li>" for each in report.advice)
    comparison = draw_comparison(bits, baselines, descriptions) if baselines else ""
    limits = "".join(f'<p class="note">{escaped(note)}</p>' for note in report.baseline_notes)
    grade = f"<strong>{escaped(verdict.grade)}</strong> " if verdict.grade else ""
    return (
        f'<p class="headline">{grade}{escaped(verdict.finding)}</p>'
        f"<p>{escaped(verdict.meaning)}</p>"
        f'<dl class="tiles">{"".join(f"<div><dt>{escaped(label)}</dt><dd>{value}</dd></div>" for value, label in tiles)}</dl>'
        + (f'<h3>What to change</h3><ul class="advice">{advice}</ul>' if advice else "")
        + (f"<h3>Next to simple methods</h3>{comparison}{limits}" if comparison else "")
    )


def _learning(report: Report) -> str:
    """Returns the section on the course of training."""
    descriptions = _descriptions(report)
    levels = [Level(descriptions[name].label, value) for name, value in report.baselines.items()]
    small = draw_history(report.history, "learning_rate", "learning rate", 0) + draw_history(
        report.history, "gradient_norm", "gradient norm", 1
    )
    return (
        draw_loss(on_present_text(report.history), levels)
        + (f'<div class="pair">{small}</div>' if small else "")
        + _samples(report)
    )


def _samples(report: Report) -> str:
    """Returns what the model wrote at evaluations."""
    samples = report.samples
    if not samples:
        return ""
    last = len(samples) - 1
    most = min(_MOST_SAMPLES, len(samples))
    places = sorted({round(number * last / max(most - 1, 1)) for number in range(most)})
    items = "".join(_sample(samples[place], is_open=place in {0, last}) for place in places)
    return f"<h3>What it wrote meanwhile</h3>{items}"


def _sample(sample: LoggedSample, *, is_open: bool) -> str:
    preview = " ".join(sample.text.split())[:_LONGEST_PREVIEW]
    return (
        f'<details class="written"{" open" if is_open else ""}><summary>Step {sample.step:,} '
        f'<bdi class="preview">{escaped(preview)}</bdi></summary>'
        f'<p class="note">{escaped(sample.heading[:_LONGEST_FACT])}</p><div class="text" dir="auto">{escaped(sample.text[:_LONGEST_SAMPLE])}</div></details>'
    )


def _writing(report: Report) -> str:
    """Returns the section with a text at each temperature."""
    return f'<div class="texts">{"".join(map(_written, report.written))}</div>' if report.written else ""


def _written(text: WrittenText) -> str:
    facts = []
    if text.statistics.known_words is not None:
        facts.append(f"{text.statistics.known_words:.1%} of its words are in the training text")
    if text.novelty is not None:
        novelty = text.novelty
        facts.append(
            f"{percent(novelty.copied_share)} of its {novelty.kind_of_span} passages are copied; the longest copy has {count(len(novelty.longest_copy), 'character')}"
        )
    return (
        f"<article><h3>Temperature {text.temperature:g}</h3>"
        + "".join(f'<p class="note">{escaped(fact)}</p>' for fact in facts)
        + f'<div class="text" dir="auto" tabindex="0" role="group" aria-label="A text at temperature {text.temperature:g}">{escaped(text.text[:_LONGEST_TEXT])}</div></article>'
    )


def _words(report: Report) -> str:
    """Returns the section on the statistics of written and real text."""
    real = None if report.real is None else report.real.statistics
    if not any(text.statistics.words for text in report.written):
        return ""
    pair = draw_word_lengths(real, report.written) + draw_sentence_lengths(real, report.written)
    known = [(f"temperature {text.temperature:g}", text.statistics.known_words) for text in report.written]
    if real is not None:
        known.append(("real text", real.known_words))
    rows = [(name, f"{share:.1%}") for name, share in known if share is not None]
    spelling = (
        f"<h3>Words that the training text contains</h3>{table(('text', 'share of its words'), rows)}" if rows else ""
    )
    return (
        f'<div class="pair">{pair}</div><div class="pair">{draw_ranks(real, report.written)}<div>{spelling}</div></div>'
    )


def _certainty(report: Report) -> str:
    """Returns the section on calibration."""
    return "" if report.measures is None else draw_calibration(report.measures.bins, report.measures.calibration_error)


def _making(report: Report) -> str:
    """Returns the section on settings, text, machine and command."""
    config, model, sections = report.config, report.model, report.sections
    facts = [("job", report.place)]
    if model is not None:
        shape = model.shape
        size = f"{count(shape.layers, 'LSTM layer')} of {shape.lstm_state_size:,} states, {shape.parameters:,} weights"
        facts += [
            ("model", size),
            ("vocabulary", f"{count(model.vocabulary.size, 'token')}: {model.vocabulary.tokenizer.description}"),
        ]
    facts.append(("text", ", ".join(config.texts) or config.data_dir or "the bundled story"))
    if sections is not None:
        lengths = f"{sections.train.characters:,} characters for training, {sections.valid.characters:,} for validation"
        facts.append(("length", lengths))
    facts += [("machine", machine) for machine in _distinct(report.history, "machine")]
    rows = [
        (setting.name, described(getattr(config, setting.name)), described(setting.default))
        for setting in settings(TrainingConfig)
    ]
    changed = [row for row in rows if row[1] != row[2]]
    head = ("setting", "value", "default")
    return (
        f'<dl class="facts-of-job">{"".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in facts)}</dl>'
        '<h3>The command</h3><p class="note">Run it in the folder where the job was trained. If the job is still there, add --fresh, which '
        "renames it. Training that is limited by minutes makes as many steps as the machine allows, so the result differs a little.</p>"
        f'<pre class="command" tabindex="0">{" ".join(f"<span>{escaped(word)}</span>" for word in report.command)}</pre>'
        f"<h3>Settings that differ from the defaults</h3>{_scrolling(table(head, changed))}"
        f'<details class="numbers"><summary>All settings</summary>{_scrolling(table(head, rows))}</details>'
    )


def _descriptions(report: Report) -> Mapping[str, Described]:
    """Returns the descriptions of the baselines; none without a model, which has no baselines."""
    return {} if report.model is None else describe_baselines(report.model.vocabulary.tokenizer)


def _scrolling(content: str) -> str:
    return f'<div class="wide" tabindex="0" role="group" aria-label="Settings">{content}</div>'


def _distinct(history: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    """Returns the last texts that the evaluations have recorded under a name, each once."""
    found = dict.fromkeys(values[name][:_LONGEST_FACT] for values in history if isinstance(values.get(name), str))
    return list(found)[-_MOST_MACHINES:]
