"""pandas: data frames to and from a database, through SQLAlchemy and without."""

import datetime
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

import dqlite


@pytest.fixture
def folder(tmp_path):
    """An embedded node's, which would be large to keep."""
    yield str(tmp_path / "data")
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


@pytest.fixture(params=["engine", "connection"])
def database(request, folder):
    """What pandas is given: an engine, or a plain connection, of which it says it is not tested."""
    if request.param == "engine":
        engine = sa.create_engine(f"dqlite:///{folder}")
        yield engine
        engine.dispose()
    else:
        with warnings.catch_warnings(), dqlite.connect(folder) as connection:
            warnings.filterwarnings("ignore", "pandas only supports SQLAlchemy")
            yield connection


def a_frame():
    return pd.DataFrame(
        {
            "whole": np.array([1, -(2**63), 2**63 - 1], dtype="int64"),
            "real": [0.1, np.nan, float("inf")],
            "text": ["Ж", None, "o'clock; --"],
            "flag": [True, False, True],
            "day": [datetime.date(2024, 2, 29), None, datetime.date(1, 1, 1)],
            "when": pd.to_datetime(
                ["2024-02-29 12:00:00.000001", None, "1970-01-01"], format="ISO8601"
            ),
        }
    )


def test_there_and_back(database):
    frame = a_frame()
    assert frame.to_sql("item", database, index=False) in (None, 3)
    dates = {"when": {"format": "ISO8601"}}
    got = pd.read_sql("SELECT * FROM item", database, parse_dates=dates)
    assert list(got.columns) == list(frame.columns)
    assert got["whole"].tolist() == frame["whole"].tolist()
    assert got["whole"].dtype == "int64"
    assert got["real"].tolist()[0] == 0.1
    assert got["real"].isna().tolist() == [False, True, False]
    assert np.isinf(got["real"][2])
    assert got["text"].fillna("-").tolist() == ["Ж", "-", "o'clock; --"]
    assert got["flag"].astype(bool).tolist() == [True, False, True]
    assert [str(day)[:10] for day in got["day"] if day is not None and day == day] == [
        "2024-02-29",
        "0001-01-01",
    ]
    assert got["when"].tolist()[0] == pd.Timestamp("2024-02-29 12:00:00.000001")
    assert got["when"].isna().tolist() == [False, True, False]


def test_what_is_written_is_committed(database, folder):
    a_frame().to_sql("item", database, index=False)
    with dqlite.connect(folder) as other:
        assert other.execute("SELECT count(*) FROM item").fetchone() == (3,)


def test_an_existing_table(database):
    frame = pd.DataFrame({"n": [1, 2]})
    frame.to_sql("item", database, index=False)
    with pytest.raises(ValueError, match="already exists"):
        frame.to_sql("item", database, index=False)
    frame.to_sql("item", database, index=False, if_exists="append")
    assert len(pd.read_sql("SELECT * FROM item", database)) == 4
    frame.to_sql("item", database, index=False, if_exists="replace")
    assert len(pd.read_sql("SELECT * FROM item", database)) == 2


def test_an_index(database):
    frame = pd.DataFrame({"n": [1, 2]}, index=pd.Index(["a", "b"], name="key"))
    frame.to_sql("item", database)
    got = pd.read_sql("SELECT * FROM item", database, index_col="key")
    pd.testing.assert_frame_equal(got, frame, check_dtype=True, check_index_type=False)


def test_parameters(database):
    pd.DataFrame({"n": range(10)}).to_sql("item", database, index=False)
    if isinstance(database, sa.Engine):
        query, params = sa.text("SELECT n FROM item WHERE n > :n"), {"n": 7}
    else:
        query, params = "SELECT n FROM item WHERE n > ?", (7,)
    assert pd.read_sql(query, database, params=params)["n"].tolist() == [8, 9]


def test_chunks(database):
    pd.DataFrame({"n": range(1000)}).to_sql("item", database, index=False, chunksize=300)
    chunks = list(pd.read_sql("SELECT n FROM item ORDER BY n", database, chunksize=400))
    assert [len(chunk) for chunk in chunks] == [400, 400, 200]
    assert pd.concat(chunks)["n"].tolist() == list(range(1000))


def test_many_rows_in_one_insert(database):
    frame = pd.DataFrame({"a": range(500), "b": range(500)})
    frame.to_sql("item", database, index=False, method="multi", chunksize=100)
    got = pd.read_sql("SELECT sum(a), sum(b), count(*) FROM item", database)
    assert got.iloc[0].tolist() == [124750, 124750, 500]


def test_an_error_leaves_nothing_half_done(database):
    pd.DataFrame({"n": [1]}).to_sql("item", database, index=False)
    errors = (dqlite.OperationalError, sa.exc.OperationalError, pd.errors.DatabaseError)
    with pytest.raises(errors, match="no_such"):
        pd.read_sql("SELECT * FROM no_such_table", database)
    assert pd.read_sql("SELECT n FROM item", database)["n"].tolist() == [1]


def test_tables_by_name(folder):
    engine = sa.create_engine(f"dqlite:///{folder}")
    a_frame().to_sql("item", engine, index=False)
    got = pd.read_sql_table("item", engine)
    assert got["when"].dtype.kind == "M"
    assert got["flag"].dtype == "bool"
    engine.dispose()
