import threading

import pytest

from tests.serving.running import HANG_SECONDS
from tests.serving.test_worker import start, wait_until
from textgen.generation.step import LSTMRun
from textgen.serving import score


@pytest.mark.parametrize(
    ("owner", "name", "path", "length", "fields"),
    [
        (LSTMRun, "read_with_logits", "/v1/score", 3000, {}),
        (score, "_to_some_json", "/v1/score", 3000, {}),
        (LSTMRun, "outputs", "/playground/states", 3000, {"layer": 0, "unit": 0}),
        (LSTMRun, "outputs", "/playground/states", 3000, {"layer": 0}),
        (LSTMRun, "read", "/v1/completions", 3000, {}),
        (LSTMRun, "read", "/v1/completions", 3000, {"stream": True}),
        (LSTMRun, "read", "/v1/completions", 1500, {}),
        (LSTMRun, "read_with_logits", "/v1/completions", 3000, {"max_tokens": 1, "echo": True, "logprobs": 1}),
    ],
    ids=str,
)
def test_what_is_computed_for_a_client_that_left_ends(served, monkeypatch, owner, name, path, length, fields):
    """If a client leaves while its text is read, or its answer is made, this ends with the part that has begun."""
    calls, compute, left = [], getattr(owner, name), threading.Event()

    def wait_and_compute(*args):
        calls.append(threading.current_thread())
        assert left.wait(HANG_SECONDS)
        return compute(*args)

    monkeypatch.setattr(owner, name, wait_and_compute)
    field = "prompt" if path == "/v1/completions" else "text"
    connection = start(served.service, path, **{field: "a" * length}, **fields)
    wait_until(lambda: calls)
    connection.close()
    counted = f'textgen_requests_total{{route="{path}",status="499"}} 1.0'
    wait_until(lambda: counted in served.service.ask("GET", "/metrics").body.decode())
    left.set()
    assert served.service.ask("POST", "/v1/completions", {"prompt": "a", "max_tokens": 2}).status == 200
    state = served.service.server.config.app.state
    wait_until(lambda: not state.threads._threads + state.short_threads._threads)
    assert len(calls) == 1
