"""How much does `textgen serve` bear? Measures it with many streams, slow clients, random bodies, and for a long time.

The model has 2 layers of 128, 65 characters and random weights, as in `sampling.py`. The service, and the engine that it is compared
with, are processes of their own with one BLAS thread, which are measured in turns. All texts are compared with those that the
service writes one at a time.

Rates are characters per second of the time in which the load generator, which is this process, does not compute: on a busy machine
of two cores, the service has to wait while it does. The CPU time of all processes is printed too.

    python benchmarks/serving.py
    python benchmarks/serving.py streams slow --seconds 2
    python benchmarks/serving.py memory --minutes 10
"""

import argparse
import asyncio
import http.client
import itertools
import multiprocessing
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from http_load import Connection, Exchange, SlowClients, get, post
from random_bodies import random_request
from sampling import SIZES, TEMPERATURE, seconds_to_run, textgen_steady, write_random_model
from service_process import Rate, Service, serving

STREAMS = 64
FEW_STREAMS = 24
"""Streams that all have a place in the batch."""

LENGTH = 4096
TEXTS = 16
"""The number of different texts that are streamed."""

SLOW = 200
SHORT, SHORT_TEXTS, SHORT_ROUNDS = 200, 100, 5
"""The length and number of the texts whose time is compared with and without slow clients, and how often that is done."""

BODIES, CONNECTIONS = 5000, 8
"""The number of random bodies, and of the connections on which they are sent."""

STARTS = 7
SECONDS_TO_HANG = 60
WARM_UP_MINUTES = 2
"""The time in which the cache of the states behind texts is filled."""


def completion(seed: int, length: int = LENGTH, **fields: Any) -> bytes:
    """Returns a request for a text."""
    settings = {"prompt": "A", "max_tokens": length, "temperature": TEMPERATURE, "seed": seed}
    return post("/v1/completions", {**settings, **fields})


@cache
def steady_engine(path: Path) -> Callable[[int], None]:
    """Returns the engine's writer, which is made once in a process."""
    return textgen_steady(path)


def run_engine(path: Path, seconds: float) -> Rate:
    """Writes texts with the engine alone, in a batch of 32."""
    write, characters = steady_engine(path), 0
    write(1000)
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        write(3200)
        characters += 3200
    return Rate(characters, time.perf_counter() - began, time.process_time() - cpu)


async def write_alone(service: Service, seconds: float) -> tuple[Rate, dict[int, str]]:
    """Writes texts one at a time, and returns them by their seeds."""
    texts: dict[int, str] = {}
    began, characters = service.times(), 0
    async with service.connections(1) as (connection,):
        for number in itertools.count():
            exchange = await connection.ask(completion(number % TEXTS))
            texts[number % TEXTS] = exchange.json()["choices"][0]["text"]
            characters += LENGTH
            if time.perf_counter() - began[0] > seconds and len(texts) == TEXTS:
                break
    return service.rate(characters, began), texts


async def stream(service: Service, streams: int, seconds: float) -> tuple[Rate, list[tuple[int, Exchange]]]:
    """Keeps some streams running for some time, and returns their answers, each with the seed of its text."""
    answers: list[tuple[int, Exchange]] = []
    seeds = itertools.cycle(range(TEXTS))
    ends = time.perf_counter() + seconds

    async def read(connection: Connection) -> None:
        while time.perf_counter() < ends:
            seed = next(seeds)
            answers.append((seed, await connection.ask(completion(seed, stream=True))))

    async with service.connections(streams) as connections:
        began = service.times()
        readers = [asyncio.create_task(read(connection)) for connection in connections]
        await asyncio.sleep(seconds)
        rate = service.rate(0, began)
        running = [(exchange, len(exchange.received)) for each in connections if (exchange := each.exchange)]
        complete = [exchange for _, exchange in answers]
        await asyncio.gather(*readers)
    rate.characters = sum(len(exchange.text()) for exchange in complete)
    rate.characters += sum(
        len(exchange.text(size)) for exchange, size in running if not any(exchange is one for one in complete)
    )
    return rate, answers


