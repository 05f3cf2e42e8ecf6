"""A worker's settings."""

from __future__ import annotations

import pytest

from system.settings import SettingError
from system.worker.config import AddressBook, from_environment
from tests.worker.support import environment


def test_the_defaults() -> None:
    env = environment("cp:1")
    for name in ("HEARTBEAT_INTERVAL_S", "WORKER_SEED"):
        del env[name]
    config = from_environment(env)
    assert config.advertise_address == config.listen_address
    assert config.orchestrator == AddressBook(("cp:1",))
    assert (config.heartbeat_interval_s, config.log_level) == (5.0, "INFO")
    assert config.seed is None
    assert config.store_endpoint is None


def test_the_control_plane_with_and_without_ids() -> None:
    with_ids = from_environment(
        environment("cp-aws-1=10.1.0.10:15051, cp-gcp-1=[fd00::2]:15051")
    ).orchestrator
    assert with_ids.addresses == ("10.1.0.10:15051", "[fd00::2]:15051")
    assert with_ids.by_id == {"cp-aws-1": "10.1.0.10:15051", "cp-gcp-1": "[fd00::2]:15051"}
    assert from_environment(environment("a:1,b:2")).orchestrator == AddressBook(("a:1", "b:2"))


def test_minio_wins_over_aws() -> None:
    both = environment("cp:1", MINIO_ENDPOINT="http://minio:9000", AWS_ENDPOINT_URL="https://s3.example.org")
    assert from_environment(both).store_endpoint == "http://minio:9000"
    assert from_environment(both | {"MINIO_ENDPOINT": ""}).store_endpoint == "https://s3.example.org"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WORKER_ID", "", "is not set: expected 1 to 64 letters"),
        ("WORKER_ID", "worker 1", "expected 1 to 64 letters"),
        ("CLUSTER_ID", "", "is not set"),
        ("CLOUD", "", "is not set"),
        ("LISTEN_ADDR", "", "is not set: expected host:port"),
        ("LISTEN_ADDR", "15051", "expected host:port"),
        ("HTTP_ADDR", "127.0.0.1:0", "expected host:port"),
        ("HTTP_ADDR", "127.0.0.1:65536", "expected host:port"),
        ("ADVERTISE_ADDR", "worker", "expected host:port"),
        ("ADVERTISE_ADDR", "0.0.0.0:15051", "set ADVERTISE_ADDR"),
        ("ORCHESTRATOR_ADDR", "", "is not set: expected id=host:port"),
        ("ORCHESTRATOR_ADDR", "cp-aws-1", "'cp-aws-1' does not fit"),
        ("ORCHESTRATOR_ADDR", "a=h:1,h:2", "expected id=host:port"),
        ("ORCHESTRATOR_ADDR", "=h:1", "'=h:1' does not fit"),
        ("ORCHESTRATOR_ADDR", "a=h:1,a=h:2", "each node once"),
        ("ORCHESTRATOR_ADDR", "h:1,h:1", "each node once"),
        ("HEARTBEAT_INTERVAL_S", "0", "expected a positive number of seconds"),
        ("HEARTBEAT_INTERVAL_S", "nan", "expected a positive number of seconds"),
        ("HEARTBEAT_INTERVAL_S", "often", "expected a positive number of seconds"),
        ("WORKER_SEED", "seven", "expected a whole number"),
        ("MINIO_ENDPOINT", "minio:9000", "expected a URL"),
        ("AWS_ENDPOINT_URL", "https://", "expected a URL"),
        ("LOG_LEVEL", "LOUD", "expected one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_bad_value_is_one_line_that_says_what_was_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingError) as caught:
        from_environment(environment("cp:1", **{name: value}))
    message = str(caught.value)
    assert message.startswith(f"{name}={value!r}: " if value else f"{name} is not set: ")
    assert expected in message
    assert "\n" not in message


def test_an_address_nobody_can_dial_is_not_advertised() -> None:
    with pytest.raises(SettingError, match="set ADVERTISE_ADDR"):
        from_environment(environment("cp:1", LISTEN_ADDR="0.0.0.0:15051"))
