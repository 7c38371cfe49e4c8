"""Serves a model as Vertex AI does, asks for a completion and a prediction, and ends the service. Runs in the container."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import urllib.request

PORT = "8765"
ROUTES = {"AIP_HTTP_PORT": PORT, "AIP_HEALTH_ROUTE": "/health", "AIP_PREDICT_ROUTE": "/predict"}


def ask(path, body=None):
    """Returns the JSON that the service answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the address is ours
        return json.load(answer)


assert importlib.util.find_spec("tensorflow") is None
with subprocess.Popen(
    ["textgen", "serve", sys.argv[1]],  # noqa: S607 - on the path of the image
    stderr=subprocess.PIPE,
    text=True,
    env={**os.environ, **ROUTES},
) as process:
    assert process.stderr is not None
    line = process.stderr.readline()
    assert json.loads(line)["message"].endswith(f" at http://0.0.0.0:{PORT}"), line
    assert ask("/health") == {"status": "ok"}
    [choice] = ask("/v1/completions", {"prompt": "the ", "max_tokens": 20, "seed": 1})["choices"]
    [prediction] = ask("/predict", {"instances": ["the "], "parameters": {"length": 20, "seed": 1, "temperature": 1}})[
        "predictions"
    ]
    assert prediction == {"text": choice["text"], "finish_reason": "length"}
    process.send_signal(signal.SIGTERM)
assert process.returncode == 0
sys.stdout.write(f"served: {choice['text']!r}\n")
