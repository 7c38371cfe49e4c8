import json
import math
import re
import time
from pathlib import Path

import numpy as np
import openai
import pytest

from tests.serving.running import HANG_SECONDS
from textgen.cli import sample
from textgen.config import SamplingConfig
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import TextGenerator
from textgen.planning import ModelShape
from textgen.serving import streaming

ROOT = Path(__file__).resolve().parents[2]

LONG = {"max_tokens": 300, "temperature": 1, "seed": 5}


def texts(answer):
    return [choice.text for choice in answer.choices]


def join(stream):
    """Returns the whole texts and the finish reasons of a stream, by index."""
    found: dict[int, str] = {}
    reasons: dict[int, str] = {}
    for event in stream:
        for choice in event.choices:
            found[choice.index] = found.get(choice.index, "") + choice.text
            assert choice.index not in reasons
            if choice.finish_reason is not None:
                reasons[choice.index] = choice.finish_reason
    return found, reasons


@pytest.fixture
def words(random_model):
    """A model of pre-tokenized words with random weights, in which pieces differ from tokens by a space."""
    tokens = ("the", "cat", "sat", ",", ".", "(", ")", "'", "s", "dog")
    vocabulary = Vocabulary(("", "[UNK]", *tokens), make_tokenizer("spaced"))
    shape = ModelShape.of({"layers": 1, "lstm_state_size": 8}, vocabulary.size)
    model = random_model()
    tensors = {
        name: np.random.default_rng(3).normal(size=size).astype(np.float32) for name, size in shape.tensors.items()
    }
    return type(model)(tensors, shape, vocabulary, scores={}, data_sha256="", step=1, textgen_version="0.1.0")


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 0.9, "seed": 7, "top_k": 5, "min_p": 0.02}])
def test_the_text_of_the_command_line(served, capsys, settings):
    """The service writes what `textgen-sample` writes with the same settings."""
    place = str(next(iter(served.models)).path)
    flags = [f"--{name}={value}" for name, value in settings.items()]
    assert sample.main([place, "--prompt=abc", "--length=200", "--no_echo", *flags]) == 0
    expected = capsys.readouterr().out.removesuffix("\n")
    answer = served.complete(prompt="abc", max_tokens=200, **settings)
    assert texts(answer) == [expected]
    assert answer.choices[0].finish_reason == "length"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (3, 200, 203)


def test_defaults(served):
    """Without settings, a text has 16 tokens; the seed in the answer gives it again."""
    first = served.complete(prompt="abc")
    assert first.usage.completion_tokens == 16
    assert (first.object, first.model) == ("text_completion", "model")
    assert texts(served.complete(prompt="abc", seed=first.seed)) == texts(first)
    assert texts(served.complete(prompt="abc", seed=first.seed + 1)) != texts(first)
    model = next(iter(served.models)).generator.model
    assert model.sha256.startswith(first.system_fingerprint)


@pytest.mark.parametrize(
    "settings",
    [{}, {"n": 3}, {"prompt": ["a", "bc"], "n": 2}, {"echo": True}, {"stop": ["ab", "ba", "cde"]}, {"max_tokens": 0}, {"logprobs": 3}, {"ban": ["cc", "ja"]}, {"lines": 3}, {"stop": "j", "logprobs": 1, "echo": True}],
    ids=str,
)  # fmt: skip
def test_a_stream_has_the_same_text(served, settings):
    """A streamed text is the one that is not streamed, with the same reasons and log-probabilities."""
    fields = {"prompt": "abc", **LONG, **settings}
    whole = served.complete(**fields)
    events = list(served.complete(**fields, stream=True, stream_options={"include_usage": True}))
    found, reasons = join(events)
    assert [found[number] for number in sorted(found)] == texts(whole)
    assert [reasons[number] for number in sorted(reasons)] == [choice.finish_reason for choice in whole.choices]
    assert events[-1].usage == whole.usage
    assert {event.id for event in events} == {events[0].id}
    if "logprobs" in settings:
        parts = [event.choices[0].logprobs for event in events if event.choices]
        one = whole.choices[0].logprobs
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
            assert [value for part in parts for value in getattr(part, name)] == getattr(one, name)


