import pytest

from tests import old_config
from textgen.config import TrainingConfig, job_name, settings, shape
from textgen.config.vertex import VertexConfig
from textgen.config.yaml_text import from_yaml, to_yaml
from textgen.errors import FormatError

BOMB = "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(99))
"""A chain of aliases that would expand to 2^99 lists."""


def test_yaml_carries_every_setting():
    """A config written as YAML and read again is the same, and the YAML lists every setting."""
    config = TrainingConfig(texts=("a.txt", "b.txt"), layers=3, learning_rate=1e-05, embedding_size=8, layer_norm=True)
    text = to_yaml(config)
    assert TrainingConfig(**from_yaml(text, "config.yaml")) == config
    assert [line.split(":")[0] for line in text.splitlines() if not line.startswith("-")] == [
        setting.name for setting in settings(TrainingConfig)
    ]


def test_numbers_are_read_as_people_write_them():
    """4e-3 is read as a number, although YAML 1.1 reads text; names may have dashes; an empty file sets nothing."""
    assert from_yaml("learning-rate: 4e-3\nembedding_size: none\n", "x") == {
        "learning_rate": 0.004,
        "embedding_size": None,
    }
    assert from_yaml("", "x") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers: 2\nseed: 1\nlayers: 3\n", "sets 'layers' in line 1 and again in line 3; remove one of them"),
        ("# both\nbatch-size: 2\nbatch_size: 2\n", "sets 'batch_size' in line 2 and again in line 3"),
        ("{layers: 2, 'layers': 2}", "sets 'layers' in line 1 and again in line 1"),
        ("---\n? layers\n: 2\n? layers\n: 3\n", "sets 'layers' in line 2 and again in line 4"),
    ],
)
@pytest.mark.parametrize("config", [TrainingConfig, VertexConfig])
def test_a_key_that_comes_twice_is_refused(text, message, config):
    """A repeated key is refused, and the error names the file and both lines."""
    with pytest.raises(FormatError, match=r"^mine\.yaml [^\n]*$") as raised:
        from_yaml(text, "mine.yaml", config)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layrs: 2", "unknown key 'layrs'; did you mean layers?"),
        ("layers: two", "layers must be a whole number"),
        ("layers: true", "layers must be a whole number"),
        ("layers: [1]", "layers must be a whole number"),
        ("layer_norm: 3", "layer_norm must be true or false"),
        ("optimizer: 3", "optimizer must be text"),
        ("texts: 3", "must be a list of paths"),
        ("- layers", "must contain lines such as"),
        ("layers: [", "not valid YAML"),
        ("layers: null", "layers needs a value"),
        ("layers: 2\n---\nlayers: 3\n", "not valid YAML in line 2, column 1: expected a single document"),
        ("? [a, {b: c}]\n: 2", "not valid YAML"),
        ("[" * 100000, "not valid YAML"),
        (f"a0: &a0 [0]\n{BOMB}? [*a99]\n: 2", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_a_format_error_that_names_it(text, message):
    """An invalid config file is refused in one line that names the file and the key."""
    with pytest.raises(FormatError, match=r"^presets/x.yaml[^\n]*$") as raised:
        from_yaml(text, "presets/x.yaml")
    assert message in str(raised.value)


def test_what_a_flag_may_give_several_times_is_a_list_or_one_item():
    """A repeatable setting is a list or a single item in YAML, and each item must be text."""
    assert from_yaml("labels: a=b", "vertex.yaml", VertexConfig) == {"labels": ("a=b",)}
    assert from_yaml("labels: [a=b, c=d]", "vertex.yaml", VertexConfig) == {"labels": ("a=b", "c=d")}
    for wrong in ("[1]", "{a: b}", "[[a=b]]", "true"):
        with pytest.raises(FormatError, match=r"^vertex\.yaml: labels must be text, got [^\n]*$"):
            from_yaml(f"labels: {wrong}", "vertex.yaml", VertexConfig)


@pytest.mark.parametrize("text", [old_config.FIRST, old_config.BOTH])
def test_the_config_of_an_old_job_in_half_precision_is_read(text):
    """`use_fp16: true` becomes the precision, which alone is stored, and the job keeps its name and its shape."""
    config = TrainingConfig(**from_yaml(text, "config.yaml"))
    assert job_name(config, "book") == "book-fp16-8-states-1-layers"
    assert shape(config)["use_fp16"]
    assert "use_fp16" not in to_yaml(config)
    assert TrainingConfig(**from_yaml(to_yaml(config), "config.yaml")) == config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use_fp16: true", {"precision": "mixed_float16"}),
        ("use-fp16: yes\nprecision: mixed_float16", {"precision": "mixed_float16"}),
        ("use_fp16: false", {"precision": "float32"}),
        ("use_fp16: false\nprecision: mixed_bfloat16", {"precision": "mixed_bfloat16"}),
    ],
)
def test_a_switch_in_a_file_stands_for_a_value(text, expected):
    """`use_fp16` is the same as a precision."""
    assert from_yaml(text, "x") == expected


def test_a_switch_in_a_file_must_not_contradict_the_value():
    """The error names the file and both settings."""
    with pytest.raises(FormatError) as raised:
        from_yaml("use_fp16: true\nprecision: float32", "mine.yaml")
    assert str(raised.value) == (
        "mine.yaml: use_fp16 means precision mixed_float16, got precision float32 too; leave one out"
    )
