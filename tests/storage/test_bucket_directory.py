import errno
import os
import time
from functools import partial
from pathlib import Path

import pytest

from textgen import errors
from textgen.storage import (
    NOT_THERE,
    BucketDirectory,
    Fingerprint,
    bucket_settings,
    buckets,
    fetch,
    fetch_argument,
    fetch_directory,
    name_by_content,
    upload_once,
)
from textgen.storage.bucket_directory import RemovedError
from textgen.storage.bucket_names import find_collision

pytestmark = [
    pytest.mark.cloud,
    # Google's library leaves the answer to a request that failed unread, and its connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

LARGE = 9 << 20
"""More bytes than Google's library sends in one request."""


@pytest.fixture
def directory(bucket, front):
    with BucketDirectory(f"gs://{bucket.name}/a/job") as directory:
        yield directory


def test_objects_are_listed_by_their_names_below_the_place(directory, bucket):
    """Objects of other directories are not listed, even if the names start alike; sizes and checksums are the service's."""
    for name in ("a/job/x", "a/job/deep/y", "a/job2/z", "a/w"):
        bucket.blob(name).upload_from_string(name.encode())
    found = directory.list()
    assert list(found) == ["deep/y", "x"]
    assert found["x"].size == 7
    assert found["x"].crc32c == bucket.get_blob("a/job/x").crc32c
    with BucketDirectory(f"gs://{bucket.name}") as whole:
        assert set(whole.list()) == {"a/job/x", "a/job/deep/y", "a/job2/z", "a/w"}


@pytest.mark.parametrize("size", [0, 10, LARGE])
def test_a_file_goes_to_the_bucket_and_comes_back(directory, tmp_path, size):
    """Every byte, in one request or in several."""
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    written = directory.upload("file", tmp_path / "file", NOT_THERE)
    assert written == directory.find("file") == directory.list()["file"]
    directory.download("file", tmp_path / "deep" / "copy")
    assert (tmp_path / "deep" / "copy").read_bytes() == content
    assert directory.read("file") == (content, written)


@pytest.mark.parametrize("size", [10, LARGE])
def test_what_another_has_written_is_not_overwritten(directory, bucket, tmp_path, size):
    """A write that replaces an old generation is refused, and so is a new object that already exists."""
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    first = directory.upload("file", path, NOT_THERE)
    bucket.blob("a/job/file").upload_from_string(b"another's")
    for generation in (first.generation, NOT_THERE):
        with pytest.raises(errors.LockedError, match=r"^another process has written gs://\S+/a/job/file meanwhile"):
            directory.upload("file", path, generation)
    with pytest.raises(errors.LockedError, match="meanwhile"):
        directory.remove("file", first.generation)
    assert bucket.get_blob("a/job/file").download_as_bytes() == b"another's"


@pytest.mark.parametrize(("size", "fate"), [(10, "lose"), (10, "hang up"), (10, "refuse"), (LARGE, "refuse")])
def test_a_write_that_is_repeated_counts_once(directory, front, tmp_path, size, fate):
    """If an answer is lost, the library repeats the request and finds its own write."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    fates = [fate]
    front.rule = lambda method, _: fates.pop() if fates and method in {"POST", "PUT"} else None
    written = directory.upload("file", path, NOT_THERE)
    assert not fates
    assert directory.read("file") == (path.read_bytes(), written)


def test_removing_twice_is_no_failure(directory):
    """An object may already be gone, perhaps by a request whose answer was lost."""
    written = directory.write("x", b"x", NOT_THERE)
    for _ in range(2):
        directory.remove("x", written.generation)
    assert directory.find("x") is None


def test_a_file_that_goes_meanwhile_is_left_out(directory, tmp_path):
    """A checkpoint can be removed between the listing of its directory and its upload."""
    assert directory.upload("x", tmp_path / "absent", NOT_THERE) is None


def test_a_copy_within_the_bucket_overwrites_nothing(directory, bucket):
    """An existing object stays as it is."""
    directory.write("x", b"one", NOT_THERE)
    directory.write("y", b"two", NOT_THERE)
    bucket.blob("a/other/y").upload_from_string(b"mine")
    with BucketDirectory(f"gs://{bucket.name}/a/other") as target:
        directory.copy("x", target)
        assert set(target.list()) == {"x", "y"}


def test_a_bucket_that_is_not_there_is_one_line(directory):
    """Every request fails with an error that names the bucket and what to check."""
    with BucketDirectory("gs://no-such-bucket/job") as nowhere:
        assert nowhere.find("x") is None
        with pytest.raises(errors.MissingError, match=r"^cannot list gs://no-such-bucket/job: it does not exist"):
            nowhere.list()
        with pytest.raises(errors.MissingError, match=r"^cannot write gs://no-such-bucket/job/x: it does not exist"):
            nowhere.write("x", b"x", NOT_THERE)
    with pytest.raises(errors.MissingError, match=r"^cannot read the settings of gs://no-such-bucket: it does"):
        bucket_settings("no-such-bucket")


def test_a_bucket_has_a_location(bucket):
    """Its region is spelled as in --region."""
    assert bucket_settings(bucket.name).location == "us-central1"


@pytest.fixture
def book(tmp_path, bucket):
    """A text, its fingerprint, and the URI named by its content."""
    path = tmp_path / "my book.txt"
    path.write_text("one")
    content = Fingerprint.of(path)
    return path, content, f"gs://{bucket.name}/data/{name_by_content([content])}/my book.txt"


def test_a_file_is_uploaded_once(book, front):
    """An object whose name is made from the content is not uploaded again."""
    path, content, uri = book
    for methods in ({"GET", "POST"}, {"GET"}):
        upload_once(path, uri, content.crc32c)
        assert {method for method, _ in front.requests} == methods
        front.requests.clear()
    assert fetch(uri).read_text() == "one"


def test_a_file_that_changes_before_its_upload_is_refused(book):
    """No object has a content that its name does not stand for, even for a later upload of the right content."""
    path, content, uri = book
    path.write_text("two")
    with pytest.raises(errors.DataError, match=r"book\.txt changed while it was uploaded; try again"):
        upload_once(path, uri, content.crc32c)
    with pytest.raises(errors.MissingError):
        fetch(uri)
    path.write_text("one")
    upload_once(path, uri, content.crc32c)
    assert fetch(uri).read_text() == "one"


def test_an_object_with_the_wrong_content_is_replaced(book, bucket):
    """An upload that was killed before its check may have left one."""
    path, content, uri = book
    bucket.blob(uri.removeprefix(f"gs://{bucket.name}/")).upload_from_string("two")
    upload_once(path, uri, content.crc32c)
    assert fetch(uri).read_text() == "one"


def test_another_content_has_another_name(tmp_path):
    """Each byte matters, and so do the boundaries between files; the files' names do not."""
    names = set()
    for texts in (["ab", "c"], ["a", "bc"], ["abc"], ["ab", "d"]):
        paths = [tmp_path / f"{number}.txt" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        names.add(name_by_content([*map(Fingerprint.of, paths)]))
        assert name_by_content([*map(Fingerprint.of, paths)]) in names
    assert len(names) == 4


def test_a_directory_is_brought_without_what_is_there(bucket, front, tmp_path):
    """Only objects that differ are downloaded, and none whose name leads out of the directory."""
    for name in ("job/x", "job/deep/y", "job/../z"):
        bucket.blob(name).upload_from_string(name.encode())
    uri, place = f"gs://{bucket.name}/job", tmp_path / "home"
    assert fetch_directory(uri, place) == ["deep/y", "x"]
    assert {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()} == {"deep/y", "x"}
    bucket.blob("job/x").upload_from_string(b"new")
    del front.paths[:]
    assert fetch_directory(uri, place, ["x"]) == ["x"]
    assert fetch_directory(uri, place) == ["deep/y", "x"]
    assert (place / "x").read_bytes() == b"new"
    assert len([path for path in front.paths if "/download/" in path]) == 1


def choose_texts(_, names):
    """Chooses the texts of a folder."""
    return [name for name in names if name.endswith((".txt", ".txt.gz"))]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("texts/book.txt", ["book.txt"]),
        ("texts", ["book.txt", "more/part.txt.gz"]),
        ("texts/", ["book.txt", "more/part.txt.gz"]),
        ("texts/*.txt", ["book.txt"]),
        ("texts/**/part*", ["more/part.txt.gz"]),
    ],
)
def test_an_argument_in_a_bucket_stands_for_the_same_here(bucket, argument, expected):
    """A file, a folder or a glob becomes a path or a glob of the local disk, with the names of the bucket."""
    import glob

    for name in ("texts/book.txt", "texts/more/part.txt.gz", "texts/picture.png"):
        bucket.blob(name).upload_from_string(name.encode())
    found = fetch_argument(f"gs://{bucket.name}/{argument}", choose_texts)
    assert Path(found).name == Path(argument).name
    place = Path(found)
    files = glob.glob(found, recursive=True) if "*" in found else [place] if place.is_file() else place.rglob("*")  # noqa: PTH207
    assert sorted(Path(file).name for file in files if Path(file).is_file()) == sorted(
        Path(name).name for name in expected
    )


