"""Transactions, and what becomes of them side by side."""

import threading

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.test import TransactionTestCase

import dqlite
from shop.models import Author, Counter


def in_threads(count, work):
    """Runs it in several threads at once, each with a connection of its own."""
    failures = []

    def run():
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class TransactionTests(TransactionTestCase):
    def setUp(self):
        self.counter = Counter.objects.create()

    def count(self):
        return Counter.objects.get(pk=self.counter.pk).count

    def test_autocommit(self):
        Counter.objects.update(count=1)
        self.assertFalse(connection.connection.in_transaction)
        in_threads(1, lambda: self.assertEqual(self.count(), 1))

    def test_atomic(self):
        with transaction.atomic():
            Counter.objects.update(count=1)
            self.assertTrue(connection.connection.in_transaction)
            in_threads(1, lambda: self.assertEqual(self.count(), 0))
        in_threads(1, lambda: self.assertEqual(self.count(), 1))
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Counter.objects.update(count=2)
            raise ZeroDivisionError
        self.assertEqual(self.count(), 1)

    def test_savepoints(self):
        with transaction.atomic():
            Counter.objects.update(count=1)
            with self.assertRaises(IntegrityError), transaction.atomic():
                Counter.objects.update(count=2)
                Counter.objects.create(pk=self.counter.pk)
            self.assertEqual(self.count(), 1)
            with transaction.atomic():
                Counter.objects.update(count=3)
            savepoint = transaction.savepoint()
            Counter.objects.update(count=4)
            transaction.savepoint_rollback(savepoint)
        self.assertEqual(self.count(), 3)

    def test_a_broken_transaction_is_of_no_use(self):
        with self.assertRaises(transaction.TransactionManagementError), transaction.atomic():
            try:
                with transaction.atomic(savepoint=False):
                    Counter.objects.create(pk=self.counter.pk)
            except IntegrityError:
                pass
            self.count()

    def test_hooks(self):
        seen = []
        with transaction.atomic():
            transaction.on_commit(lambda: seen.append(self.count()))
            Counter.objects.update(count=5)
            self.assertEqual(seen, [])
        self.assertEqual(seen, [5])

    def test_deferred_foreign_keys(self):
        with self.assertRaises(IntegrityError), transaction.atomic():
            Author.objects.create(full_name="Ann", mentor_id=17)
        self.assertEqual(Author.objects.count(), 0)
        with transaction.atomic():
            Author.objects.create(full_name="Ann", mentor_id=17)
            Author.objects.create(pk=17, full_name="Bob")
        self.assertEqual(Author.objects.count(), 2)

    def test_manual_transactions(self):
        transaction.set_autocommit(False)
        try:
            Counter.objects.update(count=6)
            transaction.rollback()
            self.assertEqual(self.count(), 0)
            Counter.objects.update(count=7)
            transaction.commit()
        finally:
            transaction.set_autocommit(True)
        self.assertEqual(self.count(), 7)

    def test_side_by_side(self):
        def count_up():
            for _ in range(20):
                with transaction.atomic():
                    counter = Counter.objects.get(pk=self.counter.pk)
                    counter.count += 1
                    counter.save()
                Counter.objects.update(count=F("count") + 1)

        in_threads(4, count_up)
        self.assertEqual(self.count(), 4 * 20 * 2)

    def test_a_lost_connection_is_noticed(self):
        self.count()
        connection.connection.close()
        with self.assertRaises(DatabaseError):
            self.count()
        self.assertFalse(connection.is_usable())
        connection.close_if_unusable_or_obsolete()
        self.assertEqual(self.count(), 0)

    def test_errors_have_their_cause(self):
        with self.assertRaises(IntegrityError) as caught:
            Counter.objects.create(pk=self.counter.pk)
        self.assertIsInstance(caught.exception.__cause__, dqlite.IntegrityError)
        self.assertEqual(caught.exception.__cause__.id, "constraint.primary_key")
