"""Puts the service together: its routes, and what every request passes first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from textgen.errors import TextgenError
from textgen.formatting import shown
from textgen.serving import metrics
from textgen.serving.failures import RequestError, answer_error, as_request_error

if TYPE_CHECKING:
    from textgen.serving.models import Models

Handler = Callable[[Request], Awaitable[Response]]


def make_app(models: Models) -> Starlette:
    """Makes the service.

    Args:
        models: the models that it serves.

    Returns:
        The application. Its `state` has `models`, `metrics` and `is_draining`, whether the server is about to end.
    """
    routes = [
        Route("/healthz", _answer_health),
        Route("/metrics", metrics.answer),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            RequestError: _answer_failure,
            TextgenError: _answer_failure,
            HTTPException: _answer_refusal,
            Exception: _answer_failure,
        },
    )
    app.router.redirect_slashes = False
    app.state.models = models
    app.state.metrics = metrics.Metrics(lambda: models)
    app.state.is_draining = False
    return app


async def _answer_health(request: Request) -> Response:
    """Answers GET /healthz."""
    if request.app.state.is_draining:
        return JSONResponse({"status": "draining"}, 503)
    return JSONResponse({"status": "ok"})


async def _answer_failure(request: Request, error: Exception) -> Response:
    """Answers a request whose handler raised an error."""
    del request
    return answer_error(as_request_error(error))


async def _answer_refusal(request: Request, error: Exception) -> Response:
    """Answers a request of no route, or with a method that its route lacks."""
    if not isinstance(error, HTTPException):
        return answer_error(as_request_error(error))
    path = shown(request.url.path)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        message = f"{path} does not take {request.method}; use {allowed}"
    else:
        message = f"there is no {path}; check the path"
    return answer_error(RequestError(error.status_code, message, headers=error.headers))
