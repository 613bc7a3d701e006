"""Each bound that requests, handlers and settings keep, once. Lengths are in characters.

Schemas, settings and columns take it from here. The OpenAPI document says it, and the client's
copies are made of that document (`tools/describe_api.py`).
"""

ID_LENGTH = 36
HANDLER_LENGTH = 128
QUEUE_LENGTH = 64
QUEUE_NOTE_LENGTH = 500
NAMESPACE_LENGTH = 64
TAG_LENGTH = 64
TITLE_LENGTH = 255
DESCRIPTION_LENGTH = 10_000
IDEMPOTENCY_KEY_LENGTH = 255
UNIQUE_KEY_LENGTH = 128
KEY_ID_LENGTH = 12
KEY_NAME_LENGTH = 255
CURSOR_LENGTH = 200
VERSION_LENGTH = 64
SWEEP_LENGTH = 64
DECLARATION_LENGTH = 32

CONCURRENCY = 10_000
"""Attempts that one worker runs at once."""

WORKER_NAMESPACES = 50
"""Namespaces that one worker serves; as JSON they fit into the row of the worker."""

WORKER_NAMES = 1_000
"""Queues, and handlers, that are shown of one worker."""

WORKER_TASKS = 100
"""Running tasks that are shown of one worker."""

PAUSED_QUEUES = 1_000
"""Queues of one namespace that are paused at a time."""

KEY_SCOPES = 100
"""Scopes of one key."""

KEY_OVERLAP_SECONDS = 2_592_000
"""Time for which the secret before a rotation still opens: thirty days."""

KEY_SESSIONS = 100
"""Sessions of one key; the next sign-in ends the oldest one."""

TAGS = 32
"""Tags of one task."""

BATCH_ITEMS = 1_000
"""Tasks of one batch."""

WAIT_IDS = 1_000
"""Tasks that one request waits for."""

PAGE_ITEMS = 200
"""Tasks of one page of a list."""

FILTER_TAGS = 8
"""Tags that one list asks for."""

FILTER_NAMES = 20
"""Handlers, and queues, that one list asks for."""

ERROR_TYPE_LENGTH = 255
"""The name of an error's class."""

POINTER_LENGTH = 255
"""A JSON pointer to the unique keys of a handler's tasks."""

ATTEMPT = 2**31 - 1
"""The number of an attempt, which only counts up."""

DEPTH = 32
"""Levels to which arrays and objects of a body nest; the task itself is the first."""

RETRIES = 100
"""Retries of one task after its first try."""

TIMEOUT_SECONDS = 86_400
"""Time of one attempt: a day."""

BACKOFF_SECONDS = 86_400
"""Pause before a retry: a day."""

DELAY_SECONDS = 31_536_000
"""Time until a start that is asked for, by `delay_seconds` or `Retry(after=)`: a year."""

KEEP_SECONDS = 3_153_600_000
"""Time for which a task may ask to be kept after its end: 36,500 days, as the settings may say."""

WAIT_SECONDS = 60
"""Time that one request waits for tasks."""

STREAM_SECONDS = 86_400
"""Time that one stream of events lasts: a day."""

METRIC_NAMES = 200
"""Handlers, and queues, that are labels of metrics; the others are `other` together."""

METRIC_NAMESPACES = 50
"""Namespaces that are labels of metrics; the others are `other` together."""

HISTORY_MINUTES = 10_080
"""Minutes of one answer of the history: seven days, for which they are kept."""

HISTORY_POINTS = 20_000
"""Minutes of one answer of the history, times its queues."""

FAILURES_SECONDS = 2_592_000
"""Time over which failures are grouped: thirty days."""

FAILURES = 10_000
"""Failed tasks that are read to be grouped."""

FAILURE_GROUPS = 200
"""Groups of failures in one answer."""

FIRST_LINE_LENGTH = 200
"""Characters of the first line of an error's message by which failures are grouped."""

BULK_TASKS = 1_000_000
"""Tasks that one bulk operation looks at."""

BULK_RUNNING = 20
"""Bulk operations of one namespace that run at a time."""

CRON_LENGTH = 128
"""A cron expression."""

TIMEZONE_LENGTH = 64
"""The name of a time zone."""

EVERY_SECONDS = 31_622_400
"""Time from one time of a schedule to the next: 366 days."""

PREVIEW_TIMES = 100
"""Times of a schedule in one preview."""

SCHEDULES = 100_000
"""Schedules of one namespace."""

SCHEDULE_NAME_LENGTH = 128
"""The name of a schedule that a request sets."""

CATCH_UP_SECONDS = 31_622_400
"""Time for which a missed time of a schedule is worth a task: 366 days."""

CATCH_UP_DEFAULT = 86_400
"""The same, if a schedule does not say it: a day."""

JITTER_SECONDS = 86_400
"""Time over which the tasks of a schedule are spread: a day."""

KEY_SCHEDULES = 100
"""Schedules that are named of one key."""

SCHEDULE_LENGTH = 192
"""The name of a schedule; one from code has `code:` before the name of its handler."""

SCHEDULE_NOTE_LENGTH = 500
SCHEDULE_ERROR_LENGTH = 500

CATCH_UP_TIMES = 1_000
"""Times of one schedule that fire together after they passed."""