def print_waits(answers: Sequence[tuple[int, Exchange]], streams: int) -> None:
    """Prints how long the first tokens took."""
    waits = sorted((exchange.first - exchange.sent) * 1000 for _, exchange in answers)
    p50, p99 = statistics.median(waits), waits[int(len(waits) * 0.99)]
    print(
        f"  milliseconds to the first token of {len(waits)} texts, {streams} streams at once: p50 {p50:.0f}, p99 {p99:.0f}",
        flush=True,
    )


async def print_streams(path: Path, seconds: float, rounds: int) -> None:
    """Prints how fast many streams are, relative to the engine and to one text at a time."""
    print(f"{STREAMS} streams of {LENGTH} characters, in characters per second without the generator's CPU time")
    answers: list[tuple[int, Exchange]] = []
    found: list[tuple[Rate, Rate, Rate]] = []
    expected: dict[int, str] = {}
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool, serving(path) as service:
        await loop.run_in_executor(pool, run_engine, path, 0.1)
        for number in range(1, rounds + 1):
            engine = await loop.run_in_executor(pool, run_engine, path, seconds / 3)
            streams, of_round = await stream(service, STREAMS, seconds)
            answers += of_round
            alone, expected = await write_alone(service, seconds / 3)
            found.append((streams, engine, alone))
            print(f"  round {number}: {streams}")
            for name, peer, unit in (("the engine", engine, ".0%"), ("one at a time", alone, ".1f")):
                ratio, of_cpu = streams.corrected / peer.corrected, streams.of_cpu / peer.of_cpu
                print(f"    {name} {peer}: {ratio:{unit}}, by CPU time {of_cpu:{unit}}", flush=True)
        _, few = await stream(service, FEW_STREAMS, seconds)
    for name, peer, unit in (("the engine's own speed", 1, ".0%"), ("one at a time", 2, ".1f")):
        for kind, figure in (("", "corrected"), (", by CPU time", "of_cpu")):
            ratios = [getattr(each[0], figure) / getattr(each[peer], figure) for each in found]
            low, high = min(ratios), max(ratios)
            print(
                f"  relative to {name}{kind}: median {statistics.median(ratios):{unit}}, {low:{unit}} to {high:{unit}}"
            )
    print_waits(answers, STREAMS)
    print_waits(few, FEW_STREAMS)
    lost = sum(not exchange.is_whole or len(exchange.text()) != LENGTH for _, exchange in answers + few)
    other = sum(exchange.text() != expected[seed] for seed, exchange in answers + few)
    print(f"  of {len(answers + few)} texts, {lost} are incomplete and {other} are not as they are alone")


async def is_writing(connection: Connection) -> bool:
    """Returns whether the service still writes texts."""
    figures = (await connection.ask(get("/metrics"))).body()
    return re.search(rb"^textgen_(waiting_)?rows\{.*\} [^0]", figures, re.MULTILINE) is not None


async def print_slow_clients(path: Path) -> None:
    """Prints how much longer a text takes while many clients read slowly."""
    reading = completion(1, 1024, stream=True, logprobs=5)
    with serving(path) as service:
        async with service.connections(1) as (connection,):

            async def milliseconds() -> float:
                """Returns the lowest of some medians."""
                medians = []
                for _ in range(SHORT_ROUNDS):
                    exchanges = [await connection.ask(completion(seed, SHORT)) for seed in range(SHORT_TEXTS)]
                    medians.append(statistics.median(exchange.ended - exchange.sent for exchange in exchanges))
                return min(medians) * 1000

            await milliseconds()
            before = await milliseconds()
            clients = SlowClients(service.port, [reading] * SLOW)
            reader = asyncio.create_task(clients.read())
            await asyncio.sleep(1)
            while await is_writing(connection):  # noqa: ASYNC110 - another process writes
                await asyncio.sleep(0.1)
            meanwhile = await milliseconds()
            megabytes = service.megabytes
            reader.cancel()
            clients.close()
            await asyncio.sleep(1)
            after = await milliseconds()
        await write_alone(service, 1)
        rate, _ = await write_alone(service, 1)
    step = 1000 / rate.corrected
    print(f"{SLOW} clients that read 8 bytes a second, while another one asks for texts of {SHORT} characters")
    print(
        f"  milliseconds of a text, lowest of {SHORT_ROUNDS} medians of {SHORT_TEXTS}: {before:.2f} before, {meanwhile:.2f} meanwhile, {after:.2f} afterwards"
    )
    print(
        f"  that is {(meanwhile - min(before, after)) / step:.1f} steps of one text; the service had {megabytes:.0f} MB",
        flush=True,
    )


