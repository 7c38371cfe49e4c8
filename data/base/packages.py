"""Fetches packages with the tools of their indexes, and reads the files inside them.

An archive that is already there is not fetched again. Its hash is always checked, and no program in it is run.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from textgen.errors import UnavailableError

_FETCH = {
    "pypi": ("pip", "download", "--no-deps", "--only-binary=:all:", "{name}=={version}"),
    "npm": ("npm", "pack", "{name}@{version}"),
    "debian": ("apt-get", "download", "{name}={version}"),
    "debian-source": ("apt-get", "source", "--download-only", "--tar-only", "{name}={version}"),
}
"""For each index, the command that puts an archive into the current directory."""


@dataclass(frozen=True)
class Package:
    """A package, as sources.toml describes it.

    Attributes:
        name: its name in the index.
        index: `pypi`, `npm`, `debian` or `debian-source`.
        version: its version.
        file: the name of its archive.
        sha256: the hash of the archive, in hex.
        license: its licence, as the package states it.
    """

    name: str
    index: str
    version: str
    file: str
    sha256: str
    license: str


def fetch(package: Package, directory: Path) -> Path:
    """Fetches the archive of a package, unless it is there.

    Args:
        package: the package.
        directory: where archives are kept.

    Returns:
        The archive.

    Raises:
        UnavailableError: if the tool of the index is missing or fails, or if the archive has another hash.
    """
    directory = directory.resolve()
    archive = directory / package.file
    if not archive.exists():
        directory.mkdir(parents=True, exist_ok=True)
        command = [part.format(name=package.name, version=package.version) for part in _FETCH[package.index]]
        if command[0] == "apt-get":
            options = _apt_options(directory / "apt")
            _run(["apt-get", *options, "update"], directory)
            command[1:1] = options
        _run(command, directory)
    if not archive.exists():
        raise UnavailableError(
            f"{package.name} {package.version} must contain {package.file}, which its index does not have"
        )
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    if sha256 != package.sha256:
        raise UnavailableError(
            f"{archive} must have the sha256 {package.sha256}, got {sha256}; delete it to fetch it again"
        )
    return archive


def read_texts(archive: Path, pattern: str, encoding: str) -> list[str]:
    """Reads the text files in an archive whose paths match a pattern, in the order of their paths."""
    return [content.decode(encoding) for content in _read(archive, pattern)]


def read_r_text(archive: Path, stem: str, name: str) -> str:
    """Reads the lines of text in an R package's lazy-load database.

    Args:
        archive: the package.
        stem: the path of the database in it, without `.rdx` and `.rdb`.
        name: the name of the object, a character vector with an element per line.
    """
    try:
        from rdata import conversion, parser
    except ImportError as error:
        raise UnavailableError("rdata is missing; install it with `pip install rdata`") from error
    [index] = _read(archive, f"{stem}.rdx")
    [chunks] = _read(archive, f"{stem}.rdb")
    places = conversion.convert(parser.parse_data(gzip.decompress(index), extension=".rds"))["variables"]
    start, size = places[name]
    content = zlib.decompress(chunks[start + 4 : start + size])  # after the size of what it contains
    return "\n".join(map(str, conversion.convert(parser.parse_data(content, extension=".rds"))))


def _read(archive: Path, pattern: str) -> list[bytes]:
    """Returns the content of the files in an archive whose paths match a pattern, in the order of their paths."""
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as file:
            found = {name: file.read(name) for name in file.namelist() if fnmatchcase(name, pattern)}
    else:
        content = (
            _run(["dpkg-deb", "--fsys-tarfile", str(archive)]) if archive.suffix == ".deb" else archive.read_bytes()
        )
        found = {}
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if fnmatchcase(name, pattern) and (opened := tar.extractfile(member)):
                    found[name] = opened.read()
    if not found:
        raise UnavailableError(f"{archive} has no file that matches {pattern}")
    return [found[name] for name in sorted(found)]


def _apt_options(directory: Path) -> list[str]:
    """Returns options with which apt-get keeps its lists in a directory, so that it needs no rights, and knows source packages."""
    parts = directory / "sources"
    for path in (parts, directory / "lists" / "partial", directory / "archives" / "partial"):
        path.mkdir(parents=True, exist_ok=True)
    system = Path("/etc/apt")
    for path in [system / "sources.list", *(system / "sources.list.d").glob("*")]:
        if path.suffix == ".sources":
            text = re.sub(r"^Types:.*", "Types: deb deb-src", path.read_text(), flags=re.MULTILINE)
        elif path.suffix == ".list" and path.exists():
            text = re.sub(r"^deb( .*)", r"deb\1\ndeb-src\1", path.read_text(), flags=re.MULTILINE)
        else:
            continue
        (parts / path.name).write_text(text)
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": str(parts),
        "Dir::State::Lists": str(directory / "lists"),
        "Dir::Cache": str(directory),
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _run(command: list[str], directory: Path | None = None) -> bytes:
    """Runs a program, and returns its output."""
    program = shutil.which(command[0])
    if program is None:
        raise UnavailableError(f"{command[0]} is missing; install it, or fetch the archives elsewhere")
    done = subprocess.run([program, *command[1:]], cwd=directory, check=False, capture_output=True)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), f"exit code {done.returncode}")
        raise UnavailableError(f"{command[0]} failed on {command[-1]}: {reason.strip()}")
    return done.stdout
