import json

import pytest

from textgen.config import Cluster
from textgen.errors import UsageError

CHIEF, FIRST, SECOND = "cmle-training-workerpool0-ab-0:2222", "cmle-training-workerpool1-ab-0:2222", "10.0.0.3:2222"


def tf_config(cluster, kind="worker", index=0):
    return {
        "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}, "environment": "cloud"})
    }


def test_the_chief_of_vertex_ai_is_the_first_process():
    """Vertex AI names the machine of pool 0 `chief` and those of pool 1 `worker`; the chief's link has the next port."""
    cluster = {"worker": [FIRST, SECOND], "chief": [CHIEF]}
    chief = Cluster.read(tf_config(cluster, "chief"))
    assert chief == Cluster((CHIEF, FIRST, SECOND), 0)
    assert (chief.is_chief, chief.count) == (True, 3)
    assert chief.link == ("cmle-training-workerpool0-ab-0", 2223)
    last = Cluster.read(tf_config(cluster, "worker", 1))
    assert last == Cluster((CHIEF, FIRST, SECOND), 2) == chief.of(2)
    assert not last.is_chief


def test_processes_with_the_same_host_are_on_the_same_machine():
    """Processes count as being on this machine if they have this one's host, which can be an IPv6 address."""
    addresses = ("[::1]:1000", "host:1000", "[::1]:2000", "host2:1000", "[::1]:3000")
    assert [Cluster(addresses, index).processes_here for index in range(5)] == [3, 1, 3, 1, 3]


@pytest.mark.parametrize(
    ("spec", "port"),
    [
        ('{"cluster": {}, "open_ports": [3333, 4444]}', 3333),
        ('{"open_ports": [2222, true, "3333", 0, 70000, 4444]}', 4444),
        *(
            (text, 2223)
            for text in ('{"open_ports": [2222]}', '{"open_ports": null}', "{}", "[]", "7", "{", "[" * 9999)
        ),
    ],
)
def test_the_link_uses_a_port_that_vertex_ai_has_opened(spec, port):
    """If CLUSTER_SPEC names open ports, the chief listens on the first one that TensorFlow does not use; else on the next port."""
    environment = {**tf_config({"worker": [FIRST], "chief": [CHIEF]}, "chief"), "CLUSTER_SPEC": spec}
    cluster = Cluster.read(environment)
    assert cluster is not None
    assert cluster.link == ("cmle-training-workerpool0-ab-0", port)
    assert cluster.of(1).link == cluster.link


def test_without_a_chief_the_first_worker_decides():
    """A cluster of workers alone, which TensorFlow allows too, has the first worker as its chief; an index may be a text."""
    cluster = {"worker": [FIRST, SECOND], "ps": []}
    assert Cluster.read(tf_config(cluster, index="0")) == Cluster((FIRST, SECOND), 0)
    assert Cluster.read(tf_config(cluster, index="1")) == Cluster((FIRST, SECOND), 1)


def test_an_ipv6_address_has_its_brackets_only_with_its_port():
    """The host of the link is an address without brackets, which `socket` expects."""
    assert Cluster(("[::1]:2222", "[::1]:2224"), 0).link == ("::1", 2223)


@pytest.mark.parametrize(
    "environment",
    [
        *({}, {"TF_CONFIG": ""}, {"TF_CONFIG": "{}"}, {"TF_CONFIG": '{"cluster": {}}'}),
        *(tf_config({"chief": [CHIEF]}, "chief"), {"TF_CONFIG": '{"environment": "cloud", "cluster": null}'}),
    ],
)
def test_a_single_process_is_no_cluster(environment):
    """Without TF_CONFIG, or with at most one process in it, a run is an ordinary one."""
    assert Cluster.read(environment) is None


def test_what_tensorflow_reads_is_the_same_cluster():
    """`to_json` gives each process its own TF_CONFIG, from which the same cluster is read."""
    cluster = Cluster((CHIEF, FIRST, SECOND), 2)
    assert Cluster.read({"TF_CONFIG": cluster.to_json()}) == cluster


TWO = {"worker": [FIRST, SECOND]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "must be JSON, got '{'"),
        ("[" * 10**5, "must be JSON"),
        ("[]", "must be a JSON object, got []"),
        ('{"cluster": ["x:1"]}', "must have an object as its cluster, got"),
        ('{"cluster": {"worker": "x:1"}}', "must list addresses in its cluster, got 'x:1'"),
        ('{"cluster": {"worker": {"0": "x:1"}}}', "must list addresses in its cluster"),
        ('{"cluster": {"ps": ["x:1"], "worker": ["y:1"]}}', "only tasks of the types chief and worker, got 'ps'"),
        ('{"cluster": {"chief": ["x:1", "y:1"]}}', "must have one chief, got 2"),
        ('{"cluster": {"worker": ["x:1", "x:1"]}}', "must name each address once, got 'x:1'"),
        *(
            (
                json.dumps({"cluster": {"worker": ["x:1", address]}}),
                "must have addresses HOST:PORT with a port below 65535",
            )
            for address in (
                "y",
                ":1",
                "y:",
                "y:0",
                "y:65535",
                "y:-1",
                "y:\u0661",
                "y:" + "9" * 5000,
                "a b:1",
                "http://y:1",
                "\n:1",
                7,
            )
        ),
        (json.dumps({"cluster": TWO}), "must have a task with a type and an index, got None"),
        (json.dumps({"cluster": TWO, "task": "worker"}), "must have a task with a type and an index, got 'worker'"),
        (json.dumps({"cluster": TWO, "task": {"type": "worker"}}), "must have a task with a type and an index"),
        (json.dumps({"cluster": TWO, "task": {"type": ["worker"], "index": 0}}), "must have a task with a type and an"),
        (
            json.dumps({"cluster": TWO, "task": {"type": "worker", "index": True}}),
            "must have a task with a type and an",
        ),
        (json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 2}}), "in its cluster, got 'worker 2'"),
        (
            json.dumps({"cluster": TWO, "task": {"type": "worker", "index": "9" * 5000}}),
            "in its cluster, got 'worker 99",
        ),
        (
            json.dumps({"cluster": {"worker": ["x:1", "x:2"]}, "task": {"type": "worker", "index": 1}}),
            "must leave the port after the chief's to the chief, got 'x:2'",
        ),
        (json.dumps({"cluster": TWO, "task": {"type": "worker", "index": -1}}), "in its cluster, got 'worker -1'"),
        (json.dumps({"cluster": TWO, "task": {"type": "chief", "index": 0}}), "in its cluster, got 'chief 0'"),
    ],
)
def test_a_cluster_that_makes_no_sense_is_refused(value, message):
    """A TF_CONFIG that is not JSON, has wrong types, or does not contain its own task is refused in one line."""
    with pytest.raises(UsageError) as error:
        Cluster.read({"TF_CONFIG": value})
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
