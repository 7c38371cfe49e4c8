import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from textgen import errors
from textgen.corpus import PROJECTOR_FILES, Sources, find_sources


def in_bucket(test):
    """Marks a test that needs a bucket; Google's library leaves the answer to a request that failed unread."""
    return pytest.mark.cloud(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")(test))


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


def train_in(folder, *others):
    """Leaves in a folder what training leaves there, as far as it matters here."""
    for name in ("config.yaml", "vocabulary.json", "samples.txt", "logs/events.out.tfevents.1", *others):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("what the model wrote")


def names(sources):
    return [path.as_posix() for path in sources.train]


def test_files(folder):
    """Files come in the order given, each once however it is written; the first named gives the prefix."""
    sources = find_sources(["b.txt", "notes.md", "a.txt", "./b.txt", str(folder / "a.txt")], None, None)
    assert [path.name for path in sources.train] == ["b.txt", "notes.md", "a.txt"]
    assert (sources.prefix, sources.valid, sources.test, sources.vocabulary) == ("b", (), (), None)


def test_folder(folder):
    """A folder means the text files in it and in its folders, without the hidden ones."""
    expected = ["a.txt", "b.txt", "more/c.txt", "more/d.txt.gz", "more/f[1].txt"]
    assert names(find_sources(["."], None, None)) == expected
    assert find_sources(["."], None, None).prefix == find_sources([str(folder)], None, None).prefix == "my-books"
    (folder / "more-b.txt").touch()  # as names, it comes before "more/c.txt"; as paths, after it
    assert names(find_sources(["."], None, None)) == [*expected, "more-b.txt"]
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


def test_job_directories_are_skipped(folder):
    """Jobs below a folder, those moved aside too, are not read, whatever else is in them; a file named outright is."""
    before = names(find_sources(["."], None, None))
    train_in(folder / "job" / "my-books-8-states")
    train_in(folder / "job" / "my-books-8-states.1", "notes/saved.txt", "checkpoints/step-1.json")
    assert names(find_sources(["."], None, None)) == before
    assert names(find_sources([], ".", None)) == before
    assert names(find_sources(["**/*"], None, None)) == sorted([*before, "notes.md"])
    explicit = "job/my-books-8-states/samples.txt"
    assert names(find_sources([explicit], None, None)) == [explicit]


@pytest.mark.parametrize("job_dir", [None, "out", "out/mine"])
def test_outputs_named_among_texts_are_skipped(folder, job_dir):
    """A shell's `*` names the jobs and logs of the first run beside the texts; the second run finds the same text."""
    shutil.rmtree(folder / "more")
    before = find_sources(["b.txt", "notes.md"], None, None, job_dir)
    (folder / "out" / "mine").mkdir(parents=True)
    (folder / "out" / "mine" / "lock").touch()
    if job_dir is None:
        train_in(folder / "out" / "mine")
    (folder / "logs" / "train").mkdir(parents=True)
    (folder / "logs" / "train" / "events.out.tfevents.1").touch()
    train_in(folder / "a job.1")
    for argument in ("a job.1", "logs", "out"):
        after = find_sources([argument, "b.txt", "notes.md"], None, None, job_dir)
        assert (after.prefix, after.train) == (before.prefix, before.train)
        assert argument in str(after.skipped)
    after = find_sources(["a job.1", "b.txt", "logs", "notes.md", "out"], None, None, job_dir)
    assert str(after.skipped) == (
        "1 other file (logs/train/events.out.tfevents.1) and 2 job directories (such as a job.1)"
    )


def test_files_in_a_job_named_among_texts_are_skipped(folder):
    """A shell's `**` names every file and folder of a job, which counts once."""
    train_in(folder / "job" / "mine")
    found = sorted(str(path.relative_to(folder)) for path in (folder / "job").rglob("*"))
    sources = find_sources(["job", *found, "b.txt"], None, None)
    assert (sources.prefix, names(sources)) == ("b", ["b.txt"])
    assert str(sources.skipped) == "1 job directory (job/mine)"


def test_a_folder_of_many_named_files_is_listed_once(folder, monkeypatch):
    """A shell's `*` may name thousands of files of one folder."""
    listed, listdir = [], os.listdir

    def note(place):
        listed.append(str(place))
        return listdir(place)

    monkeypatch.setattr(os, "listdir", note)
    find_sources(["more/c.txt", "more/d.txt.gz", "a.txt"], None, None)
    assert sorted(listed.count(place) for place in (".", "more")) == [1, 1]


def test_texts_outside_the_job_in_which_one_works_are_read(folder, monkeypatch):
    """A path that leads out of the current directory is not part of a job there."""
    train_in(folder / "job" / "mine")
    monkeypatch.chdir(folder / "job" / "mine")
    assert names(find_sources(["../../b.txt", str(folder / "a.txt"), "samples.txt"], None, None)) == [
        "../../b.txt",
        f"{folder}/a.txt",
    ]


def test_the_one_corpus_of_a_folder_stays_that_corpus_beside_a_job(tmp_path, monkeypatch):
    """A folder that was the only argument means the same corpus when a job is named after it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "books").mkdir()
    for part in ("train", "valid"):
        (tmp_path / "books" / f"jules.{part}.txt").write_text("text")
    before = find_sources(["books"], None, None)
    train_in(tmp_path / "job" / "jules-8-states")
    after = find_sources(["books", "job"], None, None)
    assert replace(after, skipped=before.skipped) == before
    assert str(after.skipped) == "1 job directory (job/jules-8-states)"


def test_a_folder_without_texts_among_texts_is_refused(folder):
    """Only the output of runs is skipped: a folder without any text was named by mistake."""
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").touch()
    with pytest.raises(errors.MissingError, match="the folder pictures contains no"):
        find_sources(["b.txt", "pictures"], None, None)
    with pytest.raises(errors.UsageError, match="job_dir must not be the folder of the text, got more"):
        find_sources(["b.txt", "more"], None, None, "more")


@pytest.mark.parametrize("present", [["config.yaml"], ["metrics.jsonl"], ["lock", "logs/a.txt"]])
def test_a_folder_of_texts_is_no_job_directory(folder, present):
    """One file of a job's name does not make a folder a job directory: a user may keep settings next to texts."""
    for name in present:
        (folder / "more" / name).parent.mkdir(exist_ok=True)
        (folder / "more" / name).write_text("text")
    assert "more/c.txt" in names(find_sources(["."], None, None))


@pytest.mark.parametrize("argument", ["job", "job/mine", "job/mine/*.txt", "job/**/*.txt"])
def test_a_place_with_nothing_but_jobs_is_refused(folder, argument):
    """The message says that the text found there is a job's, and so does that for a job directory itself."""
    train_in(folder / "job" / "mine")
    with pytest.raises(errors.TextgenError, match=r"job/mine(, which are not read| is a job directory)") as caught:
        find_sources([argument], None, None)
    assert "\n" not in str(caught.value)


def test_the_directory_of_the_own_job_is_skipped_from_the_beginning(folder):
    """What is in the job's directory is not read before the first run either, so that a second one finds the same text."""
    for job_dir in ("more", str(folder / "more"), "./more/"):
        for argument in (".", "**/*.txt"):
            assert names(find_sources([argument], None, None, job_dir)) == ["a.txt", "b.txt"]
    assert len(find_sources(["."], None, None, "elsewhere").train) == 5
    assert len(find_sources(["."], None, None, "gs://bucket/more").train) == 5
    for argument in (".", "*.txt", str(folder)):
        with pytest.raises(errors.UsageError, match="job_dir must not be the folder of the text, got "):
            find_sources([argument], None, None, ".")
    assert names(find_sources(["more/c.txt"], None, None, "more")) == ["more/c.txt"]


def test_what_is_skipped_is_counted(folder):
    """Files that are not texts, hidden ones and jobs are counted, each kind with an example; nothing else is."""
    train_in(folder / "job" / "mine", "more/x.txt")
    train_in(folder / "job" / "more")
    assert str(find_sources(["."], None, None).skipped) == (
        "3 other files (such as notes.md) and 2 job directories (such as job/mine)"
    )
    (folder / "notes.md").unlink()
    assert str(find_sources([str(folder)], None, None).skipped).startswith(
        f"2 other files (such as {folder}/.git) and "
    )
    assert str(find_sources(["more"], None, None).skipped) == ""
    assert str(find_sources(["a.txt"], None, None).skipped) == ""
    (folder / "more" / "new\nline.md").touch()
    assert str(find_sources(["a.txt", "more"], None, None).skipped) == r"1 other file (more/new\nline.md)"


def test_logs_of_tensorboard_are_skipped(folder):
    """A glob over everything leaves out what a --summary_dir next to the texts has in it."""
    (folder / "logs").mkdir()
    for name in ("events.out.tfevents.1.host", *PROJECTOR_FILES):
        (folder / "logs" / name).write_text("a log")
    sources = find_sources(["*/*"], None, None)
    assert names(sources) == ["more/c.txt", "more/d.txt.gz", "more/f[1].txt"]
    assert str(sources.skipped) == "4 other files (such as logs/events.out.tfevents.1.host)"


@in_bucket
@pytest.mark.parametrize("argument", ["books", "books/", "books/*.txt", "books/**/*.txt"])
def test_job_directories_in_a_bucket_are_skipped(bucket, argument):
    """A folder and a glob in a bucket leave out the same as on the local disk."""
    for name in ("a.txt", ".b.txt", "job/mine/config.yaml", "job/mine/state.json", "job/mine/samples.txt", "own/x.txt"):
        bucket.blob(f"books/{name}").upload_from_string(b"text")
    place = f"gs://{bucket.name}/books"
    sources = find_sources([f"gs://{bucket.name}/{argument}"], None, None, f"{place}/own/")
    assert [path.name for path in sources.train] == ["a.txt"]
    if "*" not in argument:
        assert str(sources.skipped) == (
            f"1 other file ({place}/.b.txt) and 2 job directories (such as {place}/job/mine)"
        )


@in_bucket
def test_a_folder_of_jobs_in_a_bucket_is_refused(bucket):
    """The message says what was found, as on the local disk."""
    for name in ("config.yaml", "state.json", "samples.txt"):
        bucket.blob(f"job/mine/{name}").upload_from_string(b"text")
    place = f"gs://{bucket.name}/job"
    with pytest.raises(
        errors.MissingError, match=f"the folder {place} contains no .* except in job directories such as {place}/mine,"
    ):
        find_sources([place], None, None)
    with pytest.raises(errors.UsageError, match=f"{place}/mine is a job directory"):
        find_sources([f"{place}/mine"], None, None)
    with pytest.raises(errors.UsageError, match="job_dir must not be the folder of the text"):
        find_sources([place], None, None, place)


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
        ((["empty"], None, None), errors.MissingError, r"the folder empty contains no \*\.txt"),
        ((["s3://b/a.txt"], None, None), errors.UsageError, "a local path or gs://BUCKET/PATH, got s3://b/a.txt;"),
        (([], "https://b/a", None), errors.UsageError, "a local path or gs://BUCKET/PATH, got https://b/a;"),
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
