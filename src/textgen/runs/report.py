"""Collects the content of a report on a job: reads its files, evaluates its model and lets it write, in bounded time.

TensorFlow is not needed. A report should take no more than five seconds, so a long text is only read in part, and a large model reads less
than a small one. The report lists these limits, and what is left out because the model or the text is not at hand.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.config import TrainingConfig, settings
from textgen.errors import FormatError, MissingError, TextgenError, named, with_dashes
from textgen.evaluation.advice import advise
from textgen.evaluation.baselines import KNESER_NEY, UNIFORM, UNIGRAM, measure_baselines, measure_uniform
from textgen.evaluation.evaluated_text import count_text
from textgen.evaluation.matching_temperature import match_temperatures
from textgen.evaluation.model_measures import measure_model
from textgen.evaluation.real_text import read_real_text
from textgen.evaluation.training_text import find_training_text
from textgen.evaluation.written import MOST_SEARCHED, write_texts
from textgen.generation import TextGenerator
from textgen.generation.model_place import model_name, open_model
from textgen.jobs import JobDirectory, job_facts, read_config, read_metrics, read_samples
from textgen.planning import CHOSEN_SETTINGS, SHAPE_SETTINGS
from textgen.portable.report_page import Report
from textgen.runs.places import find_page
from textgen.storage import fetch, is_bucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textgen.corpus.sections import Sections
    from textgen.evaluation.matching_temperature import TemperatureMatch
    from textgen.evaluation.model_measures import Measures
    from textgen.evaluation.real_text import RealText
    from textgen.evaluation.training_text import TrainingText
    from textgen.evaluation.written import WrittenText
    from textgen.generation import ModelFile
    from textgen.jobs import JobFacts

_NGRAMS = (UNIGRAM, KNESER_NEY)
_COMPRESSORS = ("xz", "ppmd")
"""The compressors of a report. The others are slow, and weaker than PPMd."""
_MOST_READ = 40_000_000
"""The largest training text, in bytes, that is verified for a report."""
_MOST_LEARNED = 1_000_000
"""The characters of the training text that the baselines learn."""
_MOST_COMPARED = 200_000
"""The characters of the validation text on which they are measured."""
_MOST_PRODUCTS = 6e9
"""The products of a weight and a number that the model computes to be measured."""
_LEAST_TOKENS, _MOST_TOKENS = 300, 50_000
"""The tokens of the validation text on which the model is measured."""
_ALWAYS_GIVEN = {"lstm_state_size", "layers", *CHOSEN_SETTINGS} - (set(SHAPE_SETTINGS) - {"lstm_state_size", "layers"})
"""The settings that textgen would choose if a command left them out. Once the size is given, it chooses nothing else about the shape."""
_GZIP_FACTOR = 4
"""About how much smaller a text is in a file that ends in .gz."""


def find_report_page(place: str, output: str | None, *, force: bool) -> Path:
    """Finds and checks the place of a report. Creates nothing.

    Args:
        place: the job directory: a path or a URI.
        output: the file to write; None for `report.html` in the job directory, or in the current folder if the job is in a bucket.
        force: whether to replace an existing file.

    Raises:
        TextgenError: as `find_page`.
    """
    if output is None:
        output = str(JobDirectory(Path() if is_bucket(place) else Path(place)).report)
    return find_page(named("output"), output, force=force)


def collect(place: str, job: JobDirectory) -> Report:
    """Collects the content of a report.

    Args:
        place: the job directory: a path or a URI.
        job: the job, as `look_at_job` returns it.

    Raises:
        MissingError: if the job has no evaluation yet.
        FormatError: if one of its files is damaged.
        TextgenError: if one cannot be read.
    """
    history = read_metrics(job.metrics)
    facts = job_facts(job, history)
    if facts.problem is not None:
        raise FormatError(f"cannot report on {job}: {facts.problem}")
    if facts.valid_bits_per_character is None:
        raise facts.no_evaluation()
    config = read_config(job.config, "name another job")
    collector = _Collector(place, config, facts)
    collector.read()
    return Report(
        name=model_name(place),
        place=place,
        facts=facts,
        config=config,
        history=history,
        samples=read_samples(_find_samples(job)),
        model=collector.model,
        sections=collector.sections,
        baselines=collector.baselines,
        baseline_notes=collector.baseline_notes,
        measures=collector.measures,
        written=collector.written,
        real=collector.real,
        advice=advise(history, config, collector.temperatures) if collector.is_finished else (),
        command=command_of(config),
        notes=collector.notes,
    )


class _Collector:
    """Reads the model of a job and its text, as far as they are at hand.

    Args:
        place: the job directory: a path or a URI.
        config: the settings of the job.
        facts: its status.

    Attributes:
        is_finished: whether the job is finished. One that is not may still improve by itself, and gets no advice.
        baseline_notes: how the baselines are limited, in sentences.
        notes: what is left out or read only in part, in sentences.
    """

    def __init__(self, place: str, config: TrainingConfig, facts: JobFacts) -> None:
        self._place, self._config, self._facts = place, config, facts
        self.is_finished = facts.state == "finished"
        self.model: ModelFile | None = None
        self.sections: Sections | None = None
        self.baselines: Mapping[str, float] = {}
        self.baseline_notes: list[str] = []
        self.measures: Measures | None = None
        self.real: RealText | None = None
        self.written: Sequence[WrittenText] = ()
        self.temperatures: TemperatureMatch | None = None
        self.notes: list[str] = []

    def read(self) -> None:
        """Reads the model and the text, evaluates the model, and lets it write."""
        try:
            self.model = open_model(self._place)
        except MissingError:
            self.notes.append("The job has no model file, so this page shows only what was recorded during training.")
            return
        generator = TextGenerator(self.model)
        text = self._find_text(self.model)
        if text is not None:
            self._measure(generator, text.sections)
        self._write(generator, text)

    def _find_text(self, model: ModelFile) -> TrainingText | None:
        """Finds the training text, and verifies it; notes why if it is not at hand."""
        config = self._config
        try:
            if any(map(is_bucket, filter(None, (self._place, *config.texts, config.data_dir)))):
                raise MissingError("the job or the text is in a bucket")
            text = find_training_text(self._place, model)
            sources = text.sources
            size = sum(map(_bytes_of, (*sources.train, *sources.valid, *sources.test)))
            if size > _MOST_READ:
                raise MissingError(f"it has about {size:,} bytes, and a report reads at most {_MOST_READ:,}")
            self.sections = text.sections
            self.real = read_real_text(text.sections.train, text.sections.valid, model.vocabulary.tokenizer)
        except (TextgenError, OSError) as error:
            self.sections = None
            self.notes.append(
                "Without the training text, this page lacks the comparison with simple methods and with real text, how sure the model is, "
                f"and what it has copied: {with_dashes(str(error))}."
            )
            return None
        return text

    def _measure(self, generator: TextGenerator, sections: Sections) -> None:
        """Measures the model and the baselines on the validation text."""
        model = generator.model
        valid, train = sections.valid.first(_MOST_COMPARED), sections.train.first(_MOST_LEARNED)
        try:
            text = count_text(valid, model.vocabulary)
            has_unknown = bool(text.unknown_share or self._facts.valid_unknown_share)
            baselines = measure_baselines(text, train, _NGRAMS if has_unknown else (*_NGRAMS, *_COMPRESSORS))
            self.baselines = {UNIFORM: measure_uniform(text), **baselines}
            most = min(max(_MOST_PRODUCTS / model.shape.parameters, _LEAST_TOKENS), _MOST_TOKENS)
            part = count_text(valid.first(int(most * text.characters_per_token)), model.vocabulary)
            self.measures = measure_model(generator.network, part)
        except TextgenError as error:
            self.notes.append(f"The model could not be evaluated: {with_dashes(str(error))}.")
            return
        if has_unknown:
            self.baseline_notes.append(
                "File compressors are left out, because they would have to spell what the model reads as [UNK]."
            )
        for notes, what, name, read, whole in (
            (self.baseline_notes, "The simple methods learn", "training", train, sections.train),
            (self.baseline_notes, "The simple methods are measured on", "validation", valid, sections.valid),
            (self.notes, "Accuracy and calibration are measured on", "validation", part.section, sections.valid),
        ):
            if read.characters < whole.characters:
                notes.append(
                    f"{what} only the first {read.characters:,} of the {whole.characters:,} characters of the {name} text. textgen eval reads more."
                )

    def _write(self, generator: TextGenerator, text: TrainingText | None) -> None:
        """Lets the model write."""
        copies = None
        try:
            if text is not None and text.section.characters <= MOST_SEARCHED:
                copies = text.copies
            elif text is not None:
                self.notes.append("The training text is too long to search it for copied passages in a report.")
            self.written = write_texts(generator, self.real, copies)
            if self.real is not None and self.is_finished:
                self.temperatures = match_temperatures(generator, self.real)
        except TextgenError as error:
            self.notes.append(f"The model could not write: {with_dashes(str(error))}.")


def command_of(config: TrainingConfig) -> list[str]:
    """Returns the words of the command that trains a model with these settings, quoted for a shell.

    It contains each setting that differs from its default, and each that textgen would otherwise choose.
    """
    flags = [
        setting.as_argument(getattr(config, setting.name))
        for setting in settings(config)
        if setting.option.positional is None
        and (setting.name in _ALWAYS_GIVEN or getattr(config, setting.name) != setting.default)
    ]
    texts = (f"./{text}" if text.startswith("-") else text for text in config.texts)
    return [shlex.quote(word) for word in ("textgen-train", *texts, *flags)]


def _find_samples(job: JobDirectory) -> Path:
    """Returns the path of the samples of a job; for one in a bucket, of a local copy, if there are samples."""
    if job.uri is None:
        return job.samples
    try:
        return fetch(f"{job.uri}/{job.samples.name}")
    except MissingError:
        return job.samples


def _bytes_of(path: Path) -> int:
    """Returns about the size of a text."""
    return path.stat().st_size * (_GZIP_FACTOR if path.suffix == ".gz" else 1)
