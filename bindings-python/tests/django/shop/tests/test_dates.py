"""Dates and times in SQL, next to what Django's functions in Python make of them."""

import datetime
import json
import random
import zoneinfo
from itertools import pairwise

from django.db import NotSupportedError, OperationalError, connection
from django.db.backends.sqlite3 import _functions as python
from django.db.models import (
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Max,
    Min,
    Value,
    Window,
)
from django.db.models.functions import (
    Extract,
    ExtractHour,
    ExtractIsoYear,
    ExtractWeek,
    ExtractWeekDay,
    Now,
    Trunc,
    TruncDate,
    TruncDay,
    TruncHour,
    TruncMonth,
    TruncTime,
)
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone

from dqlite.django import temporal, zones
from shop.models import Author, Book

ZONES = [
    "UTC",
    "Europe/Stockholm",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Africa/Freetown",
    "Africa/Monrovia",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC+05:30",
    "UTC-11:00",
]


def moments(zone):
    """Some of every century, and some around the zone's changes."""
    chance = random.Random(zone)
    found = [
        datetime.datetime(chance.randint(1, 9998), 1, 1)
        + datetime.timedelta(
            days=chance.randrange(366), microseconds=chance.randrange(86400 * 10**6)
        )
        for _ in range(400)
    ]
    name = zone.partition("+")[0].partition("-")[0]
    for when, _ in zones.changes(name, False):
        for seconds in (-3601, -1, 0, 1, 3600):
            found.append(when + datetime.timedelta(seconds=seconds))
            found.append(found[-1].replace(year=found[-1].year + 400))
    found += [moment.replace(microsecond=999999) for moment in found[:20]]
    return [str(moment) for moment in found]


