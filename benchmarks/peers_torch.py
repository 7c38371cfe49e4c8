"""Trains one of the PyTorch contestants of `peers.py`, in an environment with PyTorch and NumPy but without textgen.

It reads a `Task` as JSON from the standard input and prints the result as JSON. Only the steps of training count as training time,
including whatever they compile. Imports, the making of the model and evaluations do not.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scored_windows import scored_windows
from small_gpt import GPTShape, SmallGPT
from torch import nn
from torch.nn import functional

ROWS_AT_ONCE = 64
"""The windows of the validation text that are evaluated together."""
STRIDE = 0.25
"""The share of a block that counts when a GPT is evaluated: its last tokens, which have the longest context."""
WARM_UP = 128
"""The tokens that an LSTM reads before the first one that counts, in each of the streams in which it is evaluated; as in textgen."""


@dataclass(frozen=True)
class Task:
    """What to train.

    Attributes:
        kind: `lstm` or `gpt`.
        settings: those of `make_lstm` or `make_gpt`.
        text: the path of a .npz file with the token ids of the text to learn, `train`, and of the text to validate, `valid`.
        vocabulary: the number of token ids.
        seconds: the training time.
        evaluations: the number of evaluations, evenly spread over the time.
        seed: decides the random numbers.
        threads: the number of threads.
    """

    kind: str
    settings: dict[str, Any]
    text: str
    vocabulary: int
    seconds: float
    evaluations: int
    seed: int
    threads: int


@dataclass(frozen=True)
class Schedule:
    """The learning rate: a linear warm-up, and half a cosine over the run.

    Attributes:
        rate: the highest learning rate.
        last_share: the last learning rate, as a share of the highest one.
        warm_up: the steps of the warm-up.
        steps: the steps after which the run ends if its time has not; None for no limit.
    """

    rate: float
    last_share: float
    warm_up: int
    steps: int | None

    def share(self, step: int, time_share: float) -> float:
        """Returns the share of the run that is over, from 0 to 1."""
        return min(1.0, max(time_share, step / self.steps if self.steps else 0.0))

    def rate_at(self, step: int, share: float) -> float:
        """Returns the learning rate of a step."""
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        return self.rate * min(1.0, (step + 1) / self.warm_up) * (self.last_share + (1 - self.last_share) * cosine)


class StatefulLSTM(nn.Module):
    """`torch.nn.LSTM` with textgen's initial weights, over ids `(time, streams)`, which is PyTorch's own order and its fastest."""

    def __init__(self, vocabulary: int, settings: dict[str, Any], counts: np.ndarray) -> None:
        super().__init__()
        states, embedding = settings["lstm_state_size"], settings["embedding_size"]
        self.embedding = nn.Embedding(vocabulary, embedding)
        between = settings["dropout"] if settings["layers"] > 1 else 0.0
        self.lstm = nn.LSTM(embedding, states, settings["layers"], dropout=between)
        self.dropout = nn.Dropout(settings["dropout"])
        self.output = nn.Linear(states, vocabulary)
        nn.init.normal_(self.embedding.weight, std=0.3)
        for name, weight in self.lstm.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(weight)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(weight)
            else:
                nn.init.zeros_(weight)
                if name.startswith("bias_ih"):
                    nn.init.ones_(weight[states : 2 * states])  # the forget gate
        nn.init.xavier_uniform_(self.output.weight)
        with torch.no_grad():
            counts = np.maximum(counts, 1)
            self.output.bias.copy_(torch.from_numpy(np.log(counts / counts.mean())))

    def forward(self, ids: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        """Returns logits `(time, streams, vocabulary)`, and the state after the last token."""
        hidden, state = self.lstm(self.embedding(ids), state)
        return self.output(self.dropout(hidden)), state


@dataclass(frozen=True)
class Contestant:
    """What to train, and how.

    Attributes:
        model: the model.
        loss: returns the loss of the next batch.
        optimizer: updates the weights.
        schedule: the learning rate.
        score: evaluates the model.
    """

    model: nn.Module
    loss: Callable[[], torch.Tensor]
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    score: Callable[[], float]


def make_lstm(task: Task, train: np.ndarray, valid: np.ndarray) -> Contestant:
    """Makes an LSTM with textgen's settings: parallel streams, whose state is carried over, from another offset in each pass."""
    settings = task.settings
    streams, window = settings["batch_size"], settings["unroll_steps"]
    model = StatefulLSTM(task.vocabulary, settings, np.bincount(train, minlength=task.vocabulary))
    steps_per_pass = (len(train) - window) // (streams * window)
    random = np.random.default_rng(task.seed)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor, bool]]:
        while True:
            offset = random.integers(len(train) - steps_per_pass * streams * window)
            rows = train[offset : offset + steps_per_pass * streams * window + 1]
            tokens, targets = (torch.from_numpy(part.reshape(streams, -1).T.copy()) for part in (rows[:-1], rows[1:]))
            for begin in range(0, steps_per_pass * window, window):
                yield tokens[begin : begin + window], targets[begin : begin + window], begin == 0

    data, state = batches(), None

    def loss() -> torch.Tensor:
        nonlocal state
        tokens, targets, is_first = next(data)
        logits, state = model(tokens, None if is_first else state)
        state = tuple(part.detach() for part in state)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.99), eps=1e-7, weight_decay=settings["weight_decay"], fused=True
    )
    epochs = settings["epochs"]
    schedule = Schedule(settings["learning_rate"], 0.03, 100, epochs and epochs * steps_per_pass)
    stride = -(-len(valid) // ROWS_AT_ONCE)
    score = Scorer(valid, stride + WARM_UP, stride, lambda ids: model(ids.T)[0].transpose(0, 1))
    return Contestant(model, loss, optimizer, schedule, score)


def make_gpt(task: Task, train: np.ndarray, valid: np.ndarray) -> Contestant:
    """Makes a GPT that learns random blocks of the text."""
    settings = task.settings
    shape = GPTShape(task.vocabulary, **{name: settings[name] for name in GPTShape.__annotations__ if name in settings})
    model = SmallGPT(shape)
    compiled = torch.compile(model) if settings.get("compile") else model
    text, reach = torch.from_numpy(train), torch.arange(shape.block + 1)

    def loss() -> torch.Tensor:
        begin = torch.randint(len(text) - shape.block, (settings["batch_size"], 1))
        blocks = text[begin + reach]
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.get("bfloat16", False)):
            logits = compiled(blocks[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1).float(), blocks[:, 1:].flatten())

    groups = [
        {"params": [weight for weight in model.parameters() if (weight.dim() > 1) == is_matrix], "weight_decay": decay}
        for is_matrix, decay in ((True, settings["weight_decay"]), (False, 0.0))
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, settings["beta_2"]), fused=True)
    schedule = Schedule(settings["learning_rate"], settings["last_share"], settings["warm_up"], settings["steps"])
    score = Scorer(valid, shape.block, max(1, int(shape.block * STRIDE)), model)
    return Contestant(model, loss, optimizer, schedule, score)


