"""Functions of Django's: in SQL, by the server, or refused."""

import math
import random
import statistics

from django.db import NotSupportedError, connection, models
from django.db.backends.sqlite3 import _functions as python
from django.db.models import CharField, F, FloatField, StdDev, Value, Variance, Window
from django.db.models import functions as fn
from django.test import TestCase

from shop.models import Author, Book

# Without NUL, at which SQLite's own functions end a text.
TEXTS = ["", "a", "Straße", "日本語", "00", "x" * 50, None]
COUNTS = [0, 1, 2, 3, 7, 60, None]


class FunctionTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ann = Author.objects.create(full_name="Ann")

    def value(self, *expressions):
        return Author.objects.values_list(*expressions).get()

    def test_padding(self):
        for text in TEXTS:
            for count in COUNTS:
                for fill in ("-", "ab", "0", "", None):
                    arguments = (Value(text), Value(count), Value(fill))
                    self.assertEqual(
                        self.value(fn.LPad(*arguments), fn.RPad(*arguments)),
                        (
                            python._sqlite_lpad(text, count, fill),
                            python._sqlite_rpad(text, count, fill),
                        ),
                        (text, count, fill),
                    )

    def test_repetition_and_reversal(self):
        for text in TEXTS:
            for count in COUNTS:
                self.assertEqual(
                    self.value(
                        fn.Repeat(Value(text), Value(count)), fn.Reverse(Value(text, CharField()))
                    ),
                    (python._sqlite_repeat(text, count), python._sqlite_reverse(text)),
                    (text, count),
                )

    def test_functions_of_columns_and_in_conditions(self):
        self.assertEqual(self.value(fn.Reverse("full_name")), ("nnA",))
        found = Author.objects.annotate(padded=fn.LPad("full_name", 5, Value("*")))
        self.assertEqual(found.get(padded="**Ann"), self.ann)
        found.update(full_name=fn.Repeat("full_name", 2))
        self.assertEqual(self.value("full_name"), ("AnnAnn",))

    def test_rounding(self):
        for number in (2.0, 2.5, -2.5, -0.25, 0.0, 1e300, -1e300, None):
            x = Value(number, FloatField())
            expected = (None, None) if number is None else (math.floor(number), math.ceil(number))
            self.assertEqual(self.value(fn.Floor(x), fn.Ceil(x)), expected)

    def test_angles(self):
        got = self.value(fn.Pi(), fn.Degrees(Value(math.pi)), fn.Radians(Value(180.0)))
        for number, expected in zip(got, (math.pi, 180, math.pi), strict=True):
            self.assertAlmostEqual(number, expected, places=13)

    def test_sign(self):
        for number in (-2.5, 0, 3, None):
            self.assertEqual(
                self.value(fn.Sign(Value(number, FloatField()))), (python._sqlite_sign(number),)
            )

    def test_random_is_between_0_and_1(self):
        numbers = [self.value(fn.Random())[0] for _ in range(200)]
        self.assertTrue(all(0 <= number < 1 for number in numbers))
        self.assertGreater(max(numbers) - min(numbers), 0.5)
        self.assertEqual(Author.objects.order_by("?").get(), self.ann)

    def test_exclusive_or(self):
        for left, right in ((12, 10), (-1, 5), (0, 0)):
            got = self.value(Value(left).bitxor(Value(right)))
            self.assertEqual(got, (python._sqlite_bitxor(left, right),))

    def test_variance(self):
        chance = random.Random(7)
        # Far from 0, where sums of squares would leave no digit.
        weights = [1e9 + chance.random() for _ in range(50)]
        Book.objects.bulk_create(
            Book(title=str(n), author=self.ann, price=1, weight=weight, pages=n)
            for n, weight in enumerate(weights)
        )
        got = Book.objects.aggregate(
            all=Variance("weight"), sample=Variance("weight", sample=True), pages=Variance("pages")
        )
        self.assertAlmostEqual(got["all"], statistics.pvariance(weights), places=6)
        self.assertAlmostEqual(got["sample"], statistics.variance(weights), places=6)
        self.assertAlmostEqual(got["pages"], statistics.pvariance(range(50)))
        one = Book.objects.filter(pages=3)
        self.assertEqual(one.aggregate(v=Variance("weight"))["v"], 0)
        self.assertIsNone(one.aggregate(v=Variance("weight", sample=True))["v"])
        self.assertIsNone(Book.objects.filter(pages=99).aggregate(v=Variance("weight"))["v"])
        grouped = Author.objects.annotate(v=Variance("books__pages")).values_list("v")
        self.assertAlmostEqual(grouped.get()[0], statistics.pvariance(range(50)))
        with self.assertRaisesRegex(NotSupportedError, "window"):
            list(Book.objects.annotate(v=Window(Variance("pages"))))

    def test_any_value(self):
        if not hasattr(models, "AnyValue"):
            self.skipTest("Django 6 brought it")
        Book.objects.bulk_create(
            Book(title=str(n), author=self.ann, price=1, pages=n) for n in range(3)
        )
        self.assertIn(Book.objects.aggregate(a=models.AnyValue("pages"))["a"], range(3))

    def test_what_django_6_has_in_python_is_refused(self):
        for name in ("BitAnd", "BitOr", "BitXor"):
            if hasattr(models, name):
                with self.assertRaisesRegex(NotSupportedError, name):
                    Book.objects.aggregate(b=getattr(models, name)("pages"))
        if hasattr(fn, "UUID4"):
            with self.assertRaisesRegex(NotSupportedError, "UUID4"):
                self.value(fn.UUID4())