async def print_random_bodies(path: Path) -> None:
    """Prints the statuses of the answers to random bodies."""
    rng = random.Random(1)  # noqa: S311 - the same bodies in each run
    requests = [random_request(rng) for _ in range(BODIES)]
    statuses: Counter[str] = Counter()
    failed: list[tuple[str, bytes]] = []
    left = iter(requests)

    async def send(service: Service) -> None:
        connection = await Connection.open(service.port)
        for target, body in left:
            try:
                async with asyncio.timeout(SECONDS_TO_HANG):
                    exchange = await connection.ask(post(target, body))
            except (ConnectionError, TimeoutError) as error:
                statuses[type(error).__name__] += 1
                broken = True
            else:
                statuses[str(exchange.status)] += 1
                broken = exchange.is_server_error
            if broken:
                failed.append((target, body))
            if broken or b"connection: close" in exchange.received.lower():
                connection.close()
                connection = await Connection.open(service.port)
        connection.close()

    with serving(path) as service:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(send(service))
        async with service.connections(1) as (connection,):
            health = (await connection.ask(get("/healthz"))).status
    counts = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
    print(f"{BODIES} random bodies, by status: {counts}; then /healthz: {health}")
    for target, body in failed[:10]:
        print(f"  failed: {target} {body[:300]!r}", flush=True)


async def print_memory(path: Path, minutes: float) -> None:
    """Prints how much the memory grows."""
    print(f"memory with {STREAMS} streams at once, texts that were never written before")
    seeds = itertools.count(1000)
    characters = 0

    async def read(connection: Connection) -> None:
        nonlocal characters
        while True:
            exchange = await connection.ask(completion(next(seeds), stream=True))
            characters += len(exchange.text())

    with serving(path) as service:
        async with service.connections(STREAMS) as connections:
            print(f"  at the start {service.megabytes:.0f} MB")
            readers = [asyncio.create_task(read(connection)) for connection in connections]
            await asyncio.sleep(WARM_UP_MINUTES * 60)
            before = service.megabytes
            print(f"  after {WARM_UP_MINUTES} minutes {before:.1f} MB", flush=True)
            await asyncio.sleep(minutes * 60)
            after = service.megabytes
            for reader in readers:
                reader.cancel()
    print(
        f"  {minutes:g} minutes later {after:.1f} MB, {after / before - 1:+.1%}; {characters:,} characters were written",
        flush=True,
    )


def print_start(path: Path) -> None:
    """Prints how long the service takes until it is healthy."""
    healthy, imports = [], []
    for _ in range(STARTS):
        began = time.perf_counter()
        with serving(path) as service:
            connection = http.client.HTTPConnection("127.0.0.1", service.port)
            connection.request("GET", "/healthz")
            if connection.getresponse().status != HTTPStatus.OK:
                raise SystemExit("the service is not healthy")
            healthy.append(time.perf_counter() - began)
        imports.append(seconds_to_run(sys.executable, "-c", "import numpy, starlette, uvicorn"))
    beyond = min(healthy) - min(imports)
    print(
        f"from start to healthy: {min(healthy):.2f} s, {beyond:.2f} s beyond `import numpy, starlette, uvicorn`; best of {STARTS}",
        flush=True,
    )


PARTS = ("start", "streams", "slow", "random", "memory")


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="Measures textgen serve.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; without any, everything")
    parser.add_argument("--seconds", type=float, default=10, help="the time of the streams in each round")
    parser.add_argument("--rounds", type=int, default=6, help="the number of rounds of the streams")
    parser.add_argument("--minutes", type=float, default=2, help="the time in which the memory may grow")
    arguments = parser.parse_args()
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    parts = arguments.parts or PARTS
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "random.safetensors"
        write_random_model(path, *SIZES[0], one_hot=False)
        if "start" in parts:
            print_start(path)
        if "streams" in parts:
            asyncio.run(print_streams(path, arguments.seconds, arguments.rounds))
        if "slow" in parts:
            asyncio.run(print_slow_clients(path))
        if "random" in parts:
            asyncio.run(print_random_bodies(path))
        if "memory" in parts:
            asyncio.run(print_memory(path, arguments.minutes))


if __name__ == "__main__":
    main()
