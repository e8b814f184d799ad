"""Test suites that need a pytest, or a test runner, of their own: each in a process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(folder, *command, **environment):
    """Runs it in a folder beside this file; gives what it printed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=HERE / folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    print(done.stdout)
    assert done.returncode == 0, f"{folder}: {done.stdout[-4000:]}"
    return done.stdout


@pytest.mark.parametrize("database", ["default", "aio"])
def test_sqlalchemy_dialect_suite(database):
    """SQLAlchemy's own: 1610 pass and 188 are skipped on its dialect for SQLite in memory."""
    printed = run("sqlalchemy", "-m", "pytest", "-q", "--db", database)
    passed, skipped = map(int, re.search(r"(\d+) passed, (\d+) skipped", printed).groups())
    assert passed >= 1600
    assert skipped <= 200


def test_django_project():
    """Migrations and the ORM, on an embedded node."""
    printed = run("django", "manage.py", "test", "--noinput")
    assert int(re.search(r"Ran (\d+) tests", printed)[1]) >= 76


def test_django_project_on_a_cluster(tmp_path):
    """The same on three nodes, over the network."""
    from cluster_of_processes import ProcessCluster

    cluster = ProcessCluster(tmp_path)
    try:
        servers = ",".join(cluster.addresses)
        run("django", "manage.py", "test", "--noinput", DQLITE_TEST_SERVERS=servers)
    finally:
        cluster.close()
