import pytest

from textgen.corpus import find_sources, open_corpus
from textgen.corpus.encoding_report import describe_controls, describe_detected


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Returns a function that opens a corpus of files in the current folder."""
    monkeypatch.chdir(tmp_path)

    def open_here(model="char", **options):
        return open_corpus(find_sources(["."], None, None), language_model=model, **options)

    return open_here


def test_files_that_auto_does_not_read_as_utf_8_are_described(opened, tmp_path):
    """With `auto`, files that are not UTF-8 are listed with the reason; with any other encoding, nothing is listed."""
    (tmp_path / "a.txt").write_text("thé vert\n", encoding="utf-8")
    assert opened(encoding="auto").detected == ""
    (tmp_path / "b.txt").write_text("thé noir\n", encoding="cp1252")
    corpus = opened(encoding="auto")
    assert (
        corpus.detected
        == "b.txt is read as cp1252: not UTF-8 at byte 2 (line 1); if it is not Western European, name its encoding"
    )
    assert "é" in corpus.vocabulary.tokens
    assert "Ã" not in corpus.vocabulary.tokens
    (tmp_path / "c.txt").write_text("à\n", encoding="cp1252")
    (tmp_path / "d.txt").write_text("à\n", encoding="utf-16")
    assert opened(encoding="auto").detected == (
        "2 files are read as cp1252, such as b.txt: not UTF-8 at byte 2 (line 1); if it is not Western European, name its encoding; "
        "d.txt is read as utf-16: it begins with that byte order mark"
    )
    (tmp_path / "d.txt").unlink()
    assert opened(encoding="latin-1").detected == ""


def test_auto_gives_the_same_text_each_time(opened, tmp_path):
    """The hash of a text is that of its characters: a job resumes even if a file was saved as UTF-8 in between."""
    (tmp_path / "a.txt").write_text("un thé vert\n" * 9, encoding="utf-8")
    (tmp_path / "b.txt").write_text("un thé noir\n" * 9, encoding="cp1252")
    sha256 = opened(encoding="auto").sha256
    assert opened(encoding="auto").sha256 == sha256
    (tmp_path / "b.txt").write_text("un thé noir\n" * 9, encoding="utf-8")
    assert opened(encoding="auto").sha256 == opened().sha256 == sha256


@pytest.mark.parametrize("model", ["char", "word"])
@pytest.mark.parametrize(
    ("content", "encoding", "advice"),
    [
        ("It\x92s\n".encode("latin-1"), "latin-1", "try the encoding cp1252"),
        ("It\x92s\n".encode("latin-1"), "iso-8859-1", "try the encoding cp1252"),
        ("It\x92s\n".encode(), "utf-8", "save it as UTF-8 again, from its original"),
        ("It\x92s\n".encode(), "auto", "save it as UTF-8 again, from its original"),
        ("It\x92s\n".encode("iso-8859-15"), "iso-8859-15", "check the encoding"),
    ],
)
def test_control_characters_are_warned_of(opened, tmp_path, model, content, encoding, advice):
    """C1 control characters are a sign of a wrong encoding; the warning names the first file and line with one."""
    (tmp_path / "a.txt").write_bytes(b"one two three\n")
    (tmp_path / "b.txt").write_bytes(b"one\ntwo\n" + content)
    assert opened(model, encoding=encoding, valid_fraction=0.01).warning == (
        f"b.txt has control characters such as U+0092 in line 3, a sign of the wrong encoding; {advice}"
    )


@pytest.mark.parametrize("content", ["“It’s …” — café\n", "tab\t, feed\f, delete\x7f, space\xa0\n"])  # noqa: RUF001 - as in print
def test_other_characters_are_not_warned_of(opened, tmp_path, content):
    """The characters of cp1252 with these codes give no warning, nor do the control characters of ASCII."""
    (tmp_path / "a.txt").write_text(content, encoding="utf-8")
    (tmp_path / "b.txt").write_text(content, encoding="cp1252")
    assert opened(encoding="auto").warning == ""


def test_control_characters_in_a_pre_tokenized_text_are_warned_of(tmp_path):
    """A text with a vocabulary file is checked like any other."""
    (tmp_path / "x.train.txt").write_text("one two three\n" * 20 + "one\x92\n", encoding="latin-1")
    (tmp_path / "x.valid.txt").write_text("one\n")
    (tmp_path / "x.vocab.txt").write_text("one\ntwo\nthree\n")
    corpus = open_corpus(find_sources([], str(tmp_path), "x"), language_model="word", encoding="latin-1")
    assert "x.train.txt has control characters such as U+0092 in line 21" in corpus.warning


def test_a_strange_name_stays_on_its_line(tmp_path):
    """A line break in the name of a file is shown as an escape."""
    path = tmp_path / "a\nb.txt"
    path.write_bytes("thé\x92".encode("latin-1"))
    assert describe_detected([path], "auto").startswith(f"{tmp_path}/a\\nb.txt is read as cp1252: ")
    assert describe_controls([path], "latin-1", "\x92").startswith(f"{tmp_path}/a\\nb.txt has control characters")
