import contextlib
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from textgen.config import Cluster
from textgen.errors import DataError, PreemptedError, StoppedError, TextgenError, UnavailableError, UsageError
from textgen.signals import Signals
from textgen.workers import Chief, Ended, Workers, local_cluster
from textgen.workers.link import Link
from textgen.workers.local import share_cores
from textgen.workers.losses import error_of

FACTS = {"textgen": "1.0", "layers": 2, "texts": ("a.txt",)}
HANG_SECONDS = 60.0


@dataclass
class Worker:
    """A worker in a thread of this process, which answers `double` with the double of an array, until its chief ends."""

    cluster: Cluster
    facts: dict[str, Any] = field(default_factory=lambda: dict(FACTS))
    signals: Signals = field(default_factory=Signals)
    failure: TextgenError | None = None
    fails: TextgenError | None = None

    def __post_init__(self):
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self):
        try:
            with contextlib.suppress(Ended), Chief(self.cluster, self.facts, self.signals) as chief:
                while message := chief.next():
                    if self.fails is not None:
                        raise self.fails
                    if message.kind == "leave":
                        return
                    doubled = {name: 2 * array for name, array in message.arrays.items()}
                    chief.answer("doubled", doubled, index=self.cluster.index, **message.facts)
        except TextgenError as error:
            self.failure = error

    def join(self):
        self.thread.join(HANG_SECONDS)
        assert not self.thread.is_alive()


class Noted(Signals):
    """Notes the failures of workers, which otherwise interrupt the main thread."""

    def __init__(self):
        super().__init__()
        self.failures: list[TextgenError] = []

    def fail(self, failure):
        self.failures.append(failure)


def wait_for(condition):
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_workers_get_a_message_and_their_answers_come_in_order():
    """The chief waits for its workers, whatever their order; arrays of any shape and type arrive as they were sent."""
    cluster = local_cluster(3)
    others = [Worker(cluster.of(index)) for index in (2, 1)]
    arrays: dict[str, np.ndarray] = {
        "states": np.arange(6, dtype=np.float32).reshape(2, 3),
        "none": np.zeros((0, 2), np.int64),
        "scalar": np.array(3),
    }
    with Workers(cluster, None, Noted()) as workers:
        workers.gather(FACTS)
        workers.tell("double", arrays)
        answers = workers.ask("again", rates=[0.1])
    for other in others:
        other.join()
        assert other.failure is None
    assert [answer.facts for answer in answers] == [{"index": 1}, {"index": 2}]
    np.testing.assert_array_equal(answers[0].arrays["states"], 2 * arrays["states"])
    assert answers[1].arrays["none"].shape == (0, 2)
    assert answers[1].arrays["scalar"].shape == ()


@pytest.mark.parametrize(
    ("facts", "difference"),
    [
        ({**FACTS, "layers": 3}, "worker 2 has layers 3, and the chief 2"),
        ({"textgen": "1.0"}, "worker 2 has layers None, and the chief 2"),
        ({**FACTS, "texts": ["b.txt"]}, "worker 2 has texts ['b.txt'], and the chief ['a.txt']"),
    ],
)
def test_a_worker_with_other_settings_is_named_and_all_end(facts, difference):
    """A difference between a worker and the chief ends all processes with the same code, before anything is trained."""
    cluster = local_cluster(3)
    others = [Worker(cluster.of(1)), Worker(cluster.of(2), facts)]
    with pytest.raises(UsageError, match="worker 2") as error, Workers(cluster, None, Noted()) as workers:
        workers.gather(FACTS)
    assert str(error.value).startswith(difference)
    for other in others:
        other.join()
        assert isinstance(other.failure, UsageError)
        assert difference in str(other.failure)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n" * 9,
        b"textgen1" + b"\xff" * 16,
        b"textgen1" + b"\0" * 7 + b"\2" + b"\0" * 8 + b"[]",
    ],
)
def test_a_stranger_at_the_port_is_ignored(said):
    """Whatever else connects to the chief, such as a scanner of ports, is not taken for a worker."""
    cluster = local_cluster(2)
    with Workers(cluster, None, Noted()) as workers:
        with socket.create_connection(cluster.link) as stranger:
            stranger.sendall(said)
        other = Worker(cluster.of(1))
        workers.gather(FACTS)
        assert len(workers.ask("anything")) == 1
    other.join()
    assert other.failure is None