def test_a_stream_ends_with_its_text(served, monkeypatch):
    """The end of a text is sent at once: it does not wait until the stream may send its next tokens."""
    monkeypatch.setattr(streaming, "_SECONDS_BETWEEN", 10 * HANG_SECONDS)
    found, reasons = join(served.complete(prompt="abc", max_tokens=2000, seed=1, stream=True))
    assert len(found[0]) == 2000
    assert reasons == {0: "length"}


def test_a_text_does_not_depend_on_others(served):
    """The same seed gives the same text, alone and with many others in the batch, and each of several texts has its own."""
    alone = [texts(served.complete(prompt="abc", max_tokens=300, seed=seed))[0] for seed in (5, 6)]
    assert texts(served.complete(prompt="abc", max_tokens=300, seed=5, n=2)) == alone
    streams = [
        served.complete(prompt="j" * number, max_tokens=4000, temperature=0.3, stream=True) for number in range(1, 8)
    ]
    assert texts(served.complete(prompt=["cab", "abc"], max_tokens=300, seed=5, n=2))[2:] == alone
    for stream in streams:
        stream.close()


def test_prompts_of_token_ids(served):
    """A prompt can be the ids of its tokens, in which 2 is the line break and 3 is a."""
    expected = texts(served.complete(prompt=["abc", "\nj"], **LONG))
    assert texts(served.complete(prompt=[[3, 4, 5], [2, 12]], **LONG)) == expected
    assert texts(served.complete(prompt=[3, 4, 5], **LONG)) == expected[:1]


def test_stop(served):
    """A text ends before the first text of `stop`, which is not part of it; where none occurs, the text is unchanged."""
    [whole] = texts(served.complete(prompt="abc", **LONG))
    stop = whole[100:104]
    answer = served.complete(prompt="abc", **LONG, stop=[stop, "never"])
    assert texts(answer) == [whole[: whole.index(stop)]]
    assert answer.choices[0].finish_reason == "stop"
    assert texts(served.complete(prompt="abc", **LONG, stop="aaaaaaaaaaaaaaaaaaaa")) == [whole]


def test_lines(served):
    """A text with all its lines ends with the reason stop, without the last line break."""
    [whole] = texts(served.complete(prompt="abc", **LONG))
    answer = served.complete(prompt="abc", **LONG, lines=2, logprobs=0)
    assert texts(answer) == ["\n".join(whole.split("\n")[:2])]
    assert answer.choices[0].finish_reason == "stop"
    assert "".join(answer.choices[0].logprobs.tokens) == answer.choices[0].text


def test_ban_and_bias(served):
    """A banned text is never written, a bias of -100 forbids a token, and one of 100 lets nothing else be written."""
    assert "cc" in texts(served.complete(prompt="abc", **LONG))[0]
    assert "cc" not in texts(served.complete(prompt="abc", **LONG, ban=["cc"]))[0]
    assert "c" not in texts(served.complete(prompt="abc", **LONG, logit_bias={"5": -100}))[0]
    assert set(texts(served.complete(prompt="abc", **LONG, logit_bias={"6": 100}))[0]) == {"d"}


def test_max_copy(serve, make_job, random_model):
    """A text does not copy more than `max_copy` characters of the training text; if that is gone, the request is refused."""
    copied = "".join(TextGenerator(random_model()).generate("ab", length=3000, temperature=0))
    job = make_job(copied)
    served = serve(job)
    fields = {"prompt": "ab", "temperature": 0, "max_tokens": 100}
    assert texts(served.complete(**fields))[0] == copied[:100]
    [text] = texts(served.complete(**fields, max_copy=20))
    assert all(text[start : start + 21] not in copied for start in range(len(text) - 20))
    assert len(text) > 20
    (job.parent / "book.txt").write_text("something else")
    with pytest.raises(openai.BadRequestError) as refused:
        serve(job).complete(**fields, max_copy=20)
    assert refused.value.param == "max_copy"
    assert "secret" not in str(refused.value)


def test_best_of(served):
    """The best of several texts are those with the fewest nats per token, the best first; all their tokens are counted."""
    generator = next(iter(served.models)).generator
    one = served.complete(prompt="abc", max_tokens=50, seed=3, best_of=4)
    config = SamplingConfig(length=50, seed=3, best_of=4, temperature=1)
    assert texts(one) == [text for sample, text in generator.write("abc", config)]
    assert one.usage.completion_tokens == 200
    scored = served.complete(prompt="abc", max_tokens=50, seed=3, best_of=4, n=3, logprobs=0)
    sums = [sum(choice.logprobs.token_logprobs) for choice in scored.choices]
    assert sums == sorted(sums, reverse=True)
    assert scored.choices[0].text == one.choices[0].text
    assert [choice.index for choice in scored.choices] == [0, 1, 2]


