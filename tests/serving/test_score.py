import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving.running import HANG_SECONDS
from tests.serving.test_worker import wait_until
from textgen.generation import TextGenerator
from textgen.serving import score as endpoint
from textgen.serving.threads import AT_ONCE, LONG, MOST


def ask(served, **fields):
    """Sends a POST /v1/score."""
    return served.service.ask("POST", "/v1/score", fields)


def score(served, **fields):
    """Returns the scores of a text."""
    answer = ask(served, **fields)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    return json.loads(answer.body)


def test_the_scores_of_a_text(serve, random_model):
    """The answer has bits per character, and each token's text, offset, nats, rank and alternatives, as from Python."""
    model = random_model()
    served = serve(model)
    answer = score(served, text="abba\ncafé", top=3, next=4)
    expected = TextGenerator(model).score("abba\ncafé", top=3, after=4)
    assert (answer["object"], answer["model"]) == ("score", served.models.find().name)
    assert answer["bits_per_character"] == pytest.approx(expected.bits_per_character, abs=1e-4)
    assert answer["unknown_share"] == 1 / 9
    assert "".join(token["text"] for token in answer["tokens"]) == "abba\ncafé"
    for token, same in zip(answer["tokens"], expected, strict=True):
        assert (token["text"], token["offset"], token["rank"]) == (same.text, same.offset, same.rank)
        assert token["nats"] == (None if same.nats is None else pytest.approx(same.nats, abs=1e-4))
        assert [other["text"] for other in token["top"]] == [other.text for other in same.top]
        assert [other["nats"] for other in token["top"]] == pytest.approx([o.nats for o in same.top], abs=1e-4)
    assert answer["tokens"][0]["nats"] is answer["tokens"][0]["rank"] is None
    assert answer["tokens"][0]["top"] == []
    assert [(token["id"], token["text"]) for token in answer["next"]] == [(o.token_id, o.text) for o in expected.next]
    assert len(answer["next"]) == 4


def test_five_alternatives_are_the_default(served):
    """Without `top` and `next`, there are five alternatives and nothing about what follows."""
    answer = score(served, text="abc")
    assert [len(token["top"]) for token in answer["tokens"]] == [0, 5, 5]
    assert answer["next"] == []


def test_offsets_are_in_code_points(served):
    """A character outside the Basic Multilingual Plane counts as one."""
    answer = score(served, text="a😀b")
    assert [(token["text"], token["offset"]) for token in answer["tokens"]] == [("a", 0), ("😀", 1), ("b", 2)]
    assert answer["tokens"][1]["rank"] is None


@pytest.mark.parametrize("text", ["", "a"])
def test_a_text_with_nothing_to_score(served, text):
    """A text of less than two tokens has no bits per character; what may follow it is listed all the same."""
    answer = score(served, text=text, next=2)
    assert answer["bits_per_character"] is None
    assert [token["text"] for token in answer["tokens"]] == list(text)
    assert len(answer["next"]) == 2


def test_the_model_is_chosen_by_name(serve, random_model):
    """`model` names one of several models; any other name gives 404."""
    served = serve(random_model(1), random_model(2))
    names = [model.name for model in served.models]
    answers = [score(served, text="abc", model=name) for name in names]
    assert [answer["model"] for answer in answers] == names
    assert score(served, text="abc") == answers[0]
    assert answers[0]["bits_per_character"] != answers[1]["bits_per_character"]
    refused = ask(served, text="abc", model="other")
    assert (refused.status, refused.error["param"]) == (404, "model")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "text"),
        ({"text": 1}, "text"),
        ({"text": None}, "text"),
        ({"text": "a", "top": 21}, "top"),
        ({"text": "a", "top": -1}, "top"),
        ({"text": "a", "top": 1.5}, "top"),
        ({"text": "a", "top": True}, "top"),
        ({"text": "a", "next": 501}, "next"),
        ({"text": "a", "model": 1}, "model"),
        ({"text": "a", "tops": 1}, "tops"),
    ],
)
def test_a_wrong_field_is_named(served, fields, param):
    """A missing, unknown or ill-typed field, or one out of range, gives 400 and its name."""
    refused = ask(served, **fields)
    assert (refused.status, refused.error["param"]) == (400, param)


def test_a_large_answer_is_complete(serve, random_model, monkeypatch):
    """An answer that is too large to be kept whole is sent while it is made, and is the same; one too many is refused."""
    model = random_model()
    served = serve(model)
    text = "abcdefghij\n" * 500
    whole = score(served, text=text, top=10)
    monkeypatch.setattr(endpoint, "_LARGE", 1 << 12)
    assert score(served, text=text, top=10) == whole
    wait_until(lambda: not endpoint._LargeAnswer.sent)  # the server notices the end a little later than the client
    monkeypatch.setattr(endpoint, "_MOST_LARGE", 0)
    refused = ask(served, text=text, top=10)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
    assert ask(served, text="abc").status == 200


def test_many_requests_at_once(serve, random_model):
    """Requests that come at the same time wait for each other; those beyond the queue are refused, and told when to try again."""
    model = random_model(lstm_state_size=64)
    served = serve(model)
    text = "abcdefghij" * 100
    expected = TextGenerator(model).score(text).bits_per_character
    assert expected is not None
    with ThreadPoolExecutor(2 * MOST) as pool:
        answers = list(pool.map(lambda _: ask(served, text=text, top=0), range(2 * MOST)))
    for answer in answers:
        if answer.status == 503:
            assert answer.headers["Retry-After"] == "1"
        else:
            assert math.isclose(json.loads(answer.body)["bits_per_character"], expected, abs_tol=1e-4)
    assert sum(answer.status == 200 for answer in answers) >= MOST // 2
    assert ask(served, text=text).status == 200


def test_a_short_text_need_not_wait_for_long_ones(served, monkeypatch):
    """While as many long texts are read or wait as may, a further one is refused, and a short one is scored at once."""
    go_on, began, read = threading.Event(), threading.Semaphore(0), TextGenerator.score

    def wait_and_read(generator, text, **options):
        if len(text) > LONG:
            began.release()
            assert go_on.wait(HANG_SECONDS)
        return read(generator, text, **options)

    monkeypatch.setattr(TextGenerator, "score", wait_and_read)
    long = "a" * (LONG + 1)
    with ThreadPoolExecutor(MOST) as pool:
        answers = [pool.submit(ask, served, text=long) for _ in range(MOST)]
        for _ in range(AT_ONCE):
            assert began.acquire(timeout=HANG_SECONDS)
        wait_until(lambda: len(served.service.server.config.app.state.threads._results) == MOST)
        assert ask(served, text=long).status == 503
        assert ask(served, text=long[:LONG]).status == 200
        go_on.set()
        assert {answer.result().status for answer in answers} == {200}
