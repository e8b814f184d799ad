"""The public compliance suite of the DB-API: every test of it, on an embedded node."""

import shutil
import tempfile

import dbapi20
import pytest

import dqlite


class TestCompliance(dbapi20.DatabaseAPI20Test):
    """The three that are overridden are those that the suite leaves to drivers, and `close`."""

    driver = dqlite

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.connect_args = (self.folder,)

    def tearDown(self):
        shutil.rmtree(self.folder)

    def test_nextset(self):
        """The suite wants an override. A statement has one result, so `nextset` is left out."""
        connection = self._connect()
        assert not hasattr(connection.cursor(), "nextset")
        assert not hasattr(connection.cursor(), "callproc")
        connection.close()

    def test_setoutputsize(self):
        """The suite wants an override. Large values come whole, whatever was announced."""
        connection = self._connect()
        cursor = connection.cursor()
        cursor.setoutputsize(10)
        cursor.execute("SELECT ?", ("x" * 100_000,))
        assert cursor.fetchone() == ("x" * 100_000,)
        connection.close()

    def test_non_idempotent_close(self):
        """The suite says that reasonable persons differ: in all five languages, twice is fine.

        Everything else is an error on a closed connection.
        """
        connection = self._connect()
        cursor = connection.cursor()
        connection.close()
        connection.close()
        for call in (
            connection.cursor,
            connection.commit,
            connection.rollback,
            lambda: connection.execute("SELECT 1"),
            lambda: cursor.execute("SELECT 1"),
            cursor.fetchone,
        ):
            with pytest.raises(dqlite.Error):
                call()


def test_nothing_else_is_overridden():
    """The suite has 36 tests; all run."""
    tests = {name for name in vars(dbapi20.DatabaseAPI20Test) if name.startswith("test_")}
    assert len(tests) == 36
    own = {name for name in vars(TestCompliance) if name.startswith("test_")}
    assert own == {"test_nextset", "test_setoutputsize", "test_non_idempotent_close"}