class Scorer:
    """Returns the mean nats of every token of a text after the first."""

    def __init__(
        self, ids: np.ndarray, length: int, stride: int, logits: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        self._windows = list(scored_windows(len(ids), length, stride))
        self._ids = torch.from_numpy(ids)
        self._logits = logits

    @torch.inference_mode()
    def __call__(self) -> float:
        """Scores the text with the current weights."""
        nats = 0.0
        for first in range(0, len(self._windows), ROWS_AT_ONCE):
            windows = self._windows[first : first + ROWS_AT_ONCE]
            rows = torch.stack([self._ids[window.begin : window.end + 1] for window in windows])
            logits = self._logits(rows[:, :-1])
            each = functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none")
            for window, row in zip(windows, each.view(len(windows), -1), strict=True):
                nats += float(row[window.scored - window.begin - 1 :].double().sum())
        return nats / (len(self._ids) - 1)


def run(task: Task, contestant: Contestant, clock: Callable[[], float] = time.perf_counter) -> dict[str, Any]:
    """Trains a model until its time or its steps are over, and evaluates it on the way. Gradients are clipped to a norm of 1.

    Args:
        task: the training time and the number of evaluations.
        contestant: what to train.
        clock: returns the time in seconds.
    """
    model, schedule = contestant.model, contestant.schedule
    weights = list(model.parameters())
    points: list[tuple[float, float]] = []
    step, spent, cpu_seconds, share = 0, 0.0, 0.0, 0.0
    model.train()
    while share < 1:
        began, cpu_began = clock(), time.process_time()
        for group in contestant.optimizer.param_groups:
            group["lr"] = schedule.rate_at(step, share)
        contestant.optimizer.zero_grad()
        contestant.loss().backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        contestant.optimizer.step()
        step += 1
        spent += clock() - began
        cpu_seconds += time.process_time() - cpu_began
        share = schedule.share(step, spent / task.seconds)
        if share == 1 or spent / task.seconds >= (len(points) + 1) / task.evaluations:
            model.eval()
            points.append((round(spent, 2), round(contestant.score(), 5)))
            model.train()
            print(f"step {step}, {points[-1][0]} s: {points[-1][1]}", file=sys.stderr, flush=True)
    return {
        "points": points,
        "steps": step,
        "seconds": round(spent, 2),
        "training_cpu_seconds": round(cpu_seconds, 2),
        "parameters": sum(weight.numel() for weight in weights),
    }


KINDS = {"lstm": make_lstm, "gpt": make_gpt}


def main() -> None:
    """Trains what the task says."""
    task = Task(**json.load(sys.stdin))
    torch.manual_seed(task.seed)
    torch.set_num_threads(task.threads)
    text = np.load(task.text)
    contestant = KINDS[task.kind](task, *(text[part].astype(np.int64) for part in ("train", "valid")))
    print(json.dumps({**run(task, contestant), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
