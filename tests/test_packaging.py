import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import textgen

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = [f"3.{minor}" for minor in range(8, 30) if SpecifierSet(PROJECT["requires-python"]).contains(f"3.{minor}.1")]
LOCKS = {"base": [], "dev": ["dev"], "gpu": ["gpu"]}
"""The extras of pyproject.toml that each lock in requirements/ is made from."""

lock_of = pytest.mark.parametrize("lock", LOCKS)


def read_entries(lock):
    """Returns the entries of a lock: a requirement with its hashes each, on one line."""
    text = re.sub(r"\s*\\\n\s*", " ", (ROOT / "requirements" / f"{lock}.txt").read_text())
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def read_pins(lock):
    """Returns the requirements of a lock, without hashes."""
    return [Requirement(entry.split(" --hash=")[0]) for entry in read_entries(lock)]


def declared(lock):
    """Returns the requirements of pyproject.toml that a lock is made from."""
    return [
        *map(Requirement, PROJECT["dependencies"]),
        *(wanted for extra in LOCKS[lock] for wanted in required(extra)),
    ]


def required(extra):
    """Yields the requirements of an extra, and of the extras of the project that it includes."""
    for wanted in map(Requirement, PROJECT["optional-dependencies"][extra]):
        if wanted.name == PROJECT["name"]:
            yield from (below for other in wanted.extras for below in required(other))
        else:
            yield wanted


def test_every_package_has_what_it_exports():
    """Each name of a package's `__all__` is there."""
    packages = [found.name for found in pkgutil.walk_packages(textgen.__path__, "textgen.") if found.ispkg]
    assert "textgen.generation.samplers" in packages
    for package in map(importlib.import_module, packages):
        lacking = [name for name in getattr(package, "__all__", ()) if not hasattr(package, name)]
        assert lacking == [], package


def test_developers_get_every_runtime():
    """The extra `dev` includes the extras of all formats that a model can be exported to."""
    wanted = {requirement.name for requirement in declared("dev")}
    for extra in ("litert", "onnx"):
        assert wanted >= {requirement.name for requirement in required(extra)}


@lock_of
@pytest.mark.parametrize("python", PYTHONS)
def test_each_dependency_is_pinned_within_its_range(lock, python):
    """On each Python, a lock pins every dependency of the project and of its extras once, within the range of pyproject.toml."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.1"}
    pins = [pin for pin in read_pins(lock) if pin.marker is None or pin.marker.evaluate(environment)]
    for wanted in declared(lock):
        [pin] = [pin for pin in pins if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
        [exact] = pin.specifier
        assert wanted.specifier.contains(exact.version), f"{pin} is not {wanted}"


@lock_of
def test_each_pin_is_exact_and_has_hashes(lock):
    """Each entry of a lock has an exact version and hashes, as `pip install --require-hashes` demands."""
    entries = read_entries(lock)
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==\S+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+", entry), entry


@lock_of
def test_no_lock_has_an_address(lock):
    """A lock contains no URL and no option, so that the user decides where packages come from."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", re.sub(r"^ +--hash=.*$", "", text, flags=re.MULTILINE), re.MULTILINE)


@pytest.mark.parametrize("lock", ["base", "build"])
def test_the_locks_of_one_environment_agree(lock):
    """The lock `dev` pins all packages of the locks that are installed before it to the same versions."""
    assert {str(pin) for pin in read_pins(lock)} <= {str(pin) for pin in read_pins("dev")}


DEMO, TOOLS = "-r requirements/base.txt -r requirements/build.txt", "-r requirements/dev.txt"


@pytest.fixture
def make(tmp_path):
    """A function that returns whether make would create a new .venv for a target, and which locks it would install."""
    program = shutil.which("make")
    if program is None:
        pytest.skip("there is no make")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv").mkdir()
    sources = [ROOT / "pyproject.toml", *(ROOT / "requirements").iterdir()]

    def would_install(target, stamps, changed=None):
        for source in sources:
            copy = tmp_path / source.relative_to(ROOT)
            copy.parent.mkdir(exist_ok=True)
            copy.touch()
            os.utime(copy, (1, 1))
        for number, name in enumerate(stamps, start=2):
            (tmp_path / ".venv" / name).touch()
            os.utime(tmp_path / ".venv" / name, (number, number))
        if changed is not None:
            os.utime(tmp_path / changed, (9, 9))
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        command = [program, "--dry-run", target]
        done = subprocess.run(command, cwd=tmp_path, env=own, check=True, capture_output=True, text=True)
        is_new = "-m venv --clear .venv" in done.stdout
        return is_new, [lock for lock in (DEMO, TOOLS) if lock in done.stdout]

    return would_install


