import dataclasses
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.serving.running import HANG_SECONDS, Service, running
from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.corpus import open_sections
from textgen.corpus.find_text import find_text
from textgen.generation import ModelFile, write_model
from textgen.serving.app import make_app
from textgen.serving.models import Models


@pytest.fixture(autouse=True)
def own_log():
    """Restores the log of the service, which the command sends to the console."""
    log = logging.getLogger("textgen.serving")
    level, propagate, handlers = log.level, log.propagate, log.handlers
    yield
    log.propagate, log.handlers = propagate, handlers
    log.setLevel(level)


@dataclass
class Served:
    """A running service with models.

    Attributes:
        service: sends requests to it.
        models: the models.
        client: OpenAI's client.
    """

    service: Service
    models: Models
    client: openai.OpenAI

    def complete(self, **fields: Any) -> Any:
        """Sends a request with OpenAI's client, in which `model` and fields that OpenAI does not have are optional."""
        ours = ("top_k", "min_p", "repetition_penalty", "max_copy", "ban", "lines", "oov")
        extra = {name: fields.pop(name) for name in ours if name in fields}
        fields.setdefault("model", next(iter(self.models)).name)
        return self.client.completions.create(**fields, extra_body=extra)


@pytest.fixture
def serve(tmp_path):
    """A function that serves models in this process: `ModelFile`s, which are named model, model-2 and so on, or places."""
    with ExitStack() as stack:

        def start(*given):
            places: list[str | Path] = []
            for each in given:
                if isinstance(each, ModelFile):
                    job = tmp_path / f"{len(places)}" / "model"
                    job.mkdir(parents=True)
                    write_model(job / "model.safetensors", each)
                    places.append(job)
                else:
                    places.append(each)
            models = Models(places)
            service = stack.enter_context(running(make_app(models)))
            stack.callback(models.close)  # before the service waits for texts that are still being written
            address = f"http://127.0.0.1:{service.port}/v1"
            client = openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=HANG_SECONDS)
            stack.callback(client.close)
            return Served(service, models, client)

        yield start


@pytest.fixture
def served(serve, random_model):
    """A service with a small model of the letters a to j with random weights, named model."""
    return serve(random_model())


@pytest.fixture
def make_job(tmp_path, random_model, monkeypatch):
    """A function that makes a job directory whose training text is at hand, in a folder whose name nobody should see."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))

    def make(text):
        book = tmp_path / "secret" / "book.txt"
        book.parent.mkdir()
        book.write_text(text)
        config = TrainingConfig(texts=(str(book),))
        directory = tmp_path / "secret" / "job"
        directory.mkdir()
        (directory / "config.yaml").write_text(to_yaml(config))
        sections = open_sections(find_text(config))
        write_model(directory / "model.safetensors", dataclasses.replace(random_model(), data_sha256=sections.sha256))
        return directory

    return make