@pytest.mark.parametrize("more", [{}, {"ban": ["cc", "ja"]}, {"logit_bias": {"4": 3}}, {"temperature": 0.1}], ids=str)
def test_logprobs(served, more):
    """Log-probabilities are the model's own for each token that is in the text, whatever the settings and the bans."""
    generator = next(iter(served.models)).generator
    answer = served.complete(prompt="abc", **{**LONG, **more}, logprobs=4)
    found, text = answer.choices[0].logprobs, answer.choices[0].text
    assert "".join(found.tokens) == text
    assert found.text_offset == list(range(300))
    scored = list(generator.score(f"abc{text}", top=4))[3:]
    np.testing.assert_allclose(found.token_logprobs, [-token.nats for token in scored], rtol=1e-3, atol=1e-4)
    for top, token, logprob, expected in zip(
        found.top_logprobs, found.tokens, found.token_logprobs, scored, strict=True
    ):
        assert list(top)[:4] == [other.text for other in expected.top]
        assert list(top)[4:] == ([token] if token not in list(top)[:4] else [])
        assert top[token] == pytest.approx(logprob, abs=1e-5)


def test_echo(served):
    """With `echo`, the prompt is a part of the text, and of its log-probabilities; there are none for its first token."""
    plain = served.complete(prompt="abcab", max_tokens=20, seed=1, logprobs=2).choices[0]
    echoed = served.complete(prompt="abcab", max_tokens=20, seed=1, logprobs=2, echo=True).choices[0]
    assert echoed.text == f"abcab{plain.text}"
    found = echoed.logprobs
    assert "".join(found.tokens) == echoed.text
    assert found.text_offset == list(range(25))
    assert found.token_logprobs[0] is found.top_logprobs[0] is None
    assert found.token_logprobs[5:] == plain.logprobs.token_logprobs
    assert all(len(top) in {2, 3} for top in found.top_logprobs[1:])
    alone = served.complete(prompt="abcab", max_tokens=0, logprobs=2, echo=True).choices[0]
    assert (alone.text, alone.logprobs.tokens) == ("abcab", list("abcab"))


def test_words(serve, words):
    """The tokens of a word model are the pieces of its text, spaces included, and so are their alternatives."""
    served = serve(words)
    answer = served.complete(prompt="The cat", max_tokens=40, seed=2, logprobs=10, oov="unk").choices[0]
    found = answer.logprobs
    assert "".join(found.tokens) == answer.text
    assert found.text_offset == [len("".join(found.tokens[:number])) for number in range(40)]
    assert all(token in top for token, top in zip(found.tokens, found.top_logprobs, strict=True))
    assert {word for top in found.top_logprobs for word in top} >= {" cat", " dog", ",", ".", "cat"}
    for top in found.top_logprobs:
        assert len(top) == 10
        assert sum(map(math.exp, top.values())) <= 1


