"""An S3 client for asyncio: boto3, with every call that waits run in a thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from system.worker.storage.errors import StoreError, translated

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

# Together these bound a call on a dead store to some seven seconds.
CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 5
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Object:
    """etag: opaque, with the quotes the store gave it; hand it back as if_match."""

    data: bytes
    etag: str


class ObjectStream:
    """An object being read. size_bytes and etag are known from the start."""

    def __init__(self, body: StreamingBody, size_bytes: int, etag: str, name: str) -> None:
        self.size_bytes = size_bytes
        self.etag = etag
        self._body = body
        self._name = name

    async def chunks(self) -> AsyncIterator[bytes]:
        """At most CHUNK_BYTES at a time. Raises StoreUnavailable where the stream breaks off."""
        while chunk := await asyncio.to_thread(self._read):
            yield chunk

    def close(self) -> None:
        self._body.close()

    def _read(self) -> bytes:
        with translated(f"read {self._name}"):
            return self._body.read(CHUNK_BYTES)


class ObjectStore:
    """Gets and puts objects. Every method raises what errors.py names.

    endpoint: the store's URL; None: AWS itself. Credentials and region come from where boto3 looks.
    """

    def __init__(self, endpoint: str | None) -> None:
        self._endpoint = endpoint
        self._made: S3Client | None = None
        self._making = asyncio.Lock()

    async def get(self, bucket: str, key: str) -> Object:
        async with self.open(bucket, key) as stream:
            return Object(b"".join([chunk async for chunk in stream.chunks()]), stream.etag)

    @asynccontextmanager
    async def open(self, bucket: str, key: str) -> AsyncIterator[ObjectStream]:
        """For objects too large to hold."""
        client = await self._client()
        name = f"s3://{bucket}/{key}"

        def get() -> ObjectStream:
            with translated(f"get {name}"):
                answer = client.get_object(Bucket=bucket, Key=key)
            return ObjectStream(answer["Body"], answer["ContentLength"], answer["ETag"], name)

        stream = await asyncio.to_thread(get)
        try:
            yield stream
        finally:
            stream.close()

    async def put(
        self, bucket: str, key: str, data: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Returns the new object's ETag.

        if_absent: write only where there is no such object; if_match: only where its ETag is this one.
        Otherwise raises PreconditionFailed (or NoSuchObject: if_match, and nothing there).
        """
        client = await self._client()
        request: PutObjectRequestTypeDef = {"Bucket": bucket, "Key": key, "Body": data}
        if if_absent:
            request["IfNoneMatch"] = "*"
        if if_match is not None:
            request["IfMatch"] = if_match

        def put() -> str:
            with translated(f"put s3://{bucket}/{key}"):
                return client.put_object(**request)["ETag"]

        return await asyncio.to_thread(put)

    async def warm_up(self) -> None:
        """Does ahead what the first call would otherwise wait for, a second's work. What fails here fails
        again, and is told, when it is needed."""
        with contextlib.suppress(StoreError):
            await self._client()

    async def _client(self) -> S3Client:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
            return self._made

    def _make(self) -> S3Client:
        import boto3
        from botocore.config import Config

        with translated(f"reach the object store at {self._endpoint or 'AWS'}"):
            session = boto3.session.Session()
            return session.client(
                "s3",
                endpoint_url=self._endpoint,
                # A store of one's own has no regions, but signatures name one.
                region_name=session.region_name or "us-east-1",
                config=Config(
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=READ_TIMEOUT_S,
                    # A put that was given up may still arrive, after its retry was acknowledged and others
                    # have written since: whoever asked for it decides whether to ask again.
                    retries={"mode": "standard", "total_max_attempts": 1},
                    # A body that is not what was put must reach whoever judges it.
                    response_checksum_validation="when_required",
                    # Bucket names in host names would need a wildcard DNS entry.
                    s3={"addressing_style": "path"},
                ),
            )
