import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not a dependency of textgen")


@pytest.mark.parametrize("tokens", [2, 64, 65, 66, 100, 1_000])
@pytest.mark.parametrize(("length", "stride"), [(64, 16), (64, 1), (64, 64), (7, 3)])
def test_every_token_after_the_first_counts_once(load, tokens, length, stride):
    """Windows cover a text of any length, and are as long as they can be."""
    windows = list(load("scored_windows").scored_windows(tokens, length, stride))
    counted = [place for window in windows for place in range(window.scored, window.end + 1)]
    assert counted == list(range(1, tokens))
    assert {window.end - window.begin for window in windows} == {min(length, tokens - 1)}


def test_every_token_that_counts_has_enough_before_it(load):
    """A window has read all but `stride` of its tokens before the first one that counts, except at the start of the text."""
    _, *others = load("scored_windows").scored_windows(1_000, 64, 16)
    assert all(window.scored - window.begin > 64 - 16 for window in others)


def test_labels_are_spread(load):
    """Close heights move apart around their mean, far ones stay, and the order is kept."""
    assert load("peers_picture").spread([1.0, 3.0, 1.1, 1.0], 0.2) == pytest.approx(
        [0.8333, 3.0, 1.2333, 1.0333], abs=1e-4
    )


def test_a_picture_gets_dark_colours(load):
    """Each colour of the light picture has a rule for dark pages."""
    svg = load("peers_picture").add_dark_colours('<svg><path style="fill: #ffffff"/></svg>', [("#ffffff", "#0d1117")])
    assert svg.endswith("</style></svg>")
    assert '@media (prefers-color-scheme: dark){[style*="fill: #ffffff"]{fill:#0d1117 !important}' in svg


def test_results_are_replaced_and_survive(load, tmp_path):
    """A run takes the place of an older one with the same seed, in the file too."""
    path = tmp_path / "peers.json"
    peers, setting = load("peers_results"), {"text": "a.txt", "minutes": 3.0}
    results = peers.Results(path, setting)
    for seed, loss in ((2, 1.5), (1, 1.6), (2, 1.4)):
        results.add({"contestant": "textgen", "seed": seed, "loss": loss})
    read = peers.Results(path, setting)
    assert [(run["seed"], run["loss"]) for run in read.of("textgen")] == [(1, 1.6), (2, 1.4)]
    assert [read.has("textgen", 2), read.has("textgen", 3), read.has("nanogpt", 2)] == [True, False, False]


def test_results_of_other_minutes_are_refused(load, tmp_path):
    """Runs of different lengths never share a table."""
    path = tmp_path / "peers.json"
    path.write_text(json.dumps({"setting": {"minutes": 1.0}, "runs": []}), encoding="utf-8")
    with pytest.raises(
        SystemExit, match=r"contains runs with minutes 1\.0, not 3\.0; name another file with --results"
    ):
        load("peers_results").Results(path, {"minutes": 3.0})


def test_there_is_nothing_to_draw(load, tmp_path):
    """Without results, the message names the file."""
    with pytest.raises(SystemExit, match=r"there are no results in .*peers\.json; name their file with --results"):
        load("peers_results").Results(tmp_path / "peers.json", None)


def test_the_table_has_the_best_loss_of_each_seed(load, tmp_path, capsys):
    """Losses are the lowest of each curve, and everything else is a mean; what a contestant lacks stays empty."""
    peers = load("peers_results")
    results = peers.Results(tmp_path / "peers.json", {"minutes": 3.0})
    common = {"contestant": "textgen", "seconds": 180.0, "wall_seconds": 200.0, "cpu_seconds": 390.0, "others": 0.01}
    results.add({**common, "seed": 1, "points": [[90, 1.5], [180, 1.6]], "parameters": 1_232_707, "steps": 5_800})
    results.add({**common, "seed": 2, "points": [[180, 1.4]], "parameters": 1_232_707, "steps": 5_900})
    results.add({"contestant": "kneser-ney", "seed": 1, "points": [[1.8, 1.6]], "seconds": 1.8})
    peers.print_table(results)
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| kneser-ney | 1.600 (2.308) | 1.600 |  |  | 2 |  |  |  |",
        "| textgen | 1.450 (2.092) | 1.500, 1.400 | 1,232,707 | 5,850 | 180 | 200 | 390 | 1.0% |",
    ]


def test_the_recipe_is_that_of_textgen(load):
    """PyTorch's LSTM gets what textgen-train chooses for a megabyte and three minutes."""
    recipe = load("peers").choose_recipe(1_000_000, 3.0)
    chosen = {"lstm_state_size": 384, "layers": 1, "embedding_size": 384, "batch_size": 16, "unroll_steps": 64}
    assert recipe.items() >= {**chosen, "learning_rate": 0.009, "weight_decay": 0.1, "dropout": 0.1}.items()


@pytest.mark.parametrize("rotary", [False, True])
def test_a_gpt_is_causal(load, torch, rotary):
    """A later token changes no earlier prediction, and every earlier one changes the last."""
    gpt = load("small_gpt")
    torch.manual_seed(1)
    model = gpt.SmallGPT(gpt.GPTShape(11, layers=2, heads=2, width=16, block=8, rotary=rotary)).eval()
    ids = torch.arange(8)[None]
    for place in range(8):
        other = ids.clone()
        other[0, place] = 10
        changed = (model(ids) != model(other)).any(dim=-1)[0]
        assert not changed[:place].any()
        assert changed[-1]


def test_an_lstm_is_scored_as_in_one_go(load, torch):
    """Streams with a warm-up give the loss of a single stream whose state is carried over."""
    numpy, peers = importlib.import_module("numpy"), load("peers_torch")
    torch.manual_seed(1)
    ids = numpy.random.default_rng(1).integers(11, size=2_000)
    settings = {
        "lstm_state_size": 8,
        "embedding_size": 8,
        "layers": 1,
        "dropout": 0.1,
        "batch_size": 4,
        "unroll_steps": 16,
    }
    settings |= {"weight_decay": 0.1, "learning_rate": 0.01, "epochs": 1}
    task = peers.Task("lstm", settings, "", vocabulary=11, seconds=1.0, evaluations=1, seed=1, threads=1)
    contestant = peers.make_lstm(task, ids, ids)
    contestant.model.eval()
    logits, _ = contestant.model(torch.from_numpy(ids[:-1, None]))
    loss = torch.nn.functional.cross_entropy(logits[:, 0], torch.from_numpy(ids[1:])).item()
    assert contestant.score() == pytest.approx(loss, rel=1e-5)


def test_the_learning_rate_warms_up_and_falls(load, torch):
    """It reaches its peak after the warm-up, and its last share at the end, by steps or by time, whichever is earlier."""
    schedule = load("peers_torch").Schedule(rate=1.0, last_share=0.1, warm_up=100, steps=2_000)
    assert schedule.rate_at(0, 0.0) == pytest.approx(0.01)
    assert schedule.rate_at(99, 0.0) == pytest.approx(1.0)
    assert schedule.rate_at(1_999, 1.0) == pytest.approx(0.1)
    assert [schedule.share(1_000, 0.1), schedule.share(1_000, 0.7), schedule.share(3_000, 0.7)] == [0.5, 0.7, 1.0]
