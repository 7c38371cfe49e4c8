import numpy as np
import pytest

pytestmark = pytest.mark.browser

WRITE = """async (request) => {
  const tokens = [];
  const calls = [];
  const onTokens = (some) => { tokens.push(...some); calls.push(some.length) };
  const ended = await backend.write({ prompt: "abc", seed: 1, alternatives: 2, temperature: 1, ...request }, { onTokens });
  return { ...ended, text: tokens.map((token) => token.text).join(""), calls };
}"""


@pytest.fixture
def backend(start_backend, random_model):
    """A page with a backend of a model of characters."""
    return start_backend(random_model(embedding_size=4))


def write(backend, **request):
    return backend.evaluate(WRITE, {"length": 200, **request})


def read_tokens(backend, call):
    """The tokens that the network reads during a call."""
    return backend.evaluate(
        f"""async () => {{
          const read = Network.prototype.read;
          let count = 0;
          Network.prototype.read = function (id) {{ count++; return read.call(this, id) }};
          try {{ await {call} }} finally {{ Network.prototype.read = read }}
          return count;
        }}"""
    )


def test_a_seed_gives_the_same_text(backend):
    """The same seed gives the same text, another seed another text, and the seed that was drawn is returned."""
    first = write(backend)
    assert (len(first["text"]), first["finishReason"], first["seed"]) == (200, "length", 1)
    assert write(backend)["text"] == first["text"]
    assert write(backend, seed=2)["text"] != first["text"]
    drawn = write(backend, seed=None)
    assert write(backend, seed=drawn["seed"])["text"] == drawn["text"]


def test_a_text_does_not_depend_on_others(backend):
    """Texts that are written at the same time are those that are written alone, also while another text is read."""
    alone = [write(backend, seed=seed, length=3000)["text"] for seed in range(3)]
    together = backend.evaluate(
        f"""async () => {{
          const write = {WRITE};
          const scored = backend.score({{ text: "abcdefgh".repeat(500), top: 3, next: 3 }});
          const all = await Promise.all([0, 1, 2].map((seed) => write({{ seed, length: 3000 }})));
          await scored;
          return all.map((each) => each.text);
        }}"""
    )
    assert together == alone


@pytest.mark.parametrize(
    "stops",
    [
        lambda text: text[300:304],
        lambda text: [text[500:503], text[400:406]],
        lambda text: [text[300:304] + "a" * 50, text[301:305]],
        lambda text: text[0],
        lambda _: [""],
        lambda _: [],
        lambda _: ["XYZ"],
    ],
)
def test_a_text_ends_before_a_stop(stops, backend):
    """The text ends before the first of the texts to stop at, and nothing of it is delivered, even if it starts in an earlier token."""
    whole = write(backend, length=1000)["text"]
    stop = stops(whole)
    places = [whole.find(each) for each in ([stop] if isinstance(stop, str) else stop) if each]
    end = min((place for place in places if place >= 0), default=None)
    assert (end is None) == (stop in ([""], [], ["XYZ"]))
    found = write(backend, length=1000, stop=stop)
    assert (found["text"], found["finishReason"]) == (whole[:end], "length" if end is None else "stop")


def test_nothing_is_written_for_a_length_of_zero(backend):
    """A length of 0 gives an empty text."""
    assert write(backend, length=0)["text"] == ""


def test_an_aborted_text_ends_at_once(backend):
    """When the signal is aborted, the promise is rejected with its reason before the text is finished, and nothing is delivered later."""
    found = backend.evaluate(
        """async () => {
          const abort = new AbortController();
          let count = 0;
          const onTokens = (tokens) => { count += tokens.length; abort.abort() };
          const request = { prompt: "", length: 1e9, seed: 1, temperature: 1, alternatives: 2 };
          const error = await backend.write(request, { signal: abort.signal, onTokens }).catch((error) => error.name);
          const then = count;
          await new Promise((resolve) => setTimeout(resolve, 200));
          return [error, count === then, count];
        }"""
    )
    assert found[:2] == ["AbortError", True]
    assert 0 < found[2] < 1e6


def test_a_known_text_is_not_read_again(backend):
    """What continues, changes or scores a text reads only what is new, and up to 16 tokens before a change."""
    text = "abcdefghij" * 50
    request = f'{{ prompt: "{text}", length: 0, seed: 1, temperature: 1, alternatives: 2 }}'
    assert read_tokens(backend, f"backend.write({request})") == 500
    assert read_tokens(backend, f"backend.write({request})") == 0
    longer = request.replace("length: 0", "length: 100")
    assert read_tokens(backend, f"backend.write({longer})") == 100
    changed = request.replace(text, f"{text[:-1]}a")
    assert read_tokens(backend, f"backend.write({changed})") <= 16
    score = f'backend.score({{ text: "{text}ab", top: 2, next: 0 }})'
    assert read_tokens(backend, score) == 502  # the text has states, but no scores yet
    assert read_tokens(backend, score) == 0
    assert read_tokens(backend, score.replace('ab"', 'abcd"')) <= 18


@pytest.mark.parametrize("length", [1, 15, 16, 17, 40])
def test_a_kept_state_is_the_right_one(length, backend, start_backend, random_model):
    """A text that continues another, or branches off from it, is the one that a new backend writes, which has kept no states."""
    text = "abc" + write(backend, length=length)["text"]
    prompts = [text, f"{text}d", f"{text[:-1]}f", text[: len(text) // 2]]
    continued = [write(backend, prompt=prompt)["text"] for prompt in prompts]
    scores = [backend.evaluate("(text) => backend.score({ text, top: 2, next: 2 })", prompt) for prompt in prompts]
    for prompt, expected, score in zip(prompts, continued, scores, strict=True):
        start_backend(random_model(embedding_size=4))
        assert write(backend, prompt=prompt)["text"] == expected
        start_backend(random_model(embedding_size=4))
        assert backend.evaluate("(text) => backend.score({ text, top: 2, next: 2 })", prompt) == score


def test_what_was_written_is_not_scored_again(backend):
    """The tokens that the model has written have scores already."""
    score = "backend.score({ text, top: 2, next: 5 })"
    count = read_tokens(
        backend,
        f"""(async () => {{
          let text = "abc";
          await {score};
          const onTokens = (tokens) => {{ text += tokens.map((token) => token.text).join("") }};
          await backend.write({{ prompt: text, length: 300, seed: 1, temperature: 1, alternatives: 2 }}, {{ onTokens }});
          await {score};
        }})()""",
    )
    assert count == 3 + 300


def test_tokens_are_delivered_as_they_are_written(backend):
    """A long text arrives in several parts, which together are the text."""
    found = write(backend, length=20_000)
    assert len(found["calls"]) > 1
    assert sum(found["calls"]) == len(found["text"]) == 20_000


def test_an_empty_text_has_no_scores(backend):
    """An empty text has no tokens and no score, and what comes next is what starts a text."""
    found = backend.evaluate("() => backend.score({ text: '', top: 2, next: 3 })")
    assert (found["tokens"], found["bitsPerCharacter"]) == ([], None)
    assert np.all(np.diff([token["nats"] for token in found["next"]]) >= 0)
    assert len(found["next"]) == 3
    assert backend.evaluate("() => backend.states({ text: '', layer: 0 })") == {"strongest": []}
