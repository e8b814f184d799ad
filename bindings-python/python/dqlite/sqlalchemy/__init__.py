"""SQLAlchemy's way in: ``dqlite://`` for engines, ``dqlite+aio://`` for asynchronous ones.

A client of a cluster names any of its nodes in the place of the host, and others in ``servers``,
since SQLAlchemy reads only one port there::

    create_engine("dqlite://node1:9001/app?servers=node2:9001,node3:9001")
    create_engine("dqlite://node1,node2,node3:9001/app?consistency=session")

An embedded node has a folder instead, relative after three slashes and absolute after four::

    create_engine("dqlite:///var/data")
    create_engine("dqlite:////srv/app/data?database=orders")

What else stands behind the question mark are options of :func:`dqlite.connect`. Two of them are
SQLAlchemy's own business and refused: ``autocommit`` (say ``isolation_level="AUTOCOMMIT"``) and
``convert`` (types of columns do that).

To SQLAlchemy this is SQLite, so options such as ``sqlite_where`` and constructs such as
``sqlalchemy.dialects.sqlite.insert`` work as they are. It differs from ``sqlite://`` in this:

- There are two isolation levels, ``SERIALIZABLE`` and ``AUTOCOMMIT``. As with ``sqlite3``, a
  transaction begins with its first write.
- A savepoint is one within a transaction, even if it is the first thing in it.
- Foreign keys are enforced.
- Functions cannot be added to SQL, for it may run on another machine. A regular expression
  therefore needs a server that has ``REGEXP``.
"""

from .aio import AsyncDialect
from .dialect import Dialect

__all__ = ["AsyncDialect", "Dialect"]
