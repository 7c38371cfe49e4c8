import pytest

from tests.chaos.campaign import run_campaign
from tests.chaos.kinds import KINDS
from tests.chaos.tally import Share

pytestmark = pytest.mark.slow

TRIED = (KINDS[0], KINDS[7])
"""Two kinds that differ in everything; `make chaos` tries all kinds, for much longer."""


@pytest.fixture(scope="module")
def tallies(tmp_path_factory):
    """The tallies of both kinds, which run in parallel."""
    place = tmp_path_factory.mktemp("chaos")
    share = Share(kills=4, terms=2, locks=2)
    return run_campaign(TRIED, share, place, seed=2, workers=2, report=lambda _: None)


@pytest.mark.parametrize("number", range(len(TRIED)), ids=[kind.name for kind in TRIED])
def test_whatever_ends_a_process_the_job_ends_as_if_undisturbed(tallies, number):
    """Killed, terminated, or with a second trainer, a job resumes from its last checkpoint and ends with the same files."""
    tally = tallies[number]
    assert tally.failures == []
    assert tally.is_done
    assert tally.resumes >= 1
