"""Puts a worker process together and runs it until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import grpc
from aiohttp import web
from grpc_health.v1 import health, health_pb2_grpc

from system import logs, rpc, settings
from system.pb import worker_pb2_grpc
from system.worker import config as worker_config
from system.worker.agent import Agent
from system.worker.config import Config
from system.worker.registry import Registry
from system.worker.service import TaskService
from system.worker.storage import ObjectStore

log = logging.getLogger(__name__)


def main(env: Mapping[str, str]) -> int:
    """The exit code: 0 after SIGTERM or SIGINT; 2, with one line on stderr, where a setting is bad or an
    address cannot be listened on."""
    try:
        config = worker_config.from_environment(env)
        logs.configure(config.worker_id, config.log_level)
        asyncio.run(_serve(config))
    except settings.SettingError as error:
        print(f"system.worker: {error}", file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        log.info("Stopped")
    return 0


async def _serve(config: Config) -> None:
    """Until a signal cancels it."""
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    async with AsyncExitStack() as stack:
        registry = Registry(config.orchestrator)
        stack.push_async_callback(registry.close)
        agent = Agent(config, registry, _random(config))
        await stack.enter_async_context(_grpc_server(config))
        await stack.enter_async_context(_http_server(config, agent, registry))
        await agent.run()


def _random(config: Config) -> Random:
    return Random() if config.seed is None else Random(f"{config.seed}/{config.worker_id}")


@asynccontextmanager
async def _grpc_server(config: Config) -> AsyncIterator[None]:
    server = grpc.aio.server(options=rpc.SERVER_OPTIONS)
    store = ObjectStore(config.store_endpoint)
    service = TaskService(config.cluster_id, store)
    worker_pb2_grpc.add_TaskServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    try:
        server.add_insecure_port(config.listen_address)
    except RuntimeError:
        raise settings.SettingError(
            f"LISTEN_ADDR={config.listen_address!r}: cannot listen there; is the port taken?"
        ) from None
    await server.start()
    # Only where a store of one's own is named will tasks need it for sure.
    warming_up = asyncio.create_task(store.warm_up()) if config.store_endpoint else None
    try:
        yield
    finally:
        if warming_up is not None:
            warming_up.cancel()
        await server.stop(grace=0.5)


@asynccontextmanager
async def _http_server(config: Config, agent: Agent, registry: Registry) -> AsyncIterator[None]:
    async def answer_health(_: web.Request) -> web.Response:
        return web.json_response(
            {"worker": config.worker_id, "registered": agent.registered, "leader": registry.leader}
        )

    app = web.Application()
    app.router.add_get("/health", answer_health)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, *settings.split_address(config.http_address)).start()
        except OSError as error:
            raise settings.SettingError(
                f"HTTP_ADDR={config.http_address!r}: cannot listen there: {error}"
            ) from None
        yield
    finally:
        await runner.cleanup()
