"""Counts what the server does, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from textgen.serving.models import ServedModel

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The figures of one server.

    Args:
        models: the models that are served.
    """

    def __init__(self, models: Iterable[ServedModel]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "textgen_requests", "Requests that were answered.", ["route", "status"], registry=self._registry
        )
        self._tokens = Counter("textgen_tokens", "Tokens that were written.", ["model"], registry=self._registry)
        self._waits = Histogram(
            "textgen_first_token_seconds",
            "Seconds from a request to the first token of its text.",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Workers(models))

    def answered(self, route: str, status: int) -> None:
        """Counts a request that was answered.

        Args:
            route: the path of the route, or a word for requests of no route.
            status: the HTTP status.
        """
        self._requests.labels(route, str(status)).inc()

    def wrote(self, model: str, tokens: int) -> None:
        """Counts tokens that a model wrote."""
        self._tokens.labels(model).inc(tokens)

    def waited(self, model: str, seconds: float) -> None:
        """Counts the wait for the first token of a text."""
        self._waits.labels(model).observe(seconds)

    def text(self) -> bytes:
        """Returns the figures in the text format of Prometheus."""
        return generate_latest(self._registry)


class _Workers(Collector):
    """Reads the number of texts from the workers of the models."""

    def __init__(self, models: Iterable[ServedModel]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        rows = GaugeMetricFamily("textgen_rows", "Texts in the batch.", labels=["model"])
        waiting = GaugeMetricFamily(
            "textgen_waiting_rows", "Texts that wait for a place in the batch.", labels=["model"]
        )
        for model in self._models:
            rows.add_metric([model.name], model.worker.rows)
            waiting.add_metric([model.name], model.worker.waiting)
        yield rows
        yield waiting


async def answer(request: Request) -> Response:
    """Answers GET /metrics."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
