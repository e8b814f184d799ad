"""The leader is killed under a program that writes: nothing is lost, nothing done twice."""

import threading
from collections import Counter

import pytest
from cluster_of_processes import ProcessCluster

import dqlite

KILLS = 3
BETWEEN_KILLS = 60
# Makes it likely that a leader is killed in the middle of a transaction, and not at its end only.
SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
    " SELECT count(*) FROM n"
)


@pytest.fixture
def cluster(tmp_path):
    cluster = ProcessCluster(tmp_path)
    yield cluster
    cluster.close()


class Worker(threading.Thread):
    """Counts up, and notes which of its increments were acknowledged."""

    def __init__(self, name, url, increment):
        super().__init__(name=name)
        self.increment = increment
        self.connection = dqlite.connect(f"{url}/bank", timeout=60, busy_timeout=60)
        self.acknowledged = []
        self.failure = None
        self.ending = threading.Event()
        self.progress = threading.Semaphore(0)

    def run(self):
        try:
            number = 0
            while not self.ending.is_set():
                number += 1
                mark = f"{self.name} {number}"
                self.increment(self.connection, mark)
                self.acknowledged.append(mark)
                self.progress.release()
        except BaseException as error:
            self.failure = error
            self.progress.release(10**6)
        finally:
            self.connection.close()

    def wait_for(self, count):
        """Until so many more increments were acknowledged."""
        for _ in range(count):
            assert self.progress.acquire(timeout=120), f"{self.name} is stuck"


def body(mark):
    """What one transaction does."""

    def run(connection):
        connection.execute("UPDATE account SET balance = balance + 1")
        connection.execute(SLOW).fetchone()
        connection.execute("INSERT INTO done VALUES (?)", (mark,))

    return run


def by_callback(connection, mark):
    """The form that tries again by itself. Nothing may escape from it."""
    connection.transaction(body(mark))


def by_block(connection, mark):
    """The form that cannot: the program decides by what the error says."""
    while True:
        try:
            with connection.transaction():
                body(mark)(connection)
            return
        except dqlite.OutcomeUnknownError as error:
            if error.resolve():
                return
        except dqlite.Error as error:
            if error.retryable == "no":
                raise


def test_a_killed_leader_loses_nothing(cluster):
    with dqlite.connect(f"{cluster.url}/bank", timeout=60, autocommit=True) as connection:
        connection.executescript(
            "CREATE TABLE account (balance INTEGER NOT NULL);"
            "INSERT INTO account VALUES (0);"
            "CREATE TABLE done (mark TEXT NOT NULL)"
        )
    workers = [
        Worker("callback", cluster.url, by_callback),
        Worker("block", cluster.url, by_block),
    ]
    for worker in workers:
        worker.start()
    leaders = []
    try:
        for _ in range(KILLS):
            for worker in workers:
                worker.wait_for(BETWEEN_KILLS)
            leaders.append(cluster.leader())
            cluster.kill(leaders[-1])
            for worker in workers:
                worker.wait_for(BETWEEN_KILLS)
            cluster.start(leaders[-1])
    finally:
        for worker in workers:
            worker.ending.set()
        for worker in workers:
            worker.join()
    for worker in workers:
        if worker.failure is not None:
            raise AssertionError(f"{worker.name} failed") from worker.failure
    with dqlite.connect(f"{cluster.url}/bank", timeout=60) as connection:
        done = Counter(mark for (mark,) in connection.execute("SELECT mark FROM done"))
        ((balance,),) = connection.execute("SELECT balance FROM account").fetchall()
    acknowledged = [mark for worker in workers for mark in worker.acknowledged]
    assert done == Counter(acknowledged)
    assert balance == len(acknowledged) >= 2 * KILLS * 2 * BETWEEN_KILLS
