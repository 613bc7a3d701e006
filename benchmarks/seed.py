"""Fill taskq's tables with SQL: a million tasks in a minute, as if they had been submitted."""

from benchmarks.servers import Mysql

TAGS = 200
_BASE_MS = 1_760_000_000_000  # a fixed moment in the past; one task each millisecond
# UUIDv7: 48 bits of milliseconds, version, variant, and the number once more.
_ID = f"LOWER(CONCAT(LPAD(HEX({_BASE_MS} + seq), 12, '0'), '7000', '8', LPAD(HEX(seq), 15, '0')))"
_CREATED = f"FROM_UNIXTIME(({_BASE_MS} + seq) / 1000)"
_STATUSES = ("succeeded", "succeeded", "failed", "cancelled", "queued")


def seed_tasks(sql: Mysql, count: int, *, queued: bool = False) -> None:
    """Insert tasks, all of them queued and due, or most of them final."""
    names = ", ".join(f"'{name}'" for name in _STATUSES)
    status = "'queued'" if queued else f"ELT(1 + seq % {len(_STATUSES)}, {names})"
    score = f"IF({status} = 'queued', {_BASE_MS} + seq, NULL)"
    finished = f"IF({status} = 'queued', NULL, {_CREATED})"
    sql.run(
        "INSERT INTO tasks (id, namespace, handler, title, payload, status, priority, queue,"
        " score, timeout_seconds, max_retries, current_retry_count, attempt, lost_count, version,"
        " created_at, updated_at, finished_at)"
        f" SELECT {_ID}, 'default', 'bench.noop', CONCAT('task ', seq), '{{}}', {status},"
        f" seq DIV 7 % 4, 'default', {score}, 300, 3, 0, 0, 0, 1, {_CREATED}, {_CREATED},"
        f" {finished} FROM seq_1_to_{count}"
    )


def seed_tags(sql: Mysql, count: int) -> None:
    """Give each task one of 200 tags, and every third a second one."""
    sql.run(
        f"INSERT INTO tags (namespace, name) SELECT 'default', CONCAT('tag-', seq)"
        f" FROM seq_1_to_{TAGS}"
    )
    sql.run(
        f"INSERT INTO task_tags (task_id, tag_id) SELECT {_ID}, (SELECT MIN(id) FROM tags)"
        f" + seq % {TAGS} FROM seq_1_to_{count}"
    )
    sql.run(
        f"INSERT INTO task_tags (task_id, tag_id) SELECT {_ID}, (SELECT MIN(id) FROM tags)"
        f" + (seq + 7) % {TAGS} FROM seq_1_to_{count} WHERE seq % 3 = 0"
    )


def id_of(number: int) -> str:
    """The id of one of the tasks, as the database has it."""
    return f"{_BASE_MS + number:012x}70008{number:015x}"


def score_of(number: int) -> int:
    """The score of one of the queued tasks."""
    return _BASE_MS + number
