"""How fast is sampling? Compares start-up time, memory and characters per second with naive NumPy, PyTorch and Keras.

It also measures a batch that texts join and leave all the time, relative to a steady one, and prompts that are read together,
relative to one after another.

Each number is the best of several runs, which alternate with those of the other programs. The models have 65 characters, an
embedding as wide as the state, and random weights; the temperature is 0.8. Rates are measured in separate processes, with one and
with two BLAS threads. On a busy machine, two threads are slow.
PyTorch is measured only if it is installed (`pip install torch`). It is not a dependency of textgen.

    python benchmarks/sampling.py
"""

import itertools
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Self

SIZES = ((128, 2), (512, 3))
BATCH = 32
ROUNDS = 15
SECONDS = 0.15
WARM_UP = 32
CHARACTERS = 65
TEMPERATURE = 0.8


def write_random_model(path: Path, state_size: int, layers: int, *, one_hot: bool) -> None:
    """Writes a model file with random weights."""
    import numpy as np

    from textgen.corpus import Vocabulary, make_tokenizer
    from textgen.generation import ModelFile, write_model
    from textgen.planning import ModelShape

    tokens = ("", "[UNK]", *(chr(ord("!") + number) for number in range(CHARACTERS)))
    vocabulary, rng = Vocabulary(tokens, make_tokenizer("char")), np.random.default_rng(1)
    shape = ModelShape(
        layers=layers,
        lstm_state_size=state_size,
        embedding_size=None if one_hot else state_size,
        vocabulary_size=vocabulary.size,
    )
    tensors = {name: rng.normal(scale=0.1, size=size).astype(np.float32) for name, size in shape.tensors.items()}
    write_model(path, ModelFile(tensors, shape, vocabulary, {}, "", 1, ""))


# Each of these functions takes a model file, and returns a function that generates N characters.


def textgen_stream(path: Path) -> Callable[[int], None]:
    """Our generator, writing one text piece by piece."""
    from textgen.generation import load

    generator = load(path)

    def write(count: int) -> None:
        for _ in generator.generate("A", length=count, temperature=TEMPERATURE, seed=1):
            pass

    return write