class ServerFunctionTests(TestCase):
    """What SQLite has, or has not, as it was built."""

    @classmethod
    def setUpTestData(cls):
        Author.objects.create(full_name="Ann")

    def check(self, function, expected, query):
        if connection.features.has_function(function):
            self.assertAlmostEqual(query(), expected)
        else:
            with self.assertRaisesRegex(
                NotSupportedError, rf"needs the SQL function {function}\(\)"
            ):
                query()

    def test_mathematics(self):
        x = Value(0.5, FloatField())
        for function, expression, expected in [
            ("acos", fn.ACos(x), math.acos(0.5)),
            ("asin", fn.ASin(x), math.asin(0.5)),
            ("atan", fn.ATan(x), math.atan(0.5)),
            ("atan2", fn.ATan2(x, Value(2.0)), math.atan2(0.5, 2)),
            ("cos", fn.Cos(x), math.cos(0.5)),
            ("exp", fn.Exp(x), math.exp(0.5)),
            ("ln", fn.Ln(x), math.log(0.5)),
            ("log", fn.Log(Value(2.0), x), -1),
            ("mod", fn.Mod(Value(5.5), Value(2.0)), 1.5),
            ("power", fn.Power(x, Value(3.0)), 0.125),
            ("power", F("id") * 0 + Value(2.0) ** Value(3.0), 8),
            ("sin", fn.Sin(x), math.sin(0.5)),
            ("sqrt", fn.Sqrt(x), math.sqrt(0.5)),
            ("tan", fn.Tan(x), math.tan(0.5)),
            ("tan", fn.Cot(x), 1 / math.tan(0.5)),
        ]:
            with self.subTest(expression=expression):
                self.check(
                    function,
                    expected,
                    lambda expression=expression: Author.objects.values_list(expression).get()[0],
                )

    def test_deviation(self):
        self.check("sqrt", 0, lambda: Author.objects.aggregate(d=StdDev("id"))["d"])

    def test_regular_expressions(self):
        self.check("regexp", 1, Author.objects.filter(full_name__regex="^A.n$").count)
        self.check("regexp", 1, Author.objects.filter(full_name__iregex="^a.N$").count)
        self.check("regexp", 0, Author.objects.filter(full_name__regex="^a").count)

    def test_hashes(self):
        with self.assertRaisesRegex(NotSupportedError, r"needs the SQL function md5\(\)"):
            Author.objects.values_list(fn.MD5("full_name")).get()
        with self.assertRaisesRegex(NotSupportedError, r"needs the SQL function sha256\(\)"):
            Author.objects.annotate(h=fn.SHA256("full_name")).filter(h="").count()