def test_a_folder_that_changes_leaves_alone_what_another_process_reads(bucket, front):
    """A text that was removed or changed in the bucket differs only for the next process; the others are not downloaded again."""
    for name in "abc":
        bucket.blob(f"texts/{name}.txt").upload_from_string(f"text {name}")
    uri = f"gs://{bucket.name}/texts"
    first = Path(fetch_argument(uri, choose_texts))
    bucket.blob("texts/a.txt").delete()
    bucket.blob("texts/b.txt").upload_from_string("another text")
    front.paths.clear()
    second = Path(fetch_argument(uri, choose_texts))
    assert {path.name: path.read_text() for path in second.iterdir()} == {"b.txt": "another text", "c.txt": "text c"}
    assert {path.read_text() for path in first.iterdir()} == {"text a", "text b", "text c"}
    assert sum("/download/" in path for path in front.paths) == 1
    for name in "bc":
        bucket.blob(f"texts/{name}.txt").delete()
    with pytest.raises(errors.MissingError, match=r"^there is no gs://\S+/texts, and no text below it; check"):
        fetch_argument(uri, choose_texts)


def test_two_globs_of_one_folder_do_not_disturb_each_other(bucket):
    """Each finds its own texts, even if the other is fetched later."""
    for name in "ab":
        bucket.blob(f"texts/{name}.txt").upload_from_string(name)

    def only(name):
        return lambda _, names: [each for each in names if each.startswith(name)]

    found = [Path(fetch_argument(f"gs://{bucket.name}/texts/{name}*", only(name))) for name in "ab"]
    assert [[path.name for path in pattern.parent.iterdir()] for pattern in found] == [["a.txt"], ["b.txt"]]


