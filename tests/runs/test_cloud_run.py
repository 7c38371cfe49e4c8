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
        decide_cloud_run(read_request(values), BUCKET, has_gpu=False)
    assert (str(raised.value), raised.value.settings) == (message, settings)


@pytest.mark.parametrize(
    ("has_gpu", "device", "kind"), [(False, "auto", "CPU"), (True, "auto", "GPU"), (True, "cpu", "CPU")]
)
def test_the_machine_of_the_job_decides_the_model(tmp_path, has_gpu, device, kind):
    """The model is chosen for the job's machine, not for this one; with `device` its GPU can be left unused."""
    text = tmp_path / "book.txt"
    text.write_text("It was a dark night. It rained, and nobody was out. " * 4000)
    request = read_request({"texts": (str(text),), "device": device, "minutes": 600.0, "init_from": "none"})
    run = decide_cloud_run(request, BUCKET, has_gpu=has_gpu)
    assert run.choices[0].reason == f"learns most in 600 minutes on a {kind}"
    assert run.place == f"{BUCKET}/textgen/job/{run.name}"
    [file] = run.uploads
    assert file.path == text
    assert run.arguments[0] == file.uri