def test_a_stranger_that_sends_slowly_does_not_delay_the_workers(monkeypatch):
    """The time for the first message is limited as a whole, not for each byte."""
    monkeypatch.setattr("textgen.workers.workers._SECONDS_TO_SAY_WHO", 0.5)
    cluster = local_cluster(2)
    was_cut_off = threading.Event()

    def send_slowly():
        stranger.sendall(b"textgen1" + b"\0" * 5 + b"\1" + b"\0" * 10)
        with contextlib.suppress(OSError):
            for _ in range(500):
                stranger.sendall(b" ")
                time.sleep(0.02)
            return
        was_cut_off.set()

    with Workers(cluster, None, Noted()) as workers, socket.create_connection(cluster.link) as stranger:
        thread = threading.Thread(target=send_slowly)
        thread.start()
        other = Worker(cluster.of(1))
        workers.gather(FACTS)
        thread.join(HANG_SECONDS)
    other.join()
    assert was_cut_off.is_set()


def test_a_second_worker_of_the_same_number_is_turned_away():
    """A process that claims the number of a worker that has come, or none of the cluster, is not accepted."""
    cluster = local_cluster(3)
    with Workers(cluster, None, Noted()) as workers:
        others = [Worker(cluster.of(index)) for index in (1, 1, 0, 7, 2)]
        workers.gather(FACTS)
        assert [answer.facts["index"] for answer in workers.ask("anything")] == [1, 2]
    for other in others:
        other.join()
    assert sum(other.failure is not None for other in others) == 3


def test_a_worker_that_is_gone_ends_the_chief():
    """A closed connection is reported at once, and a chief that waits for an answer raises the error."""
    cluster = local_cluster(2)
    signals = Noted()
    other = Worker(cluster.of(1))
    with (
        pytest.raises(UnavailableError, match="worker 1 does not answer any more"),
        Workers(cluster, None, signals) as workers,
    ):
        workers.gather(FACTS)
        workers.ask("leave")
    other.join()
    assert [error.exit_code for error in signals.failures] == [69]


def test_in_a_cloud_job_a_lost_worker_restarts_the_job(monkeypatch):
    """Vertex AI starts a job again after 134 alone."""
    monkeypatch.setenv("CLOUD_ML_JOB_ID", "7")
    cluster = local_cluster(2)
    other = Worker(cluster.of(1))
    with (
        pytest.raises(PreemptedError, match="worker 1 does not answer"),
        Workers(cluster, None, Noted()) as workers,
    ):
        workers.gather(FACTS)
        workers.ask("leave")
    other.join()


def test_the_failure_of_a_worker_is_named_with_its_code():
    """An expected failure of a worker ends the chief with the same exit code, and the line says which worker it was."""
    cluster = local_cluster(2)
    other = Worker(cluster.of(1), fails=DataError("the text has changed"))
    with (
        pytest.raises(DataError, match=r"^worker 1: the text has changed$"),
        Workers(cluster, None, Noted()) as workers,
    ):
        workers.gather(FACTS)
        workers.ask("anything")
    other.join()


def test_a_signal_to_a_worker_stops_all():
    """A worker passes SIGTERM on to the chief, which saves and ends."""
    cluster = local_cluster(2)
    signals = Noted()
    other = Worker(cluster.of(1))
    with Workers(cluster, None, signals) as workers:
        workers.gather(FACTS)
        other.signals.received = signal.SIGTERM
        wait_for(lambda: signals.failures)
    other.join()
    assert isinstance(signals.failures[0], StoppedError)
    assert str(signals.failures[0]).startswith("worker 1 was stopped by SIGTERM")


@pytest.mark.parametrize(
    ("error", "received", "code"),
    [
        (DataError("bad text"), None, 65),
        (KeyboardInterrupt(), signal.SIGINT, 130),
        (KeyboardInterrupt(), signal.SIGTERM, 75),
        (ZeroDivisionError("secret"), None, 1),
    ],
)
def test_the_end_of_the_chief_ends_the_workers(error, received, code):
    """However the chief ends, each worker ends with the same exit code and, for an expected failure, its line."""
    cluster = local_cluster(2)
    other = Worker(cluster.of(1))
    signals = Noted()
    signals.received = received
    with contextlib.suppress(type(error)), Workers(cluster, None, signals) as workers:
        workers.gather(FACTS)
        raise error
    other.join()
    assert other.failure is not None
    assert other.failure.exit_code == code
    assert "secret" not in str(other.failure)


