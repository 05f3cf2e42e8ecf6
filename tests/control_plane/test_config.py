"""A node's configuration: defaults, and one clear line for every bad value."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from system.control_plane.config import config_from_env
from system.settings import SettingError

GOOD = {
    "NODE_ID": "cp-aws-1",
    "CLUSTER_ID": "c",
    "PEERS": "cp-gcp-1=127.0.0.2:15051,cp-azure-1=127.0.0.3:15051",
    "LISTEN_ADDR": "127.0.0.1:15051",
    "HTTP_ADDR": "127.0.0.1:18080",
    "DATA_DIR": "/tmp/data",
}


def test_defaults() -> None:
    config = config_from_env(GOOD)
    assert config.voters == ("cp-aws-1", "cp-azure-1", "cp-gcp-1")
    assert config.peers == {"cp-gcp-1": "127.0.0.2:15051", "cp-azure-1": "127.0.0.3:15051"}
    assert config.data_dir == Path("/tmp/data")
    assert (config.heartbeat_ms, config.election_timeout_ms, config.max_batch) == (150, (300, 600), 64)
    assert (config.worker_offline_after_s, config.seed, config.log_level) == (15.0, None, "INFO")


def test_one_number_is_a_range_up_to_its_double() -> None:
    assert config_from_env(GOOD | {"RAFT_ELECTION_TIMEOUT_MS": "400"}).election_timeout_ms == (400, 800)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("NODE_ID", None, "NODE_ID is not set: expected 1 to 64 letters"),
        ("DATA_DIR", None, "DATA_DIR is not set"),
        ("NODE_ID", "a b", "NODE_ID='a b': expected 1 to 64 letters"),
        ("LISTEN_ADDR", "nowhere", "LISTEN_ADDR='nowhere': expected host:port"),
        ("LISTEN_ADDR", "127.0.0.1:99999", "expected host:port"),
        ("PEERS", "127.0.0.2:1", "expected id=host:port"),
        ("PEERS", "a=1.2.3.4:1,a=1.2.3.4:2", "each id once"),
        ("PEERS", "cp-aws-1=1.2.3.4:1", "PEERS names this node itself"),
        ("RAFT_HEARTBEAT_MS", "fast", "RAFT_HEARTBEAT_MS='fast': expected a whole number"),
        ("RAFT_HEARTBEAT_MS", "300", "RAFT_HEARTBEAT_MS=300 has to be less than the shortest"),
        ("RAFT_ELECTION_TIMEOUT_MS", "600-300", "expected a range of milliseconds"),
        ("RAFT_ELECTION_TIMEOUT_MS", "-5", "expected a range of milliseconds"),
        ("RAFT_MAX_BATCH", "0", "expected a whole number from 1"),
        ("WORKER_OFFLINE_AFTER_S", "nan", "expected a positive number of seconds"),
        ("LOG_LEVEL", "loud", "expected one of DEBUG, INFO"),
    ],
)
def test_bad_values(name: str, value: str | None, expected: str) -> None:
    env = {**GOOD, name: value} if value is not None else {k: v for k, v in GOOD.items() if k != name}
    with pytest.raises(SettingError) as caught:
        config_from_env({key: str(text) for key, text in env.items()})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("RAFT_ELECTION_TIMEOUT_MS", "soon"), ("DATA_DIR", "/dev/null/x")]
)
def test_a_bad_value_is_one_line_and_exit_2(name: str, value: str) -> None:
    env = {**os.environ, **GOOD, name: value}
    ended = subprocess.run(
        [sys.executable, "-m", "system.control_plane"],
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and name in ended.stderr
    assert ended.stdout == ""
