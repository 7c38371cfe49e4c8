import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.commands import needs_permissions
from tests.markov import CHARACTERS, make_chain, make_model, write
from textgen.cli import train
from textgen.cli.train import main
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.generation import ModelFile, read_model, write_model
from textgen.jobs import JobDirectory, JobState, job_lock
from textgen.planning import ModelShape

CHAIN = make_chain(1)
SIZE = len(CHARACTERS) + 2
"""The states of the base model."""
BASE_JOB = f"job/book-{SIZE}-states-1-layers"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, install_base):
    """A folder with a text that the base model knows well, and one that it does not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
    Path("book.txt").write_text(write(CHAIN, 8000))
    Path("other.txt").write_text(write(make_chain(2), 8000))
    return install_base(make_model(CHAIN))


@pytest.fixture
def said(capsys):
    """A function that runs textgen-train and returns the messages and the exit code."""

    def run(*arguments, text="book.txt", device="cpu"):
        code = main([text, f"--device={device}", *arguments])
        return code, capsys.readouterr().err

    return run


def settings(job):
    return yaml.safe_load(Path(job, "config.yaml").read_text())


def forget_start(job):
    """Makes a job one of an earlier version, which had no init_from."""
    path = Path(job, "config.yaml")
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("init_from")))


def make_job(name, model):
    """Makes a job directory with a model in it."""
    Path(name).mkdir(parents=True)
    write_model(Path(name, "model.safetensors"), model)


def test_a_text_that_the_base_knows_starts_from_it(said, training, here):
    """Without flags, a text that the base model predicts better than its own trigrams do starts from the base, whose shape it gets."""
    code, err = said()
    assert code == 0
    assert "  start      from the base model: it knows English prose, and this text is similar enough\n" in err
    assert f"1 LSTM layer of {SIZE} states" in err
    [call] = training.calls
    assert (call.config.init_from, call.config.learning_rate, call.start.sha256) == (
        "base",
        0.0007,
        read_model(here).sha256,
    )
    assert settings(BASE_JOB)["init_from"] == "base"


def test_another_text_starts_from_scratch(said, training):
    """A text that the base model predicts worse than trigrams starts from scratch, and the plan prints the reason."""
    code, err = said(text="other.txt")
    assert code == 0
    assert (
        "  start      from scratch: this text differs too much from the English prose that the base model knows\n"
        in err
    )
    assert training.calls[0].start is None
    assert settings("job/other-384-states-1-layers-384-embed")["init_from"] == "none"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--layers=1"],
        ["--embedding_size=none"],
        ["--max_steps=5"],
        ["--epochs=1"],
        ["--config=mine.yaml"],
        ["--language_model=word"],
        ["--init_from=none"],
    ],
)
def test_whoever_chooses_a_model_or_no_time_starts_from_scratch(said, training, arguments):
    """With a flag for the model, a config file, words, or a limit other than time, names and shapes stay as without a base."""
    Path("mine.yaml").write_text("minutes: 2\n")
    text = "book.txt"
    if "--language_model=word" in arguments:
        Path("words.txt").write_text("one two three four five six " * 2000)
        text = "words.txt"
    code, err = said(*arguments, text=text)
    assert code == 0
    assert "  start " not in err
    assert training.calls[0].start is None
    assert training.calls[0].config.init_from == "none"


def test_a_long_text_starts_from_scratch(said, training, monkeypatch):
    """If the base model does not pay for a text of this length, the plan prints that it would not help."""
    Path("long.txt").write_text(write(CHAIN, 2_300_000))
    code, err = said("--minutes=600", "--dry_run", text="long.txt")
    assert code == 0
    assert "  start      from scratch: with this much text and time, the base model would not help\n" in err


def test_the_same_command_finds_the_same_job(said, training):
    """A second command resumes the job that started from the base, for any time, without deciding again."""
    said()
    for minutes in ("5", "600"):
        code, err = said(f"--minutes={minutes}", "--dry_run")
        assert code == 0
        assert f"{BASE_JOB} (existing)" in err
        assert "  start " not in err
        assert "learning rate 0.0007" in err


def test_fresh_decides_again(said, training):
    """--fresh renames the job that the command would resume, and the next command resumes the new one."""
    said("--init_from=none")
    old = "job/book-384-states-1-layers-384-embed"
    forget_start(old)
    code, err = said("--fresh", "--dry_run")
    assert (code, f"{BASE_JOB} (new)" in err, Path(old).exists()) == (0, True, True)
    code, err = said("--fresh")
    assert code == 0
    assert f"The old job is now {old}.1\n" in err
    assert not Path(old).exists()
    assert f"{BASE_JOB} (existing)" in said("--dry_run")[1]


def test_a_job_of_an_earlier_version_is_resumed(said, training):
    """A job whose config.yaml lacks init_from is resumed by the command that made it, and does not start from the base."""
    said("--init_from=none")
    old = "job/book-384-states-1-layers-384-embed"
    forget_start(old)
    code, err = said("--minutes=5.5")
    assert code == 0
    assert f"{old} (existing)" in err
    assert training.calls[-1].start is None
    assert settings(old)["init_from"] == "none"
    code, err = said("--init_from=none", "--dry_run")
    assert (code, f"{old} (existing)" in err) == (0, True)


def test_a_job_for_another_time_goes_first(said, training):
    """If another time would choose another model, the job of this text that exists is resumed, which a line explains."""
    said("--init_from=none")
    old = "job/book-384-states-1-layers-384-embed"
    forget_start(old)
    code, err = said("--minutes=600")
    assert code == 0
    assert f"Resuming {old}, which already has a model of this text; use --fresh to start over with" in err
    assert training.calls[-1].config.lstm_state_size == 384
    code, err = said("--minutes=600", "--fresh", "--dry_run")
    assert (code, f"{BASE_JOB} (new)" in err) == (0, True)


def test_a_job_of_the_other_start_does_not_go_first(said, training):
    """If a text has a job from scratch and one from the base, the plain command resumes the one that it would make itself."""
    assert said()[0] == 0
    assert said("--init_from=none")[0] == 0
    code, err = said("--dry_run")
    assert (code, f"{BASE_JOB} (existing)" in err) == (0, True), err
    assert said(text="other.txt")[0] == 0
    assert said("--init_from=base", text="other.txt")[0] == 0
    code, err = said("--dry_run", text="other.txt")
    assert (code, "job/other-384-states-1-layers-384-embed (existing)" in err) == (0, True), err


def test_a_job_of_an_earlier_version_goes_before_one_from_the_base(said, training):
    """Starting another job of the text from the base does not change which job the plain command resumes."""
    old = "job/book-384-states-1-layers-384-embed"
    said("--init_from=none")
    forget_start(old)
    said("--init_from=base")
    code, err = said("--dry_run")
    assert (code, f"{old} (existing)" in err) == (0, True), err


def test_a_job_from_scratch_of_the_shape_of_the_base_is_explained(said, training, here):
    """A job from scratch that only has the name of one from the base goes first as any other does, which a line explains."""
    states = {"lstm_state_size": 512, "embedding_size": 512}
    model = make_model(CHAIN)
    tensors = {
        "embedding": np.zeros((SIZE, 512)),
        "layers.0.kernel": np.zeros((512, 2048)),
        "layers.0.recurrent_kernel": np.zeros((512, 2048)),
        "layers.0.bias": np.zeros(2048),
        "output.kernel": np.zeros((512, SIZE)),
        "output.bias": np.zeros(SIZE),
    }
    tensors = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    write_model(here, dataclasses.replace(model, shape=dataclasses.replace(model.shape, **states), tensors=tensors))
    said("--init_from=none", "--minutes=10")
    code, err = said("--dry_run")
    old = "job/book-512-states-1-layers-512-embed"
    assert (code, f"{old} (existing)" in err, f"Resuming {old}, which already has a model" in err) == (0, True, True), (
        err
    )


def test_a_job_of_another_text_does_not_go_first(said, training):
    """A job of the same name but of another text is not resumed in place of a new one."""
    said("--init_from=none", "--minutes=600")
    Path("book.txt").write_text(write(CHAIN, 9000))
    code, err = said("--dry_run")
    assert (code, f"{BASE_JOB} (new)" in err) == (0, True)


def test_a_job_with_a_model_of_its_own_does_not_go_first(said, training):
    """A job whose size the user chose is mentioned, not resumed."""
    said("--lstm_state_size=9")
    code, err = said("--dry_run")
    assert (code, f"{BASE_JOB} (new)" in err) == (0, True)
    assert (
        "job/book-9-states-1-layers already exists, with another model; to resume it instead, add --lstm_state_size=9"
        in err
    )


@pytest.mark.parametrize("job_dir", ["job/%JOB%", "mine"])
@pytest.mark.parametrize(("first", "second"), [("base", "none"), ("none", "base"), ("other", "base")])
def test_another_start_of_an_existing_job_is_refused(said, training, job_dir, first, second):
    """What a job has started from cannot change; the same value, and auto, are accepted."""
    make_job("other", make_model(CHAIN))
    arguments = [f"--job_dir={job_dir}"]
    assert said(*arguments, f"--init_from={first}")[0] == 0
    for same in (first, "auto"):
        assert said(*arguments, f"--init_from={same}", "--dry_run")[0] == 0
    if job_dir == "mine" or {first, second} == {"other", "base"}:
        code, err = said(*arguments, f"--init_from={second}", "--dry_run")
        assert (code, err.count("\n")) == (2, 1)
        assert f"--init_from is {first} in " in err
        assert (
            f"got {second}, and cannot change after the start; leave it out, name another --job_dir, or use --fresh"
            in err
        )


@pytest.mark.parametrize("first", ["other", "job/other/", "job/other", "job/./other", "absolute"])
def test_the_same_start_can_be_named_in_other_ways(said, training, tmp_path, first):
    """A slash that the shell completes, a name or another path to the same model is no other start; another model is."""
    make_job("job/other", make_model(CHAIN))
    make_job("job/third", make_model(CHAIN))
    ways = {"absolute": str(tmp_path / "job/other")}
    assert said(f"--init_from={ways.get(first, first)}", "--job_dir=mine")[0] == 0
    for again in ("other", "other/", "job/other/", "../" + tmp_path.name + "/job/other", ways["absolute"]):
        code, err = said(f"--init_from={again}", "--job_dir=mine", "--dry_run")
        assert (code, "mine (existing)" in err) == (0, True), err
    for another in ("third", "job/third", "none", "base"):
        assert said(f"--init_from={another}", "--job_dir=mine", "--dry_run")[0] == 2


def test_a_job_in_its_own_directory_keeps_its_start(said, training):
    """With --job_dir, a job that started from the base resumes without the flag, with a preset, and with steps as the limit."""
    Path("mine.yaml").write_text("init_from: base\njob_dir: mine\nminutes: 1\n")
    assert said("--config=mine.yaml")[0] == 0
    assert training.calls[0].config.init_from == "base"
    assert training.calls[0].config.lstm_state_size == SIZE
    for arguments in (["--config=mine.yaml"], ["--job_dir=mine"], ["--job_dir=mine", "--max_steps=9"]):
        code, err = said(*arguments, "--dry_run")
        assert (code, "mine (existing)" in err, f"of {SIZE} states" in err) == (0, True, True), err


def test_a_job_without_a_checkpoint_starts_from_its_model_again(said, training, here):
    """If a job was stopped before its first checkpoint, its model is read again; if that is gone, the message names it."""
    make_job("job/first", make_model(CHAIN))
    arguments = ["--init_from=first", "--job_dir=mine", "--max_steps=50"]
    assert said(*arguments)[0] == 0
    assert settings("mine")["init_from"] == "job/first"
    JobState("stopped", steps=0, epochs=0, minutes=0, data_sha256=training.calls[0].corpus.sha256).write(
        Path("mine/state.json")
    )
    for again in (arguments, ["--job_dir=mine", "--max_steps=50"]):
        JobState("stopped", data_sha256=training.calls[0].corpus.sha256).write(Path("mine/state.json"))
        assert said(*again)[0] == 0
        assert training.calls[-1].start.sha256 == read_model(Path("job/first")).sha256
    JobState("stopped", data_sha256=training.calls[0].corpus.sha256).write(Path("mine/state.json"))
    Path("job/first").rename("job/second")
    code, err = said("--job_dir=mine", "--max_steps=50")
    assert code == 66
    assert "cannot start from --init_from job/first: there is no job/first; " in err.splitlines()[-1]


def test_a_model_is_named_by_path_name_or_file(said, training, install_base):
    """A job directory, a name below job/, and a model file give the same start, and config.yaml names the place."""
    make_job("job/first", make_model(CHAIN))
    for number, name in enumerate(("job/first", "first", "job/first/model.safetensors")):
        code, err = said(f"--init_from={name}", f"--job_dir=mine-{number}")
        assert f"  start      from {name if '/' in name else f'job/{name}'}\n" in err
        assert (code, training.calls[-1].start.sha256) == (0, read_model(Path("job/first")).sha256)
        assert settings(f"mine-{number}")["init_from"] == (name if "/" in name else f"job/{name}")


def test_the_rate_for_trained_weights_needs_no_time_limit(said, training):
    """If steps limit a run from another model, learning rate, dropout and streams are still those for trained weights."""
    assert said("--init_from=base", "--max_steps=9")[0] == 0
    assert training.calls[0].config.learning_rate == 0.0007
    assert said("--init_from=base", "--max_steps=9", "--job_dir=mine", "--learning_rate=0.01")[0] == 0
    assert training.calls[1].config.learning_rate == 0.01


def test_a_shape_that_is_the_models_is_accepted(said, training):
    """A flag that agrees with the model is no mistake."""
    assert said("--init_from=base", f"--lstm_state_size={SIZE}", "--layers=1")[0] == 0
    assert training.calls[0].config.lstm_state_size == SIZE


def test_half_precision_starts_from_the_base(said, training):
    """--precision mixed_float16 gives another job, which starts from the base as well."""
    assert said("--precision=mixed_float16")[0] == 0
    assert training.calls[0].config.init_from == "base"
    assert Path(f"job/book-fp16-{SIZE}-states-1-layers").exists()


def test_a_job_that_is_being_trained_can_be_started_from(said, training):
    """The model of a job is read while another trainer works on it."""
    make_job("job/first", make_model(CHAIN))
    with job_lock(JobDirectory(Path("job/first")), print):
        assert said("--init_from=first")[0] == 0


def test_a_short_text_starts_from_the_base(said, training):
    """500 characters are enough to start from the base model, in streams that fit."""
    Path("short.txt").write_text(write(CHAIN, 500))
    code, err = said("--init_from=base", text="short.txt")
    assert code == 0, err
    assert training.calls[0].config.batch_size == 1
    code, err = said(text="short.txt")
    assert code == 0, err


@pytest.mark.parametrize("characters", [2, 3, 20])
def test_a_text_that_is_too_short_is_refused_as_before(said, no_training, characters):
    """A text of which no character can be predicted is refused in one line, without a warning about its start."""
    Path("tiny.txt").write_text(CHARACTERS[:characters])
    code, err = said(text="tiny.txt")
    assert (code, err.count("\n")) == (65, 1), err


BAD = [
    (["--init_from="], 2, "--init_from must not be empty"),
    (["--init_from=a\0b"], 2, "--init_from must be text, got NUL"),
    (["--init_from=absent"], 66, "cannot start from --init_from absent: there is neither absent nor job/absent; "),
    (["--init_from=empty"], 66, "empty contains no model yet; train one with textgen-train"),
    (["--init_from=book.txt"], 78, "cannot use book.txt: it is damaged or no model file"),
    (["--init_from=cut"], 78, "cannot use cut: it is damaged"),
    (["--init_from=newer"], 78, "cannot use newer: it has format version 4, and textgen "),
    (["--init_from=s3://bucket/job"], 2, "got s3://bucket/job"),
    (["--init_from=gs://bucket"], 2, "a place in a bucket must be gs://BUCKET/PATH"),
    (["--init_from=words"], 2, "--init_from words is a model of words, but this run needs one of characters; "),
    (
        ["--init_from=base", "--language_model=word"],
        2,
        "--init_from base is a model of characters, but this run needs one of words; name another model, or change --language_model, which is word",
    ),
    (
        ["--init_from=base", "--lstm_state_size=9"],
        2,
        f"--init_from base has lstm_state_size {SIZE}, got --lstm_state_size 9; leave out one of the two",
    ),
    (["--init_from=base", "--layer_norm"], 2, "--init_from base has layer_norm off, got --layer_norm on; "),
    (["--init_from=base", "--num_proj=3"], 2, "--init_from base has num_proj none, got --num_proj 3; "),
    (["--init_from=base", "--config=big.yaml"], 2, "has layers 1, got --layers 2; "),
    (
        ["--init_from=greek"],
        65,
        "--init_from greek must know at least half of the characters in the training text, got 20%; name a model of a similar text, or none",
    ),
    (["--init_from=mine", "--job_dir=mine"], 2, "--init_from must be another model than the job's own, got mine; "),
    (["--init_from=mine/model.safetensors", "--job_dir=mine/"], 2, "must be another model than the job's own"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), BAD)
@pytest.mark.usefixtures("no_training")
def test_a_model_that_cannot_be_started_from_is_refused(refusal, arguments, code, message):
    """Each is refused in one line with the right code, before TensorFlow is loaded, and nothing is written."""
    model = make_model(CHAIN)
    write_model(Path("cut"), model)
    content = Path("cut").read_bytes()
    Path("cut").write_bytes(content[:-1])
    Path("newer").write_bytes(content.replace(b'\\"format_version\\":2', b'\\"format_version\\":4'))
    Path("empty").mkdir()
    Path("big.yaml").write_text("layers: 2\n")
    words = dataclasses.replace(model.vocabulary, tokenizer=make_tokenizer("word"))
    write_model(Path("words"), dataclasses.replace(model, vocabulary=words))
    make_job("mine", model)
    kept = [*CHARACTERS[:11], *(chr(0x391 + number) for number in range(len(CHARACTERS) - 11))]
    greek = dataclasses.replace(model.vocabulary, tokens=("", "[UNK]", *kept))
    write_model(Path("greek"), dataclasses.replace(model, vocabulary=greek))
    Path("even.txt").write_text(CHARACTERS[:55] * 100)
    found, line = refusal(train, [*arguments, "even.txt", "--device=cpu"])
    assert (found, message in line) == (code, True), line


def test_a_model_of_words_must_know_half_of_the_words(said, training):
    """Spaces and punctuation, which are alike in all languages, do not make up for words that a model does not know."""
    for name, words in (("english", "the sea, and the ship."), ("german", "die See, und das Schiff.")):
        Path(f"{name}.txt").write_text(f"{words} " * 400)
    tokenizer = make_tokenizer("word")
    vocabulary = Vocabulary(("", "[UNK]", *sorted(set(tokenizer.split("the sea, and the ship. ")))), tokenizer)
    shape = ModelShape(layers=1, lstm_state_size=4, vocabulary_size=vocabulary.size)
    tensors = {name: np.zeros(size, np.float32) for name, size in shape.tensors.items()}
    make_job("job/first", ModelFile(tensors, shape, vocabulary, {}, "", 1, "0.1.0"))
    arguments = ["--init_from=first", "--language_model=word", "--max_steps=9", "--dry_run"]
    assert said(*arguments, text="english.txt")[0] == 0
    for more in ([], ["--vocab_size=6"]):
        code, err = said(*arguments, *more, text="german.txt")
        assert (code, err.count("\n")) == (65, 1), err
        assert "must know at least half of the words in the training text, got 0%" in err
    Path("marks.txt").write_text(". , ! , . " * 400)
    assert said(*arguments, text="marks.txt")[0] == 0


@needs_permissions
def test_a_model_that_may_not_be_read_is_refused(said, no_training):
    """The exit code is that of a missing permission."""
    make_job("job/first", make_model(CHAIN))
    Path("job/first/model.safetensors").chmod(0)
    code, err = said("--init_from=first")
    assert (code, err.count("\n")) == (77, 1)
