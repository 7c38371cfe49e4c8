import contextlib
import errno
import io
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from textgen.errors import AccessError, FormatError, InputOutputError, MissingError, TextgenError
from textgen.jobs import Checkpoint, CheckpointStore
from textgen.jobs.checkpoint import FORMAT_VERSION, _describe

FACTS = {
    "config": {"layers": 2, "texts": ["ä.txt"], "learning_rate": 0.004, "summary_dir": None},
    "progress": {"epoch": 12, "epoch_step": 34, "seconds": 56.78, "best_loss": 1.25},
}
DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint32", "uint8", "bool"]
TENSORS = st.dictionaries(
    st.text("abc/_0", min_size=1, max_size=6),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    ),
    max_size=4,
)


def checkpoint_of(step: int) -> Checkpoint:
    rng = np.random.default_rng(step)
    tensors: dict[str, Any] = {
        "model/lstm/kernel": rng.normal(size=(3, 8)).astype(np.float32),
        "model/dropout/seed": rng.integers(0, 2**32, 2, dtype=np.uint32),
        "optimizer/0/iterations": np.asarray(step, np.int64),
    }
    return Checkpoint(step, tensors, {**FACTS, "of": step})


def assert_same(read: Checkpoint | None, written: Checkpoint) -> None:
    assert read is not None
    assert read.step == written.step
    assert read.facts == written.facts
    assert read.tensors.keys() == written.tensors.keys()
    for name, tensor in written.tensors.items():
        assert read.tensors[name].dtype == tensor.dtype
        assert read.tensors[name].shape == tensor.shape
        assert read.tensors[name].tobytes() == tensor.tobytes()


def refuse(reason: str) -> None:
    pytest.fail(f"passed over: {reason}")


def names(store: CheckpointStore) -> list[str]:
    return sorted(path.name for path in store.directory.iterdir())


def names_of(*steps: int) -> list[str]:
    return [f"step-{step:08}.{ending}" for step in sorted(steps) for ending in ("json", "safetensors")]


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """A store whose directory does not exist yet."""
    return CheckpointStore(tmp_path / "job" / "checkpoints")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> CheckpointStore:
    """One store for all examples of a property."""
    return CheckpointStore(tmp_path_factory.mktemp("checkpoints"))


def test_without_checkpoints_there_is_none(store):
    """A job that has saved nothing has no checkpoint."""
    assert store.newest(refuse) is None
    assert store.steps() == []


@given(tensors=TENSORS, step=st.integers(0, 10**9), note=st.text())
def test_round_trip(kept, tensors, step, note):
    """Every tensor comes back bit by bit, scalars and empty ones too, and every fact as it was."""
    written = Checkpoint(step, tensors, {"note": note, "numbers": [step, 0.1, 1e-300, None, True]})
    kept.write(written)
    assert_same(kept.read(step), written)


def test_the_order_in_memory_does_not_matter(store):
    """A transposed or strided tensor is stored with the right values."""
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    written = Checkpoint(1, {"transposed": grid.T, "fortran": np.asfortranarray(grid), "strided": grid[:, ::2]}, {})
    store.write(written)
    assert_same(store.read(1), written)


def test_the_newest_two_and_the_best_are_kept(store):
    """Of many checkpoints, the last two and the best one stay."""
    for step in (10, 20, 30, 40, 50):
        store.write(checkpoint_of(step), best_step=20)
    assert names(store) == names_of(20, 40, 50)
    assert store.steps() == [50, 40, 20]
    store.write(checkpoint_of(60), best_step=60)
    assert names(store) == names_of(50, 60)
    store.write(checkpoint_of(70))
    assert names(store) == names_of(60, 70)
    assert_same(store.newest(refuse), checkpoint_of(70))
    assert_same(store.read(60), checkpoint_of(60))


def test_only_older_checkpoints_make_room(store):
    """A newer checkpoint stays, and does not count as one of the two that are kept; nor does a best one that is no longer there."""
    for step in (10, 20, 30, 90):
        store.write(checkpoint_of(step), best_step=10)
    store.write(checkpoint_of(40), best_step=10)
    assert names(store) == names_of(10, 30, 40, 90)
    store.write(checkpoint_of(50), best_step=7)
    assert names(store) == names_of(40, 50, 90)


