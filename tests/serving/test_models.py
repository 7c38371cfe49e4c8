import os

import pytest

from tests.serving.test_worker import wait_until
from textgen.errors import FormatError, MissingError
from textgen.generation import write_model
from textgen.serving.failures import RequestError
from textgen.serving.models import Models
from textgen.storage import bundled


@pytest.fixture
def place(tmp_path, random_model):
    """A job directory with a model."""
    place = tmp_path / "story-8-states-2-layers"
    place.mkdir()
    write_model(place / "model.safetensors", random_model())
    return place


def test_names(place, tmp_path, random_model):
    """A model is named after its job or its file, and each name is unique; the first is the one that is meant without a name."""
    (tmp_path / "other" / place.name).mkdir(parents=True)
    write_model(tmp_path / "other" / place.name / "model.safetensors", random_model(2))
    write_model(tmp_path / "mine.safetensors", random_model(3))
    models = Models(
        [place, str(place / "model.safetensors"), tmp_path / "other" / place.name, tmp_path / "mine.safetensors"]
    )
    assert [model.name for model in models] == [place.name, f"{place.name}-2", f"{place.name}-3", "mine"]
    assert models.find() is models.find(place.name)
    assert models.find("mine").generator.model.sha256 != models.find().generator.model.sha256
    with pytest.raises(RequestError, match="there is no model 'min'; GET /v1/models lists all; did you mean mine"):
        models.find("min")


def test_a_name_that_is_not_text(serve, tmp_path, random_model):
    """A model whose file name is not UTF-8 can be listed and used."""
    place = tmp_path / os.fsdecode(b"caf\xe9.safetensors")
    write_model(place, random_model())
    served = serve(place)
    [model] = served.client.models.list().data
    assert model.id == "caf?"
    assert len(served.complete(model="caf?", prompt="a").choices[0].text) == 16


def test_a_job_without_a_model(tmp_path):
    """A model that cannot be read is refused when the server starts."""
    with pytest.raises(MissingError):
        Models([tmp_path / "missing"])
    (tmp_path / "bad.safetensors").write_bytes(b"no model")
    with pytest.raises(FormatError):
        Models([tmp_path / "bad.safetensors"])


def test_a_list_of_models(serve, random_model):
    """GET /v1/models describes each model; OpenAI's client reads it."""
    served = serve(bundled("data/base.safetensors"), random_model(num_proj=3))
    base, other = served.client.models.list().data
    assert (base.id, base.object, base.owned_by) == ("base", "model", "textgen")
    assert base.details["bits_per_character"] > 0
    assert (base.details["one_character"], base.details["language_model"]) == (True, "char")
    assert other.id == "model"
    model = served.models.find("model").generator.model
    assert other.details == {
        "language_model": "char",
        "one_character": True,
        "vocabulary_size": 13,
        "layers": 2,
        "lstm_state_size": 8,
        "outputs": [3, 3],
        "parameters": sum(tensor.size for tensor in model.tensors.values()),
        "steps": 1,
        "bits_per_character": None,
        "has_text": False,
    }


def test_several_models(serve, random_model):
    """Each model writes its own texts, at the same time."""
    served = serve(random_model(1), random_model(2))
    streams = [
        served.complete(model=name, prompt="ab", max_tokens=200, seed=1, stream=True) for name in ("model", "model-2")
    ]
    found = ["".join(event.choices[0].text for event in stream) for stream in streams]
    for name, text in zip(("model", "model-2"), found, strict=True):
        generator = served.models.find(name).generator
        assert text == "".join(generator.generate("ab", length=200, temperature=1, seed=1))
    assert found[0] != found[1]


