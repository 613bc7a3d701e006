"""When schedules fire: cases of zones and of clocks that are moved, one by one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from taskq_server.domain.times import (
    Timing,
    check,
    describe,
    explain,
    next_after,
    passed,
    with_jitter,
)

CREATED = datetime(2000, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 27, 3, tzinfo=UTC)


def by_clock(cron: str, timezone: str = "UTC", **limits: datetime) -> Timing:
    return Timing(cron, None, timezone, limits.get("starts_at"), limits.get("ends_at"), CREATED)


def by_pause(seconds: float, **limits: datetime) -> Timing:
    created = limits.get("created_at", CREATED)
    return Timing(None, seconds, "UTC", limits.get("starts_at"), limits.get("ends_at"), created)


def following(timing: Timing, after: datetime, most: int) -> list[datetime]:
    found: list[datetime] = []
    while len(found) < most and (after_that := next_after(timing, after)) is not None:
        found.append(after := after_that)
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "local"),
    [
        # the clocks skip 02:00 to 03:00
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:30+02:00"]),
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:00+02:00"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:00+02:00"]),
        ("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:00+02:00", "30T03:00+02:00"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["30T02:00+02:00", "30T02:30+02:00"]),
        ("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15", ["29T01:30+01:00", "29T03:00+02:00"]),
        ("0 6 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T06:00+02:00", "30T06:00+02:00"]),
        ("30 2 29 3 *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:00+02:00", "29T02:30+02:00"]),
        # they show 02:00 to 03:00 twice
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25T02:30+02:00", "26T02:30+01:00"]),
        ("45 2 * * *", "Europe/Berlin", "2026-10-25T01:30", ["26T02:45+01:00", "27T02:45+01:00"]),
        ("0 3 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25T03:00+01:00", "26T03:00+01:00"]),
        (
            *("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00"),
            ["25T02:00+02:00", "25T02:30+02:00", "25T02:00+01:00", "25T02:30+01:00"],
        ),
        (
            *("0 * * * *", "Europe/Berlin", "2026-10-24T23:30"),
            ["25T02:00+02:00", "25T02:00+01:00", "25T03:00+01:00"],
        ),
        (  # each hour is named, so each fires once
            *("0 0-23 * * *", "Europe/Berlin", "2026-10-24T23:30"),
            ["25T02:00+02:00", "25T03:00+01:00"],
        ),
        # half an hour
        (
            *("0 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00"),
            ["04T02:30+11:00", "05T02:00+11:00"],
        ),
        (
            *("*/30 5 * * *", "Australia/Lord_Howe", "2026-10-03T12:00"),
            ["04T05:00+11:00", "04T05:30+11:00", "05T05:00+11:00"],
        ),
        (
            *("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00"),
            ["05T01:45+11:00", "06T01:45+10:30"],
        ),
        (
            *("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:20"),
            ["05T01:30+11:00", "05T01:45+11:00", "05T01:30+10:30", "05T01:45+10:30"],
        ),
        # there is no midnight
        ("0 0 * * *", "Asia/Beirut", "2026-03-27T23:00", ["29T01:00+03:00", "30T00:00+03:00"]),
        ("*/30 0 * * *", "Asia/Beirut", "2026-03-28T12:00", ["30T00:00+03:00", "30T00:30+03:00"]),
        (
            *("0 0 4 11 *", "America/Sao_Paulo", "2018-10-01T00:00"),
            ["04T01:00-02:00", "04T00:00-03:00"],
        ),
        ("@daily", "Africa/Cairo", "2026-04-23T00:00", ["24T01:00+03:00", "25T00:00+03:00"]),
        # there are two of 23:30
        ("30 23 * * *", "Asia/Beirut", "2026-10-24T12:00", ["24T23:30+03:00", "25T23:30+02:00"]),
        # there is no 30th of December
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00", ["29T12:00-10:00", "31T00:00+14:00"]),
        ("0 12 30 * *", "Pacific/Apia", "2011-12-01T00:00", ["31T00:00+14:00", "30T12:00+14:00"]),
        ("0 */8 30 * *", "Pacific/Apia", "2011-12-02T00:00", ["30T00:00+14:00", "30T08:00+14:00"]),
        # others
        (
            *("30 2 * * *", "America/New_York", "2026-03-07T12:00"),
            ["08T03:00-04:00", "09T02:30-04:00"],
        ),
        (
            *("30 1 * * *", "America/New_York", "2026-10-31T12:00"),
            ["01T01:30-04:00", "02T01:30-05:00"],
        ),
        (
            *("0 9 * * 1-5", "Asia/Kathmandu", "2026-11-27T03:30"),
            ["30T09:00+05:45", "01T09:00+05:45"],
        ),
        (  # Ramadan: an hour back, and forth a month later
            *("30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00"),
            ["15T02:30+01:00", "16T02:30+00:00"],
        ),
        (
            *("30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00"),
            ["22T03:00+01:00", "23T02:30+01:00"],
        ),
        (  # in Ireland, summer is the standard time
            *("30 1 * * *", "Europe/Dublin", "2026-03-28T12:00"),
            ["29T02:00+01:00", "30T01:30+01:00"],
        ),
        (
            *("30 1 * * *", "Europe/Dublin", "2026-10-24T12:00"),
            ["25T01:30+01:00", "26T01:30+00:00"],
        ),
        ("30 23 * * *", "America/Nuuk", "2026-03-28T12:00", ["29T00:00-01:00", "29T23:30-01:00"]),
        ("30 2 * * *", "UTC", "2026-03-28T12:00", ["29T02:30+00:00", "30T02:30+00:00"]),
    ],
)  # fmt: skip
def test_clocks_that_are_moved(cron: str, timezone: str, after: str, local: list[str]) -> None:
    found = following(by_clock(cron, timezone), utc(after), len(local))
    shown = [each.astimezone(ZoneInfo(timezone)).isoformat(timespec="minutes") for each in found]
    assert [each[8:] for each in shown] == local


@pytest.mark.parametrize(
    ("cron", "after", "days"),
    [
        ("31 2 29 2 *", "2026-01-01", ["2028-02-29", "2032-02-29"]),
        ("0 0 29 2 *", "2096-03-01", ["2104-02-29"]),
        ("0 0 31 * *", "2026-01-01", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("0 0 L * *", "2026-01-01", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 L 2 *", "2027-03-01", ["2028-02-29"]),
        ("0 0 LW * *", "2026-01-01", ["2026-01-30", "2026-02-27"]),
        ("0 0 30 4,6 *", "2026-01-01", ["2026-04-30", "2026-06-30"]),
        # both fields of days: one has to fit, unless one begins with *
        ("0 0 13 * FRI", "2026-11-01", ["2026-11-06", "2026-11-13", "2026-11-20"]),
        ("0 0 13 * *", "2026-11-01", ["2026-11-13", "2026-12-13"]),
        ("0 0 */2 * FRI", "2026-11-01", ["2026-11-13", "2026-11-27", "2026-12-11"]),
        ("0 0 * * FRI#2", "2026-11-01", ["2026-11-13", "2026-12-11"]),
        ("0 0 * * 5L", "2026-11-01", ["2026-11-27", "2026-12-25"]),
        ("0 0 * * 7", "2026-11-01", ["2026-11-08", "2026-11-15"]),
        ("0 0 * * 0", "2026-11-01", ["2026-11-08", "2026-11-15"]),
        ("0 0 * 2 1#5", "2026-01-01", ["2044-02-29", "2072-02-29", "2112-02-29"]),
        ("0 0 31 12 *", "2026-01-01", ["2026-12-31", "2027-12-31"]),
        ("@weekly", "2026-11-27", ["2026-11-29", "2026-12-06"]),
        ("@monthly", "2026-11-27", ["2026-12-01", "2027-01-01"]),
        ("@yearly", "2026-11-27", ["2027-01-01", "2028-01-01"]),
    ],
)
def test_days(cron: str, after: str, days: list[str]) -> None:
    found = following(by_clock(cron), utc(after), len(days))
    assert [each.date().isoformat() for each in found] == days


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Tokyo"])
def test_an_hour_without_a_time_is_none(timezone: str) -> None:
    hourly = following(by_clock("@hourly", timezone), utc("2026-11-27T03:59:59.999999"), 2)
    assert hourly == [utc("2026-11-27T04:00"), utc("2026-11-27T05:00")]


def test_what_is_returned_is_later() -> None:
    daily = by_clock("@daily")
    assert next_after(daily, utc("2026-11-27")) == utc("2026-11-28")
    assert next_after(daily, utc("2026-11-27") - timedelta.resolution) == utc("2026-11-27")
    elsewhere = utc("2026-11-27").astimezone(ZoneInfo("Asia/Tokyo"))
    assert next_after(daily, elsewhere) == utc("2026-11-28")


def test_the_start_and_the_end_may_be_times_themselves() -> None:
    daily = by_clock("@daily", starts_at=utc("2026-12-01"), ends_at=utc("2026-12-03"))
    assert following(daily, NOW, 9) == [utc(f"2026-12-0{day}") for day in (1, 2, 3)]
    later = by_clock("@daily", starts_at=utc("2026-12-01T00:00:00.000001"))
    assert next_after(later, NOW) == utc("2026-12-02")
    assert next_after(by_clock("@daily", ends_at=utc("2026-11-27T23:59")), NOW) is None


def test_a_pause_is_counted_from_the_creation_or_the_start() -> None:
    created = utc("2026-11-27T02:59:30.250")
    assert following(by_pause(90, created_at=created), created, 2) == [
        utc("2026-11-27T03:01:00.250"),
        utc("2026-11-27T03:02:30.250"),
    ]
    start = utc("2026-12-01")
    assert following(by_pause(3600, starts_at=start), NOW, 2) == [start, utc("2026-12-01T01:00")]
    past = by_pause(3600, starts_at=utc("2020-01-01T00:30"))
    assert next_after(past, NOW) == utc("2026-11-27T03:30")
    assert next_after(by_pause(1.5, created_at=created), NOW) == utc("2026-11-27T03:00:00.250")


def test_a_pause_does_not_know_clocks() -> None:
    day = Timing(None, 86_400, "Europe/Berlin", utc("2026-03-28T05:00"), None, CREATED)
    local = [each.astimezone(ZoneInfo("Europe/Berlin")) for each in following(day, CREATED, 3)]
    assert [each.strftime("%d %H:%M") for each in local] == ["28 06:00", "29 07:00", "30 07:00"]


def test_times_that_passed() -> None:
    daily = by_clock("0 6 * * *", "Europe/Berlin")
    first = utc("2026-11-24T05:00")
    found = passed(daily, first, NOW, first, 1_000)
    assert found.times == [first, utc("2026-11-25T05:00"), utc("2026-11-26T05:00")]
    assert (found.older, found.next) == (0, utc("2026-11-27T05:00"))
    newest = passed(daily, first, NOW, first, 1)
    assert (newest.times, newest.older) == (found.times[-1:], 2)
    recent = passed(daily, first, NOW, utc("2026-11-25T05:00"), 1_000)
    assert (recent.times, recent.older) == (found.times[1:], 1)
    none = passed(daily, first, NOW, first, 0)
    assert (none.times, none.older, none.next) == ([], 3, found.next)


def test_nothing_has_passed_before_the_first_time() -> None:
    first = utc("2026-11-27T05:00")
    found = passed(by_clock("0 6 * * *", "Europe/Berlin"), first, NOW, NOW, 10)
    assert (found.times, found.older, found.next) == ([], 0, first)


def test_an_announced_time_counts_though_the_zone_has_other_rules_now() -> None:
    first = utc("2026-11-26T04:00")  # an hour before what the rules say
    found = passed(by_clock("0 6 * * *", "Europe/Berlin"), first, NOW, first, 10)
    assert found.times == [first, utc("2026-11-26T05:00")]


def test_nothing_passes_after_the_end() -> None:
    ended = by_clock("@hourly", ends_at=utc("2026-11-27T01:00"))
    found = passed(ended, utc("2026-11-27T00:00"), NOW, CREATED, 10)
    assert found.times == [utc("2026-11-27T00:00"), utc("2026-11-27T01:00")]
    assert found.next is None
    assert passed(ended, utc("2026-11-27T02:00"), NOW, CREATED, 10).times == []


def test_jitter_is_the_same_for_everybody_and_spreads_schedules() -> None:
    ids = [UUID(int=number) for number in range(1_000)]
    later = [(with_jitter(NOW, 60, each) - NOW).total_seconds() for each in ids]
    assert later == [(with_jitter(NOW, 60, each) - NOW).total_seconds() for each in ids]
    assert 0 <= min(later) < 1
    assert 59 < max(later) <= 60
    assert 27 < sum(later) / len(later) < 33
    tokyo = NOW.astimezone(ZoneInfo("Asia/Tokyo"))
    assert with_jitter(tokyo, 60, ids[0]) == with_jitter(NOW, 60, ids[0])
    assert with_jitter(NOW, 0, ids[0]) == NOW
    tomorrow = NOW + timedelta(days=1)
    assert with_jitter(tomorrow, 60, ids[0]) - tomorrow != with_jitter(NOW, 60, ids[0]) - NOW


def test_an_expression_in_words() -> None:
    assert explain("30 2 * * *") == "At 02:30 every day"
    assert explain("@hourly") == explain("0 * * * *")


@pytest.mark.parametrize(
    ("cron", "every_seconds", "timezone", "pointers"),
    [
        ("0 6 * * *", None, "Europe/Berlin", []),
        (None, 1, "UTC", []),
        (None, 31_622_400, "UTC", []),
        (None, None, "UTC", ["/cron"]),
        ("0 6 * * *", 60, "UTC", ["/every_seconds"]),
        (None, 0.999, "UTC", ["/every_seconds"]),
        (None, -60, "UTC", ["/every_seconds"]),
        (None, 31_622_401, "UTC", ["/every_seconds"]),
        (None, float("nan"), "UTC", ["/every_seconds"]),
        (None, float("inf"), "UTC", ["/every_seconds"]),
        ("0 6 * *", None, "Berlin", ["/cron", "/timezone"]),
    ],
)
def test_what_can_be_wrong(
    cron: str | None, every_seconds: float | None, timezone: str, pointers: list[str]
) -> None:
    errors = check(cron, every_seconds, timezone)
    assert [each.pointer for each in errors] == pointers
    for each in errors:
        wanted = "unknown-timezone" if each.pointer == "/timezone" else "invalid-schedule"
        assert each.code == wanted


def test_a_zone_that_was_lost_is_said() -> None:
    with pytest.raises(ValueError, match="there is no time zone 'Europe/Nowhere'"):
        next_after(by_clock("@daily", "Europe/Nowhere"), NOW)


def test_times_that_clocks_skip_pass_once() -> None:
    half_hours = by_clock("0,30 2,3 * * *", "Europe/Berlin")
    first, now = utc("2026-03-28T01:00"), utc("2026-03-29T12:00")
    found = passed(half_hours, first, now, first, 10)
    assert found.times[4:] == [utc("2026-03-29T01:00"), utc("2026-03-29T01:30")]
    assert (len(found.times), found.older) == (6, 0)


def test_times_that_clocks_show_again_do_not_pass_again() -> None:
    quarter = by_clock("45 2 * * *", "Europe/Berlin")
    announced = utc("2026-10-25T01:30")  # between the second 02:00 and the second 02:45
    found = passed(quarter, announced, utc("2026-10-27T00:00"), announced, 0)
    assert (found.older, found.next) == (2, utc("2026-10-27T01:45"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "Every second"),
        (90, "Every 90 seconds"),
        (60, "Every minute"),
        (7_200, "Every 2 hours"),
        (86_400, "Every day"),
        (31_622_400, "Every 366 days"),
        (5_401, "Every 5,401 seconds"),
        (1.5, "Every 1.5 seconds"),
    ],
)
def test_a_pause_in_words(seconds: float, text: str) -> None:
    assert describe(by_pause(seconds)) == text
