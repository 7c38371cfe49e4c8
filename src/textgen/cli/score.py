"""`textgen score`: shows how surprised models are by texts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.cli.entry import run_command
from textgen.config import ScoreCommand
from textgen.config.flags import Parser, build
from textgen.errors import DataError, MissingError, UsageError, named
from textgen.formatting import count
from textgen.storage import as_typed, is_bucket

if TYPE_CHECKING:
    from textgen.cli.score_output import Shown
    from textgen.cli.score_text import NamedText
    from textgen.evaluation.ranking import Pair
    from textgen.generation import TextGenerator
    from textgen.generation.scored_text import ScoredText

PROGRAM = "textgen score"
TEMPERATURES = (0.5, 0.8, 1.0, 1.2)
"""The temperatures of `--top`, among them the default of `textgen-sample`, and 1, the model's own probabilities."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen score`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _score, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen score`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [JOB ...] [TEXT ...] [FLAGS]",
        "Show how surprised a model is by a text, in bits per character: the fewer, the more the text is like the\n"
        "training text. On a terminal, each token is tinted by its bits. Several models or texts are ranked, so\n"
        "that the models of several authors show who may have written a text. The first token is not predicted.",
        f'examples:\n  {PROGRAM} my-book chapter.txt\n  {PROGRAM} base "Call me Ishmael. Some years ago" --top 5\n'
        f"  {PROGRAM} austen wells letter.txt\n  cat page.txt | {PROGRAM} my-book - --json\n\n"
        "In a pipe, each text is a line with its bits per character, characters, share of [UNK], job and text,\n"
        "separated by tabs; a line of a text has its bits per character, characters and text; a token has its\n"
        "bits, rank and text. docs/scoring.md shows more.",
    )
    parser.add_settings(ScoreCommand)
    parser.add_help_and_version()
    return parser


def _score(arguments: Sequence[str]) -> None:
    command = build(ScoreCommand, make_parser().parse(arguments))

    from textgen.cli.blas_threads import use_one_blas_thread
    from textgen.cli.models_and_texts import sort_arguments
    from textgen.cli.named_job import named_job
    from textgen.cli.score_text import read_text
    from textgen.runs.places import find_page

    found, given = sort_arguments(command.arguments, "name a job or a file, or put a text of several words in quotes")
    if len(found) > 1 or len(given) > 1:
        _refuse_several(command, len(found), len(given))
    places = found or [named_job(None, with_model=True, or_base=True)]
    other = None if command.compare is None else named_job(command.compare, with_model=True)
    page = None if command.html is None else find_page(named("html"), command.html, force=command.force)
    texts = [read_text(text, command.encoding) for text in given or ["-"]]
    use_one_blas_thread()

    if len(places) > 1 or len(texts) > 1:
        from textgen.cli.score_output import write_ranking

        write_ranking(_rank(places, texts), as_json=command.json)
    else:
        _show(command, places[0], other, texts[0], page)


def _refuse_several(command: ScoreCommand, models: int, texts: int) -> None:
    """Refuses flags that need one model and one text."""
    flags = {
        "compare": command.compare is not None,
        "by": command.by not in {None, "text"},
        "top": command.top > 0,
        "html": command.html is not None,
    }
    if given := next((name for name, is_given in flags.items() if is_given), None):
        raise UsageError(
            f"{named(given)} needs at most one JOB and one TEXT, got {models} and {texts}; score them one after the other"
        )


def _rank(places: Sequence[str], texts: Sequence[NamedText]) -> list[tuple[int | None, Pair]]:
    """Scores each text with each model, and ranks them. If no text fits any model, the first is refused."""
    from textgen.console import Console
    from textgen.evaluation.fit import refuse_misfit, refuse_unscored
    from textgen.evaluation.ranking import Pair, rank

    pairs: dict[tuple[int, int], Pair] = {}
    misfits: list[DataError] = []
    for model_number, place in enumerate(places):
        generator = _load(place)
        for number, text in enumerate(texts):
            with Console().busy(f"scoring {text.name} with {as_typed(place)}"):
                scored = generator.score(_as_training_text(generator, text.text))
            refuse_unscored(scored, as_typed(place), text.name)
            try:
                refuse_misfit(scored, generator.model, as_typed(place), text.name)
            except DataError as error:  # another model may fit this text, or this model another text
                misfits.append(error)
            bits, share = scored.bits_per_character or 0.0, scored.unknown_share
            pairs[number, model_number] = Pair(as_typed(place), text.name, bits, scored.characters, share)
    if len(misfits) == len(pairs):
        raise misfits[0]
    return rank(pairs[key] for key in sorted(pairs))


