import json
import signal
import socket

import pytest

from tests.serving.running import running, started
from textgen.config import SamplingConfig
from textgen.generation import TextGenerator, write_model
from textgen.serving.app import make_app
from textgen.serving.models import Models


@pytest.fixture
def model_file(tmp_path, random_model):
    """A model file, `model.safetensors`, in a directory of its own."""
    path = tmp_path / "model" / "model.safetensors"
    path.parent.mkdir()
    write_model(path, random_model())
    return path


@pytest.fixture
def service(model_file):
    """A service on this machine."""
    with running(make_app(Models([model_file]))) as found:
        yield found


def predict(service, instances, /, **parameters):
    """Asks for predictions."""
    return service.ask("POST", "/predict", {"instances": instances, "parameters": parameters})


def predictions(service, instances, /, **parameters):
    """Returns the predictions."""
    answer = predict(service, instances, **parameters)
    assert answer.status == 200, answer.body
    found = json.loads(answer.body)
    assert list(found) == ["predictions"]
    return found["predictions"]


def test_each_instance_is_continued(service, random_model):
    """An instance is a string or an object; its prediction is the text that the same seed gives elsewhere, without the prompt."""
    found = predictions(service, ["ab", {"prompt": "cde"}, ""], length=30, seed=5)
    generator = TextGenerator(random_model())
    wanted = ["".join(generator.generate(prompt, length=30, seed=5)) for prompt in ("ab", "cde", "")]
    assert found == [{"text": text, "finish_reason": "length"} for text in wanted]


def test_the_settings_are_those_of_a_sample_by_default(service, random_model):
    """Without parameters, texts are as long and as bold as those of textgen-sample."""
    [found] = predictions(service, ["ab"], seed=5)
    config = SamplingConfig()
    text = "".join(TextGenerator(random_model()).generate("ab", seed=5))
    assert (found["text"], len(found["text"])) == (text, config.length)
    answer = service.ask("POST", "/predict", {"instances": ["ab"]})
    assert len(json.loads(answer.body)["predictions"][0]["text"]) == config.length


def test_the_parameters_are_those_of_a_completion(service):
    """Parameters have the names of a completion's fields, or `length` for `max_tokens`."""
    long = predictions(service, ["ab"], max_tokens=40, seed=5, temperature=0)
    assert long == predictions(service, ["ab"], length=40, seed=5, temperature=0.0, top_k=3, min_p=0.1, best_of=2)
    stop = long[0]["text"][20]
    [cut] = predictions(service, ["ab"], length=40, seed=5, temperature=0, stop=stop)
    assert cut == {"text": long[0]["text"].split(stop)[0], "finish_reason": "stop"}


def test_nothing_is_continued_to_nothing(service):
    """Without instances there are no predictions."""
    assert predictions(service, []) == []


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "instances is required"),
        ({"instances": "ab"}, 400, "instances must be a list, got a string"),
        ({"instances": ["ab", 5]}, 400, "instances[1] must be a string, or an object with a prompt, got 5"),
        ({"instances": [None]}, 400, "instances[0] must be a string, or an object with a prompt, got None"),
        ({"instances": ["ab", {}]}, 400, "instances[1]: prompt is required"),
        ({"instances": [{"prompt": 5}]}, 400, "instances[0]: prompt must be a string, got a whole number"),
        ({"instances": [{"prompt": "a", "n": 5}]}, 400, "instances[0]: unknown field 'n'"),
        ({"instances": ["ab", "aXb"]}, 400, "instances[1]: the model does not know these tokens of the prompt: 'X'"),
        ({"instances": ["a\0"]}, 400, "instances[0]: "),
        ({"instances": ["a"] * 1000}, 422, "instances must have at most 128 texts, got 1000"),
        ({"instances": ["a"], "parameters": []}, 400, "parameters must be an object or null, got a list"),
        ({"instances": ["a"], "more": 1}, 400, "unknown field 'more'"),
        ({"instances": ["a"], "parameters": {"x": 1}}, 400, "parameters: unknown field 'x'"),
        ({"instances": ["a"], "parameters": {"temperature": "hot"}}, 400, "parameters: temperature must be a number"),
        ({"instances": ["a"], "parameters": {"temperature": -1}}, 400, "parameters: temperature must be at least 0"),
        ({"instances": ["a"], "parameters": {"length": 10**9}}, 422, "parameters: length must be"),
        ({"instances": ["a"], "parameters": {"length": "x"}}, 400, "parameters: length must be a whole number"),
        ({"instances": ["a"], "parameters": {"max_tokens": -1}}, 400, "parameters: max_tokens must be"),
        ({"instances": ["a"], "parameters": {"n": 2}}, 400, "parameters must not have n; leave it out"),
        (
            {"instances": ["a"], "parameters": {"length": 1, "max_tokens": 1}},
            400,
            "length and max_tokens mean the same",
        ),
        (
            {"instances": ["a"] * 60, "parameters": {"best_of": 3}},
            422,
            "parameters: best_of must be at most 2 for 60 instances, got 3",
        ),
        ({"instances": ["a"], "parameters": {"model": "other"}}, 404, "parameters: there is no model 'other'"),
    ],
)
def test_what_is_wrong_is_named(service, body, status, message):
    """An error names the instance by its index, or the parameter."""
    answer = service.ask("POST", "/predict", body)
    assert (answer.status, answer.error["message"][: len(message)]) == (status, message)
    [place] = {"instances", "parameters"} & {answer.error["param"]} or {answer.error["param"]}
    assert place in {"instances", "parameters", "more"}


