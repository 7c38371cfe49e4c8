import json

import numpy as np
import pytest

from textgen.evaluation import units
from textgen.generation import LSTMStep

LETTERS = "abcdefghij"


def ask(served, path, **fields):
    """Sends a request of the playground."""
    return served.service.ask("POST", f"/playground/{path}", fields)


def found(served, path, **fields):
    """Returns the answer to a request of the playground."""
    answer = ask(served, path, **fields)
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.fixture
def job(make_job):
    """A job with a random text."""
    rng = np.random.default_rng(1)
    return make_job("".join(rng.choice([*LETTERS, "\n"], 5000)))


def training_text_of(job):
    return (job.parent / "book.txt").read_text()


def test_the_values_of_a_unit(serve, random_model):
    """There is a value for each token of the score of the same text; without a unit, the strongest units are listed."""
    model = random_model()
    served = serve(model)
    text = "abba\ncafé"
    values = found(served, "states", text=text, layer=1, unit=3)["values"]
    network = LSTMStep(model)
    expected = units.outputs_of_unit(network, model.vocabulary.encode(text), 1, 3)
    np.testing.assert_allclose(values, expected, atol=1e-4)
    strongest = found(served, "states", text=text, layer=1)["strongest"]
    assert sorted(unit for unit, _ in strongest) == list(range(8))
    assert [unit for unit, _ in strongest] == [unit for unit, _ in sorted(strongest, key=lambda one: -abs(one[1]))]
    assert dict(map(tuple, strongest))[3] == pytest.approx(values[-1], abs=1e-4)
    assert found(served, "states", text="", layer=0, unit=0) == {"values": []}
    assert found(served, "states", text="", layer=0) == {"strongest": []}


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("states", {"text": "a", "layer": 2}, "layer"),
        ("states", {"text": "a", "layer": 0, "unit": 8}, "unit"),
        ("states", {"text": "a", "layer": -1}, "layer"),
        ("states", {"text": "a", "layer": 1 << 62}, "layer"),
        ("states", {"layer": 0}, "text"),
        ("passages", {"layer": 2, "unit": 0}, "layer"),
        ("passages", {"layer": 0, "unit": 8}, "unit"),
        ("passages", {"layer": 0}, "unit"),
        ("passages", {"layer": 0, "unit": 0, "count": 0}, "count"),
        ("copies", {"text": ["a"]}, "text"),
        ("copies", {}, "text"),
    ],
)
def test_a_wrong_field_is_named(serve, job, path, fields, param):
    """A layer or unit that the model lacks, and a missing or ill-typed field, give 400 and its name."""
    refused = ask(serve(job), path, **fields)
    assert (refused.status, refused.error["param"]) == (400, param)


def test_passages_in_which_a_unit_is_strongest(serve, job, monkeypatch):
    """Passages of the training text come with a value for each token; the text is read once for all units of a layer."""
    reads = []

    def count_reads(*arguments):
        reads.append(arguments[-1])
        return units.find_strongest_places(*arguments)

    monkeypatch.setattr("textgen.serving.playground.find_strongest_places", count_reads)
    served = serve(job)
    for layer in range(2):
        for unit in range(8):
            passages = found(served, "passages", layer=layer, unit=unit, count=3)["passages"]
            assert len(passages) == 3
            for passage in passages:
                assert passage["text"] in training_text_of(job)
                assert "".join(passage["tokens"]) == passage["text"]
                assert len(passage["values"]) == len(passage["tokens"])
            peaks = [abs(passage["values"][passage["peak"]]) for passage in passages]
            assert peaks == sorted(peaks, reverse=True)
    assert reads == [0, 1]
    assert len(found(served, "passages", layer=0, unit=0)["passages"]) == 8


def test_copied_passages(serve, job):
    """Passages of at least 40 characters that are in the training text are found, in code points."""
    copied = training_text_of(job)[1000:1050]
    copies = found(serve(job), "copies", text=f"😀abc{copied}é")["copies"]
    [passage] = copies
    assert passage["start"] <= 4
    assert passage["end"] in {54, 55}
    assert found(serve(job), "copies", text="abc") == {"copies": []}


@pytest.mark.parametrize(("path", "fields"), [("passages", {"layer": 0, "unit": 0}), ("copies", {"text": "abc"})])
def test_a_text_that_is_not_at_hand(serve, job, random_model, path, fields):
    """Without the training text, or if it has changed, there are neither passages nor copies, and no path is in the answer."""
    served = serve(job)
    (job.parent / "book.txt").write_text("something else\n" * 100)
    for refused in (ask(serve(random_model()), path, **fields), ask(served, path, **fields)):
        assert (refused.status, refused.error["code"]) == (404, "no_training_text")
        assert b"secret" not in refused.body
        assert "does not have the training text" in refused.error["message"]
