"""What can be asked of a running gateway: a request is one line of JSON, and so is its answer.

{"id": 1, "verb": "shape", …} → {"id": 1, "ok": {…}} or {"id": 1, "error": "one line"}. A refused request
changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from compose.gateway import counts, log, shape
from compose.gateway.links import Link, Pair

Request = Mapping[str, Any]


class Verbs:
    """links: all links by their ordered pair of sites; status: what `status` answers; clock: monotonic ns."""

    def __init__(
        self, links: Mapping[Pair, Link], status: Mapping[str, object], clock: Callable[[], int]
    ) -> None:
        self._links = links
        self._status = status
        self._clock = clock
        self._verbs: dict[str, Callable[[Request], Mapping[str, object]]] = {
            "status": lambda _: self._status,
            "shape": self._shape,
            "unshape": self._unshape,
            "clear": self._clear,
            "counts": self._counts,
            "in_force": self._in_force,
        }

    def answer(self, line: bytes) -> bytes:
        request_id: object = None
        try:
            request = _object(_parsed(line), "a request")
            request_id = request.get("id")
            done: Mapping[str, object] = {"ok": self._carry_out(request)}
        except ValueError as error:
            done = {"error": str(error)}
        return json.dumps({"id": request_id, **done}).encode() + b"\n"

    def _carry_out(self, request: Request) -> Mapping[str, object]:
        verb = request.get("verb")
        if not isinstance(verb, str) or verb not in self._verbs:
            raise ValueError(f"there is no verb {verb!r}; there are {', '.join(self._verbs)}")
        answer = self._verbs[verb](request)
        if verb in ("shape", "unshape", "clear"):
            log.info(
                f"Asked to {verb}",
                **{word: request[word] for word in ("links", "how", "which") if word in request},
            )
        return answer

    def _shape(self, request: Request) -> Mapping[str, object]:
        links = self._named(request)
        how = shape.checked(_object(request.get("how"), "how"))
        for link in links.values():
            link.shape.shape(how)
            link.dwell.restart(self._clock())
        return {}

    def _unshape(self, request: Request) -> Mapping[str, object]:
        links, which = self._named(request), _list(request, "which")
        shape.check_names(which)
        for link in links.values():
            link.shape.unshape(which)
            link.dwell.restart(self._clock())
        return {}

    def _clear(self, _: Request) -> Mapping[str, object]:
        for link in self._links.values():
            if link.shape.in_force:
                link.shape.unshape(shape.HARMS)
                link.dwell.restart(self._clock())
        return {}

    def _counts(self, request: Request) -> Mapping[str, object]:
        now_ns = self._clock()
        return {
            "->".join(pair): counts.as_json(link.counts, link.dwell, now_ns)
            for pair, link in self._named(request).items()
        }

    def _in_force(self, _: Request) -> Mapping[str, object]:
        """{link: {harm: how much}}, of those that suffer any."""
        shapes = {"->".join(pair): dict(link.shape.in_force) for pair, link in self._links.items()}
        return {link: how for link, how in shapes.items() if how}

    def _named(self, request: Request) -> dict[Pair, Link]:
        return {pair: self._links[pair] for pair in map(self._pair, _list(request, "links"))}

    def _pair(self, pair: object) -> Pair:
        match pair:
            case [str(source), str(target)] if (source, target) in self._links:
                return source, target
        raise ValueError(f"there is no link {json.dumps(pair)}; expected two sites in different clouds")


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("a request is one JSON object a line") from None


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected {what} to be a JSON object")
    return value


def _list(request: Request, key: str) -> list[Any]:
    value = request.get(key)
    if not isinstance(value, list):
        raise ValueError(f"expected {key} to be a JSON list")
    return value
