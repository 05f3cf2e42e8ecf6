"""The workload `storage` against stores that keep their promises and stores that break one each: the judge
sees it, from what the clients saw alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from checkers import CHECKERS
from checkers.history import History
from checkers.verdict import Validity, Verdict
from harness.load import Load
from harness.plan import Plan
from harness.recorder import Recorder
from system.client import Answer, Append, Service, Unresolved
from system.object_client import GetObject, ObjectAnswer, ObjectRequest, expected_etag
from workloads import WORKLOADS


class Store:
    """Objects behind a wait of any length. Faults are overridden methods; `often` draws when."""

    def __init__(self) -> None:
        self.versions: dict[str, list[str]] = {}
        self.rng = Random(5)

    def often(self) -> bool:
        return self.rng.random() < 0.1

    def there(self, key: str) -> str | None:
        return self.versions[key][-1] if self.versions.get(key) else None

    def get(self, key: str) -> ObjectAnswer:
        etag = self.there(key)
        return ObjectAnswer("w", etag, etag)

    def matches(self, request: Any) -> bool:
        return not hasattr(request, "expected") or self.there(request.key) == request.expected

    def put(self, key: str, etag: str) -> ObjectAnswer:
        self.versions.setdefault(key, []).append(etag)
        return ObjectAnswer("w", etag)

    async def answer(self, request: ObjectRequest) -> ObjectAnswer:
        for _ in range(self.rng.randrange(8)):
            await asyncio.sleep(0)
        if isinstance(request, GetObject):
            answer = self.get(request.key)
        elif self.matches(request):
            answer = self.put(request.key, expected_etag(request))
        else:
            answer = ObjectAnswer("w")
        if self.rng.random() < 0.02:
            raise Unresolved("timed out", "w")
        for _ in range(self.rng.randrange(8)):
            await asyncio.sleep(0)
        return answer


class Loses(Store):
    def put(self, key: str, etag: str) -> ObjectAnswer:
        return ObjectAnswer("w", etag) if self.often() else super().put(key, etag)


class ServesStale(Store):
    def get(self, key: str) -> ObjectAnswer:
        older = self.versions.get(key, [])[:-2]
        etag = self.rng.choice(older) if older and self.often() else self.there(key)
        return ObjectAnswer("w", etag, etag)


class Tears(Store):
    def get(self, key: str) -> ObjectAnswer:
        etag = self.there(key)
        return ObjectAnswer("w", etag, "half a body's" if etag and self.often() else etag)


class LetsTwoWin(Store):
    def matches(self, request: Any) -> bool:
        return super().matches(request) or self.often()


class DamagesOnTheWayIn(Store):
    """And nobody reads it before it is replaced."""

    def put(self, key: str, etag: str) -> ObjectAnswer:
        super().put(key, etag)
        return ObjectAnswer("w", "another") if self.often() else ObjectAnswer("w", etag)


class Place:
    """A cluster, as far as the load looks at one."""

    client_sites = ("client-aws", "client-gcp", "client-azure")

    def __init__(self, store: Store, seen: Callable[[], None]) -> None:
        self._store = store
        self._seen = seen

    def addresses(self, site: str) -> dict[str, str]:
        return {"cp-aws-1": "a"}

    def worker_addresses(self, site: str) -> dict[str, str]:
        return {"worker-aws-1": "b"}

    def client(self, site: str, *, service: Service, **_: Any) -> Any:
        place = self

        class Client:
            async def open(self, deadline_s: float) -> None: ...
            async def close(self) -> None: ...
            async def submit(self, request: Any, *, ask_twice: bool = False) -> Any:
                place._seen()
                if isinstance(request, Append):
                    return Answer("cp-aws-1", 1)
                return await place._store.answer(request)

        return Client()


def judged(store: Store, operations: int = 1500) -> Verdict:
    """Under so many operations, and final reads."""
    recorder, stop = Recorder(), asyncio.Event()

    def seen() -> None:
        if len(recorder.ops) > 2 * operations:
            stop.set()

    async def run() -> None:
        plan = Plan("storage", ("none",), 3, rate=100_000)
        load = Load(plan, WORKLOADS["storage"](), Place(store, seen), recorder)
        await load.run(stop)
        wanted, answered = await load.final_reads(10)
        assert wanted == answered

    asyncio.run(run())
    (checker,) = WORKLOADS["storage"].checkers
    return CHECKERS[checker](History(ops=recorder.ops))


def test_a_store_that_keeps_its_promises_is_judged_yes() -> None:
    assert judged(Store()).valid is Validity.YES


@pytest.mark.parametrize(
    ("store", "kinds", "said"),
    [
        (Loses, {"stale-read", "impossible-cas"}, "had been acknowledged before"),
        (ServesStale, {"stale-read", "two-values-at-once"}, "returned"),
        (Tears, {"never-written"}, "with a body of half a body's"),
        (LetsTwoWin, {"impossible-cas"}, "succeeded"),
        (DamagesOnTheWayIn, {"altered-write"}, "was acknowledged as another"),
    ],
)
def test_a_store_that_breaks_one_is_judged_no(store: type[Store], kinds: set[str], said: str) -> None:
    verdict = judged(store())
    assert verdict.valid is Validity.NO
    found = [anomaly for anomaly in verdict.anomalies if anomaly.kind in kinds]
    assert any(said in anomaly.message for anomaly in found), verdict.summary