def test_files_of_a_removed_checkpoint_go(store):
    """Tensors whose manifest is gone are removed with the next checkpoint; those of a newer step may still get their manifest."""
    for step in (10, 20):
        store.write(checkpoint_of(step))
    for step in (15, 30, 40):
        (store.directory / f"step-{step:08}.safetensors").write_bytes(b"x")
    store.write(checkpoint_of(30))
    assert names(store) == [*names_of(20, 30), "step-00000040.safetensors"]


def test_a_skipped_checkpoint_that_is_newer_goes(store):
    """After resuming before two damaged checkpoints, the next write removes both, even the newer one, and keeps the one resumed from."""
    for step in (50, 100, 150):
        store.write(checkpoint_of(step), best_step=50)
    for step in (100, 150):
        (store.directory / f"step-{step:08}.json").write_text("damaged")
    store.newest(lambda _: None)
    store.write(checkpoint_of(60))
    assert names(store) == names_of(50, 60)


def test_what_a_kill_during_the_removal_leaves_goes(store):
    """Old tensors without a manifest and temporary files are removed; newer tensors, and complete checkpoints, stay."""
    store.remove_abandoned()  # no directory yet
    for step in (10, 20, 30, 40):
        store.write(checkpoint_of(step), best_step=10)
    for name in ("step-00000020.safetensors", "step-00000050.safetensors", ".step-00000050.json.0.tmp"):
        (store.directory / name).write_bytes(b"x")
    store.remove_abandoned()
    assert names(store) == [*names_of(10, 30, 40), "step-00000050.safetensors"]


def test_steps_are_numbers_not_names(store):
    """Beyond eight digits the newest is still the newest."""
    for step in (99_999_999, 100_000_000, 100_000_001):
        store.write(checkpoint_of(step))
    assert store.steps() == [100_000_001, 100_000_000]


def test_a_step_can_be_written_again(store):
    """A step can be written again; the later state counts."""
    store.write(checkpoint_of(10))
    store.write(Checkpoint(10, {"x": np.zeros(1)}, {"later": True}))
    assert_same(store.newest(refuse), Checkpoint(10, {"x": np.zeros(1)}, {"later": True}))


@pytest.mark.parametrize("file", ["json", "safetensors"])
@pytest.mark.parametrize("following", [60, 100, 110])
def test_a_damaged_one_does_not_take_the_place_of_a_good_one(store, file, following):
    """After resuming from 50 because 100 is damaged, the next write keeps 50 and removes 100."""
    for step in (50, 100):
        store.write(checkpoint_of(step))
    (store.directory / f"step-00000100.{file}").write_text("damaged")
    passed_over: list[str] = []
    assert_same(store.newest(passed_over.append), checkpoint_of(50))
    assert len(passed_over) == 1
    assert store.steps() == [100, 50]  # nothing goes before another is written
    store.write(checkpoint_of(following))
    assert names(store) == names_of(50, following)
    assert_same(store.newest(refuse), checkpoint_of(following))
    assert_same(store.read(50), checkpoint_of(50))


def test_a_manifest_that_is_nested_too_deeply_is_passed_over(store):
    """Python's versions give up at different points in reading or verifying it."""
    store.write(checkpoint_of(10))
    store.write(checkpoint_of(20))
    manifest = store.directory / "step-00000020.json"
    for depth in (300, 1200, 8000, 10**5):
        manifest.write_text('{"facts": ' + '{"a":' * depth + "1" + "}" * depth + "}")
        reasons: list[str] = []
        assert_same(store.newest(reasons.append), checkpoint_of(10))
        assert len(reasons) == 1


def test_what_a_killed_process_left_goes(store):
    """A checkpoint half-written by a process that was killed is removed by the next one's write."""
    store.write(checkpoint_of(10))
    for name in (".step-00000020.safetensors.1.tmp", ".step-00000020.json.1.tmp"):
        (store.directory / name).touch()
    store.write(checkpoint_of(20))
    assert names(store) == names_of(10, 20)


