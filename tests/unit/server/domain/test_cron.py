"""Which cron expressions and time zones are taken, and what is said of the others."""

from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain import limits, zones
from taskq_server.domain.cron import ALIASES, parse
from taskq_server.domain.times import check, explain


@pytest.mark.parametrize(
    ("alias", "expression"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
    ],
)
def test_five_aliases(alias: str, expression: str) -> None:
    assert parse(alias).expression == expression
    assert check(alias, None, "UTC") == []
    assert len(ALIASES) == 5


@pytest.mark.parametrize(
    "cron",
    [
        *("* * * * *", " 0  6\t* * * ", "0,15,30-45/5 */2 1-15 jan,JUN mon-fri", "5/20 * * * *"),
        *("0 0 L * *", "0 0 LW * *", "0 0 * * 5L", "0 0 * * FRI#2", "59 23 31 12 7"),
        *("0 0 30 2 MON", "0 0 29 2 *", "*/59 */23 */31 */12 */7", "0 0 1,L * *"),
    ],
)
def test_what_can_be_said(cron: str) -> None:
    assert check(cron, None, "UTC") == []
    assert explain(cron)


@pytest.mark.parametrize(
    ("cron", "sentence"),
    [
        ("@reboot", "there are only @hourly, @daily, @weekly, @monthly, @yearly"),
        ("@Daily", "there are only @hourly"),
        ("@midnight", "there are only @hourly"),
        ("@hourly ", "there are only @hourly"),
        ("* * * * * *", "must have the five fields .* not 6: there are no seconds and no years"),
        ("* * * *", "must have the five fields minute, hour, day-of-month, month, day-of-week, n"),
        (" ", "five fields"),
        ("", "may have letters, digits, spaces"),
        ("\0", "may have letters, digits, spaces"),
        ("0 6 * * *\0", "may have letters, digits, spaces"),
        ("0 6 * *\n*", "may have letters, digits, spaces"),
        ("0 6 * *\u2003*", "may have letters, digits, spaces"),
        ("0 ٦ * * *", "may have letters, digits, spaces"),
        ("0 6 ? * *", "may have letters, digits, spaces"),
        ("TZ=UTC 0 6 * *", "may have letters, digits, spaces"),
        ("60 * * * *", "the minute must be of 0 to 59"),
        ("0 24 * * *", "the hour must be of 0 to 23"),
        ("0 0 0 * *", "the day-of-month must be of 1 to 31, L .the last day. or LW"),
        ("0 0 L-3 * *", "the day-of-month must be"),
        ("0 0 15W * *", "the day-of-month must be"),
        ("0 0 * 13 *", "the month must be of 1 to 12 or JAN to DEC"),
        ("0 0 * JANUARY *", "the month must be"),
        ("0 0 * * 8", "the day-of-week must be of 0 to 7 or SUN to SAT"),
        ("0 0 * * SUN#6", "the day-of-week must be"),
        ("5-1 * * * *", "in ranges from low to high"),
        ("0 0 * * FRI-MON", "in ranges from low to high"),
        ("*/0 * * * *", "with steps above 0"),
        ("1,,2 * * * *", "the minute must be"),
        ("- * * * *", "the minute must be"),
        ("*/90 * * * *", "a step of the minute is at most 59, .* every_seconds can be longer"),
        ("0 */24 * * *", "a step of the hour is at most 23"),
        ("0 0 */0032 * *", "a step of the day-of-month is at most 31"),
        ("0 0 30 2 *", "there is no such day in any year"),
        ("0 0 31 2,4,6 *", "there is no such day in any year"),
        ("0 0 */30 2 1#5", "there is no such day in any year"),
        ("9" * 128, "five fields"),
        ("9" * 120 + " * * * *", "the minute must be"),
        ("*/" + "9" * 110 + " * * * *", "a step of the minute"),
        ("0,1" * 100_000, "must have at most 128 characters"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(cron: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        parse(cron)
    (error,) = check(cron, None, "UTC")
    assert (error.pointer, error.code) == ("/cron", "invalid-schedule")
    assert error.detail == str(refused.value)
    assert len(error.detail) < 250


FIELDS = st.lists(st.text("0123456789*/,-#LW", min_size=1, max_size=6), min_size=5, max_size=5)


@given(FIELDS.map(" ".join) | st.text(max_size=30))
def test_a_text_is_taken_or_refused(cron: str) -> None:
    if check(cron, None, "UTC"):
        with pytest.raises(ValueError, match=r"."):
            parse(cron)
    else:
        assert explain(cron)
        assert parse(cron).minutes


def test_the_zones_are_those_of_iana() -> None:
    assert {"UTC", "Europe/Berlin", "Asia/Calcutta", "US/Pacific", "Etc/GMT+12"} <= zones.names()
    assert zones.names() <= available_timezones()
    assert max(map(len, zones.names())) <= limits.TIMEZONE_LENGTH
    for name in zones.names():
        assert zones.find(name).key == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "utc", "europe/berlin", "Europe/berlin", " UTC", "UTC ", "UTC\0", "\0", "UTC\n"),
        *("localtime", "posixrules", "Factory", "posix/UTC", "right/UTC", "zone.tab", "Europe"),
        *("/usr/share/zoneinfo/UTC", "../zoneinfo/UTC", "Europe/../UTC", "./UTC", "/etc/passwd"),
        *("+01:00", "UTC+1", "CEST", "Z", "EST5EDT,M3.2.0,M11.1.0", "<+03>-3", "C:\\UTC"),
        *("Europe/Berlin/", "Europe//Berlin", "A" * 1_000_000, "Ünïcode"),
    ],
)
def test_other_names_are_no_zones(name: str) -> None:
    (error,) = check("@daily", None, name)
    assert (error.pointer, error.code) == ("/timezone", "unknown-timezone")
    with pytest.raises(ValueError, match="there is no time zone"):
        zones.find(name)
