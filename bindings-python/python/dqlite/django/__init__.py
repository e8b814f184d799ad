"""Django's way in: a database backend on a cluster, or on an embedded node.

A cluster::

    DATABASES = {"default": {
        "ENGINE": "dqlite.django",
        "NAME": "app",
        "HOST": "node1:9001,node2:9001,node3:9001",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }}

An embedded node, which has a folder in place of a host and serves one process::

    DATABASES = {"default": {"ENGINE": "dqlite.django", "NAME": BASE_DIR / "data"}}

``OPTIONS`` takes those of :func:`dqlite.connect` and, of Django's own for SQLite,
``transaction_mode`` and ``init_command``. ``IMMEDIATE`` is a good choice where many write: a
transaction then waits for its turn as it begins, and does not fail in the middle.

To Django this is SQLite, with the differences that follow from its SQL running on another machine,
where there is no Python. What Django computes in Python for SQLite is plain SQL here: parts of
dates in any time zone, sums of dates and durations, padded and reversed text, variance. What SQLite
itself does not have is a ``NotSupportedError``: regular expressions, hashes, logarithms and the
like, unless the server brings them.
"""