@pytest.mark.parametrize("file", ["tensors", "manifest"])
def test_a_damaged_bit_of_any_byte_is_noticed(store, file):
    """If any bit of the newest checkpoint is flipped, the previous one is used, with a reason that names the file."""
    for step in (10, 20):
        store.write(checkpoint_of(step))
    path = store.directory / ("step-00000020.safetensors" if file == "tensors" else "step-00000020.json")
    sound = path.read_bytes()
    for position in range(len(sound)):
        damaged = bytearray(sound)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        reasons: list[str] = []
        assert_same(store.newest(reasons.append), checkpoint_of(10))
        assert len(reasons) == 1, position
        assert "step-00000020" in reasons[0]
        assert "\n" not in reasons[0]
    path.write_bytes(sound)
    assert_same(store.newest(refuse), checkpoint_of(20))


@pytest.mark.parametrize("file", ["tensors", "manifest"])
def test_every_truncation_is_noticed(store, file):
    """If any byte is missing at the end, or one is added, the previous checkpoint is used."""
    for step in (10, 20):
        store.write(checkpoint_of(step))
    path = store.directory / ("step-00000020.safetensors" if file == "tensors" else "step-00000020.json")
    sound = path.read_bytes()
    for content in [*(sound[:size] for size in range(len(sound))), sound + b"\n"]:
        path.write_bytes(content)
        reasons: list[str] = []
        assert_same(store.newest(reasons.append), checkpoint_of(10))
        assert len(reasons) == 1


def test_a_lost_file_is_noticed(store):
    """A manifest without tensors is skipped; tensors without a manifest are not a checkpoint."""
    for step in (10, 20):
        store.write(checkpoint_of(step))
    (store.directory / "step-00000020.safetensors").unlink()
    reasons: list[str] = []
    assert_same(store.newest(reasons.append), checkpoint_of(10))
    assert len(reasons) == 1
    assert "step-00000020.safetensors: there is no such file" in reasons[0]

    (store.directory / "step-00000020.json").unlink()
    (store.directory / "step-00000010.safetensors").rename(store.directory / "step-00000020.safetensors")
    (store.directory / "step-00000010.json").unlink()
    assert store.steps() == []
    assert store.newest(refuse) is None
    with pytest.raises(MissingError):
        store.read(20)


def test_a_checkpoint_under_another_step_is_noticed(store):
    """The files of one step are not taken for another's."""
    for step in (10, 20):
        store.write(checkpoint_of(step))
    for ending in ("safetensors", "json"):
        path = store.directory / f"step-00000020.{ending}"
        path.rename(path.with_name(f"step-00000030.{ending}"))
    with pytest.raises(FormatError, match="step-00000030"):
        store.read(30)


def test_without_a_usable_checkpoint_the_job_does_not_start_over(store):
    """If all are damaged, the error advises what to do, after a reason for each."""
    for step in (10, 20):
        store.write(checkpoint_of(step))
        (store.directory / f"step-{step:08}.json").write_text("{}")
    reasons: list[str] = []
    with pytest.raises(FormatError, match=r"no checkpoint in .* can be used; .*fresh"):
        store.newest(reasons.append)
    assert len(reasons) == 2


@pytest.mark.parametrize("manifest", ["null", "[]", "1", '"x"', '{"format_version": 1, "sha256": "", "facts": null}'])
def test_a_manifest_of_another_kind_is_damage(store, manifest):
    """JSON that is no manifest is damage like any other."""
    store.write(checkpoint_of(10))
    (store.directory / "step-00000010.json").write_text(manifest)
    with pytest.raises(FormatError, match="is damaged"):
        store.read(10)


@pytest.mark.parametrize("facts", [[], [1], "x", 1, True])
def test_facts_that_are_no_object_are_damage(store, facts):
    """Even with the right hashes, as only somebody who made them by hand has."""
    store.write(checkpoint_of(10))
    path = store.directory / "step-00000010.json"
    path.write_text(_describe(10, path.with_suffix(".safetensors").read_bytes(), facts))
    with pytest.raises(FormatError, match="is damaged: its manifest makes no sense"):
        store.read(10)