def free_port():
    """Returns a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.mark.cloud
def test_an_endpoint_of_vertex_ai_is_served(bucket, model_file, tmp_path, monkeypatch):
    """With Vertex AI's variables alone, the model in the bucket is served at the given port and routes, under any name.

    Lines of standard error are log entries in JSON, without the health checks.
    """
    monkeypatch.chdir(tmp_path)
    bucket.blob("models/5/model/model.safetensors").upload_from_filename(model_file)
    port = free_port()
    health, prediction = "/v1/endpoints/7/deployedModels/8", "/v1/endpoints/7/deployedModels/8:predict"
    variables = {
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": health,
        "AIP_PREDICT_ROUTE": prediction,
        "AIP_STORAGE_URI": f"gs://{bucket.name}/models/5/model",
    }
    with started(port=(), **variables) as endpoint:
        assert endpoint.service.port == port
        [line] = endpoint.lines
        assert json.loads(line)["message"] == f"Serving model at http://0.0.0.0:{port}"
        gateway = {"Host": "deployed-model.internal", "Origin": "https://console.example"}
        assert endpoint.service.ask("GET", health, **gateway).status == 200
        body = {"instances": ["ab", {"prompt": "cd"}], "parameters": {"length": 12, "seed": 3}}
        answer = endpoint.service.ask("POST", prediction, body, **gateway)
        assert answer.status == 200
        assert [len(each["text"]) for each in json.loads(answer.body)["predictions"]] == [12, 12]
        assert endpoint.service.ask("POST", "/v1/completions", {"prompt": "ab"}, **gateway).status == 200
        assert endpoint.service.ask("POST", prediction, {"instances": [5]}, **gateway).status == 400
        code, err = endpoint.end(signal.SIGTERM)
    assert code == 0
    entries = [json.loads(line) for line in err.splitlines()]
    assert [(entry["message"], entry["severity"]) for entry in entries] == [
        (f"POST {prediction} 200", "INFO"),
        ("POST /v1/completions 200", "INFO"),
        (f"POST {prediction} 400", "INFO"),
    ]
    assert entries[0]["status"] == 200
    assert entries[0]["seconds"] >= 0


@pytest.mark.cloud
def test_a_model_that_is_missing_in_the_bucket_is_named(bucket, tmp_path, monkeypatch, capsys):
    """A model that the endpoint cannot find ends the container with 66, and one entry in the log."""
    from textgen.cli import serve

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIP_HTTP_PORT", str(free_port()))
    monkeypatch.setenv("AIP_STORAGE_URI", f"gs://{bucket.name}/nothing")
    assert serve.main([]) == 66
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"].startswith(
        f"textgen serve: MissingError: there is no model at gs://{bucket.name}"
    )