class AgainstPython(TestCase):
    def all_of(self, values, sql, params):
        """The SQL for each value, in one query."""
        query = f"SELECT {sql} FROM json_each(%s) ORDER BY key"
        with connection.cursor() as cursor:
            cursor.execute(query, [*params, json.dumps(values)])
            return [value for (value,) in cursor.fetchall()]

    def compare(self, values, sql, oracle):
        self.assertGreater(len(values), 100)
        for value, got in zip(values, self.all_of(values, *sql), strict=True):
            self.assertEqual(got, oracle(value), value)

    def test_parts(self):
        for zone in ZONES:
            values = moments(zone)
            for own in ("UTC", "Europe/Stockholm") if zone in ZONES[:4] else ("UTC",):
                for lookup in temporal.EXTRACTS:
                    with self.subTest(zone=zone, own=own, lookup=lookup):
                        self.compare(
                            values,
                            temporal.extract(lookup, "value", (), zone, own),
                            lambda value, lookup=lookup, zone=zone, own=own: (
                                python._sqlite_datetime_extract(lookup, value, zone, own)
                            ),
                        )

    def test_truncation(self):
        for zone in ZONES[:5]:
            values = moments(zone)
            for lookup in (*temporal.TRUNCATIONS, *temporal.TIME_TRUNCATIONS):
                with self.subTest(zone=zone, lookup=lookup):
                    self.compare(
                        values,
                        temporal.truncate(lookup, "value", (), zone, "UTC"),
                        lambda value, lookup=lookup, zone=zone: python._sqlite_datetime_trunc(
                            lookup, value, zone, "UTC"
                        ),
                    )
            for lookup in temporal.TRUNCATIONS:
                self.compare(
                    values,
                    temporal.truncate_to_date(lookup, "value", (), zone, "UTC"),
                    lambda value, lookup=lookup, zone=zone: python._sqlite_date_trunc(
                        lookup, value, zone, "UTC"
                    ),
                )
            for lookup in temporal.TIME_TRUNCATIONS:
                self.compare(
                    values,
                    temporal.truncate_to_time(lookup, "value", (), zone, "UTC"),
                    lambda value, lookup=lookup, zone=zone: python._sqlite_time_trunc(
                        lookup, value, zone, "UTC"
                    ),
                )

    def test_casts(self):
        for zone in ZONES:
            values = moments(zone)
            with self.subTest(zone=zone):
                self.compare(
                    values,
                    temporal.date_of("value", (), zone, "UTC"),
                    lambda v, zone=zone: python._sqlite_datetime_cast_date(v, zone, "UTC"),
                )
                self.compare(
                    values,
                    temporal.time_of("value", (), zone, "UTC"),
                    lambda v, zone=zone: python._sqlite_datetime_cast_time(v, zone, "UTC"),
                )

    def test_dates_and_times_alone(self):
        days = [moment[:10] for moment in moments("UTC")]
        for lookup in ("year", "iso_year", "quarter", "month", "week", "week_day", "iso_week_day"):
            self.compare(
                days,
                temporal.extract(lookup, "value", (), None, None),
                lambda day, lookup=lookup: python._sqlite_datetime_extract(lookup, day),
            )
        times = [moment[11:] for moment in moments("UTC")]
        for lookup in ("hour", "minute", "second"):
            self.compare(
                times,
                temporal.extract_from_time(lookup, "value", ()),
                lambda time, lookup=lookup: python._sqlite_time_extract(lookup, time),
            )
            self.compare(
                times,
                temporal.truncate_to_time(lookup, "value", (), None, None),
                lambda time, lookup=lookup: python._sqlite_time_trunc(lookup, time, None, None),
            )

    def test_differences(self):
        values = moments("UTC")
        for other in ("2024-02-29 12:00:00.000001", "0001-01-01 00:00:00", "2024-02-29"):
            self.compare(
                values,
                temporal.difference(("value", ()), ("%s", (other,)), False),
                lambda value, other=other: (
                    python._sqlite_timestamp_diff(value, other + " 0:0:0")
                    if len(other) == 10
                    else python._sqlite_timestamp_diff(value, other)
                ),
            )
        times = [moment[11:] for moment in values]
        self.compare(
            times,
            temporal.difference(("%s", ("12:00:00.5",)), ("value", ()), True),
            lambda time: python._sqlite_time_diff("12:00:00.5", time),
        )

    def test_sums(self):
        chance = random.Random(1)
        values = moments("UTC")
        durations = [0, 1, -1, 86400 * 10**6, -86400 * 10**6]
        durations += [chance.randrange(-(10**15), 10**15) for _ in range(5)]
        for duration in durations:
            for sign in "+-":
                safe = [value for value in values if "0100" < value < "9900"]
                self.compare(
                    safe,
                    temporal.moved(("value", ()), sign, ("%s", (duration,)), "DateTimeField"),
                    lambda value, duration=duration, sign=sign: python._sqlite_format_dtdelta(
                        sign, value, duration
                    ),
                )

    def test_days_moved_by_days_stay_days(self):
        days = [moment[:10] for moment in moments("UTC") if "0100" < moment < "9900"]
        self.compare(
            days,
            temporal.moved(("value", ()), "-", ("%s", (3 * temporal.DAY,)), "DateField"),
            lambda day: python._sqlite_format_dtdelta("-", day, 3 * temporal.DAY),
        )
        got = self.all_of(days[:1], *temporal.moved(("value", ()), "+", ("%s", (1,)), "DateField"))
        self.assertEqual(got, [days[0] + " 00:00:00.000001"])

    def test_nothing_and_nonsense_are_null(self):
        for values in ([None], ["nonsense"], [""]):
            for sql in (
                temporal.extract("year", "value", (), "Europe/Stockholm", "UTC"),
                temporal.truncate("week", "value", (), "Europe/Stockholm", "UTC"),
                temporal.date_of("value", (), None, None),
                temporal.difference(("value", ()), ("%s", ("2024-01-01",)), False),
                temporal.moved(("value", ()), "+", ("%s", (1,)), "DateTimeField"),
            ):
                self.assertEqual(self.all_of(values, *sql), [None])