def textgen_batch(path: Path) -> Callable[[int], None]:
    """Our generator, writing `BATCH` texts at once."""
    from textgen.config import SamplingConfig
    from textgen.generation import load

    generator = load(path)

    def write(count: int) -> None:
        config = SamplingConfig(length=max(1, count // BATCH), temperature=TEMPERATURE, seed=1)
        for _ in generator.write("A", config, samples=BATCH):
            pass

    return write


PROMPTS, PROMPT = 32, 4000
"""The number of prompts that are read together, and their length."""


def textgen_steady(path: Path) -> Callable[[int], None]:
    """Our engine, with a batch of `BATCH` texts that never end."""
    from textgen.config import SamplingConfig
    from textgen.generation import LSTMStep, Sampler, read_model
    from textgen.generation.engine import BatchEngine
    from textgen.generation.row import Row

    engine, sampler = BatchEngine(LSTMStep(read_model(path))), Sampler(SamplingConfig(temperature=TEMPERATURE))
    engine.admit([Row([2], sampler, seed=seed, length=10**12) for seed in range(BATCH)])

    def write(count: int) -> None:
        for _ in range(max(1, count // BATCH)):
            engine.step()

    return write


def textgen_joining(path: Path) -> Callable[[int], None]:
    """Our engine, with a batch of `BATCH` texts of 40 to 160 characters: when some end, others join."""
    import numpy as np

    from textgen.config import SamplingConfig
    from textgen.generation import LSTMStep, Sampler, read_model
    from textgen.generation.engine import BatchEngine
    from textgen.generation.row import Row

    engine, sampler = BatchEngine(LSTMStep(read_model(path))), Sampler(SamplingConfig(temperature=TEMPERATURE))
    rng = np.random.default_rng(1)
    seeds = itertools.count()

    missing = BATCH

    def write(count: int) -> None:
        nonlocal missing
        while count > 0:
            lengths = rng.integers(40, 161, missing).tolist()
            engine.admit([Row([2], sampler, seed=next(seeds), length=length) for length in lengths])
            count -= len(engine.step())
            missing = len(engine.ended)

    return write


def prompts_together(path: Path) -> Callable[[int], None]:
    """Our engine, reading `PROMPTS` prompts together."""
    return _read_prompts(path, PROMPTS)


def prompts_in_turn(path: Path) -> Callable[[int], None]:
    """Our engine, reading the same prompts one after another."""
    return _read_prompts(path, 1)


def _read_prompts(path: Path, together: int) -> Callable[[int], None]:
    import numpy as np

    from textgen.generation import LSTMStep, read_model
    from textgen.generation.reading import read_states

    network, rng = LSTMStep(read_model(path)), np.random.default_rng(1)
    texts = rng.integers(2, CHARACTERS + 2, (PROMPTS, PROMPT)).tolist()

    def read(count: int) -> None:
        for first in range(0, max(1, count // PROMPT), together):
            read_states(network, texts[first : first + together], [None] * len(texts[first : first + together]))

    return read


def textgen_prompt(path: Path) -> Callable[[int], None]:
    """Our generator, reading a prompt of N characters that it has not read before."""
    import numpy as np

    from textgen.generation import load

    generator, rng = load(path), np.random.default_rng(1)

    def read(count: int) -> None:
        prompt = "".join(map(chr, rng.integers(ord("!"), ord("!") + CHARACTERS, count)))
        next(generator.generate(prompt, length=1, seed=1))

    return read


def naive(path: Path) -> Callable[[int], None]:
    """A plain NumPy step, with softmax and `choice`."""
    import numpy as np
    from naive_step import NaiveStep, sample

    from textgen.generation import read_model

    step, rng = NaiveStep(read_model(path)), np.random.default_rng(1)

    def write(count: int) -> None:
        token_id = 2
        for _ in range(count):
            token_id = sample(step(token_id), TEMPERATURE, rng)

    return write


def naive_with_our_sampler(path: Path) -> Callable[[int], None]:
    """A plain NumPy step, with our sampler."""
    import numpy as np
    from naive_step import NaiveStep

    from textgen.config import SamplingConfig
    from textgen.generation import Sampler, read_model

    step, rng = NaiveStep(read_model(path)), np.random.default_rng(1)
    sampler = Sampler(SamplingConfig(temperature=TEMPERATURE))

    def write(count: int) -> None:
        token_id = 2
        for number in range(count):
            if number % 64 == 0:
                noise = sampler.noise(rng, (64, 1, CHARACTERS + 2))
            token_id = int(sampler(step(token_id)[np.newaxis], noise[number % 64])[0])

    return write


def torch_stream(path: Path) -> Callable[[int], None]:
    """PyTorch's `torch.nn.LSTM`, one token per call."""
    import torch

    from textgen.generation import read_model

    model = read_model(path)
    torch.set_num_threads(int(os.environ["OPENBLAS_NUM_THREADS"]))
    size, layers = model.shape.lstm_state_size, model.shape.layers
    weights = {name: torch.from_numpy(tensor.copy()) for name, tensor in model.tensors.items()}
    lstm = torch.nn.LSTM(size, size, layers)
    with torch.no_grad():
        for index in range(layers):
            getattr(lstm, f"weight_ih_l{index}").copy_(weights[f"layers.{index}.kernel"].T)
            getattr(lstm, f"weight_hh_l{index}").copy_(weights[f"layers.{index}.recurrent_kernel"].T)
            getattr(lstm, f"bias_ih_l{index}").copy_(weights[f"layers.{index}.bias"])
            getattr(lstm, f"bias_hh_l{index}").zero_()

    @torch.inference_mode()
    def write(count: int) -> None:
        state, token_id = None, 2
        for _ in range(count):
            out, state = lstm(weights["embedding"][token_id][None, None], state)
            logits = torch.addmv(weights["output.bias"], weights["output.kernel"].T, out[0, 0])
            token_id = int(torch.multinomial(torch.softmax(logits / TEMPERATURE, -1), 1))

    return write


def keras_predict(path: Path) -> Callable[[int], None]:
    """Keras, one token per `predict` call."""
    import numpy as np

    model = _keras_model(path)
    rng = np.random.default_rng(1)

    def write(count: int) -> None:
        from naive_step import sample

        token_id = 2
        for _ in range(count):
            logits = model.predict(np.array([[token_id]]), verbose=0)[0, 0]
            token_id = sample(logits, TEMPERATURE, rng)

    return write


def keras_loop(path: Path) -> Callable[[int], None]:
    """Keras, with the whole loop compiled by `tf.function`."""
    import tensorflow as tf

    model = _keras_model(path)

    @tf.function
    def loop(count: tf.Tensor) -> tf.Tensor:
        token_id = tf.constant([[2]], tf.int64)
        for _ in tf.range(count):
            token_id = tf.random.categorical(model(token_id)[0] / TEMPERATURE, 1)
        return token_id

    def write(count: int) -> None:
        loop(tf.constant(count))

    return write


def _keras_model(path: Path) -> "keras.Model":  # noqa: F821 - imported late
    """Returns a model of stock Keras layers with the weights of a model file."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    from textgen.generation import read_model

    threads = int(os.environ["OPENBLAS_NUM_THREADS"])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    found = read_model(path)
    inputs = keras.Input(batch_shape=(1, 1), dtype="int64")
    size = found.shape.lstm_state_size
    hidden = keras.layers.Embedding(CHARACTERS + 2, size)(inputs)
    for _ in range(found.shape.layers):
        hidden = keras.layers.LSTM(size, return_sequences=True, stateful=True)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(CHARACTERS + 2)(hidden))
    names = [f"layers.{i}.{part}" for i in range(found.shape.layers) for part in ("kernel", "recurrent_kernel", "bias")]
    model.set_weights([found.tensors[name] for name in ["embedding", *names, "output.kernel", "output.bias"]])
    return model


WRITERS: dict[str, Callable[[Path], Callable[[int], None]]] = {
    writer.__name__: writer
    for writer in (
        textgen_stream,
        textgen_batch,
        textgen_prompt,
        textgen_steady,
        textgen_joining,
        prompts_together,
        prompts_in_turn,
        naive,
        naive_with_our_sampler,
        torch_stream,
        keras_predict,
        keras_loop,
    )
}
HEAVY = ("torch_stream", "keras_predict", "keras_loop")
NAIVE = ["textgen_stream", "naive", "naive_with_our_sampler"]
LIGHT = ["textgen_stream", "textgen_batch", "naive", "naive_with_our_sampler"]
READERS = ("prompts_in_turn", "prompts_together")


def measure(path: Path, names: list[str]) -> dict[str, float]:
    """Returns the characters per second of each writer: the best of several runs, which alternate between the writers."""
    writers = {name: WRITERS[name](path) for name in names}
    counts, best = {}, dict.fromkeys(names, 0.0)
    for name, write in writers.items():
        write(WARM_UP)
        began = time.perf_counter()
        write(WARM_UP)
        counts[name] = max(1, int(WARM_UP * SECONDS / (time.perf_counter() - began)))
    for _ in range(ROUNDS):
        for name, write in writers.items():
            began = time.perf_counter()
            write(counts[name])
            best[name] = max(best[name], counts[name] / (time.perf_counter() - began))
    return best


def measure_apart(path: Path, threads: int, names: list[str]) -> dict[str, float]:
    """Runs `measure` in another process, with a given number of BLAS threads."""
    command = [sys.executable, __file__, "--measure", str(path), *names]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    rates: dict[str, float] = json.loads(output.splitlines()[-1])
    return rates


def seconds_to_first_character(path: Path, scripts: Path) -> tuple[float, float]:
    """Runs textgen-sample in a folder of scripts, and returns the seconds to its first character and its peak memory in MB.

    Its modules may be compiled once and kept, as in any installation.
    """
    command = [str(scripts / "textgen-sample"), str(path), "--length=1"]
    installed = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=installed) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        process.stdout.read(1)
        seconds = time.perf_counter() - began
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def seconds_to_run(*command: str) -> float:
    """Returns the seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def print_start(path: Path) -> None:
    """Prints the start-up times and the memory."""
    sample = str(Path(sysconfig.get_path("scripts")) / "textgen-sample")
    peers: dict[str, list[float]] = {"first": [], "numpy": [], "help": [], "pass": []}
    megabytes = 0.0
    for _ in range(ROUNDS):
        seconds, megabytes = seconds_to_first_character(path, Path(sysconfig.get_path("scripts")))
        peers["first"].append(seconds)
        peers["numpy"].append(seconds_to_run(sys.executable, "-c", "import numpy"))
        peers["help"].append(seconds_to_run(sample, "--help"))
        peers["pass"].append(seconds_to_run(sys.executable, "-c", "pass"))
    first, numpy, help_page, nothing = (min(peers[name]) * 1000 for name in ("first", "numpy", "help", "pass"))
    print(f"first character of textgen-sample: {first:.0f} ms, {first / numpy:.1f} x `import numpy` ({numpy:.0f} ms)")
    print(f"textgen-sample --help: {help_page:.0f} ms, {help_page / nothing:.1f} x `pass` ({nothing:.0f} ms)")
    print(f"memory of textgen-sample: {megabytes:.0f} MB")


def print_rates(directory: Path, state_size: int, layers: int) -> None:
    """Prints a table of characters per second for models of one size."""
    path, one_hot = directory / "embedded.safetensors", directory / "one_hot.safetensors"
    write_random_model(path, state_size, layers, one_hot=False)
    write_random_model(one_hot, state_size, layers, one_hot=True)
    heavy = [name for name in HEAVY if name != "torch_stream" or find_spec("torch")]
    rates = {threads: measure_apart(path, threads, LIGHT) for threads in (1, 2)}
    ratios = {"embedding": rates, "one-hot": {threads: measure_apart(one_hot, threads, NAIVE) for threads in (1, 2)}}
    for threads, found in rates.items():
        for name in heavy:
            found.update(measure_apart(path, threads, [name]))
    print(
        f"\n{layers} layers of {state_size}, characters per second: with 1 and 2 BLAS threads, and the best relative to ours"
    )
    ours = max(found["textgen_stream"] for found in rates.values())
    for name in [*LIGHT, *heavy]:
        one, two = (found[name] for found in rates.values())
        print(f"  {name:24}{one:>12,.0f}{two:>12,.0f}{max(one, two) / ours:>10.3f}")
    print("textgen_stream relative to naive and naive_with_our_sampler, with the same number of BLAS threads")
    for kind, of_kind in ratios.items():
        for threads, found in of_kind.items():
            ratios_to_naive = [found["textgen_stream"] / found[name] for name in ("naive", "naive_with_our_sampler")]
            print(f"  {kind}, {threads}: " + " and ".join(f"{ratio:.2f} x" for ratio in ratios_to_naive))


def print_batches(directory: Path, state_size: int, layers: int) -> None:
    """Prints how fast a batch is that texts join and leave, and how fast prompts are read together, for models of one size."""
    path = directory / "embedded.safetensors"
    write_random_model(path, state_size, layers, one_hot=False)
    print(f"\n{layers} layers of {state_size}, characters per second of CPU time with 1 BLAS thread")
    numbers = layers * state_size**2
    for slow, fast, count in (("textgen_steady", "textgen_joining", int(1e9 / numbers)), (*READERS, PROMPTS * PROMPT)):
        with Server(Path(sys.executable), path) as server:
            seconds = [
                [server.measure(name, count) for name in (slow, fast)] for _ in range(ROUNDS if count < PROMPT else 3)
            ]
        rates = [count / min(each) for each in zip(*seconds, strict=True)]
        print(f"  {slow} {rates[0]:,.0f}, {fast} {rates[1]:,.0f}: {rates[1] / rates[0]:.2f} x")


class Server:
    """A process that runs writers in a version of textgen, with one BLAS thread.

    Args:
        python: the interpreter, in whose environment textgen is installed.
        path: the model file.
    """

    def __init__(self, python: Path, path: Path) -> None:
        self._process = subprocess.Popen(
            [python, __file__, "--serve", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def measure(self, name: str, count: int) -> float:
        """Returns the seconds of CPU time that a writer takes for some characters."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101 - likewise
        print(name, count, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def serve(path: Path) -> None:
    """Reads the names of writers and numbers of characters from standard input, and prints the seconds that each takes."""
    writers: dict[str, Callable[[int], None]] = {}
    for line in sys.stdin:
        name, count = line.split()
        if name not in writers:
            writers[name] = WRITERS[name](path)
            writers[name](WARM_UP)
        began = time.process_time()
        writers[name](int(count))
        print(time.process_time() - began, flush=True)


def main() -> None:
    """Prints all tables, or, with `--measure` and `--serve`, what another process of this script asks for."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]), sys.argv[3:])))
        return
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as directory:
        small = Path(directory) / "small.safetensors"
        write_random_model(small, *SIZES[0], one_hot=False)
        print_start(small)
        for state_size, layers in SIZES:
            print_rates(Path(directory), state_size, layers)
            print_batches(Path(directory), state_size, layers)


if __name__ == "__main__":
    main()
