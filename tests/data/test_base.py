import hashlib
import importlib
import io
import json
import re
import struct
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from textgen.errors import DataError, UnavailableError

DATA = Path(__file__).parents[2] / "data"
SOURCES = tomllib.loads((DATA / "base" / "sources.toml").read_text(encoding="utf-8"))
BOOKS = [book for package in SOURCES["packages"] for book in package["books"]]
MODEL = DATA / "base.safetensors"


@pytest.fixture
def load(monkeypatch):
    """A function that imports a script of data/base."""
    monkeypatch.syspath_prepend(str(DATA / "base"))
    return importlib.import_module


@pytest.fixture
def clean(load):
    return load("cleaning").clean


@pytest.fixture
def texts(load):
    return load("texts")


@pytest.fixture
def packages(load):
    return load("packages")


PROSE = """The lamp was lit, and the old man sat down by the window to wait
for his son, who had gone out at noon with the boat and was late. He
heard the clock, and after it the wind, and then nothing at all."""
ONE_LINE = PROSE.replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\u201cDon\u2019t\u2014please\u2026\u201d she said.", '"Don\'t--please..." she said.'),
        ("He took the café\u2019s _menu_, &c.", "He took the cafe's menu, etc."),
        ("One.  Two . . . three , four", "One. Two... three, four"),
        (f"{PROSE}\r\n\r\nNext.\r\r\n\r\r\n&nbsp;\n \nLast.", f"{ONE_LINE}\n\nNext.\n\nLast."),
        ("They con-\nvinced the red-\nhaired Smith-\nOldwick; red was his haired hand.", "They convinced the red-haired Smith-Oldwick; red was his haired hand."),
        ("It was with-\nout end, with out written without.", "It was without end, with out written without."),
        ("a one-\nand two-storey house", "a one- and two-storey house"),
        ("It was late--\ntoo late -- he said- -and left.", "It was late--too late--he said--and left."),
        ("She rose.[Footnote: In\nthe first edition.] He sat.[12] They{1} ate.*", "She rose. He sat. They ate."),
        (f"{PROSE}\n\n* See Note E.\n\n[3] A long\nnote.\n\n* * * * *\n\nOn.", f"{ONE_LINE}\n\nOn."),
        ("he handed them39 a piece, and in 1867, 40 miles off, they saw it.41", "he handed them a piece, and in 1867, 40 miles off, they saw it."),
        (f'"Our court shall be a little Academe."--SHAKESPEARE.\n\n--Old Song.\n\n{PROSE}', ONE_LINE),
        (f"Produced by A. Volunteer\n\nCONTENTS\n\n   I. The Lamp\n  II. The Boat\n III. The Wind\n\n{PROSE}\n\nTHE END", ONE_LINE),
        (f"{PROSE}\n\n   The sea, the sea,\n   The wide and deep,\n   It gives to me\n   A time to weep.\n\nOn.", f"{ONE_LINE}\n\nOn."),
        (f"Title\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n{PROSE}\n\nEnd of the Project Gutenberg EBook of X\n\nLicence.", ONE_LINE),
        (f"{PROSE}\n\nThe Project Gutenberg Etext of X\n\n*START*SMALL PRINT\n\n*END*THE SMALL PRINT!*END*\n\nOn.", f"{ONE_LINE}\n\nOn."),
        (f"{ONE_LINE * 2}\nA line is a paragraph.", f"{ONE_LINE * 2}\n\nA line is a paragraph."),
        ("", ""),
    ],
)  # fmt: skip
def test_a_book_is_reduced_to_its_prose(text, cleaned, clean):
    """Cleaning leaves the prose of a book: ASCII, one line per paragraph, nothing by the publisher, no notes and no verse."""
    assert clean(text) == cleaned


def test_prose_that_looks_like_verse_is_kept(clean):
    """A paragraph whose lines begin with capital letters by chance is kept, as is one with ragged lines."""
    by_chance = "Tom was gone before the others of the house had come downstairs.\nAnn had seen him go. She had told nobody of what he said to her.\nIn the evening he was back."
    ragged = (
        "The clock struck,\nand after it the wind rose in the chimney,\nand then\nthere was nothing at all to be heard."
    )
    assert clean(f"{PROSE}\n\n{by_chance}\n\n{ragged}").count("\n\n") == 2


