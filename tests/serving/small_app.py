"""The service with a few more routes, and without models, for tests of what every request passes."""

import contextlib

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.serving.running import running
from textgen.errors import MissingError
from textgen.serving.access import Access
from textgen.serving.app import make_app
from textgen.serving.models import Models


async def echo(request):
    return JSONResponse({"bytes": len(await request.body())})


async def fail(request):
    raise ZeroDivisionError("/home/someone/secret.py")


async def lack_a_file(request):
    raise MissingError("there is no /home/someone/book.txt; check the path")


async def page(request):
    return Response("page", headers={"Content-Security-Policy": "default-src 'self'"})


def app_of(**options):
    """Returns the service without models, with some more routes."""
    app = make_app(Models([]), **options)
    app.router.routes[:0] = [
        Route("/", page),
        Route("/echo", echo, methods=["POST"]),
        Route("/fail", fail),
        Route("/lack", lack_a_file),
    ]
    return app


def access_of(host="127.0.0.1", allow_host=(), cors=(), tokens=()):
    return Access.of(host, allow_host, cors, tokens)


@contextlib.contextmanager
def starting():
    """Yields a function that runs a service with options of `make_app` until the end of the block."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(running(app_of(**options)))
