"""`python -m dqlite`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import dqlite

COMMAND = [sys.executable, "-m", "dqlite"]


def test_the_command_says_its_version_and_how_it_is_used() -> None:
    told = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"dqlite {dqlite.__version__}\n"
    wrong = subprocess.run([*COMMAND, "nonsense"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "Usage: dqlite" in wrong.stderr


def test_a_node_and_a_shell(tmp_path: Path) -> None:
    address = f"@dqlite-python-{tmp_path.name}-{id(tmp_path)}"
    node = subprocess.Popen(
        [*COMMAND, "node", "--dir", str(tmp_path), "--address", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert node.stdout is not None
        assert node.stdout.readline() == f"listening on {address}\n"
        sql = "CREATE TABLE t (a); INSERT INTO t VALUES (7); SELECT a FROM t"
        shell = [*COMMAND, "shell", "--servers", address, "--mode", "list", "-c", sql]
        told = subprocess.run(shell, capture_output=True, text=True, check=True, timeout=60)
        assert told.stdout.splitlines()[-1] == "7"
        connection = dqlite.connect(f"dqlite://{address}/main")
        assert connection.execute("SELECT a FROM t").fetchall() == [(7,)]
        connection.close()
    finally:
        node.send_signal(signal.SIGINT)
        assert node.wait(30) == 0
