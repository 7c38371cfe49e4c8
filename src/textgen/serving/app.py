"""Puts the service together: its routes, and what every request passes first."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from textgen.console import writes_log_entries
from textgen.errors import TextgenError
from textgen.formatting import one_line, shown
from textgen.portable.page import served_page
from textgen.serving import completions, metrics, playground, predict, score
from textgen.serving import models as models_route
from textgen.serving.access import Access
from textgen.serving.failures import RequestError, answer_error, as_request_error
from textgen.serving.gate import BODY_SECONDS, Answers, Gate
from textgen.serving.threads import Threads

if TYPE_CHECKING:
    from textgen.serving.models import Models

_log = logging.getLogger(__name__)


def make_app(
    models: Models,
    access: Access | None = None,
    *,
    health_route: str = "/healthz",
    predict_route: str = "/predict",
    body_seconds: float = BODY_SECONDS,
) -> Starlette:
    """Makes the service.

    Args:
        models: the models that it serves.
        access: who may use it; None for this machine.
        health_route: the path of the health checks.
        predict_route: the path of Vertex AI's predictions.
        body_seconds: the time in which the body of a request must arrive.

    Returns:
        The application. Its `state` has `models`, `metrics`, `threads`, `short_threads`, `is_draining`, whether the server is shutting
        down, and what the playground shares.
    """
    health_routes = {"/healthz", health_route}
    routes = [  # those that can be chosen come first, so that they win over others of the same path
        *(Route(path, _answer_health) for path in health_routes),
        Route(predict_route, predict.answer, methods=["POST"]),
        Route("/", _answer_page),
        Route("/metrics", metrics.answer),
        Route("/v1/models", models_route.answer),
        Route("/v1/completions", completions.answer, methods=["POST"]),
        Route("/v1/score", score.answer, methods=["POST"]),
        Route("/playground/states", playground.answer_states, methods=["POST"]),
        Route("/playground/passages", playground.answer_passages, methods=["POST"]),
        Route("/playground/copies", playground.answer_copies, methods=["POST"]),
    ]
    access = Access() if access is None else access
    figures = metrics.Metrics(models)

    def report(method: str, route: str, status: int, seconds: float) -> None:
        figures.answered(route, status)
        if writes_log_entries() and route != health_route:
            fields = {"status": status, "seconds": round(seconds, 3)}
            _log.info("%s %s %d", method, route, status, extra={"fields": fields})

    middleware = [
        Middleware(Answers, report=report),
        Middleware(Gate, access=access, open_paths=frozenset({"/", *health_routes}), body_seconds=body_seconds),
    ]
    if access.origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=access.origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=("Retry-After",),
        )
        middleware.insert(1, cors)
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={
            RequestError: _answer_failure,
            TextgenError: _answer_failure,
            HTTPException: _answer_refusal,
        },
    )
    app.router.redirect_slashes = False
    app.state.models = models
    app.state.metrics = figures
    app.state.threads = Threads()
    app.state.short_threads = Threads()
    app.state.is_draining = False
    app.state.passage_finder = playground.PassageFinder()
    return app


async def _answer_page(request: Request) -> Response:
    """Answers GET / with the playground."""
    del request
    page = served_page()
    return HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})


async def _answer_health(request: Request) -> Response:
    """Answers GET /healthz."""
    if request.app.state.is_draining:
        return JSONResponse({"status": "draining"}, 503)
    return JSONResponse({"status": "ok"})


async def _answer_failure(request: Request, error: Exception) -> Response:
    """Answers a request whose handler raised an error that is expected."""
    del request
    shown_error = as_request_error(error)
    if isinstance(error, TextgenError) and shown_error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("a request failed: %s", one_line(error))
    return answer_error(shown_error)


async def _answer_refusal(request: Request, error: Exception) -> Response:
    """Answers a request of no route, or with a method that its route lacks."""
    if not isinstance(error, HTTPException):
        return answer_error(as_request_error(error))
    path = shown(request.url.path)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        message = f"{path} does not accept {request.method}; use {allowed}"
    else:
        message = f"there is no path {path}; check its spelling"
    return answer_error(RequestError(error.status_code, message, headers=error.headers))