@pytest.mark.parametrize(
    ("target", "stamps", "changed", "installs"),
    [
        ("demo", [], None, (True, [DEMO])),
        ("test", [], None, (True, [DEMO, TOOLS])),
        ("demo", [".ready"], None, (False, [])),
        ("setup", [".ready"], None, (False, [TOOLS])),
        ("test", [".ready"], None, (False, [TOOLS])),
        ("demo", [".ready", ".tools"], None, (False, [])),
        ("check", [".ready", ".tools"], None, (False, [])),
        ("demo", [".ready", ".tools"], "requirements/base.txt", (True, [DEMO])),
        ("test", [".ready", ".tools"], "requirements/dev.txt", (True, [DEMO, TOOLS])),
        ("test", [".ready", ".tools"], "pyproject.toml", (True, [DEMO, TOOLS])),
        ("test", [".ready", ".tools"], ".venv/.ready", (False, [TOOLS])),
        ("test", [".installed"], None, (True, [DEMO, TOOLS])),
    ],
)
def test_make_installs_missing_locks(target, stamps, changed, installs, make):
    """`make` adds the developers' tools to the .venv of the demo, and creates a new .venv if a lock or pyproject.toml changes."""
    assert make(target, stamps, changed) == installs


def test_the_versions_of_python_agree():
    """requires-python, the classifiers and the Makefile name the same versions of Python."""
    names = [line.removeprefix("Programming Language :: Python :: ") for line in PROJECT["classifiers"]]
    assert [name for name in names if re.fullmatch(r"3\.\d+", name)] == PYTHONS
    makefile = (ROOT / "Makefile").read_text()
    assert sorted(set(re.findall(r"python(3\.\d+)", makefile))) == PYTHONS
    first, last = (tuple(map(int, python.split("."))) for python in (PYTHONS[0], PYTHONS[-1]))
    assert f"not {first} <= sys.version_info[:2] <= {last}" in makefile
    assert f"needs Python {', '.join(PYTHONS[:-1])} or {PYTHONS[-1]};" in makefile
    assert set(re.findall(r"--python-version (\S+)", makefile)) == {PYTHONS[0]}


@dataclass(frozen=True)
class Installation:
    """The installed wheel.

    Attributes:
        site: the directory with its packages.
        work: the empty current directory of its commands.
    """

    site: Path
    work: Path

    def run(self, *command):
        """Runs Python with some arguments; returns the completed process."""
        hidden = ("TEXTGEN_CACHE", "XDG_CACHE_HOME", "PYTHONHOME", "VIRTUAL_ENV")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        environment |= {"PYTHONPATH": str(self.site), "HOME": str(self.work.parent / "home")}
        done = subprocess.run(
            [sys.executable, *command], check=False, capture_output=True, text=True, cwd=self.work, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done

    def textgen(self, name, *arguments):
        """Runs an installed command; returns the completed process."""
        return self.run(str(self.site / "bin" / name), *arguments)


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """Builds the wheel and installs it."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(place), str(ROOT)]
    subprocess.run(build, check=True)
    [wheel] = place.glob("textgen-*.whl")
    site = place / "site"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    for name in ("work", "home"):
        (place / name).mkdir()
    return Installation(site, place / "work")


@pytest.mark.slow
def test_the_wheel_contains_the_bundled_files(installation):
    """The wheel contains the story, the base model, the presets and `py.typed`, but neither the tests nor the base's programs."""
    package = installation.site / "textgen"
    assert installation.run("-c", "import textgen; print(textgen.__file__)").stdout.strip() == str(
        package / "__init__.py"
    )
    data = {path.name: path.read_bytes() for path in (ROOT / "data").iterdir() if path.is_file()}
    assert {path.name: path.read_bytes() for path in (package / "bundled" / "data").iterdir()} == data
    assert {path.name for path in (package / "bundled" / "configs").iterdir()} >= {
        path.name for path in (ROOT / "configs").glob("*.yaml")
    }
    assert (package / "py.typed").is_file()
    assert not (installation.site / "tests").exists()


@pytest.mark.slow
def test_the_installed_commands_find_the_base_model(installation):
    """The wheel contains the base model, which the installed textgen-sample writes with as long as there is no job."""
    bundled = installation.site / "textgen" / "bundled" / "data" / "base.safetensors"
    assert bundled.read_bytes() == (ROOT / "data" / "base.safetensors").read_bytes()
    text = installation.textgen("textgen-sample", "--prompt", "The sea", "--length", "20", "--seed", "1").stdout
    assert text.startswith("The sea")


@pytest.mark.slow
def test_the_installed_commands_find_story_and_preset(installation):
    """The installed commands find the story and the presets from any current directory."""
    plan = installation.textgen("textgen-train", "--dry_run").stderr
    assert re.search(r"text +story: [\d,]+ characters", plan)
    plan = installation.textgen("textgen", "train", "--config", "demo", "--dry_run").stderr
    assert "job/story-from-base (new)" in plan
    assert list(installation.work.iterdir()) == []


@pytest.mark.slow
def test_the_installed_commands_train_and_sample(installation):
    """The installed commands train a model on the story and sample from it."""
    sizes = ["--lstm_state_size=8", "--batch_size=32", "--unroll_steps=16", "--max_steps=1", "--sample_length=10"]
    summary = json.loads(installation.textgen("textgen-train", "--json", *sizes).stdout)
    assert summary["steps"] == 1
    text = installation.textgen(
        "textgen-sample", summary["job_dir"], "--prompt", "The sea", "--length", "20", "--seed", "1"
    ).stdout
    assert text.startswith("The sea")
    assert len(text) == len("The sea") + 20 + len("\n")
