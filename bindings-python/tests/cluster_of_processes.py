"""A cluster whose nodes are processes of their own, to be killed.

Run with a folder, an address and others to join, this is one of the nodes.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import dqlite


class ProcessCluster:
    """Three nodes, made through `dqlite.Node`."""

    def __init__(self, folder, count=3):
        self.folder = Path(folder) / "nodes"
        self.addresses = [f"127.0.0.1:{port}" for port in _free_ports(count)]
        self.processes = {}
        for address in self.addresses:
            self.start(address)

    @property
    def url(self):
        """Where clients find it."""
        return f"dqlite://{','.join(self.addresses)}"

    def start(self, address):
        """Starts a node, or starts it again; it is a member when this returns."""
        others = [] if address == self.addresses[0] else self.addresses[:1]
        folder = self.folder / address.rpartition(":")[2]
        folder.parent.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, __file__, str(folder), address, *others],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes[address] = process
        assert process.stdout.readline() == "ready\n", f"{address} did not start"

    def leader(self):
        """The address of the node that leads."""
        return dqlite.Cluster(self.url, timeout=30).leader().address

    def kill(self, address):
        """Ends a node without a chance to say anything."""
        process = self.processes.pop(address)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def close(self):
        """Kills all that run, and removes what they wrote."""
        for address in list(self.processes):
            self.kill(address)
        shutil.rmtree(self.folder)


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def main(folder, address, *others):
    """One node, until its standard input ends."""
    node = dqlite.Node(folder, address=address, join=list(others))
    node.start()
    node.ready()
    print("ready", flush=True)
    sys.stdin.read()
    node.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
