import pytest

from textgen.errors import UsageError
from textgen.runs.cloud_run import decide_cloud_run
from textgen.runs.request import read_request

BUCKET = "gs://my-bucket"


@pytest.mark.parametrize(
    ("values", "message", "settings"),
    [
        (
            {"texts": ("gs://other/book.txt",)},
            (
                "which model suits the time depends on the text, which is in a bucket and is not read here; "
                "name a model with lstm_state_size or config, or copy the text here"
            ),
            ("lstm_state_size", "config"),
        ),
        (
            {"job_dir": "/jobs"},
            "job_dir of a cloud job must be gs://BUCKET/PATH, or a path relative to gs://my-bucket/textgen, got /jobs",
            ("job_dir",),
        ),
        (
            {"init_from": "gs://other/model"},
            "init_from gs://other/model is in a bucket and is not read here, but the job's name depends on it; copy it here",
            ("init_from",),
        ),
    ],
)
def test_a_run_that_cannot_be_decided_names_the_settings(values, message, settings):
    """Without network, what is only in a bucket cannot decide; the exception names the settings, not the flags."""
    with pytest.raises(UsageError) as raised:
        decide_cloud_run(read_request(values), BUCKET, gpus=0, cores=2)
    assert (str(raised.value), raised.value.settings) == (message, settings)


@pytest.mark.parametrize(("gpus", "kind"), [(0, "CPU"), (1, "GPU"), (8, "GPU")])
def test_the_machine_of_the_job_decides_the_model(tmp_path, gpus, kind):
    """The model is chosen for the job's machine, not for this one; the number of its GPUs does not matter."""
    text = tmp_path / "book.txt"
    text.write_text("It was a dark night. It rained, and nobody was out. " * 4000)
    request = read_request({"texts": (str(text),), "minutes": 600.0, "init_from": "none"})
    run = decide_cloud_run(request, BUCKET, gpus=gpus, cores=2)
    assert run.choices[0].reason == f"learns most in 600 minutes on a {kind}"
    assert run.place == f"{BUCKET}/textgen/job/{run.name}"
    [file] = run.uploads
    assert file.path == text
    assert run.arguments[0] == file.uri


@pytest.mark.parametrize("cores", [1, 4, 32])
def test_the_machine_of_the_job_decides_the_expected_time(tmp_path, cores):
    """The time that the passes take is that on the cores of the job's machine; what depends on it is left to the container."""
    text = tmp_path / "book.txt"
    text.write_text("It was a dark night. It rained, and nobody was out. " * 4000)
    request = read_request({"texts": (str(text),), "minutes": 5.0, "init_from": "none"})
    run = decide_cloud_run(request, BUCKET, gpus=0, cores=cores)
    [reason] = [choice.reason for choice in run.choices if "epochs" in choice.settings]
    assert f" of the 300 seconds on {cores} core" in reason
    assert not any("patience" in argument or "epochs" in argument for argument in run.arguments)


@pytest.mark.parametrize(("gpus", "flags"), [(0, []), (1, []), (8, ["--devices=all"])])
def test_the_container_trains_on_all_gpus(gpus, flags):
    """The container gets `--devices=all` for several GPUs, so that it refuses to train on fewer than are paid for."""
    run = decide_cloud_run(read_request({"max_steps": 5}), BUCKET, gpus=gpus, cores=2)
    assert [argument for argument in run.arguments if argument.startswith("--devices")] == flags


@pytest.mark.parametrize(
    ("gpus", "values", "message"),
    [
        (8, {"batch_size": 12}, "batch_size must be a multiple of the number of devices, 8, got 12; use batch_size 16, or a machine with 6"),
        (8, {"devices": 4}, "devices must be the number of GPUs of the machine, 8, because idle ones cost as much, got 4; leave it out, or name another machine"),
        (1, {"devices": 2}, "devices must be the number of GPUs of the machine, 1, "),
        (0, {"devices": 2}, "devices must be the number of GPUs of the machine, 0, "),
        (1, {"device": "cpu"}, "device cpu would leave the GPU of the machine idle, which costs as much; leave it out, or use machine cpu"),
        (0, {"device": "gpu"}, "device gpu needs a GPU, and the machine has none; leave it out, or name a machine with a GPU, such as machine l4"),
        (0, {"workers": 7, "batch_size": 6}, "batch_size must be a multiple of the number of workers, 7, got 6; use batch_size 7, or workers 6"),
        (1, {"workers": 4, "batch_size": 6}, "batch_size must be a multiple of the number of workers, 4, got 6; use batch_size 8, or workers 3"),
        (8, {"workers": 2, "batch_size": 8}, "batch_size must be a multiple of the number of devices, 8 in each of 2 workers, got 8; "),
    ],
)  # fmt: skip
def test_no_gpu_is_paid_for_and_idle(gpus, values, message):
    """A job that would leave a GPU of its machine idle is refused, by the number of devices or workers, the batch or the kind of device; so is one without the GPU that it asks for."""
    with pytest.raises(UsageError) as raised:
        decide_cloud_run(read_request({"max_steps": 5, **values}), BUCKET, gpus=gpus, cores=2)
    assert str(raised.value).startswith(message)
