"""The tables of the database, as SQLAlchemy models."""

from taskq_server.models.api_key import ApiKey
from taskq_server.models.base import Base
from taskq_server.models.bulk_operation import BulkOperation
from taskq_server.models.declaration import Declaration
from taskq_server.models.deployment import Deployment
from taskq_server.models.handler import Handler
from taskq_server.models.namespace import Namespace
from taskq_server.models.queue import Queue
from taskq_server.models.schedule import Schedule, ScheduleFire
from taskq_server.models.session import Session
from taskq_server.models.sweep import Sweep
from taskq_server.models.tag import Tag, TaskTag
from taskq_server.models.task import Task
from taskq_server.models.task_attempt import TaskAttempt
from taskq_server.models.task_count import TaskCount
from taskq_server.models.task_keep import TaskKeep
from taskq_server.models.task_minute import TaskMinute
from taskq_server.models.unique_key import TaskUniqueKey, UniqueKey
from taskq_server.models.worker import Worker

__all__ = [
    "ApiKey",
    "Base",
    "BulkOperation",
    "Declaration",
    "Deployment",
    "Handler",
    "Namespace",
    "Queue",
    "Schedule",
    "ScheduleFire",
    "Session",
    "Sweep",
    "Tag",
    "Task",
    "TaskAttempt",
    "TaskCount",
    "TaskKeep",
    "TaskMinute",
    "TaskTag",
    "TaskUniqueKey",
    "UniqueKey",
    "Worker",
]