def test_a_book_has_a_beginning_and_an_end(clean):
    """A book starts and ends where its source says, without the paragraphs that its source drops."""
    text = "A preface.\n\nChapter 1\n\nIt rained.\n\nIt rained on.\n\nNOTES\n\nNone."
    assert clean(text, start="Chapter", end="NOTES", drop=["It rained on"]) == "Chapter 1\n\nIt rained."
    with pytest.raises(ValueError, match="no paragraph begins with 'Chapter 2'"):
        clean(text, start="Chapter 2")


def test_a_shared_passage_is_refused(texts):
    """A book that shares 60 characters with a benchmark is refused in one line, whatever the line breaks; 59 are accepted."""
    passage = "a passage of sixty characters, which any reader can count up"
    assert len(passage) == 60
    benchmarks = {"play.txt": f"FIRST CITIZEN:\n{passage.replace(' ', chr(10))}\n"}
    texts.refuse_shared([texts.Book("A book", 1, f"Other {passage[1:]}")], benchmarks)
    with pytest.raises(DataError) as error:
        texts.refuse_shared([texts.Book("A book", 1, f"{passage.capitalize()} and after.")], benchmarks)
    assert str(error.value) == f"A book shares {passage!r} with play.txt; drop the paragraph in sources.toml"


def test_the_mix_is_always_the_same(texts):
    """The training text has each book as often as its source says, in an order that never changes, and no held-out book."""
    books = [
        texts.Book("A", 2, "\n\n".join(f"a{number}" for number in range(250))),
        texts.Book("B", 1, "b0"),
        texts.Book("C", 0, "c0"),
    ]
    mixed = texts.mix(books)
    assert mixed == texts.mix(books)
    paragraphs = mixed.removesuffix("\n").split("\n\n")
    assert sorted(paragraphs) == sorted([f"a{number}" for number in range(250)] * 2 + ["b0"])
    assert hashlib.sha256(mixed.encode()).hexdigest().startswith("49d2e68f")
    assert texts.held_out(books) == "c0\n"


