"""What settings mean."""

import os

from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError, connection
from django.db.utils import ConnectionHandler
from django.test import SimpleTestCase

from dqlite.django.client import DatabaseClient


def wrapper(**settings):
    """A connection that is not open yet."""
    return ConnectionHandler({"default": {"ENGINE": "dqlite.django", **settings}})["default"]


class SettingsTests(SimpleTestCase):
    databases = {"default"}

    def params(self, **settings):
        return wrapper(**settings).get_connection_params()

    def test_targets(self):
        for settings, target in [
            ({"NAME": "app", "HOST": "h1:9001"}, "dqlite://h1:9001/app"),
            ({"NAME": "app", "HOST": "h1:1, h2", "PORT": 2}, "dqlite://h1:1,h2:2/app"),
            ({"NAME": "a/b", "HOST": "[::1]", "PORT": "2"}, "dqlite://[::1]:2/a%2Fb"),
            ({"NAME": "/srv/data"}, "/srv/data"),
            ({"NAME": "data"}, os.path.abspath("data")),
        ]:
            self.assertEqual(self.params(**settings), {"target": target, "convert": "decltype"})

    def test_options(self):
        options = {"convert": "none", "transaction_mode": "immediate", "timeout": 3}
        self.assertEqual(
            self.params(NAME="/x", OPTIONS=options),
            {"target": "/x", "convert": "none", "timeout": 3},
        )

    def test_mistakes(self):
        for settings, complaint in [
            ({"NAME": ""}, "needs a NAME"),
            ({"NAME": "x", "USER": "me"}, "no users"),
            ({"NAME": "x", "OPTIONS": {"transaction_mode": "SLOW"}}, "SLOW"),
            ({"NAME": "x", "OPTIONS": {"autocommit": False}}, "AUTOCOMMIT"),
        ]:
            with self.assertRaisesRegex(ImproperlyConfigured, complaint):
                self.params(**settings)

    def test_shell(self):
        settings = wrapper(NAME="app", HOST="h1:1,h2:1").settings_dict
        command, _ = DatabaseClient.settings_to_cmd_args_env(settings, ["-c", "SELECT 1"])
        self.assertEqual(
            command[1:],
            ["-m", "dqlite", "shell", "--servers", "h1:1,h2:1", "app", "-c", "SELECT 1"],
        )
        with self.assertRaises(NotSupportedError):
            DatabaseClient.settings_to_cmd_args_env(wrapper(NAME="/x").settings_dict, [])

    def test_the_version_is_the_servers(self):
        with connection.cursor() as cursor:
            version = cursor.execute("SELECT sqlite_version()").fetchone()[0]
        self.assertEqual(".".join(map(str, connection.get_database_version())), version)

    def test_init_command(self):
        database = wrapper(
            **{key: connection.settings_dict[key] for key in ("NAME", "HOST")},
            OPTIONS={"init_command": "PRAGMA cache_size = -77; PRAGMA temp_store = 2;"},
        )
        with database.cursor() as cursor:
            self.assertEqual(cursor.execute("PRAGMA cache_size").fetchone(), (-77,))
        database.close()
