"""Time zones in plain SQL: how far a zone is from UTC at the moment that a text tells.

SQLite knows UTC and the server's own zone, no others, so the expression holds the zone's changes as
``zoneinfo`` gives them. It is exact for every year that SQLite knows:

1. The changes up to 2129 are listed, in a tree of CASEs.
2. From 2101 on at the latest, changes follow rules like "the last Sunday of March". What they give
   depends on the weekday of January 1 and on whether there is a February 29. The years 2101 to 2128
   have every combination, so a later year is read as one of them.
"""

from __future__ import annotations

import functools
from calendar import isleap
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

FIRST = datetime(1830, 1, 1)
LAST = datetime(2129, 1, 1)
CYCLE = range(2101, 2129)
# Shorter than any two changes of any zone are apart; a test compares.
STEP = timedelta(days=3)


def from_utc(name: str, moment: str) -> str:
    """The seconds to add to a moment of UTC, an expression without side effects, for the zone's."""
    return _offset(name, moment, False)


def to_utc(name: str, moment: str) -> str:
    """The seconds to add to a moment of the zone for UTC's. Of two, the first is meant."""
    return _offset(name, moment, True)


@functools.cache
def changes(name: str, local: bool) -> list[tuple[datetime, int]]:
    """From when which number of seconds holds, in order; the first holds before as well."""
    offset = _reader(ZoneInfo(name), local)
    found = [(FIRST, offset(FIRST))]
    start = FIRST
    while start < LAST:
        end = min(start + STEP, LAST)
        if offset(end) != found[-1][1]:
            found.append(_change(offset, start, end))
        start = end
    return found


def _reader(zone: ZoneInfo, local: bool) -> Callable[[datetime], int]:
    if local:
        return lambda moment: -_seconds(moment.replace(tzinfo=zone))
    return lambda moment: _seconds(moment.replace(tzinfo=timezone.utc).astimezone(zone))


def _seconds(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None
    return round(offset.total_seconds())


def _change(
    offset: Callable[[datetime], int], start: datetime, end: datetime
) -> tuple[datetime, int]:
    before = offset(start)
    seconds = round((end - start).total_seconds())
    low, high = 0, seconds
    while high - low > 1:
        middle = (low + high) // 2
        if offset(start + timedelta(seconds=middle)) == before:
            low = middle
        else:
            high = middle
    moment = start + timedelta(seconds=high)
    return moment, offset(moment)


def _offset(name: str, moment: str, local: bool) -> str:
    known = changes(name, local)
    if all(when.year < CYCLE.start for when, _ in known):
        return _tree(known, moment)
    return f"(SELECT {_tree(known, 'm')} FROM (SELECT {_within_cycle(moment)} AS m))"


def _tree(known: list[tuple[datetime, int]], moment: str) -> str:
    if len(known) == 1:
        return str(known[0][1])
    middle = len(known) // 2
    # Midnight of a date stands for it without a time, which sorts before.
    bound = f"{known[middle][0]:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00")
    before, after = _tree(known[:middle], moment), _tree(known[middle:], moment)
    return f"CASE WHEN {moment}<'{bound}' THEN {before} ELSE {after} END"


def _within_cycle(moment: str) -> str:
    year = f"substr({moment},1,4)"
    kind = f"strftime('%%w',{year}||'-01-01')||strftime('%%d',{year}||'-03-01','-1 day')"
    twins = {_kind(year): year for year in CYCLE}
    cases = " ".join(f"WHEN '{kind}' THEN '{year}'" for kind, year in sorted(twins.items()))
    return (
        f"CASE WHEN {moment}<'{LAST.year}' THEN {moment} "
        f"ELSE CASE {kind} {cases} END||substr({moment},5) END"
    )


def _kind(year: int) -> str:
    return f"{datetime(year, 1, 1):%w}{29 if isleap(year) else 28}"
