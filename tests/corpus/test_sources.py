import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from textgen import errors
from textgen.corpus import Sources, find_sources


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with books in it."""
    for name in [
        "b.txt",
        "a.txt",
        "more/c.txt",
        "more/d.txt.gz",
        "notes.md",
        ".hidden.txt",
        ".git/e.txt",
        "more/f[1].txt",
    ]:
        path = tmp_path / "My Books" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(b"text") if name.endswith(".gz") else b"text")
    monkeypatch.chdir(tmp_path / "My Books")
    return tmp_path / "My Books"


def names(sources):
    return [path.as_posix() for path in sources.train]


def test_files(folder):
    """Files come in the order given, each once however it is written; the first named gives the prefix."""
    sources = find_sources(["b.txt", "notes.md", "a.txt", "./b.txt", str(folder / "a.txt")], None, None)
    assert [path.name for path in sources.train] == ["b.txt", "notes.md", "a.txt"]
    assert (sources.prefix, sources.valid, sources.test, sources.vocabulary) == ("b", (), (), None)


def test_folder(folder):
    """A folder stands for its text files, also further down, without the hidden ones."""
    expected = ["a.txt", "b.txt", "more/c.txt", "more/d.txt.gz", "more/f[1].txt"]
    assert names(find_sources(["."], None, None)) == expected
    assert find_sources(["."], None, None).prefix == find_sources([str(folder)], None, None).prefix == "my-books"
    assert names(find_sources([], "more", None)) == expected[2:]
    assert find_sources([], "more", None).prefix == "more"


@pytest.mark.usefixtures("folder")
def test_globs():
    """A glob is expanded as a shell would, `**` included; brackets may be part of a name."""
    assert names(find_sources(["*.txt"], None, None)) == ["a.txt", "b.txt"]
    assert names(find_sources(["**/*.txt"], None, None)) == ["a.txt", "b.txt", "more/c.txt", "more/f[1].txt"]
    assert names(find_sources(["*"], None, None)) == ["a.txt", "b.txt", "notes.md"]
    assert names(find_sources([str(Path.cwd() / "more" / "[cd].*")], None, None))[0].endswith("more/c.txt")
    assert names(find_sources(["more/f[1].txt"], None, None)) == ["more/f[1].txt"]
    assert find_sources(["more/*"], None, None).prefix == "c"


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("my-book.txt.gz", "my-book"),
        ("War & Peace_2.TXT", "war-peace-2"),
        ("jules.train.txt", "jules-train"),
        ("я.txt", "text"),
    ],
)
def test_prefix(tmp_path, name, prefix):
    """The first file's stem names the job, in a-z, 0-9 and hyphens."""
    (tmp_path / name).write_bytes(gzip.compress(b"text"))
    assert find_sources([str(tmp_path / name)], None, None).prefix == prefix


@pytest.mark.usefixtures("folder")
def test_data_prefix_names_the_job():
    """With texts, data_prefix is the name and no more; it is kept as given."""
    assert find_sources(["a.txt"], None, "My_Job.1").prefix == "My_Job.1"
    with pytest.raises(errors.UsageError, match="data_prefix"):
        find_sources(["a.txt"], None, "my/job")


@pytest.mark.usefixtures("folder")
def test_order_of_folders_and_globs():
    """Only what a folder or a glob gives is sorted; a file that comes twice stays in its first place."""
    assert names(find_sources(["more/*.gz", "b.txt", "."], None, None)) == [
        "more/d.txt.gz",
        "b.txt",
        "a.txt",
        "more/c.txt",
        "more/f[1].txt",
    ]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_folder_of_one_corpus(tmp_path, ending):
    """A folder with one `*.train.txt` is that corpus, as a text and as data_dir; nothing is glued together."""
    for name in [f"Jules.train.txt{ending}", "Jules.valid.txt", "Jules.vocab.txt", ".k.train.txt", "notes.txt"]:
        (tmp_path / name).touch()
    expected = Sources(
        "jules",
        (tmp_path / f"Jules.train.txt{ending}",),
        (tmp_path / "Jules.valid.txt",),
        (),
        tmp_path / "Jules.vocab.txt",
    )
    assert find_sources([str(tmp_path)], None, None) == find_sources([], str(tmp_path), None) == expected
    assert find_sources([f"{tmp_path}/"], None, "mine") == replace(expected, prefix="mine")
    two = find_sources([str(tmp_path), str(tmp_path / "notes.txt")], None, None)
    assert len(two.train) == 4


