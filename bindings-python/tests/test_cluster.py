"""Nodes and clusters: three nodes in this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import dqlite
import dqlite.aio


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[dqlite.Node]]:
    """Three nodes that are voters of one cluster."""
    nodes: list[dqlite.Node] = []
    for number in (1, 2, 3):
        join = [node.address for node in nodes] or None
        folder = tmp_path / str(number)
        node = dqlite.Node(folder, address=free_address(), id=number, join=join)
        node.start()
        node.ready()
        nodes.append(node)
    yield nodes
    for node in nodes:
        node.stop()


def url(nodes: list[dqlite.Node], rest: str = "/app") -> str:
    return f"dqlite://{','.join(node.address for node in nodes)}{rest}"


def test_a_cluster(nodes: list[dqlite.Node], tmp_path: Path) -> None:
    cluster = dqlite.Cluster(url(nodes, ""), timeout=30)
    members = cluster.members()
    assert [member.id for member in sorted(members)] == [1, 2, 3]
    assert {member.role for member in members} <= {"voter", "standby", "spare"}
    leader = cluster.leader()
    assert leader.role == "voter"
    connection = nodes[0].connect("app", autocommit=True)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    for node in nodes:
        reader = node.connect("app", consistency="session")
        reader.wait_for(connection.last_index)
        assert reader.execute("SELECT a FROM t").fetchall() == [(1,)]
        reader.close()
    (database,) = cluster.databases()
    assert (database.name, database.page_count > 0) == ("app", True)
    cluster.dump("app", tmp_path / "app.db")
    assert (tmp_path / "app.db").stat().st_size > 0
    cluster.weight(nodes[0].address, 7)
    assert cluster.describe(nodes[0].address).weight == 7
    status = nodes[0].status()
    assert (status.id, status.leader_id, status.term > 0) == (1, leader.id, True)
    assert [database.name for database in status.databases] == ["app"]
    with pytest.raises(dqlite.Error) as unknown:
        cluster.assign(77, "voter")
    assert isinstance(unknown.value, dqlite.OperationalError)
    with pytest.raises(dqlite.InterfaceError):
        cluster.assign(1, "king")  # type: ignore[arg-type]
    connection.close()


def test_a_transaction_goes_on_with_the_next_leader(nodes: list[dqlite.Node]) -> None:
    connection = dqlite.connect(url(nodes), autocommit=True, timeout=60)
    connection.execute("CREATE TABLE t (a UNIQUE)")
    cluster = nodes[0].cluster()
    for number in range(6):

        def add(it: dqlite.Connection, number: int = number) -> None:
            it.execute("INSERT INTO t VALUES (?)", (number,))
            if number % 2:
                cluster.transfer()

        connection.transaction(add)
    rows = connection.execute("SELECT a FROM t ORDER BY a").fetchall()
    assert rows == [(number,) for number in range(6)]
    connection.close()


def test_a_node_starts_and_stops(tmp_path: Path) -> None:
    node = dqlite.Node(tmp_path, address=free_address())
    assert node.id is None
    with node as same:
        assert same is node
        assert node.id == node.status().id
        connection = node.connect()
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
        with pytest.raises(dqlite.OperationalError) as error:
            dqlite.Node(tmp_path, address=free_address()).start()
        assert error.value.id == "node.data_directory_in_use"
    node.stop()
    for use in (node.connect, node.cluster, node.ready, node.status, node.handover):
        with pytest.raises(dqlite.ProgrammingError) as stopped:
            use()
        assert stopped.value.id == "node.stopped"
    with pytest.raises(dqlite.Error):
        connection.execute("SELECT 1")
    node.start()
    again = node.connect()
    assert again.execute("SELECT * FROM t").fetchall() == []
    again.close()
    node.stop()


def test_the_options_of_a_node(tmp_path: Path) -> None:
    with pytest.raises(dqlite.InterfaceError) as error:
        dqlite.Node(tmp_path)  # type: ignore[call-arg]
    assert error.value.id == "option.value"
    for wrong in ({"colour": 1}, {"id": -1}, {"join": "a:1"}, {"voters": "many"}, {"id": 2**64}):
        with pytest.raises(dqlite.InterfaceError):
            dqlite.Node(tmp_path, address="a:1", **wrong)  # type: ignore[arg-type]
    for wrong in ({"tls_ca": "x"}, {"id": 1}):
        with pytest.raises((dqlite.InterfaceError, TypeError)):
            dqlite.Node(tmp_path, address="a:1").connect(**wrong)  # type: ignore[arg-type]
    with pytest.raises(dqlite.InterfaceError):
        dqlite.Cluster("dqlite://a:1", retry=False)  # type: ignore[call-arg]
    with pytest.raises(dqlite.InterfaceError) as error:
        dqlite.Cluster(str(tmp_path))
    assert error.value.id == "target"


def test_recover(tmp_path: Path) -> None:
    address = free_address()
    with dqlite.Node(tmp_path, address=address, id=1) as node:
        connection = node.connect()
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
        connection.close()
    dqlite.recover(tmp_path, [dqlite.NodeInfo(1, address, "voter")])
    with dqlite.Node(tmp_path, address=address) as node:
        assert node.connect().execute("SELECT * FROM t").fetchall() == []


def test_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        address = free_address()
        async with dqlite.aio.Node(tmp_path, address=address, id=5) as node:
            await node.ready()
            assert (node.id, node.address) == (5, address)
            async with node.connect("app") as connection:
                await connection.execute("CREATE TABLE t (a)")
                await connection.commit()
            cluster = node.cluster()
            assert await cluster.members() == [dqlite.NodeInfo(5, address, "voter")]
            assert (await cluster.leader()).id == 5
            status = await node.status()
            assert [database.name for database in status.databases] == ["app"]
            other = dqlite.aio.Cluster(f"dqlite://{address}")
            assert [database.name for database in await other.databases()] == ["app"]
            await other.dump("app", tmp_path / "app.db")
            assert (await other.describe(address)).failure_domain == 0
        with pytest.raises(dqlite.ProgrammingError) as stopped:
            await node.connect()
        assert stopped.value.id == "node.stopped"
        with pytest.raises(dqlite.ProgrammingError):
            await cluster.members()
        await dqlite.aio.recover(tmp_path, [dqlite.NodeInfo(5, address, "voter")])

    asyncio.run(main())