def _show(command: ScoreCommand, place: str, other: str | None, text: NamedText, page: Path | None) -> None:
    """Scores one text with one model or two, and shows the scores."""
    from textgen.cli.score_output import Shown, write_lines, write_text, write_tokens
    from textgen.console import Console
    from textgen.evaluation.surprise import common_parts, parts_of

    generator = _load(place)
    as_read = _as_training_text(generator, text.text)
    if as_read != text.text:
        Console().say("The text is read with one line per paragraph, as in the training text.")
    if page is not None:
        from textgen.portable.score_page import refuse_large

        refuse_large(len(generator.model.vocabulary.split_prompt(as_read)), command.top)
    temperatures = TEMPERATURES if command.top else ()
    with Console().busy(f"scoring {text.name}"):
        scored = generator.score(as_read, top=command.top, temperatures=temperatures)
    _check(scored, generator, place, text.name)
    models, parts = [(as_typed(place), generator.model.sha256)], parts_of(scored)
    unknown_share = scored.unknown_share
    if other is not None:
        second = _load(other)
        with Console().busy(f"scoring {text.name} with {as_typed(other)}"):
            scored_by_second = second.score(as_read)
        _check(scored_by_second, second, other, text.name)
        models.append((as_typed(other), second.model.sha256))
        parts = common_parts(scored, scored_by_second)
        unknown_share = max(unknown_share, scored_by_second.unknown_share)
    shown = Shown(text.name, models, list(parts), len(scored), unknown_share, temperatures)

    if page is not None:
        _write_page(shown, page)
        return
    by = command.by or ("token" if command.top else "text")
    write = {"text": write_text, "line": write_lines, "token": write_tokens}[by]
    write(shown, as_json=command.json)


def _check(scored: ScoredText, generator: TextGenerator, place: str, text: str) -> None:
    """Refuses a text that does not fit the model, and warns of unknown tokens."""
    from textgen.console import Console
    from textgen.evaluation.fit import refuse_misfit, refuse_unscored, why_not_comparable

    name = as_typed(place)
    refuse_unscored(scored, name, text)
    refuse_misfit(scored, generator.model, name, text)
    if warning := why_not_comparable(scored, name, text):
        Console().warn(warning)


def _load(place: str) -> TextGenerator:
    """Opens a model; if its job is still training, a line says so."""
    from textgen.cli.typed import typed
    from textgen.console import Console
    from textgen.generation import load
    from textgen.jobs import JobDirectory, is_locked

    in_bucket = is_bucket(place)
    job = JobDirectory.of_model(Path(place))
    is_training = not in_bucket and is_locked(job)
    if is_training and not job.model.exists():
        raise MissingError(
            f"{place} is still training, and has no model yet; {typed('textgen')} jobs shows its progress, and its first evaluation writes a model"
        )
    with Console().busy(f"fetching {place}") if in_bucket else nullcontext():
        generator = load(place)
    if is_training:
        Console().say(f"{place} is still training; this is its best model so far, of step {generator.model.step:,}")
    return generator


def _as_training_text(generator: TextGenerator, text: str) -> str:
    """Returns a text with one line per paragraph, if the training text was unwrapped and this one is hard-wrapped prose."""
    from textgen.corpus.unwrapping import unwrap_prompt

    return unwrap_prompt(text) if generator.model.unwrapped else text


def _write_page(shown: Shown, path: Path) -> None:
    """Writes the HTML page, and prints its path."""
    from textgen.console import Console, visible
    from textgen.portable.score_page import ScorePage, make_page
    from textgen.storage import write_atomic

    page = ScorePage(shown.text, shown.names, shown.parts, shown.total, shown.unknown_share, shown.temperatures)
    write_atomic(path, make_page(page))
    Console().say(f"Wrote {path}, {count(len(shown.parts), 'token')}")
    sys.stdout.write(visible(f"{path}\n", "\n") if sys.stdout.isatty() else f"{path}\n")
