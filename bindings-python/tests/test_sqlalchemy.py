"""The SQLAlchemy dialects, where they differ from SQLAlchemy's own for SQLite."""

import asyncio
import datetime
import decimal
import os
import shutil
from importlib.metadata import entry_points

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import dqlite
from dqlite.sqlalchemy import AsyncDialect, Dialect


class Base(DeclarativeBase):
    """Of the tests' tables."""


class Author(Base):
    """One that has books."""

    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    """One of each of the types that SQLite does not have."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    price: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(8, 2))
    printed: Mapped[datetime.datetime]
    day: Mapped[datetime.date]
    tags: Mapped[list] = mapped_column(sa.JSON)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def a_book(**fields):
    """A book that only its author lacks."""
    known = {
        "title": "Fjällnära",
        "price": decimal.Decimal("12.30"),
        "printed": datetime.datetime(2024, 2, 29, 23, 59, 59, 999999),
        "day": datetime.date(1, 1, 1),
        "tags": ["a", {"b": None}],
    }
    return Book(**(known | fields))


@pytest.fixture
def url(tmp_path):
    """An embedded node of its own for each test, which would be large to keep."""
    yield f"dqlite:///{tmp_path / 'data'}?database=app"
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


@pytest.fixture
def engine(url):
    """With the tables made."""
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "target", "options"),
    [
        ("dqlite://h1:9001/app", "dqlite://h1:9001/app", {}),
        ("dqlite://h1/app", "dqlite://h1/app", {}),
        (
            "dqlite://h1:9001/app?servers=h2:9002,h3:9003",
            "dqlite://h1:9001,h2:9002,h3:9003/app",
            {},
        ),
        (
            "dqlite://h1:9001/app?servers=h2:9002&servers=h3:9003",
            "dqlite://h1:9001,h2:9002,h3:9003/app",
            {},
        ),
        ("dqlite://h1,h2,h3:9001/app", "dqlite://h1:9001,h2:9001,h3:9001/app", {}),
        ("dqlite:///app?servers=h2:9002", "dqlite://h2:9002/app", {}),
        ("dqlite://[::1]:9001/app", "dqlite://[::1]:9001/app", {}),
        (
            "dqlite://h1:9001/app?consistency=stale&max_staleness=250ms",
            "dqlite://h1:9001/app?consistency=stale&max_staleness=250ms",
            {},
        ),
        ("dqlite:///some/folder", os.path.abspath("some/folder"), {}),
        ("dqlite:////some/folder", "/some/folder", {}),
        (
            "dqlite:////some/folder?database=app&timeout=2.5&retry=false&consistency=leader",
            "/some/folder",
            {"database": "app", "timeout": 2.5, "retry": False, "consistency": "leader"},
        ),
    ],
)
def test_urls(url, target, options):
    for dialect in (Dialect(), AsyncDialect()):
        arguments, keywords = dialect.create_connect_args(sa.make_url(url))
        assert arguments == [target]
        assert keywords == options | {"autocommit": False}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("dqlite://", "names a host or a folder"),
        ("dqlite://me@h1:9001/app", "no users"),
        ("dqlite://h1:9001/app?autocommit=true", "isolation_level"),
        ("dqlite:///data?convert=decltype", "types of columns"),
        ("dqlite:///data?retry=maybe", "retry=maybe"),
        ("dqlite:///data?timeout=soon", "timeout=soon"),
        ("dqlite://h1:9001/app?timeout=1&timeout=2", "timeout is given twice"),
    ],
)
def test_refused_urls(url, complaint):
    with pytest.raises(sa.exc.ArgumentError, match=complaint):
        Dialect().create_connect_args(sa.make_url(url))


def test_unknown_option(tmp_path):
    engine = sa.create_engine(f"dqlite:///{tmp_path / 'data'}?colour=red")
    with pytest.raises((sa.exc.InterfaceError, TypeError), match="colour"):
        engine.connect()


def test_entry_points():
    found = {entry.name: entry.value for entry in entry_points(group="sqlalchemy.dialects")}
    assert found["dqlite"] == "dqlite.sqlalchemy:Dialect"
    assert found["dqlite.aio"] == "dqlite.sqlalchemy:AsyncDialect"
    assert sa.make_url("dqlite:///x").get_dialect() is Dialect
    assert sa.make_url("dqlite+aio:///x").get_dialect() is AsyncDialect


def test_types_and_relations(engine):
    with Session(engine) as session:
        session.add(Author(name="Ann", books=[a_book(), a_book(title="II", tags=[])]))
        session.commit()
    with Session(engine) as session:
        book = session.scalars(sa.select(Book).order_by(Book.id)).first()
        assert (book.title, book.price) == ("Fjällnära", decimal.Decimal("12.30"))
        assert book.printed == datetime.datetime(2024, 2, 29, 23, 59, 59, 999999)
        assert book.day == datetime.date(1, 1, 1)
        assert book.tags == ["a", {"b": None}]
        total = session.execute(
            sa.select(Author.name, sa.func.count(), sa.func.sum(Book.price))
            .join(Book)
            .group_by(Author.name)
        )
        assert total.all() == [("Ann", 2, decimal.Decimal("24.60"))]


def test_what_is_stored_is_there_for_another_engine(url, engine):
    with Session(engine) as session:
        session.add(Author(name="Ann"))
        session.commit()
    engine.dispose()
    again = sa.create_engine(url)
    with again.connect() as connection:
        assert connection.scalar(sa.select(Author.name)) == "Ann"
    again.dispose()


def test_errors_keep_their_class_and_id(engine):
    with Session(engine) as session:
        session.add_all([Author(name="Ann"), Author(name="Ann")])
        with pytest.raises(sa.exc.IntegrityError) as caught:
            session.commit()
    assert isinstance(caught.value.orig, dqlite.IntegrityError)
    assert caught.value.orig.id == "constraint.unique"
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError, match="no_such"):
        connection.exec_driver_sql("SELECT * FROM no_such_table")


def test_foreign_keys_hold(engine):
    with Session(engine) as session:
        session.add(a_book(author_id=17))
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()


def test_rollback(engine):
    with engine.connect() as connection:
        connection.execute(sa.insert(Author).values(name="Ann"))
        assert connection.connection.dbapi_connection.in_transaction
        connection.rollback()
        assert connection.scalar(sa.select(sa.func.count()).select_from(Author)) == 0


def test_ddl_is_part_of_the_transaction(engine):
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE brief (a)")
        connection.rollback()
    assert not sa.inspect(engine).has_table("brief")


def test_a_savepoint_that_comes_first_does_not_commit(engine):
    with engine.connect() as connection:
        with connection.begin_nested():
            connection.execute(sa.insert(Author).values(name="Ann"))
        connection.rollback()
        assert connection.scalar(sa.select(sa.func.count()).select_from(Author)) == 0


def test_rollback_to_a_savepoint(engine):
    with Session(engine) as session:
        session.add(Author(name="Ann"))
        session.flush()
        nested = session.begin_nested()
        session.add(Author(name="Bob"))
        session.flush()
        nested.rollback()
        session.commit()
        assert session.scalars(sa.select(Author.name)).all() == ["Ann"]


def test_isolation_levels(engine):
    with engine.connect() as connection:
        assert connection.get_isolation_level() == "SERIALIZABLE"
        connection.execution_options(isolation_level="AUTOCOMMIT")
        assert connection.get_isolation_level() == "AUTOCOMMIT"
        connection.execute(sa.insert(Author).values(name="Ann"))
        connection.rollback()
        assert connection.scalar(sa.select(Author.name)) == "Ann"
    with engine.connect() as connection:
        assert connection.get_isolation_level() == "SERIALIZABLE"
    with pytest.raises(sa.exc.ArgumentError, match="READ UNCOMMITTED"):
        engine.connect().execution_options(isolation_level="READ UNCOMMITTED")


def test_a_closed_connection_is_replaced(engine):
    with engine.connect() as connection:
        connection.connection.dbapi_connection.close()
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.scalar(sa.select(1))
        assert caught.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.scalar(sa.select(1)) == 1


def test_a_failed_statement_does_not_cost_the_connection(engine):
    with engine.connect() as connection:
        before = connection.connection.dbapi_connection
        with pytest.raises(sa.exc.OperationalError) as caught:
            connection.exec_driver_sql("SELECT nonsense")
        assert not caught.value.connection_invalidated
        connection.rollback()
        assert connection.connection.dbapi_connection is before


@pytest.mark.parametrize("value", [2.0, 2.3, 0.0, -0.5, -2.0, -2.3, 1e300, -1e300, 7, None])
def test_floor(engine, value):
    expected = None if value is None else value // 1
    x = sa.literal(value, sa.Float)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.floor(x))) == expected
        assert connection.scalar(sa.select(x // sa.literal(1.0))) == expected


def test_regular_expressions_work_or_are_refused(engine):
    with engine.connect() as connection:
        query = sa.select(sa.literal("abc").regexp_match("^a.c$"))
        has = "SELECT count(*) FROM pragma_function_list WHERE name = 'regexp'"
        if connection.exec_driver_sql(has).scalar():
            assert connection.scalar(query) == 1
        else:
            with pytest.raises(sa.exc.OperationalError, match=r"(?i)no such function: regexp"):
                connection.scalar(query)


def test_upsert(engine):
    from sqlalchemy.dialects.sqlite import insert

    statement = insert(Author).values(id=1, name="Ann")
    statement = statement.on_conflict_do_update(
        index_elements=["id"], set_={"name": statement.excluded.name + "!"}
    ).returning(Author.name)
    with engine.begin() as connection:
        assert connection.scalar(statement) == "Ann"
        assert connection.scalar(statement) == "Ann!"


def test_many_inserts_give_their_keys(engine):
    with Session(engine) as session:
        authors = [Author(name=f"author {n}") for n in range(2500)]
        session.add_all(authors)
        session.commit()
        assert len({author.id for author in authors}) == 2500


def asynchronous(url):
    """The same database for the other dialect."""
    return url.replace("dqlite:", "dqlite+aio:")


def test_async_sessions_side_by_side(url, engine):
    async def add(async_engine, number):
        async with AsyncSession(async_engine) as session:
            session.add(Author(name=f"author {number}"))
            await session.commit()

    async def main():
        async_engine = create_async_engine(asynchronous(url))
        await asyncio.gather(*(add(async_engine, number) for number in range(20)))
        async with async_engine.connect() as connection:
            count = await connection.scalar(sa.select(sa.func.count()).select_from(Author))
        await async_engine.dispose()
        return count

    assert asyncio.run(main()) == 20


def test_async_results_stream(url, engine):
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " SELECT i FROM n"
    )

    async def main():
        async_engine = create_async_engine(asynchronous(url))
        seen = 0
        async with async_engine.connect() as connection:
            result = await connection.stream(sa.text(numbers))
            assert result._real_result.cursor.server_side
            async for (number,) in result:
                seen += 1
                assert number == seen
        await async_engine.dispose()
        return seen

    assert asyncio.run(main()) == 5000


def test_async_isolation_and_savepoints(url, engine):
    async def main():
        async_engine = create_async_engine(asynchronous(url))
        count = sa.select(sa.func.count()).select_from(Author)
        async with async_engine.connect() as connection:
            async with connection.begin_nested():
                await connection.execute(sa.insert(Author).values(name="Ann"))
            await connection.rollback()
            assert await connection.scalar(count) == 0
        async with async_engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(sa.insert(Author).values(name="Ann"))
            await connection.rollback()
            assert await connection.scalar(count) == 1
        await async_engine.dispose()

    asyncio.run(main())


def test_async_cancelling_leaves_the_engine_usable(url, engine):
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )

    async def main():
        async_engine = create_async_engine(asynchronous(url))
        with pytest.raises(asyncio.TimeoutError):
            async with async_engine.connect() as connection:
                await asyncio.wait_for(connection.execute(sa.text(endless)), 0.2)
        async with async_engine.connect() as connection:
            assert await connection.scalar(sa.select(1)) == 1
        await async_engine.dispose()

    asyncio.run(main())
