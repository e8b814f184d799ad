"""Migrations on data: nothing may be lost when a table is made anew."""

import io
from unittest import mock

from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.test import TransactionTestCase

from dqlite.django.base import DatabaseWrapper


def migrate(name):
    """Goes to a migration of the shop; gives the models as they are there."""
    executor = MigrationExecutor(connection)
    executor.migrate([("shop", name)])
    return MigrationExecutor(connection).loader.project_state([("shop", name)]).apps


def rows(sql, *params):
    """What a query gives."""
    with connection.cursor() as cursor:
        return cursor.execute(sql, params).fetchall()


class MigrationTests(TransactionTestCase):
    def setUp(self):
        old = migrate("0001_initial")
        ann = old.get_model("shop", "Author").objects.create(name="Ann", born="1970-01-02")
        old.get_model("shop", "Book").objects.create(title="I", author=ann, price="1.50")
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO shop_note VALUES (%s, %s)", ("good", ann.pk))

    def tearDown(self):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM shop_note")
        migrate("0003_tags")

    def test_rows_and_what_refers_to_them_survive(self):
        new = migrate("0003_tags")
        (author,) = new.get_model("shop", "Author").objects.all()
        self.assertEqual((author.full_name, author.born.year, author.email), ("Ann", 1970, None))
        (book,) = author.books.all()
        self.assertEqual(
            (book.title, str(book.price), book.weight, book.twice), ("I", "1.50", 1, 2)
        )
        # Foreign keys that are enforced would have taken it along with the old table.
        self.assertEqual(rows("SELECT body FROM shop_note"), [("good",)])
        self.assertEqual(rows("PRAGMA foreign_key_check"), [])
        self.assertEqual(rows("PRAGMA foreign_keys"), [(1,)])

    def test_back_and_forth(self):
        migrate("0003_tags")
        old = migrate("0001_initial")
        (author,) = old.get_model("shop", "Author").objects.all()
        self.assertEqual((author.name, author.born), ("Ann", "1970-01-02"))
        self.assertNotIn("shop_tag", connection.introspection.table_names())
        self.assertEqual(rows("SELECT body FROM shop_note"), [("good",)])

    def test_the_new_constraints_hold(self):
        new = migrate("0003_tags")
        author, book = new.get_model("shop", "Author"), new.get_model("shop", "Book")
        with self.assertRaises(IntegrityError):
            author.objects.create(full_name="ANN", born="1970-01-02")
        author.objects.create(full_name="ANN", born="1970-01-03")
        with self.assertRaises(IntegrityError):
            book.objects.update(price=-1)
        with self.assertRaises(IntegrityError):
            book.objects.update(pages=-1)

    def test_a_migration_that_fails_leaves_nothing(self):
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA foreign_keys = OFF")
            cursor.execute("UPDATE shop_book SET author_id = 17")
            cursor.execute("PRAGMA foreign_keys = ON")
        with self.assertRaisesRegex(IntegrityError, "shop_author"):
            migrate("0002_remake")
        self.assertEqual(rows("SELECT name FROM shop_author"), [("Ann",)])
        self.assertFalse(connection.in_atomic_block)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM shop_book")

    def test_no_table_is_made_anew_while_foreign_keys_are_enforced(self):
        off = mock.patch.object(DatabaseWrapper, "disable_constraint_checking", return_value=True)
        with off, self.assertRaisesRegex(OperationalError, "run it again"):
            migrate("0002_remake")
        self.assertFalse(connection.in_atomic_block)
        self.assertEqual(rows("SELECT body FROM shop_note"), [("good",)])


class CommandTests(TransactionTestCase):
    def test_models_and_migrations_agree(self):
        call_command("makemigrations", "--check", "--dry-run", verbosity=0)

    def test_inspection(self):
        out = io.StringIO()
        call_command("inspectdb", "shop_book", "shop_author", stdout=out)
        text = out.getvalue()
        self.assertIn("price = models.DecimalField(", text)
        self.assertIn("models.ForeignKey(ShopAuthor", text.replace("'", ""))
        self.assertIn("models.DateTimeField(", text)

    def test_sql_of_a_migration(self):
        out = io.StringIO()
        call_command("sqlmigrate", "shop", "0003", stdout=out)
        self.assertIn('CREATE TABLE "shop_tagging"', out.getvalue())

    def test_constraints_are_found_again(self):
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, "shop_book")
        self.assertTrue(found["not_below_0"]["check"])
        self.assertTrue(found["by_year"]["index"])

    def test_what_refers_to_a_table(self):
        references = connection.ops._references_graph("shop_author")
        self.assertEqual(references[0], "shop_author")
        self.assertEqual(
            set(references[1:]), {"shop_author_friends", "shop_book", "shop_note", "shop_tagging"}
        )
