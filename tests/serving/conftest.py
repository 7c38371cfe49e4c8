"""A server on loopback in the test's own process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import uvicorn

from textgen.generation import ModelFile, write_model
from textgen.serving.app import make_app
from textgen.serving.models import Models


class Served:
    """A running server.

    Attributes:
        url: its address.
        app: the application.
        models: the models that it serves.
    """

    def __init__(self, url: str, app: Any, models: Models) -> None:
        self.url, self.app, self.models = url, app, models

    def client(self, **settings: Any) -> openai.OpenAI:
        """Returns OpenAI's client for the server, which never tries again."""
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=60, **settings)


@contextmanager
def run_server(models: Models) -> Iterator[Served]:
    """Serves models on a free port until the end of the block."""
    app = make_app(models)
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=10)
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", app, models)
        finally:
            models.close()
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """A function that serves models, given as places or as `ModelFile`s, which get the names model, model-2 and so on."""
    with ExitStack() as stack:
        written = 0

        def start(*given: str | Path | ModelFile) -> Served:
            nonlocal written
            places: list[str | Path] = []
            for each in given:
                if isinstance(each, ModelFile):
                    written += 1
                    directory = tmp_path / str(written)
                    directory.mkdir()
                    write_model(directory / "model.st.safetensors", each)
                    places.append(directory / "model.st.safetensors")
                else:
                    places.append(each)
            return stack.enter_context(run_server(Models(places)))

        yield start
