import pytest

from textgen.runs import request


@pytest.mark.parametrize(
    ("device", "driver", "library", "expected"),
    [
        ("auto", True, True, "gpu"),
        ("auto", True, False, "cpu"),
        ("auto", False, True, "cpu"),
        ("gpu", False, False, "gpu"),
        ("cpu", True, True, "cpu"),
    ],
)
def test_the_kind_of_device_is_found_without_tensorflow(monkeypatch, tmp_path, device, driver, library, expected):
    """A GPU is assumed if there are a driver and the library that TensorFlow needs, or if --device is gpu."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(request, "_DRIVERS", (tmp_path / "none", *([tmp_path] if driver else [])))
    monkeypatch.setattr(request, "_CUDA_LIBRARY", "json" if library else "no_such.thing")
    assert request.device_kind(device) == expected


@pytest.mark.parametrize(("devices", "expected"), [("", "cpu"), ("-1", "cpu"), ("0", "gpu")])
def test_a_gpu_that_is_hidden_does_not_count(monkeypatch, tmp_path, devices, expected):
    """If CUDA_VISIBLE_DEVICES hides every GPU, settings are chosen for a CPU."""
    monkeypatch.setattr(request, "_DRIVERS", (tmp_path,))
    monkeypatch.setattr(request, "_CUDA_LIBRARY", "json")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
    assert request.device_kind("auto") == expected
