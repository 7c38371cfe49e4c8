import pytest

from textgen.planning.speed import tokens_per_second


def shape(states, layers, embedding_size, **more):
    return {"lstm_state_size": states, "layers": layers, "embedding_size": embedding_size, **more}


@pytest.mark.parametrize(
    ("states", "layers", "embedding_size", "language_model", "speed"),
    [
        (384, 1, 384, "char", 34_000),
        (512, 1, 512, "char", 20_000),
        (512, 2, 512, "char", 7_000),
        (256, 1, 128, "word", 4_000),
        (512, 1, 256, "word", 2_500),
    ],
)
def test_the_formula_fits_the_measured_speeds(states, layers, embedding_size, language_model, speed):
    """The speeds that were measured on two cores are right within a third."""
    found = tokens_per_second(shape(states, layers, embedding_size), language_model, "cpu")
    assert found == pytest.approx(speed, rel=0.33)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("language_model", ["char", "word"])
def test_anything_larger_is_slower(device, language_model):
    """More states, more layers and layer normalisation take more time; a projection takes less."""

    def speed(*sizes, **more):
        return tokens_per_second(shape(*sizes, **more), language_model, device)

    plain = speed(256, 2, 64)
    assert plain > speed(512, 2, 64)
    assert plain > speed(256, 3, 64)
    assert plain > speed(256, 2, 64, layer_norm=True)
    assert plain < speed(256, 2, 64, num_proj=32)


def test_few_streams_are_slower_on_a_cpu():
    """Half the streams take three quarters of the time; more than sixteen are not faster per token."""
    sixteen, eight, more = (tokens_per_second(shape(384, 1, 384), "char", "cpu", streams=n) for n in (16, 8, 64))
    assert eight == pytest.approx(sixteen / 1.5)
    assert more == sixteen
