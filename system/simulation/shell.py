"""A simulated node with the real asyncio shell around its replica: driver, services, registry and log.

Slower than SimNode, so only a share of the clusters has it; it is there for what SimNode has stand-ins for.
"""

from __future__ import annotations

from asyncio import Future, Task, events
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, NoReturn

import grpc

from system.control_plane.driver import Driver
from system.control_plane.registry import Registry, WorkerRegistryService
from system.control_plane.replica import Replica
from system.control_plane.service import Gate, OrchestratorService
from system.raft.messages import Message
from system.simulation.knobs import Knobs
from system.simulation.loop import Handle, VirtualLoop
from system.simulation.node import OFFLINE_AFTER_S, SimNode, World
from system.simulation.service import call_error
from system.simulation.wal_disk import WalDisk

OF_WORKERS = ("RegisterWorker", "Heartbeat")


class ShellNode(SimNode):
    """What comes in goes through the shell's own code; what goes out, and who watches, is as in SimNode."""

    def __init__(self, world: World, name: str, number: int, seed: int, knobs: Knobs) -> None:
        super().__init__(world, name, number, seed, knobs)
        self.disk = WalDisk(world.loop, seed, world.cluster_id, name, knobs)
        self._process: ProcessLoop | None = None

    def _host(self, replica: Replica) -> None:
        self._process = ProcessLoop(self.loop, self)
        self._driver = Driver(self._die, _unmeasured, _unmeasured, now_ns=self.local_ns)
        self._driver.attach(replica)
        gate = Gate(self.world.cluster_id, self._peers, self._driver)
        self.registry = Registry(gate, OFFLINE_AFTER_S, lambda: self.local_ns() / 1e9)
        self._orchestrator = OrchestratorService(gate, self.name, self.boot)
        self._workers = WorkerRegistryService(self.registry)
        self._process.call(self._driver.start)

    def crash(self, *, lose_unsynced: bool) -> int:
        if self._process is not None:
            self._process.end()
            self._process = None
        return super().crash(lose_unsynced=lose_unsynced)

    def close(self) -> None:
        if self._process is not None:
            self._process.end()
        super().close()

    def _take_message(self, replica: Replica, src: str, message: Message) -> None:
        self._call(self._driver.on_message, src, message)

    def _take_request(self, method: str, request: Any, answer: Callable[[Any], None]) -> None:
        service: Any = self._workers if method in OF_WORKERS else self._orchestrator
        assert self._process is not None
        self._process.create_task(self._answer(getattr(service, method), request, answer))

    def _take_durable(self, replica: Replica, mark: int) -> None:
        self._call(self._driver.on_durable_threadsafe, mark)

    def do(self, hand_over: Callable[..., Any], *what: Any) -> None:
        """An input of no client's and no other node's."""
        self._call(self._driver.take_in, lambda now_ns: hand_over(now_ns, *what))

    def _call(self, callback: Callable[..., Any], *args: Any) -> None:
        assert self._process is not None
        self._process.call(callback, *args)

    async def _answer(self, method: Any, request: Any, answer: Callable[[Any], None]) -> None:
        """A call, as gRPC's server makes it."""
        try:
            response = await method(request, CallContext())
        except grpc.aio.AioRpcError as error:
            response = error
        except Exception as error:  # gRPC would tell the client no more than that it failed
            self._die(error)
            return
        answer(response)

    def timer_fired(self) -> None:
        """And what it led to has been done."""
        self.world.trace(self.number, 7, self.boot)
        if self._probes is not None:
            self._probes.timer_fired()

    def _arm(self) -> None:
        """The driver sets the timer; but the clock's rate has changed."""
        if self._process is not None:
            self._process.time_changed()

    def _wake(self) -> None:
        if self._process is not None:
            self.loop.at(self.loop.now_ns, self._process.go_on)

    def loop_ns(self, local_ns: int) -> int:
        """When, by the loop's time, a timer for this time of the node's clock goes off."""
        return self._loop_ns(local_ns) + self._late_ns()


class ProcessLoop:
    """What the shell takes for its event loop: the virtual one, for one process. It stands still while the
    process does, ends with it, and its timers go by the process's own clock."""

    def __init__(self, loop: VirtualLoop, node: ShellNode) -> None:
        self._loop = loop
        self._node = node
        self._ended = False
        self._held: list[Handle] = []
        # {number: (when it is due by the node's clock, what is to be done)}
        self._timers: dict[int, tuple[int, Handle]] = {}
        self._asked = 0

    def call(self, callback: Callable[..., Any], *args: Any) -> None:
        """Has it called now. An exception that it lets out ends the process, if it has not already."""
        if self._ended:
            return
        before = events._get_running_loop()
        loop: Any = self
        events._set_running_loop(loop)
        try:
            callback(*args)
        except Exception as error:
            if not self._ended:
                self._node._die(error)
        finally:
            events._set_running_loop(before)

    def end(self) -> None:
        """Nothing that was to be done is done any more."""
        self._ended = True
        self._held.clear()
        self._timers.clear()

    def go_on(self) -> None:
        """The process is no longer stopped: what was held is done, in order."""
        held, self._held = self._held, []
        for handle in held:
            self._run(handle)

    def time_changed(self) -> None:
        """The node's clock goes at another rate."""
        for number in self._timers:
            self._arm(number)

    def _run(self, handle: Handle) -> None:
        if handle.is_cancelled:
            return
        if self._node.paused:
            self._held.append(handle)
            return
        self.call(handle.callback, *handle.args)

    def _arm(self, number: int) -> None:
        self._loop.at(self._node.loop_ns(self._timers[number][0]), self._fire, number)

    def _fire(self, number: int) -> None:
        if number not in self._timers:
            return  # it went off already
        due_ns, handle = self._timers[number]
        if self._node.local_ns() < due_ns and not handle.is_cancelled:
            self._arm(number)
            return
        del self._timers[number]
        if not handle.is_cancelled:
            self._run(Handle(self._go_off, (handle,)))

    def _go_off(self, handle: Handle) -> None:
        if not handle.is_cancelled:
            handle.run()
            self.call_soon(self._node.timer_fired)  # behind the flush that it asked for

    # What asyncio, and the shell, ask of a loop.

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:
        handle = Handle(callback, args)
        self._loop.call_soon(self._run, handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(callback, args)
        self._asked += 1
        self._timers[self._asked] = self._node.local_ns() + round(delay * 1e9), handle
        self._arm(self._asked)
        return handle

    def create_future(self) -> Future[Any]:
        loop: Any = self
        return Future(loop=loop)

    def create_task(self, coroutine: Any) -> Task[Any]:
        loop: Any = self
        return Task(coroutine, loop=loop)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Also of tasks that end with their process; they have no exception."""
        self._loop.call_exception_handler(context)

    get_debug = staticmethod(bool)

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False


class CallContext:
    """What gRPC hands to a service with a call, as far as ours ask anything of it."""

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Sequence[tuple[str, bytes]] = ()
    ) -> NoReturn:
        raise call_error(code, details, grpc.aio.Metadata(*trailing_metadata))


def _unmeasured(*_: object) -> None:
    """There is nobody to show metrics to."""