def test_no_field_is_ignored(served):
    """Fields with one useful value are accepted with it, null stands for the default, and nothing else is ignored."""
    same = served.complete(
        prompt="abc", seed=4, presence_penalty=0, frequency_penalty=0, suffix=None, user="me", logprobs=None, stop=None
    )
    assert texts(same) == texts(served.complete(prompt="abc", seed=4))


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"presence_penalty": 0.5}, 400, "presence_penalty"),
        ({"frequency_penalty": -1}, 400, "frequency_penalty"),
        ({"suffix": "x"}, 400, "suffix"),
        ({"stream_options": {}}, 400, "stream_options"),
        ({"best_of": 1, "n": 2}, 400, "best_of"),
        ({"best_of": 3, "stream": True}, 400, "best_of"),
        ({"n": 0}, 400, "n"),
        ({"n": 129}, 422, "n"),
        ({"n": 60, "prompt": ["a", "b", "c"]}, 422, "n"),
        ({"best_of": 129}, 422, "best_of"),
        ({"prompt": ["a"] * 129}, 422, "prompt"),
        ({"max_tokens": 4097}, 422, "max_tokens"),
        ({"max_tokens": -1}, 400, "max_tokens"),
        ({"max_tokens": 1.5}, 400, "max_tokens"),
        ({"max_tokens": 4096, "n": 5, "logprobs": 0}, 422, "logprobs"),
        ({"logprobs": 21}, 400, "logprobs"),
        ({"logprobs": -1}, 400, "logprobs"),
        ({"echo": True, "logprobs": 1, "prompt": "a" * 20000}, 422, "echo"),
        ({"temperature": -0.1}, 400, "temperature"),
        ({"temperature": "hot"}, 400, "temperature"),
        ({"top_p": 0}, 400, "top_p"),
        ({"top_k": 0}, 400, "top_k"),
        ({"min_p": 2}, 400, "min_p"),
        ({"repetition_penalty": 0.5}, 400, "repetition_penalty"),
        ({"seed": -1}, 400, "seed"),
        ({"lines": 0}, 400, "lines"),
        ({"oov": "guess"}, 400, "oov"),
        ({"max_copy": 40}, 400, "max_copy"),
        ({"stop": ""}, 400, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, 400, "stop"),
        ({"ban": ["a"] * 33}, 400, "ban"),
        ({"ban": "a" * 101}, 400, "ban"),
        ({"ban": ["\n", *"abcdefghij"]}, 400, "ban"),
        ({"logit_bias": {"a": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"1": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"13": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"3": 101}}, 400, "logit_bias"),
        ({"prompt": "xyz"}, 400, "prompt"),
        ({"prompt": []}, 400, "prompt"),
        ({"prompt": ["a", 3]}, 400, "prompt"),
        ({"prompt": [0]}, 400, "prompt"),
        ({"prompt": [13]}, 400, "prompt"),
        ({"prompt": [1 << 70]}, 400, "prompt"),
        ({"prompt": 5}, 400, "prompt"),
        ({"model": "models"}, 404, "model"),
        ({"chat": True}, 400, "chat"),
    ],
    ids=str,
)  # fmt: skip
def test_refusals(served, fields, status, param):
    """What cannot be done is refused in one line that names the field, and nothing is left in the queue."""
    answer = served.service.ask("POST", "/v1/completions", {"prompt": "a", **fields})
    assert answer.status == status, answer.body
    assert answer.error["param"] == param
    assert param in answer.error["message"] or status == 404 or param == "prompt"
    assert "\n" not in answer.error["message"]
    worker = next(iter(served.models)).worker
    assert (worker.rows, worker.waiting) == (0, 0)
    assert not worker._reserved


def test_a_bias_that_is_too_large(served):
    """The error speaks of the field as the request has it, with token ids and numbers."""
    answer = served.service.ask("POST", "/v1/completions", {"prompt": "a", "logit_bias": {"3": 101}})
    assert answer.error["message"] == "logit_bias must have numbers from -100 to 100, got 101.0 for the token id 3"


def test_an_error_of_the_client(served):
    """OpenAI's client raises the exceptions of its own for our errors."""
    with pytest.raises(openai.NotFoundError, match="did you mean model"):
        served.complete(model="mode", prompt="a")
    with pytest.raises(openai.UnprocessableEntityError):
        served.complete(prompt="a", max_tokens=5000)
    with pytest.raises(openai.BadRequestError, match="does not know"):
        served.complete(prompt="x")


def test_tokens_that_share_an_event(served):
    """The tokens of a stream that are ready together share an event, and there are at most 20 events a second."""
    began = time.monotonic()
    answer = served.service.ask("POST", "/v1/completions", {"prompt": "a", "max_tokens": 4000, "stream": True})
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    *events, last, rest = answer.body.split(b"\n\n")
    assert (last, rest) == (b"data: [DONE]", b"")
    found = [json.loads(event.removeprefix(b"data: ")) for event in events]
    assert sum(len(event["choices"][0]["text"]) for event in found) == 4000
    assert len(found) <= 20 * (time.monotonic() - began) + 2
    assert len(found) < 4000


def test_the_client_in_the_docs_prints_a_text(serve, capsys):
    """The program in docs/serving.md runs as it is printed, on another port."""
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "serving.md").read_text(), re.DOTALL)
    served = serve(ROOT / "data" / "base.safetensors")
    usual = "http://127.0.0.1:8000/"
    assert usual in program
    exec(program.replace(usual, f"http://127.0.0.1:{served.service.port}/"), {})  # noqa: S102 - our own program
    assert re.fullmatch(r"The captain.{20,200}\n", capsys.readouterr().out)