def test_a_disk_without_hard_links_gets_copies(bucket, monkeypatch):
    """Some network and USB disks have none."""
    monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EPERM, "not here")))
    bucket.blob("texts/a.txt").upload_from_string(b"text")
    assert (Path(fetch_argument(f"gs://{bucket.name}/texts", choose_texts)) / "a.txt").read_bytes() == b"text"


def test_another_process_that_downloads_the_same_folder_is_not_disturbed(bucket):
    """Its temporary files stay, unless they are a day old."""
    bucket.blob("texts/a.txt").upload_from_string(b"text")
    place = Path(fetch_argument(f"gs://{bucket.name}/texts", choose_texts))
    young, old = (place / f".a.txt.{number}.tmp" for number in ("0123456789abcdef", "4711"))
    for path in (young, old):
        path.write_bytes(b"te")
    long_ago = time.time() - 25 * 3600
    os.utime(old, times=(long_ago, long_ago))
    assert Path(fetch_argument(f"gs://{bucket.name}/texts", choose_texts)) == place
    assert sorted(path.name for path in place.iterdir()) == [young.name, "a.txt"]


@pytest.mark.parametrize("method", ["write", "upload"])
def test_what_another_has_removed_is_told_from_what_it_has_written(directory, bucket, tmp_path, method):
    """A write that was to replace a removed object can be repeated as that of a new object."""
    (tmp_path / "x").write_bytes(b"two")
    content = b"two" if method == "write" else tmp_path / "x"
    first = directory.write("x", b"one", NOT_THERE)
    bucket.blob("a/job/x").delete()
    with pytest.raises(
        RemovedError, match=r"^cannot write gs://\S+/a/job/x: somebody has removed it meanwhile; try again"
    ):
        getattr(directory, method)("x", content, first.generation)
    written = getattr(directory, method)("x", content, NOT_THERE)
    assert directory.read("x") == (b"two", written)


def test_names_that_collide_are_refused(bucket, tmp_path, monkeypatch):
    """On a disk that ignores case, one would replace the other."""
    for name in ("texts/Book.txt", "texts/book.txt"):
        bucket.blob(name).upload_from_string(name.encode())
    uri, place = f"gs://{bucket.name}/texts", tmp_path / "home"
    assert fetch_directory(uri, place) == ["Book.txt", "book.txt"]
    monkeypatch.setattr(buckets, "find_collision", partial(find_collision, folds_case=True))
    collision = rf"^Book\.txt and book\.txt in {uri} would be one file on this machine; rename one of them$"
    with pytest.raises(errors.InputOutputError, match=collision):
        fetch_directory(uri, place)
    with pytest.raises(errors.InputOutputError, match=collision):
        fetch_argument(uri, choose_texts)


@pytest.mark.parametrize("name", ["x\\y", "..\\..\\x.txt", "\x1b]x"])
def test_a_name_that_no_file_can_have_is_refused(bucket, name):
    """The error is one line, for a file and for a folder."""
    bucket.blob(f"a/{name}").upload_from_string(b"x")
    refused = r"^[^\n\x1b]*ends in a name that no file here can have; rename it in the bucket$"
    for uri in (f"gs://{bucket.name}/a/{name}", f"gs://{bucket.name}/a/{name}/", f"gs://{bucket.name}/a/.."):
        with pytest.raises(errors.UsageError, match=refused):
            fetch_argument(uri, choose_texts)
