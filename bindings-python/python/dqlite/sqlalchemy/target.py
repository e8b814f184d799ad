"""What a URL of SQLAlchemy's says to ``dqlite.connect``."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy.engine.url import URL
from sqlalchemy.exc import ArgumentError

FORMS = (
    "dqlite://host:port/database, dqlite://host:port/database?servers=host:port,host:port, "
    "dqlite:///relative/folder, dqlite:////absolute/folder"
)
REFUSED = {
    "autocommit": 'isolation_level="AUTOCOMMIT" on the engine or connection says this',
    "convert": "SQLAlchemy converts by the types of columns",
}
WORDS = {"true": True, "yes": True, "on": True, "1": True}
WORDS |= {"false": False, "no": False, "off": False, "0": False}


def connect_arguments(url: URL) -> tuple[list[str], dict[str, Any]]:
    """The arguments for ``dqlite.connect``, positional ones and keywords."""
    if url.username or url.password:
        raise ArgumentError(f"dqlite has no users and passwords. Forms of a URL: {FORMS}")
    options = _options(url)
    servers = _servers(url, options.pop("servers", ""))
    if servers:
        query = f"?{urlencode(options)}" if options else ""
        database = quote(url.database or "", safe="")
        return [f"dqlite://{','.join(servers)}/{database}{query}"], {"autocommit": False}
    if not url.database:
        raise ArgumentError(f"a URL names a host or a folder: {FORMS}")
    keywords = {name: _embedded(name, text) for name, text in options.items()}
    return [os.path.abspath(url.database)], keywords | {"autocommit": False}


def _options(url: URL) -> dict[str, str]:
    for name, why in REFUSED.items():
        if name in url.query:
            raise ArgumentError(f"{name} cannot stand in the URL: {why}")
    joined = dict(url.query)
    if isinstance(servers := joined.get("servers"), tuple):
        joined["servers"] = ",".join(servers)
    if several := [name for name, text in joined.items() if not isinstance(text, str)]:
        raise ArgumentError(f"{several[0]} is given twice")
    return {name: str(text) for name, text in joined.items()}


def _servers(url: URL, more: str) -> list[str]:
    servers = []
    # SQLAlchemy leaves commas in the host alone, so one port can stand for many hosts.
    for host in (url.host or "").split(","):
        if host:
            host = f"[{host}]" if ":" in host else host
            servers.append(f"{host}:{url.port}" if url.port else host)
    return servers + [server.strip() for server in more.split(",") if server.strip()]


def _embedded(name: str, text: str) -> str | bool | float:
    """The value of a keyword: options are text in a URL of our own only."""
    if name == "retry":
        if text.lower() not in WORDS:
            raise ArgumentError(f"{name}={text}: neither true nor false")
        return WORDS[text.lower()]
    if name in ("timeout", "busy_timeout", "max_staleness"):
        try:
            return float(text)
        except ValueError:
            raise ArgumentError(f"{name}={text}: not a number of seconds") from None
    return text