def make_archive(path, files):
    """Writes a zip or tar archive of some files, by their paths."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(f"./{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["books.whl", "books.tgz"])
def test_files_are_read_in_the_order_of_their_paths(name, packages, tmp_path):
    """The texts of an archive come in the order of their paths, decoded; a pattern without a file is refused."""
    files = {"b/2.txt": b"caf\xe9", "b/1.txt": b"first", "c/3.txt": b"other"}
    archive = make_archive(tmp_path / name, files)
    assert packages.read_texts(archive, "b/*.txt", "cp1252") == ["first", "café"]
    with pytest.raises(UnavailableError, match=r"has no file that matches d/\*"):
        packages.read_texts(archive, "d/*", "utf-8")


def test_packages_are_checked(packages, tmp_path, monkeypatch):
    """An archive with another hash, a missing tool and a tool that fails are each refused in one line."""
    package = packages.Package("books", "npm", "1.0", "books.tgz", "0" * 64, "MIT")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UnavailableError, match=r"^npm is missing; .*$"):
        packages.fetch(package, tmp_path / "archives")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\necho 'no such version' >&2\necho >&2\nexit 1\n")
    (tmp_path / "bin" / "npm").chmod(0o755)
    with pytest.raises(UnavailableError, match=r"^npm failed on books@1.0: no such version$"):
        packages.fetch(package, tmp_path / "archives")
    make_archive(tmp_path / "archives" / "books.tgz", {})
    with pytest.raises(UnavailableError, match=r"^\S+books.tgz must have the sha256 0+, got \w+; .*$"):
        packages.fetch(package, tmp_path / "archives")


def test_the_command_writes_the_texts(texts, tmp_path, monkeypatch, capsys):
    """The command writes the same bytes each time; a benchmark that is in a book makes it stop with one line."""
    archives = tmp_path / "out" / "packages"
    archives.mkdir(parents=True)
    archive = make_archive(archives / "books.whl", {"a.txt": f"By the sea\n\n{PROSE}".encode(), "b.txt": b"Held out."})
    sources = tmp_path / "sources.toml"
    sources.write_text(
        "[[packages]]\nname = 'books'\nindex = 'pypi'\nversion = '1'\nfile = 'books.whl'\nlicense = 'MIT'\n"
        f"sha256 = '{hashlib.sha256(archive.read_bytes()).hexdigest()}'\n"
        "[[packages.books]]\ntitle = 'The Boat'\nfiles = ['a.txt']\nstart = 'The lamp'\ncopies = 2\n"
        "[[packages.books]]\ntitle = 'The Wind'\nfiles = ['b.txt']\ncopies = 0\n"
    )
    monkeypatch.setattr(texts, "SOURCES", sources)
    monkeypatch.setattr("sys.argv", ["texts.py", str(tmp_path / "out")])
    for _ in range(2):
        assert texts.main() == 0
        assert (tmp_path / "out" / "base.train.txt").read_text() == f"{ONE_LINE}\n\n{ONE_LINE}\n"
        assert (tmp_path / "out" / "base.valid.txt").read_text() == "Held out.\n"
    assert (tmp_path / "out" / "books" / "the-boat.txt").read_text() == f"{ONE_LINE}\n"
    assert re.search(rf"^The Boat +{len(ONE_LINE)} +2$", capsys.readouterr().out, re.MULTILINE)
    (tmp_path / "play.txt").write_text(PROSE.upper())
    monkeypatch.setattr("sys.argv", ["texts.py", str(tmp_path / "out"), "--benchmarks", str(tmp_path / "play.txt")])
    assert texts.main() == 65
    assert re.fullmatch(r"error: The Boat shares 'the lamp .*' with \S+play.txt; .*\n", capsys.readouterr().err)


@pytest.mark.parametrize("package", SOURCES["packages"], ids=lambda package: package["name"])
def test_each_package_is_pinned(package, packages):
    """Each package has an index that can be fetched from, a version, a file, its hash, a licence and books."""
    assert package["index"] in packages._FETCH
    assert package["version"] in package["file"] or package["index"] == "debian-source"
    assert re.fullmatch("[0-9a-f]{64}", package["sha256"])
    assert package["license"]
    assert package["books"]


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book["title"])
def test_each_book_is_in_the_public_domain(book):
    """Each book was published before 1930 or is a work of the government of the United States, and none is by Shakespeare."""
    assert {"title", "author", "year", "files", "copies"} <= book.keys()
    assert book["year"] < 1930 or book["us_government"]
    assert book["copies"] >= 0
    assert "shakespeare" not in json.dumps(book).lower()
    for expression in [*book.get("drop", []), book.get("start", ""), book.get("end", "")]:
        re.compile(expression)


def test_each_book_is_listed_once(texts):
    """No two books have the same file name, exactly one is held out, and data/README.md lists all of them."""
    names = [texts._file_name(book["title"]) for book in BOOKS]
    assert len(set(names)) == len(names)
    assert [book["title"] for book in BOOKS if not book["copies"]] == ["The Island of Doctor Moreau"]
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert [book["title"] for book in BOOKS if f"| {book['title']} |" not in readme] == []


def test_the_base_model_is_small():
    """The base model has at most 6 MB, weights in float16, and a vocabulary of ASCII characters."""
    content = MODEL.read_bytes()
    assert len(content) <= 6_000_000
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    metadata = json.loads(header.pop("__metadata__")["textgen"])
    assert {tensor["dtype"] for tensor in header.values()} == {"F16"}
    assert metadata["shape"]["language_model"] == "char"
    assert (metadata["shape"]["lstm_state_size"], metadata["shape"]["layers"]) == (512, 1)
    assert all(token.isascii() for token in metadata["vocabulary"]["tokens"])
