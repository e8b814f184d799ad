"""Dates and times in plain SQL, where Django's SQLite backend has functions in Python.

A date is stored as ``2024-02-29``, a time as ``23:59:59.999999``, both of them with a space between
as a date and time; the fraction has six digits or is not there. SQLite rounds fractions to
milliseconds, and so would make the next day of this one: only whole seconds are given to it.

Each function takes and gives SQL with its parameters. A duration is a number of microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import OperationalError
from django.db.backends.utils import split_tzname_delta

from . import zones

SQL = tuple[str, tuple[Any, ...]]

DAY = 86_400_000_000

# Without percent signs, which Django's schema editor takes for placeholders in an index.
EXTRACTS = {
    "year": "CAST(substr(date({0}), 1, 4) AS INTEGER)",
    "month": "CAST(substr(date({0}), 6, 2) AS INTEGER)",
    "quarter": "(CAST(substr(date({0}), 6, 2) AS INTEGER) + 2) / 3",
    "day": "CAST(substr(date({0}), 9, 2) AS INTEGER)",
    "hour": "CAST(substr(time({0}), 1, 2) AS INTEGER)",
    "minute": "CAST(substr(time({0}), 4, 2) AS INTEGER)",
    "second": "CAST(substr(time({0}), 7, 2) AS INTEGER)",
    # From the days to the next Saturday or Sunday, if it is not today.
    "week_day": "7 - CAST(julianday(date({0}), 'weekday 6') - julianday(date({0})) AS INTEGER)",
    "iso_week_day": "7 - CAST(julianday(date({0}), 'weekday 0') - julianday(date({0})) AS INTEGER)",
    # A week is of the year that its Thursday is of.
    "iso_year": "CAST(substr(date({0}, '-3 days', 'weekday 4'), 1, 4) AS INTEGER)",
    "week": (
        "CAST(julianday(date({0}), '-3 days', 'weekday 4') "
        "- julianday(date({0}), '-3 days', 'weekday 4', 'start of year') AS INTEGER) / 7 + 1"
    ),
}
TRUNCATIONS = {
    "year": "date({0}, 'start of year')",
    "quarter": (
        "date({0}, 'start of year', "
        "((CAST(substr(date({0}), 6, 2) AS INTEGER) - 1) / 3 * 3) || ' months')"
    ),
    "month": "date({0}, 'start of month')",
    "week": "date({0}, '-6 days', 'weekday 1')",
    "day": "date({0})",
}
TIME_TRUNCATIONS = {
    "hour": "substr({0}, 1, {1}) || ':00:00'",
    "minute": "substr({0}, 1, {1} + 3) || ':00'",
    "second": "{0}",
}


def extract(lookup: str, sql: str, params: Sequence[Any], zone: str | None, own: str | None) -> SQL:
    """A part of a date, with or without a time, as seen in a zone."""
    return _extract(lookup, *local(sql, params, zone, own))


def extract_from_time(lookup: str, sql: str, params: Sequence[Any]) -> SQL:
    """A part of a time alone."""
    return _extract(lookup, f"substr({sql}, 1, 8)", (*params,))


def _extract(lookup: str, moment: str, params: tuple[Any, ...]) -> SQL:
    if lookup not in EXTRACTS:
        raise OperationalError(f"{lookup!r} cannot be extracted")
    return _fill(EXTRACTS[lookup], moment, params)


def truncate_to_date(
    lookup: str, sql: str, params: Sequence[Any], zone: str | None, own: str | None
) -> SQL:
    """The first day of the year, quarter, month or week, or the day itself."""
    if lookup not in TRUNCATIONS:
        raise OperationalError(f"a date cannot be truncated to {lookup!r}")
    return _fill(TRUNCATIONS[lookup], *local(sql, params, zone, own))


def truncate_to_time(
    lookup: str, sql: str, params: Sequence[Any], zone: str | None, own: str | None
) -> SQL:
    """The first second of the hour or minute, or the second itself, without any date."""
    if lookup not in TIME_TRUNCATIONS:
        raise OperationalError(f"a time cannot be truncated to {lookup!r}")
    if zone is None:
        moment = f"substr({sql}, 1, CASE WHEN substr({sql}, 3, 1) = ':' THEN 8 ELSE 19 END)"
        params = (*params, *params)
    else:
        moment, params = local(sql, params, zone, own)
    return _fill(TIME_TRUNCATIONS[lookup].format("time({0})", 2), moment, params)


def truncate(
    lookup: str, sql: str, params: Sequence[Any], zone: str | None, own: str | None
) -> SQL:
    """The first second of anything from a year down to a second."""
    moment, params = local(sql, params, zone, own)
    if lookup in TRUNCATIONS:
        return _fill(TRUNCATIONS[lookup] + " || ' 00:00:00'", moment, params)
    if lookup in TIME_TRUNCATIONS:
        return _fill(TIME_TRUNCATIONS[lookup].format("datetime({0})", 13), moment, params)
    raise OperationalError(f"a date and time cannot be truncated to {lookup!r}")


def date_of(sql: str, params: Sequence[Any], zone: str | None, own: str | None) -> SQL:
    """The day of a date and time."""
    return _fill("date({0})", *local(sql, params, zone, own))


def time_of(sql: str, params: Sequence[Any], zone: str | None, own: str | None) -> SQL:
    """The time of day of a date and time, with its fraction."""
    seconds, first = _fill("time({0})", *local(sql, params, zone, own))
    return f"({seconds} || substr({sql}, 20))", (*first, *params)


def local(
    sql: str, params: Sequence[Any], zone: str | None, own: str | None
) -> tuple[str, tuple[Any, ...]]:
    """The whole seconds of what was stored in the zone ``own``, as seen in ``zone``."""
    moment = f"substr({sql}, 1, 19)"
    if zone is not None and own is not None and zone != own:
        # A zone may be an offset, "UTC+05:30", or one and an offset.
        name, sign, offset = split_tzname_delta(zone)
        if offset:
            hours, minutes = offset.split(":")
            seconds = (int(hours) * 60 + int(minutes)) * 60
            moment = f"datetime({moment}, '{'-' if sign == '-' else ''}{seconds} seconds')"
        if name and name != own:
            moment = _shift(moment, zones.to_utc(own, "v"))
            moment = _shift(moment, zones.from_utc(name, "v"))
    return moment, (*params,)


def _shift(moment: str, seconds: str) -> str:
    if seconds == "0":
        return moment
    if seconds.lstrip("-").isdigit():
        return f"datetime({moment}, '{seconds} seconds')"
    return f"(SELECT datetime(v, ({seconds}) || ' seconds') FROM (SELECT {moment} AS v))"


def _fill(template: str, moment: str, params: Sequence[Any]) -> SQL:
    return f"({template.format(moment)})", (*params,) * template.count("{0}")


def microseconds(sql: str, params: Sequence[Any], time: bool = False) -> SQL:
    """The microseconds from 1970 to a date, with or without a time, or from midnight to a time."""
    width = 8 if time else 19
    seconds = f"substr({sql}, 1, {width})"
    if time:
        seconds = f"'1970-01-01 ' || {seconds}"
    fraction = f"CAST(substr(substr({sql}, {width + 2}, 6) || '000000', 1, 6) AS INTEGER)"
    return f"(unixepoch({seconds}) * 1000000 + {fraction})", (*params, *params)


def difference(left: SQL, right: SQL, time: bool) -> SQL:
    """The duration between two of a kind."""
    (lsql, lparams), (rsql, rparams) = microseconds(*left, time), microseconds(*right, time)
    return f"({lsql} - {rsql})", (*lparams, *rparams)


def moved(moment: SQL, sign: str, duration: SQL, kind: str) -> SQL:
    """A DateField, DateTimeField or TimeField moved by a duration.

    A date that is moved by whole days stays one, so that it compares with others. A time goes on
    after midnight.
    """
    (msql, mparams), (dsql, dparams) = moment, duration
    total = f"{microseconds('m', (), kind == 'TimeField')[0]} {sign} CAST(d AS INTEGER)"
    if kind == "TimeField":
        total = f"(({total}) %% {DAY} + {DAY}) %% {DAY}"
    fraction = "(t %% 1000000 + 1000000) %% 1000000"
    seconds = f"(t - {fraction}) / 1000000"
    text = (
        f"{'time' if kind == 'TimeField' else 'datetime'}({seconds}, 'unixepoch') || "
        f"CASE WHEN t %% 1000000 THEN printf('.%%06d', {fraction}) ELSE '' END"
    )
    if kind == "DateField":
        text = f"CASE WHEN t %% {DAY} THEN {text} ELSE date({seconds}, 'unixepoch') END"
    source = f"(SELECT {msql} AS m, {dsql} AS d)"
    return f"(SELECT {text} FROM (SELECT {total} AS t FROM {source}))", (*mparams, *dparams)
