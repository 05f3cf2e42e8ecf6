"""The tasks a worker can run. A new one is a file here and a line in TASKS."""

from system.worker.tasks.checksum import CHECKSUM
from system.worker.tasks.get_object import GET_OBJECT
from system.worker.tasks.put_object import PUT_OBJECT
from system.worker.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (CHECKSUM, PUT_OBJECT, GET_OBJECT)}

__all__ = ["TASKS", "Task"]
