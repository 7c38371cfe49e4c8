"""Kills hundreds of trainers at random moments, and checks that every job ends like an undisturbed one.

python -m tests.chaos --kills 40 --kinds dropout-adam-char plain-sgd-word
"""

from __future__ import annotations

import argparse
import logging
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.kinds import KINDS
from tests.chaos.tally import Share, Tally
from textgen.console import Console

HEADINGS = "kind                jobs  kills  saving  SIGTERMs  slowest end  lock tries  identical"
"""The headings of the final table; `kills` includes `saving`."""


def main() -> int:
    """Runs the trials that the arguments describe.

    Returns:
        The exit code: 1 if a promise was broken.
    """
    options = _parse()
    console = Console()
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns about each process that resumes
    with console.silenced():
        import tensorflow  # noqa: F401, ICN001 - TensorBoard's reader loads it, and it writes to the terminal

        from tests.chaos.campaign import run_campaign
    place = Path(tempfile.mkdtemp(prefix="textgen-chaos-"))
    console.say(f"--seed {options.seed}, in {place}")
    tallies = run_campaign(
        [kind for kind in KINDS if kind.name in options.kinds],
        Share(options.kills, options.terms, options.locks),
        place,
        seed=options.seed,
        workers=options.workers,
        report=lambda tally: console.say(_live_line(tally)),
    )
    sys.stdout.write(_table(tallies))
    if any(tally.failures for tally in tallies):
        console.say(f"The files of the failed jobs are in {place}")
        return 1
    shutil.rmtree(place)
    return 0


def _parse() -> argparse.Namespace:
    names = [kind.name for kind in KINDS]
    parser = argparse.ArgumentParser("python -m tests.chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=300, help="processes to end with SIGKILL; %(default)s")
    parser.add_argument("--terms", type=int, default=20, help="processes to end with SIGTERM; %(default)s")
    parser.add_argument("--locks", type=int, default=20, help="second trainers that should be refused; %(default)s")
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, metavar="KIND", help=", ".join(names))
    parser.add_argument("--workers", type=int, default=2, help="kinds to try in parallel; %(default)s")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="fixes the random choices; random")
    return parser.parse_args()


def _live_line(tally: Tally) -> str:
    share, left = tally.share, tally.left
    phases = ", ".join(f"{count} {phase}" for phase, count in tally.kills.items())
    return (
        f"{tally.kind.name:19} {tally.jobs:2} jobs  {share.kills - left.kills}/{share.kills} kills ({phases})  "
        f"{tally.terms}/{share.terms} SIGTERMs  {tally.locks}/{share.locks} lock tries  {tally.resumes} resumes  "
        f"{'; '.join(tally.failures) or 'all as promised'}"
    )


def _table(tallies: Sequence[Tally]) -> str:
    rows = (
        f"{tally.kind.name:19} {tally.jobs:4}  {sum(tally.kills.values()):5}  {tally.kills['saving']:6}  {tally.terms:8}  "
        f"{tally.slowest:9.1f} s  {tally.locks:10}  {'yes' if tally.is_done and not tally.failures else 'NO':>9}"
        for tally in tallies
    )
    return "\n".join([HEADINGS, *rows, ""])


if __name__ == "__main__":
    sys.exit(main())