class ZoneTests(SimpleTestCase):
    def test_no_change_is_stepped_over(self):
        for name in ("Africa/Freetown", "Asia/Gaza", "America/Recife", "Africa/Tunis"):
            found = zones.changes(name, False)
            gaps = [b[0] - a[0] for a, b in pairwise(found)]
            self.assertGreater(min(gaps), zones.STEP, name)

    def test_changes_are_where_the_zone_has_them(self):
        name = "Europe/Stockholm"
        zone = zoneinfo.ZoneInfo(name)
        second = datetime.timedelta(seconds=1)
        for when, offset in zones.changes(name, False)[1:]:
            moment = when.replace(tzinfo=datetime.timezone.utc)
            self.assertEqual(moment.astimezone(zone).utcoffset().total_seconds(), offset)
            self.assertNotEqual(
                (moment - second).astimezone(zone).utcoffset(), moment.astimezone(zone).utcoffset()
            )

    def test_unknown_zone(self):
        with self.assertRaises(zoneinfo.ZoneInfoNotFoundError):
            temporal.local("x", (), "Europe/Atlantis", "UTC")


class ThroughTheORM(TestCase):
    @classmethod
    def setUpTestData(cls):
        ann = Author.objects.create(full_name="Ann", born=datetime.date(1970, 1, 2))
        # In Stockholm this is 2024 already, and the clock jumps in the middle.
        for number, printed in enumerate(
            ["2023-12-31T23:30", "2024-03-31T00:59", "2024-03-31T01:00", "2024-10-27T01:30"]
        ):
            Book.objects.create(
                title=str(number),
                author=ann,
                price=1,
                printed=datetime.datetime.fromisoformat(printed).replace(
                    tzinfo=datetime.timezone.utc
                ),
                on_sale=datetime.date(2024, 2, 28 + number % 2),
                opens=datetime.time(9, number),
                lent_for=datetime.timedelta(days=number, microseconds=number),
            )

    def one(self, title, *expressions):
        return Book.objects.filter(title=title).values_list(*expressions).get()

    def test_lookups_are_those_of_the_current_zone(self):
        found = Book.objects.filter(printed__year=2024, printed__month=1)
        self.assertEqual(found.get().title, "0")
        self.assertEqual(Book.objects.filter(printed__date="2024-01-01").count(), 1)
        self.assertEqual(Book.objects.filter(printed__time="00:30").count(), 1)
        self.assertEqual(Book.objects.filter(printed__hour__in=(1, 3)).count(), 2)
        with timezone.override("America/New_York"):
            self.assertEqual(Book.objects.filter(printed__year=2023).get().title, "0")
            self.assertEqual(Book.objects.filter(printed__hour=21).count(), 2)
        self.assertEqual(Book.objects.filter(on_sale__week_day=5).count(), 2)
        self.assertEqual(Book.objects.filter(opens__minute=2).get().title, "2")
        self.assertEqual(Book.objects.filter(on_sale__quarter=1, on_sale__day=29).count(), 2)

    def test_functions(self):
        self.assertEqual(
            self.one(
                "0", ExtractHour("printed"), ExtractIsoYear("printed"), ExtractWeek("on_sale")
            ),
            (0, 2024, 9),
        )
        day, hour, month = self.one(
            "2", TruncDay("printed"), TruncHour("printed"), TruncMonth("on_sale")
        )
        self.assertEqual(day.isoformat(), "2024-03-31T00:00:00+01:00")
        self.assertEqual(hour.isoformat(), "2024-03-31T03:00:00+02:00")
        self.assertEqual(month, datetime.date(2024, 2, 1))
        self.assertEqual(
            self.one("3", TruncDate("printed"), TruncTime("printed"), ExtractWeekDay("printed")),
            (datetime.date(2024, 10, 27), datetime.time(2, 30), 1),
        )
        self.assertEqual(
            self.one("3", ExtractHour("printed", tzinfo=zoneinfo.ZoneInfo("Asia/Kathmandu"))), (7,)
        )

    def test_dates_and_datetimes(self):
        self.assertEqual(list(Book.objects.dates("on_sale", "month")), [datetime.date(2024, 2, 1)])
        self.assertEqual([day.day for day in Book.objects.datetimes("printed", "day")], [1, 31, 27])

    def test_groups(self):
        from django.db.models import Count

        days = Book.objects.values(day=TruncDate("printed")).annotate(n=Count("id")).order_by("day")
        self.assertEqual([row["n"] for row in days], [1, 2, 1])

    def test_aggregates_within(self):
        (found,) = Author.objects.annotate(
            last=TruncDate(Max("books__printed")),
            span=Max("books__printed") - Min("books__printed"),
            due=Max("books__printed") + datetime.timedelta(days=1, microseconds=5),
        )
        self.assertEqual(found.last, datetime.date(2024, 10, 27))
        self.assertEqual(found.span, datetime.timedelta(days=300, hours=2))
        self.assertEqual(found.due.isoformat(), "2024-10-28T01:30:00.000005+00:00")

    def test_durations(self):
        self.assertEqual(
            self.one(
                "3",
                F("printed") + F("lent_for"),
                F("printed") - datetime.timedelta(hours=1),
                ExpressionWrapper(F("lent_for") * 2, DurationField()),
                ExpressionWrapper(F("lent_for") / Value(2), DurationField()),
            ),
            (
                datetime.datetime(2024, 10, 30, 1, 30, 0, 3, datetime.timezone.utc),
                datetime.datetime(2024, 10, 27, 0, 30, tzinfo=datetime.timezone.utc),
                datetime.timedelta(days=6, microseconds=6),
                datetime.timedelta(days=1.5, microseconds=2),
            ),
        )
        later = Book.objects.filter(
            on_sale=F("on_sale") + datetime.timedelta(days=1) - F("lent_for")
        )
        self.assertEqual(later.count(), 0)
        same = Book.objects.filter(on_sale__gte=F("on_sale") - datetime.timedelta(days=0))
        self.assertEqual(same.count(), 4)
        self.assertEqual(
            Book.objects.filter(opens__gt=datetime.time(9)).values_list(F("opens") - F("opens"))[0],
            (datetime.timedelta(0),),
        )
        self.assertEqual(
            self.one(
                "3",
                F("opens") + F("lent_for"),
                F("opens") - datetime.timedelta(hours=10),
                F("opens") - Value(None, DurationField()),
            ),
            (datetime.time(9, 3, 0, 3), datetime.time(23, 3), None),
        )
        with self.assertRaisesRegex(NotSupportedError, "DurationField - DateField"):
            self.one("0", ExpressionWrapper(F("lent_for") - F("on_sale"), DurationField()))

    def test_parts_that_there_are_not(self):
        for function in (Extract("on_sale", "age"), Trunc("on_sale", "age"), Trunc("opens", "age")):
            with self.assertRaisesRegex(OperationalError, "'age'"):
                self.one("0", function)

    def test_now(self):
        self.assertEqual(Book.objects.filter(printed__lt=Now()).count(), 4)

    def test_windows_are_refused_where_they_would_be_wrong(self):
        last = Window(Max("printed"), partition_by="on_sale")
        with self.assertRaisesRegex(NotSupportedError, "window"):
            self.one("0", ExpressionWrapper(last + F("lent_for"), DateTimeField()))
        with self.assertRaisesRegex(NotSupportedError, "window"):
            self.one("0", TruncDate(last))

    @override_settings(USE_TZ=False)
    def test_without_time_zones(self):
        self.assertEqual(Book.objects.filter(printed__year=2023).get().title, "0")
        self.assertEqual(self.one("0", TruncDay("printed")), (datetime.datetime(2023, 12, 31),))
