import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def exchange(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("exchange")


@pytest.mark.parametrize(("processes", "sent"), [(1, 0), (2, 1_200), (3, 1_600), (4, 1_800)])
def test_the_bytes_of_a_ring(exchange, processes, sent):
    """Each process sends its gradients, 4 bytes each, 0, 1, 4/3 and 3/2 times."""
    assert exchange.ring_bytes(300, processes) == pytest.approx(sent)


def test_the_time_of_an_exchange(exchange):
    """Two processes send two messages and a million bytes each, three send four messages and a third more bytes."""
    network = exchange.Exchange(latency=0.001, bandwidth=1e6)
    assert network.seconds(250_000, 2) == pytest.approx(0.002 + 1)
    assert network.seconds(250_000, 3) == pytest.approx(0.004 + 4 / 3)
    assert network.seconds(250_000, 1) == 0


def test_the_fit_finds_latency_and_bandwidth(exchange):
    """Times without errors give exactly the network that they were computed from."""
    found = exchange.fit([(250_000, 1.002), (500_000, 2.002), (1_000_000, 4.002)])
    assert (found.latency, found.bandwidth) == (pytest.approx(0.001), pytest.approx(1e6))


def test_the_fit_counts_relative_errors(exchange):
    """A long exchange that takes a tenth too long does not move the prediction of a short one by half of it."""
    found = exchange.fit([(250_000, 1.0), (2_500_000, 10.0), (25_000_000, 110.0)])
    assert found.seconds(250_000, 2) == pytest.approx(1, rel=0.05)


def test_the_least_tokens_make_the_exchange_a_fifth_of_a_step(exchange):
    """30 TFLOP/s and 100 Gbit/s need 12,800 tokens: 6 operations per token and parameter, and 8 bytes per parameter."""
    tokens = exchange.least_tokens(30e12, 100e9 / 8)
    assert tokens == pytest.approx(12_800)
    compute, exchanging = 6 * tokens / 30e12, 8 / 12.5e9
    assert exchanging / (compute + exchanging) == pytest.approx(0.2)
    assert exchange.least_tokens(30e12, 100e9 / 8, share=0.5) == pytest.approx(3_200)
