"""The ORM: what is written, and what is found again."""

import datetime
import decimal
import uuid

from django.db import IntegrityError, connection, models
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    Max,
    OuterRef,
    Prefetch,
    ProtectedError,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Coalesce, Concat, JSONObject, Rank
from django.test import TestCase

from shop.models import Author, Book, Counter, Tag, Tagging


class QueryTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ann = Author.objects.create(full_name="Ann", email="ann@example.org")
        cls.bob = Author.objects.create(full_name="Bob", mentor=cls.ann)
        for number in range(6):
            Book.objects.create(
                title=f"Book {number}",
                author=cls.ann if number % 3 else cls.bob,
                price=decimal.Decimal(number) + decimal.Decimal("0.10"),
                pages=100 * number,
                details={"n": number, "list": [number], "deep": {"x": None}},
            )

    def titles(self, *conditions, **lookups):
        return [book.title[-1] for book in Book.objects.filter(*conditions, **lookups)]

    def test_each_kind_of_value(self):
        written = Book.objects.create(
            title="Ж 'quoted' 100% \\ _",
            author=self.ann,
            price=decimal.Decimal("999999.99"),
            weight=-0.1,
            printed=datetime.datetime(1, 1, 1, 0, 0, 0, 1, datetime.timezone.utc),
            on_sale=datetime.date(9999, 12, 31),
            opens=datetime.time(23, 59, 59, 999999),
            lent_for=datetime.timedelta(days=-1, microseconds=1),
            in_stock=False,
            cover=bytes(range(256)),
            details=["ü", {"a": 1.5, "b": [True, None]}],
        )
        read = Book.objects.get(pk=written.pk)
        self.assertIsInstance(read.pk, uuid.UUID)
        for field in Book._meta.concrete_fields:
            if not field.generated:
                self.assertEqual(getattr(read, field.name), getattr(written, field.name))
        self.assertIs(read.in_stock, False)

    def test_lookups(self):
        self.assertEqual(self.titles(title="Book 1"), ["1"])
        self.assertEqual(self.titles(title__iexact="bOOK 1"), ["1"])
        self.assertEqual(self.titles(title__contains="k 2"), ["2"])
        self.assertEqual(self.titles(title__endswith="%"), [])
        self.assertEqual(self.titles(pages__range=(100, 200)), ["1", "2"])
        self.assertEqual(self.titles(price__lt=decimal.Decimal("1.11")), ["0", "1"])
        self.assertEqual(self.titles(author__mentor__full_name="Ann"), ["0", "3"])
        self.assertEqual(self.titles(printed__isnull=True, pages=500), ["5"])
        self.assertEqual(self.titles(title__contains=F("title"), pages=300), ["3"])
        self.assertEqual(self.titles(twice=400), ["2"])

    def test_more_values_than_old_sqlite_could_bind(self):
        self.assertEqual(self.titles(pages__in=range(0, 20000, 300)), ["0", "3"])

    def test_json(self):
        self.assertEqual(self.titles(details__n=2), ["2"])
        self.assertEqual(self.titles(details__list__0__gte=4), ["4", "5"])
        self.assertEqual(len(self.titles(details__deep__x=None)), 6)
        self.assertEqual(len(self.titles(details__has_key="nothing")), 0)
        found = Book.objects.filter(pages=0).values_list(JSONObject(t="title", p="pages"))
        self.assertEqual(found.get(), ({"t": "Book 0", "p": 0},))

    def test_conditions(self):
        self.assertEqual(self.titles(Q(pages=0) | Q(pages=500)), ["0", "5"])
        self.assertEqual(self.titles(~Q(author=self.ann)), ["0", "3"])
        self.assertEqual(self.titles(Q(pages__gt=200) ^ Q(author=self.bob)), ["0", "4", "5"])
        odd = Q(pages__gt=200) ^ Q(author=self.bob) ^ Q(title="Book 1")
        self.assertEqual(self.titles(odd), ["0", "1", "4", "5"])
        self.assertEqual(self.titles(pages=F("twice") - F("pages"), pages__gt=400), ["5"])
        ordered = Book.objects.order_by(
            Case(When(pages=300, then=Value(0)), default=Value(1)), "-pages"
        )
        self.assertEqual([book.pages for book in ordered], [300, 500, 400, 200, 100, 0])

    def test_aggregates(self):
        found = Book.objects.aggregate(Count("id"), Sum("pages"), Avg("price"), Max("title"))
        self.assertEqual(
            found,
            {
                "id__count": 6,
                "pages__sum": 1500,
                "price__avg": decimal.Decimal("2.6"),
                "title__max": "Book 5",
            },
        )
        grouped = Author.objects.annotate(
            n=Count("books"), cheap=Count("books", filter=Q(books__price__lt=2))
        ).filter(n__gt=1)
        self.assertEqual(
            [(a.full_name, a.n, a.cheap) for a in grouped], [("Ann", 4, 1), ("Bob", 2, 1)]
        )

    def test_subqueries(self):
        dearest = Book.objects.filter(author=OuterRef("pk")).order_by("-price")
        authors = Author.objects.annotate(
            dearest=Subquery(dearest.values("title")[:1]),
            has_long=Exists(Book.objects.filter(author=OuterRef("pk"), pages__gt=400)),
        )
        self.assertEqual(
            [(a.dearest, a.has_long) for a in authors], [("Book 5", True), ("Book 3", False)]
        )

    def test_unions(self):
        unordered = Book.objects.order_by()
        few, many = unordered.filter(pages__lt=200), unordered.filter(pages__gt=0)
        pages = [book.pages for book in few.union(many).order_by("pages")]
        self.assertEqual(pages, [0, 100, 200, 300, 400, 500])
        self.assertEqual([book.pages for book in few.intersection(many)], [100])
        self.assertEqual([book.pages for book in few.difference(many)], [0])

    def test_windows(self):
        ranked = Book.objects.annotate(
            rank=Window(Rank(), partition_by="author", order_by=F("pages").desc())
        ).filter(rank=1)
        self.assertEqual(sorted(book.pages for book in ranked), [300, 500])

    def test_relations(self):
        with self.assertNumQueries(1):
            names = {book.author.full_name for book in Book.objects.select_related("author")}
        self.assertEqual(names, {"Ann", "Bob"})
        with self.assertNumQueries(2):
            long = Prefetch("books", Book.objects.filter(pages__gt=200), to_attr="long")
            counts = [len(author.long) for author in Author.objects.prefetch_related(long)]
        self.assertEqual(counts, [2, 1])
        self.ann.friends.add(self.bob)
        self.assertEqual(self.bob.friends.get(), self.ann)
        Tagging.objects.create(book=Book.objects.get(pages=0), tag=Tag.objects.create(word="old"))
        with self.assertRaises(ProtectedError):
            Tag.objects.all().delete()
        self.ann.delete()
        self.assertEqual(Book.objects.count(), 2)
        self.bob.refresh_from_db()
        self.assertIsNone(self.bob.mentor)

    def test_bulk(self):
        made = Counter.objects.bulk_create(Counter(count=n) for n in range(5000))
        self.assertEqual(len({counter.pk for counter in made}), 5000)
        for counter in made:
            counter.count += 1
        self.assertEqual(Counter.objects.bulk_update(made, ["count"]), 5000)
        self.assertEqual(Counter.objects.aggregate(s=Sum("count"))["s"], 5000 * 5001 // 2)
        self.assertEqual(sum(1 for _ in Counter.objects.iterator(chunk_size=7)), 5000)
        self.assertEqual(Counter.objects.filter(count__gt=100).delete()[0], 4900)

    def test_conflicts(self):
        Author.objects.bulk_create(
            [
                Author(full_name="x", email="ann@example.org"),
                Author(full_name="Cid", email="c@c.c"),
            ],
            ignore_conflicts=True,
        )
        self.assertEqual(Author.objects.count(), 3)
        Author.objects.bulk_create(
            [Author(full_name="Anna", email="ann@example.org")],
            update_conflicts=True,
            unique_fields=["email"],
            update_fields=["full_name"],
        )
        self.ann.refresh_from_db()
        self.assertEqual(self.ann.full_name, "Anna")
        author, made = Author.objects.update_or_create(email="d@d.d", defaults={"full_name": "Dan"})
        self.assertTrue(made)
        self.assertEqual(Author.objects.get_or_create(email="d@d.d"), (author, False))

    def test_updates(self):
        self.assertEqual(Book.objects.filter(pages__gt=300).update(pages=F("pages") + 1), 2)
        self.assertEqual(self.titles(pages=401), ["4"])
        Book.objects.update(title=Concat("title", Value("!")))
        self.assertEqual(Book.objects.filter(title__endswith="!").count(), 6)

    def test_expressions(self):
        value = Book.objects.filter(pages=500).values_list(
            Coalesce("weight", Value(0.0)),
            Cast("pages", models.TextField()),
            F("pages").bitxor(3),
            F("pages") % 7,
            F("pages") / 3,
        )
        self.assertEqual(value.get(), (1.0, "500", 500 ^ 3, 3, 166))

    def test_raw(self):
        by_hand = Book.objects.raw(
            "SELECT * FROM shop_book WHERE pages > %(few)s AND title LIKE 'Book %%'",
            {"few": 300, "unused": 1},
        )
        self.assertEqual([book.pages for book in by_hand], [400, 500])
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s, %s, '%%', %s", [None, decimal.Decimal("1.50"), b"\0"])
            self.assertEqual(cursor.fetchone(), (None, "1.50", "%", b"\0"))
            cursor.execute(
                "SELECT %s, %s", [datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 1)]
            )
            self.assertEqual(cursor.fetchall(), [("2024-02-29", "2024-02-29 01:00:00")])
            Book.objects.update(on_sale="2024-02-29", printed="2024-02-29T01:00Z")
            cursor.execute("SELECT on_sale, printed FROM shop_book")
            self.assertEqual(
                cursor.fetchone(), (datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 1))
            )
            cursor.execute("SELECT '%s'")
            self.assertEqual(cursor.fetchone(), ("%s",))
            cursor.executemany("INSERT INTO shop_counter (count) VALUES (%s)", [(1,), (2,)])
            self.assertEqual(cursor.rowcount, 2)
            cursor.executemany(
                "INSERT INTO shop_counter (count) VALUES (%(n)s)", [{"n": 3}, {"n": 4}]
            )
            cursor.execute("SELECT sum(count) FROM shop_counter")
            self.assertEqual(list(cursor), [(10,)])

    def test_errors(self):
        with self.assertRaises(IntegrityError) as caught:
            Author.objects.create(full_name="x", email="ann@example.org")
        self.assertEqual(caught.exception.__cause__.id, "constraint.unique")

    def test_what_ran_is_shown_with_its_values(self):
        with self.settings(DEBUG=True):
            connection.force_debug_cursor = True
            try:
                Author.objects.filter(full_name="O'Neill", pk=7, email=None).first()
            finally:
                connection.force_debug_cursor = False
        self.assertIn("'O''Neill'", connection.queries[-1]["sql"])
        self.assertIn("= 7", connection.queries[-1]["sql"])