def test_a_model_that_is_trained_further(serve, place, random_model, caplog):
    """A model file that is written again is used for later requests, and running texts end with the old one."""
    caplog.set_level("INFO", "textgen.serving.models")
    served = serve(place)
    old = served.complete(prompt="ab", max_tokens=4000, seed=1)
    stream = served.complete(prompt="ab", max_tokens=4000, seed=1, stream=True)
    text = next(stream).choices[0].text
    write_model(place / "model.safetensors", random_model(2))
    wait_until(lambda: served.complete(prompt="ab", max_tokens=1).system_fingerprint != old.system_fingerprint)
    assert (
        served.models.find().generator.model.tensors["output.bias"].tolist()
        == random_model(2).tensors["output.bias"].tolist()
    )
    new = served.complete(prompt="ab", max_tokens=4000, seed=1)
    assert new.choices[0].text != old.choices[0].text
    assert text + "".join(event.choices[0].text for event in stream) == old.choices[0].text
    assert caplog.messages == [f"The model {place.name} has changed and was loaded again"]


def test_a_damaged_model_file(serve, place, random_model, caplog):
    """A model file that is half-written or damaged changes nothing, which one line says; once it is whole, it is used."""
    served = serve(place)
    file = place / "model.safetensors"
    old = served.complete(prompt="ab", seed=1)
    write_model(place / "next", random_model(2))
    whole = (place / "next").read_bytes()
    file.write_bytes(whole[:3000])
    wait_until(
        lambda: (
            served.models.find()
            and not served.models._models[place.name]._lock.locked()
            and served.models._models[place.name]._seen[1] == 3000
        )
    )
    for _ in range(3):
        assert served.complete(prompt="ab", seed=1).choices[0].text == old.choices[0].text
    [warning] = caplog.messages
    assert warning.startswith(
        f"the model {place.name} cannot be loaded again, so its earlier version stays in use: cannot use {file}"
    )
    file.unlink()
    assert served.complete(prompt="ab", seed=1).choices[0].text == old.choices[0].text
    file.write_bytes(whole)
    os.utime(file, (1, 1))
    wait_until(lambda: served.complete(prompt="ab", seed=1).system_fingerprint != old.system_fingerprint)


@pytest.mark.cloud
def test_a_model_in_a_bucket_that_is_trained_further(serve, bucket, front, place, random_model, monkeypatch, caplog):
    """A model that a job in a bucket writes again is used for later requests; what goes wrong meanwhile is logged once."""
    caplog.set_level("INFO", "textgen.serving.models")
    monkeypatch.setattr("textgen.serving.models._SECONDS_BETWEEN_DOWNLOADS", 0)
    blob = bucket.blob(f"jobs/{place.name}/model.safetensors")
    blob.upload_from_filename(place / "model.safetensors")
    served = serve(f"gs://{bucket.name}/jobs/{place.name}")
    kept = served.models._models[place.name]

    def fingerprint():
        """Returns that of a text, after the bucket has been asked."""
        looked = kept._looked
        served.complete(prompt="ab")
        wait_until(lambda: kept._looked != looked and not kept._lock.locked())
        return served.complete(prompt="ab").system_fingerprint

    old = fingerprint()
    blob.upload_from_string(b"damaged")
    assert [fingerprint() for _ in range(2)] == [old, old]
    blob.delete()
    assert fingerprint() == old
    write_model(place / "model.safetensors", random_model(2))
    blob.upload_from_filename(place / "model.safetensors")
    new = fingerprint()
    assert new != old
    assert fingerprint() == new
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith(f"the model {place.name} cannot be loaded again")
    assert caplog.messages[1] == f"The model {place.name} has changed and was loaded again"


@pytest.mark.cloud
def test_a_bucket_is_asked_once_a_minute(serve, bucket, front, place):
    """Requests do not ask the bucket for changes before a minute has passed."""
    blob = bucket.blob(f"jobs/{place.name}/model.safetensors")
    blob.upload_from_filename(place / "model.safetensors")
    served = serve(f"gs://{bucket.name}/jobs/{place.name}")
    kept, asked = served.models._models[place.name], len(front.paths)
    looked = kept._looked
    for _ in range(3):
        served.complete(prompt="ab")
    assert (kept._looked, kept._lock.locked(), len(front.paths)) == (looked, False, asked)
    kept._looked -= 60
    served.complete(prompt="ab")
    wait_until(lambda: kept._looked > looked and not kept._lock.locked())
    assert len(front.paths) == asked + 2  # for an object of this name, and for one inside
