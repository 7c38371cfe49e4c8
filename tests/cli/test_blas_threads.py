import os

import pytest

from textgen.cli.blas_threads import use_one_blas_thread

VARIABLES = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@pytest.fixture
def unset(monkeypatch):
    """An environment without these variables; changes to it are undone after the test."""
    for name in (*VARIABLES, "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("unset")
def test_the_default_is_one_thread():
    """If none of the variables is set, NumPy's libraries use one thread."""
    use_one_blas_thread()
    assert [os.environ[name] for name in VARIABLES] == ["1", "1"]


@pytest.mark.usefixtures("unset")
@pytest.mark.parametrize("name", [*VARIABLES, "OMP_NUM_THREADS"])
def test_a_variable_of_the_user_is_kept(monkeypatch, name):
    """If the user has set any of the variables, none is changed."""
    monkeypatch.setenv(name, "3")
    use_one_blas_thread()
    assert {name: os.environ[name] for name in (*VARIABLES, "OMP_NUM_THREADS") if name in os.environ} == {name: "3"}
