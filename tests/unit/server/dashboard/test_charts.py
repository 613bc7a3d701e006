"""The charts of an hour, from the history of its minutes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from taskq_server.dashboard import charts
from taskq_server.dashboard.charts import Kind
from taskq_server.services.history import History, QueueHistory

START = datetime(2026, 11, 27, 6, tzinfo=UTC)


def queue(
    succeeded: Sequence[int],
    failed: Sequence[int] = (0, 0, 0),
    depth: Sequence[int | None] = (None, None, None),
) -> QueueHistory:
    nothing: list[float | None] = [None] * 3
    return QueueHistory([*succeeded], [*failed], nothing, [*depth], [*depth], nothing)


def history(**queues: QueueHistory) -> History:
    return History([START + timedelta(minutes=n) for n in range(3)], queues, exact=True)


def lines(hour: charts.Hour, kind: Kind) -> dict[str | None, charts.Line]:
    (chart,) = (each for each in hour.charts if each.kind is kind)
    return {line.queue: line for line in chart.lines}


def test_each_kind_has_a_chart_with_the_same_minutes() -> None:
    hour = charts.hour(history(mail=queue((5, 3, 1), (1, 0, 2), (7, None, 4))))
    assert [chart.kind for chart in hour.charts] == [*Kind]
    assert {tuple(chart.times) for chart in hour.charts} == {
        (int(START.timestamp()), int(START.timestamp()) + 60, int(START.timestamp()) + 120)
    }
    assert lines(hour, Kind.ENDED)["mail"].values == [6, 3, None]
    assert lines(hour, Kind.FAILED)["mail"].values == [1, 0, None]
    assert lines(hour, Kind.WAITING)["mail"].values == [7, None, 4]


def test_a_minute_that_is_not_over_lacks_in_what_is_counted_and_not_in_what_is_measured() -> None:
    hour = charts.hour(history(mail=queue((5, 3, 1), depth=(0, 0, 9))))
    assert lines(hour, Kind.ENDED)["mail"].latest == 3
    assert lines(hour, Kind.WAITING)["mail"].latest == 9


def test_up_to_eight_queues_have_lines_of_their_own() -> None:
    eight = {f"q{n}": queue((n, n, n)) for n in range(8)}
    hour = charts.hour(history(**eight))
    assert [*lines(hour, Kind.ENDED)] == [*eight]
    assert hour.others == 0


def test_the_busiest_have_lines_by_name_and_the_others_are_summed() -> None:
    many = {f"q{n:03}": queue((n, n, n), (n, 0, 0), (n, None, 1)) for n in range(200)}
    hour = charts.hour(history(**many))
    assert hour.others == 192
    for kind in Kind:
        assert [*lines(hour, kind)] == [*(f"q{n}" for n in range(192, 200)), None]
    others = sum(range(192))
    assert lines(hour, Kind.ENDED)[None].values == [2 * others, others, None]
    assert lines(hour, Kind.FAILED)[None].values == [others, 0, None]
    assert lines(hour, Kind.WAITING)[None].values == [others, None, 192]
    assert lines(hour, Kind.WAITING)[None].latest == 192


def test_a_queue_in_which_much_waits_is_busy_though_nothing_ends() -> None:
    many = {f"q{n}": queue((9, 9, 9)) for n in range(10)}
    hour = charts.hour(history(**many, stuck=queue((0, 0, 0), depth=(5_000, 5_000, 5_000))))
    assert "stuck" in lines(hour, Kind.RUNNING)


def test_without_a_queue_there_are_charts_without_lines() -> None:
    hour = charts.hour(history())
    assert [(len(chart.lines), chart.now) for chart in hour.charts] == [(0, None)] * 4


def test_what_a_line_says_in_words() -> None:
    line = charts.Line("mail", [3, None, 8, 2, None])
    assert (line.latest, line.most, line.total) == (2, 8, 13)
    unknown = charts.Line("mail", [None, None])
    assert (unknown.latest, unknown.most, unknown.total) == (None, None, 0)