def test_folder_of_several_corpora(tmp_path):
    """Among several corpora the user must choose; the message names them and how."""
    for name in ["k.train.txt", "j.train.txt", "j.train.txt.gz", "j.valid.txt"]:
        (tmp_path / name).touch()
    for texts, data_dir in [([str(tmp_path)], None), ([], str(tmp_path))]:
        with pytest.raises(errors.UsageError, match=r"several corpora, j, k: .*data_dir \S+ data_prefix j,"):
            find_sources(texts, data_dir, None)


def test_corpus(tmp_path):
    """data_dir and data_prefix find the sections and the vocabulary, plain before packed."""
    for name in [
        "j.train.txt",
        "j.train.txt.gz",
        "j.valid.txt.gz",
        "j.test.txt",
        "j.vocab.txt",
        "j.txt",
        "k.train.txt",
        "l.txt.gz",
    ]:
        (tmp_path / name).touch()
    j = find_sources([], str(tmp_path), "j")
    assert j == Sources(
        "j",
        (tmp_path / "j.train.txt",),
        (tmp_path / "j.valid.txt.gz",),
        (tmp_path / "j.test.txt",),
        tmp_path / "j.vocab.txt",
    )
    assert find_sources([], str(tmp_path), "k") == Sources("k", (tmp_path / "k.train.txt",), (), (), None)
    assert find_sources([], str(tmp_path), "l") == Sources("l", (tmp_path / "l.txt.gz",), (), (), None)
    with pytest.raises(errors.MissingError, match=r"looked for m\.train\.txt and m\.txt"):
        find_sources([], str(tmp_path), "m")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["a.txt"], "more", None), errors.UsageError, "give only one"),
        (([], None, None), errors.UsageError, "none was named"),
        (([""], None, None), errors.UsageError, "none was named"),
        ((["gs://b/a.txt"], None, None), errors.UsageError, "a place in a bucket must be"),
        (([], "gs://", "jules"), errors.UsageError, "a place in a bucket must be"),
        ((["aa.txt"], None, None), errors.MissingError, r"there is no aa\.txt: did you mean a\.txt\?"),
        ((["mroe/c.txt"], None, None), errors.MissingError, r"there is no mroe: did you mean more\?"),
        ((["zebra"], None, None), errors.MissingError, "there is no zebra: check the path"),
        (([], "moer", "jules"), errors.MissingError, r"there is no moer: did you mean more\?"),
        ((["*.pdf"], None, None), errors.MissingError, r"no file matches \*\.pdf"),
        ((["empty"], None, None), errors.MissingError, r"the folder empty holds no \*\.txt"),
    ],
)
def test_refusals(folder, arguments, error, message):
    """Every argument that leads to no text is named in one line, with what to do."""
    (folder / "empty").mkdir()
    with pytest.raises(error, match=message) as caught:
        find_sources(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_unreadable_file(monkeypatch):
    """A file that may not be read is found out at once."""

    def refuse(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(errors.AccessError, match=r"cannot read a\.txt: Permission denied"):
        find_sources(["a.txt"], None, None)


def test_unreadable_folder(folder, monkeypatch):
    """A folder that may not be read is no empty folder."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(errors.AccessError, match="Permission denied"):
        find_sources([str(folder)], None, None)


def test_pipe(tmp_path):
    """A pipe could not be read twice."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.UsageError, match="read only once"):
        find_sources([str(tmp_path / "pipe")], None, None)