@pytest.mark.parametrize(
    ("limit", "beats", "message"),
    [
        ("link._MOST_SILENCE", False, "worker 1 does not answer any more"),
        ("workers._SECONDS_TO_ANSWER", True, "worker 1 has not answered within 0.5 seconds"),
    ],
    ids=["stopped", "hanging"],
)
def test_a_worker_that_says_nothing_ends_the_chief(monkeypatch, limit, beats, message):
    """A process whose system still answers, but which sends no beats, is taken for gone; one that sends beats must answer some time."""
    monkeypatch.setattr(f"textgen.workers.{limit}", 0.5)
    monkeypatch.setattr("textgen.workers.link._SECONDS_BETWEEN_BEATS", 0.1)
    cluster = local_cluster(2)
    with (
        pytest.raises(UnavailableError, match=message),
        Workers(cluster, None, Noted()) as workers,
        socket.create_connection(cluster.link) as connection,
    ):
        link = Link(connection)
        link.send("hello", index=1, facts={**FACTS, "processes": 2})
        if beats:
            link.start_beating()
        workers.gather(FACTS)
        workers.ask("anything")
    link.close()


def test_a_chief_that_is_stopped_ends_the_workers(monkeypatch):
    """A worker waits for a chief that is not yet ready, but not for one that sends no more beats."""
    monkeypatch.setattr("textgen.workers.link._MOST_SILENCE", 0.5)
    monkeypatch.setattr("textgen.workers.link._SECONDS_BETWEEN_BEATS", 0.1)
    cluster = local_cluster(2)
    with socket.create_server(cluster.link) as server:
        other = Worker(cluster.of(1))
        link = Link(server.accept()[0])
        assert link.receive().kind == "hello"
        time.sleep(1)
        assert other.thread.is_alive()
        link.send("beat")
        other.join()
        link.close()
    assert isinstance(other.failure, UnavailableError)


def test_a_process_that_is_busy_still_sends_beats(monkeypatch):
    """Beats do not depend on what a process does, so one that works for a long time is not taken for gone."""
    monkeypatch.setattr("textgen.workers.link._SECONDS_BETWEEN_BEATS", 0.01)
    cluster = local_cluster(2)
    with socket.create_server(cluster.link) as server:
        other = Worker(cluster.of(1))
        link = Link(server.accept()[0])
        assert [link._receive(stranger=False).kind for _ in range(3)] == ["hello", "beat", "beat"]
        link.close()
        other.join()


def test_a_chief_that_ends_early_ends_the_workers_too():
    """A chief that has nothing to train, or cannot start, does not let workers wait that others have started."""
    cluster = local_cluster(2)
    other = Worker(cluster.of(1))
    with pytest.raises(DataError), Workers(cluster, None, Noted()):
        raise DataError("the text is too short")
    other.join()
    assert isinstance(other.failure, DataError)


def test_a_chief_that_was_killed_ends_the_workers():
    """A connection that ends without a word is the end of the chief."""
    cluster = local_cluster(2)
    with socket.create_server(cluster.link) as server:
        other = Worker(cluster.of(1))
        server.accept()[0].close()
        other.join()
    assert isinstance(other.failure, UnavailableError)
    assert str(other.failure).startswith("the chief has ended")


def test_a_worker_that_never_comes_is_named():
    """The chief waits for a limited time."""
    cluster = local_cluster(3)
    with (
        pytest.raises(UnavailableError, match=r"worker 1, 127.0.0.1:\d+, has not come within 0.5 seconds"),
        Workers(cluster, None, Noted(), seconds=0.5) as workers,
    ):
        workers.gather(FACTS)


def test_a_chief_that_never_comes_is_named():
    """A worker waits for a limited time."""
    cluster = local_cluster(2)
    with pytest.raises(UnavailableError, match=r"the chief does not answer at 127.0.0.1:\d+ within 0.5 seconds"):
        Chief(cluster.of(1), FACTS, Signals(), seconds=0.5)


def test_a_port_in_use_is_refused():
    """A chief whose port another program uses says so in one line."""
    cluster = local_cluster(2)
    with (
        socket.create_server(cluster.link),
        pytest.raises(UnavailableError, match=rf"cannot listen on port {cluster.link[1]} of 127.0.0.1"),
        Workers(cluster, None, Noted()),
    ):
        pass


def test_each_local_process_gets_its_share_of_the_cores(monkeypatch):
    """Cores are split evenly; if there are fewer than processes, some share one; some systems cannot restrict a process."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {1, 2, 3, 5, 7}, raising=False)
    assert share_cores(1) == [[1, 2, 3, 5, 7]]
    assert share_cores(2) == [[1, 2], [3, 5, 7]]
    assert [len(share) for share in share_cores(7)] == [1] * 7
    monkeypatch.delattr("os.sched_getaffinity")
    assert share_cores(2) == [[], []]


def test_every_exit_code_has_its_error():
    """The errors of other processes keep their exit codes."""
    assert [type(error_of(code, "")).exit_code for code in (2, 65, 69, 73, 75, 134, 130, 1)] == [
        2,
        65,
        69,
        73,
        75,
        134,
        130,
        1,
    ]
    assert error_of(99, "").exit_code == 69
