"""What the settings of a database say to ``dqlite.connect``."""

from __future__ import annotations

import os
import threading
from typing import Any
from urllib.parse import quote

import dqlite
from django.core.exceptions import ImproperlyConfigured

# One connection for each folder that is in use here, by the process that opened it. The last one to
# close would stop the node, and Django closes connections with each request.
_anchors: dict[tuple[int, str], dqlite.Connection] = {}
_lock = threading.Lock()


def servers(settings: dict[str, Any]) -> list[str]:
    """The addresses of ``HOST``, those without a port with that of ``PORT``; none if embedded."""
    port = settings.get("PORT")
    hosts = [host.strip() for host in (settings.get("HOST") or "").split(",") if host.strip()]
    return [f"{host}:{port}" if port and not _has_port(host) else host for host in hosts]


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def target(settings: dict[str, Any]) -> str:
    """A URL, or the path of an embedded node."""
    if not settings["NAME"]:
        raise ImproperlyConfigured(
            "settings.DATABASES needs a NAME: the database's, or a folder if there is no HOST."
        )
    if settings.get("USER") or settings.get("PASSWORD"):
        raise ImproperlyConfigured("dqlite has no users: certificates say who may connect.")
    if hosts := servers(settings):
        return f"dqlite://{','.join(hosts)}/{quote(str(settings['NAME']), safe='')}"
    return os.path.abspath(str(settings["NAME"]))


def hold(folder: str) -> None:
    """Keeps the folder's node running until `let_go` or the end of the process."""
    with _lock:
        held = _anchors.get((os.getpid(), folder))
        if held is None or held.closed:
            _anchors[os.getpid(), folder] = dqlite.connect(folder)


def let_go(folder: str) -> None:
    """Lets the folder's node stop with its last connection."""
    with _lock:
        held = _anchors.pop((os.getpid(), folder), None)
    if held is not None:
        held.close()
