"""The worker's gRPC side: runs tasks."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import grpc

from system.pb import worker_pb2
from system.pb.worker_pb2_grpc import TaskServiceServicer
from system.worker.storage import NoSuchObject, ObjectStore, StoreError, StoreUnavailable
from system.worker.tasks import TASKS, Task

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[worker_pb2.RunTaskRequest, worker_pb2.RunTaskResponse]


class TaskService(TaskServiceServicer):
    """Refuses with INVALID_ARGUMENT what it cannot run; NOT_FOUND: no such object or bucket; UNAVAILABLE: the
    store does not answer; FAILED_PRECONDITION: the store refused."""

    def __init__(self, cluster_id: str, store: ObjectStore, tasks: Mapping[str, Task] = TASKS) -> None:
        self._cluster_id = cluster_id
        self._store = store
        self._tasks = tasks

    async def RunTask(  # noqa: N802 - gRPC's name
        self, request: worker_pb2.RunTaskRequest, context: Context
    ) -> worker_pb2.RunTaskResponse:
        if wrong := self._why_not(request):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        task = self._tasks[request.task]
        arguments = dict(request.arguments)
        log.info("Task started", extra={"task": task.name, "arguments": arguments})
        try:
            result = await task.run(self._store, arguments)
        except StoreError as error:
            log.warning("Task failed: %s", error, extra={"task": task.name, "arguments": arguments})
            await context.abort(_status(error), str(error))
        except Exception:
            log.exception("Task crashed", extra={"task": task.name, "arguments": arguments})
            await context.abort(
                grpc.StatusCode.INTERNAL, f"task {task.name} crashed; the worker's log says where"
            )
        log.info("Task done", extra={"task": task.name, "arguments": arguments, "result": result})
        return worker_pb2.RunTaskResponse(result=result)

    def _why_not(self, request: worker_pb2.RunTaskRequest) -> str | None:
        """Why the request cannot be run; None where it can."""
        if request.cluster_id != self._cluster_id:
            return f"this is cluster {self._cluster_id!r}, the request is for {request.cluster_id!r}"
        task = self._tasks.get(request.task)
        if task is None:
            return f"no task {request.task!r}; known: {', '.join(self._tasks)}"
        takes = (*task.arguments, *task.optional)
        if missing := [name for name in task.arguments if not request.arguments.get(name)]:
            return f"task {task.name} lacks {', '.join(missing)}; it takes {', '.join(takes)}"
        if unknown := sorted(name for name in request.arguments if name not in takes):
            return f"task {task.name} knows no {', '.join(unknown)}; it takes {', '.join(takes)}"
        return None


def _status(error: StoreError) -> grpc.StatusCode:
    if isinstance(error, NoSuchObject):
        return grpc.StatusCode.NOT_FOUND
    if isinstance(error, StoreUnavailable):
        return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.FAILED_PRECONDITION
