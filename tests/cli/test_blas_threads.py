import os

import pytest

from textgen.cli.blas_threads import use_one_blas_thread

VARIABLES = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@pytest.fixture
def unset(monkeypatch):
    """An environment in which nobody has chosen; what is set in it goes with the test."""
    for name in (*VARIABLES, "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("unset")
def test_one_thread_unless_the_user_chose():
    """Where nothing is set, NumPy's libraries are told to use one thread."""
    use_one_blas_thread()
    assert [os.environ[name] for name in VARIABLES] == ["1", "1"]


@pytest.mark.usefixtures("unset")
@pytest.mark.parametrize("name", [*VARIABLES, "OMP_NUM_THREADS"])
def test_the_users_choice_stays(monkeypatch, name):
    """Where the user has set any of the usual variables, all stay as they are."""
    monkeypatch.setenv(name, "3")
    use_one_blas_thread()
    assert {name: os.environ[name] for name in (*VARIABLES, "OMP_NUM_THREADS") if name in os.environ} == {name: "3"}
