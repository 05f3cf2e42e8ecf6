"""A tiny S3 server that breaks a promise: `python s3_stand_in.py IP:PORT FAULT`, with a fault of none, loses,
ignores-conditions and tears.

It keeps objects in memory, and knows just the requests that workers make. Not for production: it is there to
be caught.
"""

from __future__ import annotations

import hashlib
import sys
from random import Random

from aiohttp import web

OFTEN = 0.1


class Server:
    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._objects: dict[str, bytes] = {}
        self._random = Random(1)

    async def bucket(self, request: web.Request) -> web.Response:
        return web.Response()

    async def put(self, request: web.Request) -> web.Response:
        key, body = request.match_info["key"], await request.read()
        etag = _etag(body)
        if not self._met(request, key):
            return _error(412, "PreconditionFailed")
        if not (self._fault == "loses" and self._often()):
            self._objects[key] = body
        return web.Response(headers={"ETag": etag})

    async def get(self, request: web.Request) -> web.Response:
        body = self._objects.get(request.match_info["key"])
        if body is None:
            return _error(404, "NoSuchKey")
        etag = _etag(body)
        if self._fault == "tears" and self._often():
            body = body[: len(body) // 2]
        return web.Response(body=body, headers={"ETag": etag})

    def _met(self, request: web.Request, key: str) -> bool:
        wanted = request.headers.get("If-Match")
        there = self._objects.get(key)
        if self._fault == "ignores-conditions":
            return True
        if "If-None-Match" in request.headers:
            return there is None
        return wanted is None or (there is not None and wanted == _etag(there))

    def _often(self) -> bool:
        return self._random.random() < OFTEN


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _error(status: int, code: str) -> web.Response:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


def main(address: str, fault: str) -> None:
    server = Server(fault)
    app = web.Application(client_max_size=2**20)
    app.router.add_route("*", "/{bucket}", server.bucket)
    app.router.add_put("/{bucket}/{key:.+}", server.put)
    app.router.add_get("/{bucket}/{key:.+}", server.get)
    host, port = address.split(":")
    web.run_app(app, host=host, port=int(port), print=None, access_log=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
