"""Runs the controller without a model, on a clock of its own."""

from textgen.evaluation import Scores
from textgen.planning import Plan
from textgen.training.controller import Controller, Decision
from textgen.training.progress import Progress

MOST_STEPS = 10


def controller_of(config, progress, *, device="cpu", most_steps=MOST_STEPS, now=0.0):
    return Controller(Plan(config, 5), progress, device=device, cores=2, most_steps=most_steps, now=now)


def progress_of(**values):
    return Progress(**{"steps_per_epoch": 100, "tokens_per_step": 1, **values})


def scores_of(loss):
    return Scores(loss, 1, 1.0, 0.0)


def observe(controller, steps, *, loss=1.0, gradient_norm=1.0, seconds=0.1):
    """Adds a call of steps."""
    controller.progress.add_call(steps, loss=loss, gradient_norm=gradient_norm, seconds=seconds)
    controller.estimate_total()


class Run:
    """A run without a model, in which each step takes the same time on a clock of its own.

    Attributes:
        evaluated: the steps that were evaluated.
        saved: the steps that were saved.
        calls: the step before each call, and its decision.
        end: why the run ended.
    """

    def __init__(self, config, progress=None, *, seconds_per_step=0.01, losses=(), signal_at=None, device="cpu"):
        self.progress = progress or progress_of()
        self.controller = controller_of(config, self.progress, device=device)
        self.evaluated: list[int] = []
        self.saved: list[int] = []
        self.calls: list[tuple[int, Decision]] = []
        losses, now = iter(losses), 0.0
        while True:
            signal = signal_at is not None and self.progress.step >= signal_at
            decision = self.controller.decide(now, signal=signal)
            if decision.evaluate:
                self.evaluated.append(self.progress.step)
                self.progress.add_scores(scores_of(next(losses, 1.0)), "")
                continue
            if decision.save:
                self.saved.append(self.progress.step)
                self.controller.note_save(now)
            if decision.end:
                self.end = decision.end
                return
            self.calls.append((self.progress.step, decision))
            self.progress.start_call(learning_rate=decision.rates[-1], dropout=decision.dropout)
            seconds = len(decision.rates) * seconds_per_step
            observe(self.controller, len(decision.rates), loss=2.0, seconds=seconds)
            now += seconds

    @property
    def dropouts(self):
        """The dropout of each step."""
        return [decision.dropout for _, decision in self.calls for _ in decision.rates]
