"""``manage.py dbshell``: the project's own shell."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from django.db import NotSupportedError
from django.db.backends.base.client import BaseDatabaseClient

from .target import servers


class DatabaseClient(BaseDatabaseClient):
    """The shell of the command line that comes with the package."""

    executable_name = sys.executable

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], None]:
        hosts = servers(settings_dict)
        if not hosts:
            raise NotSupportedError("An embedded node serves its own process, not a shell.")
        name = settings_dict["NAME"]
        command = [sys.executable, "-m", "dqlite", "shell", "--servers", ",".join(hosts), name]
        return [*command, *parameters], None