def test_a_newer_format_is_refused(store):
    """The error for a later textgen's checkpoint advises to upgrade, even if its content makes no sense."""
    store.write(checkpoint_of(10))
    path = store.directory / "step-00000010.json"
    path.write_text(json.dumps({"format_version": FORMAT_VERSION + 1}))
    for read in (lambda: store.read(10), lambda: store.newest(refuse)):
        with pytest.raises(FormatError, match=f"has format {FORMAT_VERSION + 1}.*reads {FORMAT_VERSION}; upgrade"):
            read()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_what_the_system_refuses_to_read_is_not_passed_over(store, monkeypatch, number):
    """If permission is missing or the disk fails, training does not resume from an older checkpoint."""
    for step in (10, 20):
        store.write(checkpoint_of(step))

    def fail(path):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises((AccessError, InputOutputError), match="step-00000020"):
        store.newest(refuse)


def test_other_files_are_left_alone(store):
    """Files with other names are neither read nor removed."""
    store.directory.mkdir(parents=True)
    for name in ("notes.txt", "step-best.json", "step-.json", "mystep-00000001.json"):
        (store.directory / name).write_text("mine")
    for step in (10, 20, 30):
        store.write(checkpoint_of(step))
    assert store.steps() == [30, 20]
    assert {"notes.txt", "step-best.json", "step-.json", "mystep-00000001.json"} < set(names(store))


class Killed(BaseException):
    """Represents the end of the process; nothing catches it."""


@contextlib.contextmanager
def failing_at(number: int, failure: BaseException) -> Iterator[list[int]]:
    """While entered, one operation on the disk fails, counted from 1 over all kinds of them; after a kill, all others.

    A write that fails has written half.

    Yields:
        The numbers of those that failed.
    """
    calls = itertools.count(1)
    failed: list[int] = []

    def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            call_number = next(calls)
            if call_number == number or (failed and isinstance(failure, Killed)):
                failed.append(call_number)
                raise failure
            return operation(*arguments, **options)

        return call

    class CountedFile(io.BufferedWriter):
        def write(self, data: Any) -> int:
            half = len(data) // 2
            super().write(data[:half])
            rest: int = write(super().write, data[half:])
            return half + rest

        def flush(self) -> None:
            flush(super().flush)

    write, flush = counted(lambda do, data: do(data)), counted(lambda do: do())

    def open_counted(path: Path, mode: str) -> CountedFile:
        assert mode == "xb"
        return CountedFile(io.FileIO(path, "w"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", open_counted)
        for owner, names_of_operations in (
            (os, ("open", "fsync")),
            (Path, ("open", "mkdir", "iterdir", "glob", "replace", "unlink")),
        ):
            for name in names_of_operations:
                patch.setattr(owner, name, counted(getattr(owner, name)))
        yield failed


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), Killed()])
def test_a_write_that_fails_anywhere_leaves_the_older_ones(tmp_path, failure):
    """Whichever operation of the disk fails, or is the last before a kill, a whole checkpoint is there to go on from.

    Once the new one is complete it is the newest; until then both older ones stay. The next write leaves what it should.
    """
    for number in itertools.count(1):
        store = CheckpointStore(tmp_path / str(number))
        for step in (10, 20):
            store.write(checkpoint_of(step))
        with failing_at(number, failure) as failed, contextlib.suppress(TextgenError, Killed):
            store.write(checkpoint_of(30))
        if not failed:
            break
        newest = store.steps()[0]
        assert newest in {20, 30}
        assert_same(store.newest(refuse), checkpoint_of(newest))
        assert set(store.steps()) >= ({10, 20} if newest == 20 else {20, 30})
        for step in store.steps():  # whatever has a manifest is complete
            assert_same(store.read(step), checkpoint_of(step))
        store.write(checkpoint_of(40))
        assert_same(store.newest(refuse), checkpoint_of(40))
        assert names(store) == names_of(newest, 40)
    assert number > 25  # as many as operations: each file's mkdir, open, write, flush, fsync and so on, and removals
