package interop

import (
	"context"
	"fmt"
	"testing"

	"github.com/canonical/go-dqlite/v3/client"
)

// direct connects to one node, whether it leads or not.
func direct(t *testing.T, address string) *client.Client {
	t.Helper()
	c, err := client.New(bounded(t), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// leading connects to the leader and says which node it is.
func leading(t *testing.T, c *cluster) (*client.Client, *client.NodeInfo) {
	t.Helper()
	leader, info, err := c.leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leader.Close() })
	return leader, info
}

// member is the entry of a node in the leader's list; nil if it is not there.
func member(ctx context.Context, c *cluster, address string) (*client.NodeInfo, error) {
	members, err := c.members(ctx)
	if err != nil {
		return nil, err
	}
	for _, info := range members {
		if info.Address == address {
			return &info, nil
		}
	}
	return nil, nil
}

// hasRole waits until the leader lists a node in a role.
func hasRole(t *testing.T, c *cluster, address string, role client.NodeRole) *client.NodeInfo {
	t.Helper()
	var found *client.NodeInfo
	err := eventually(func(ctx context.Context) (err error) {
		if found, err = member(ctx, c, address); err == nil && (found == nil || found.Role != role) {
			err = fmt.Errorf("%s is %v, not a %v", address, found, role)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// isGone waits until the leader no longer lists a node.
func isGone(t *testing.T, c *cluster, address string) {
	t.Helper()
	err := eventually(func(ctx context.Context) error {
		found, err := member(ctx, c, address)
		if err == nil && found != nil {
			err = fmt.Errorf("%s is still a %v", address, found.Role)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestClusterIsTheSameEverywhere(t *testing.T) {
	_, leader := leading(t, shared)
	for _, n := range shared.nodes {
		node := direct(t, n.address)
		seen, err := node.Leader(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, *seen, *leader)
		members, err := node.Cluster(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		addresses := map[string]bool{}
		ids := map[uint64]bool{0: true}
		for _, info := range members {
			equal(t, info.Role, client.Voter)
			addresses[info.Address], ids[info.ID] = true, true
		}
		if len(members) != 3 || len(addresses) != 3 || len(ids) != 4 || !addresses[n.address] {
			t.Fatalf("%s lists %v", n.address, members)
		}
	}
}

func TestDescribeAndWeight(t *testing.T) {
	for i, n := range shared.nodes {
		node := direct(t, n.address)
		if err := node.Weight(bounded(t), uint64(i+7)); err != nil {
			t.Fatal(err)
		}
		about, err := node.Describe(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, *about, client.NodeMetadata{FailureDomain: 0, Weight: uint64(i + 7)})
	}
}

func TestFollowerRefuses(t *testing.T) {
	_, leader := leading(t, shared)
	for _, n := range shared.nodes {
		if n.address == leader.Address {
			continue
		}
		follower := direct(t, n.address)
		spare := client.NodeInfo{ID: 99, Address: "127.0.0.1:1", Role: client.Spare}
		expectRequest(t, follower.Add(bounded(t), spare), codeNotLeader)
		expectRequest(t, follower.Assign(bounded(t), leader.ID, client.StandBy), codeNotLeader)
		expectRequest(t, follower.Remove(bounded(t), leader.ID), codeNotLeader)
		expectRequest(t, follower.Transfer(bounded(t), leader.ID), codeNotLeader)
		// It is still of use afterwards.
		if _, err := follower.Cluster(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// A spare is only an entry in the list, so nobody need live at its address.
func TestAddAndRemoveSpare(t *testing.T) {
	c := newCluster(t)
	leader, info := leading(t, c)
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	spare := client.NodeInfo{ID: 1 << 40, Address: address, Role: client.Spare}
	if err := leader.Add(bounded(t), spare); err != nil {
		t.Fatal(err)
	}
	equal(t, hasRole(t, c, address, client.Spare).ID, spare.ID)

	sameID := client.NodeInfo{ID: spare.ID, Address: "127.0.0.1:1", Role: client.Spare}
	expectRequest(t, leader.Add(bounded(t), sameID), codeError)
	sameAddress := client.NodeInfo{ID: spare.ID + 1, Address: address, Role: client.Spare}
	expectRequest(t, leader.Add(bounded(t), sameAddress), codeError)
	expectRequest(t, leader.Assign(bounded(t), spare.ID, client.NodeRole(7)), codeError)
	expectRequest(t, leader.Assign(bounded(t), spare.ID+1, client.StandBy), codeError)
	expectRequest(t, leader.Transfer(bounded(t), spare.ID), codeError)
	expectRequest(t, leader.Transfer(bounded(t), info.ID), codeError)

	if err := leader.Remove(bounded(t), spare.ID); err != nil {
		t.Fatal(err)
	}
	isGone(t, c, address)
	expectRequest(t, leader.Remove(bounded(t), spare.ID), codeError)
}

// A fourth node changes its role, and leaves, while a program writes.
func TestRolesOfAFourthNode(t *testing.T) {
	c := newCluster(t)
	db := open(t, c)
	run(t, db, "CREATE TABLE t (a)")
	fourth, err := c.add()
	if err != nil {
		t.Fatal(err)
	}
	var id uint64
	err = eventually(func(ctx context.Context) error {
		found, err := member(ctx, c, fourth.address)
		if err == nil && (found == nil || found.Role == client.Spare) {
			err = fmt.Errorf("the fourth node has not joined")
		}
		if err == nil {
			id = found.ID
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	roles := []client.NodeRole{client.Spare, client.StandBy, client.Voter, client.Spare, client.Voter}
	for i, role := range roles {
		found, err := member(bounded(t), c, fourth.address)
		if err != nil || found == nil {
			t.Fatal(found, err)
		}
		if found.Role != role {
			leader, _ := leading(t, c)
			if err := leader.Assign(bounded(t), id, role); err != nil {
				t.Fatalf("from %v to %v: %v", found.Role, role, err)
			}
		}
		equal(t, hasRole(t, c, fourth.address, role).ID, id)
		run(t, db, "INSERT INTO t VALUES (?)", i)
	}
	identicalDumps(t, c, databaseName(t))

	leader, info := leading(t, c)
	if info.ID == id {
		t.Fatal("the leader changed, though nothing failed")
	}
	if err := leader.Remove(bounded(t), id); err != nil {
		t.Fatal(err)
	}
	isGone(t, c, fourth.address)
	fourth.kill()
	equal(t, column(t, db, "SELECT a FROM t ORDER BY a"), "0 1 2 3 4")
}

// Leadership is handed to each node in turn, and then to any; a program notices nothing.
func TestTransfer(t *testing.T) {
	c := newCluster(t)
	db := open(t, c)
	run(t, db, "CREATE TABLE t (a)")
	members, err := c.members(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	for _, target := range append(members, members...) {
		leader, before := leading(t, c)
		if before.ID == target.ID {
			continue
		}
		if err := leader.Transfer(bounded(t), target.ID); err != nil {
			t.Fatal(err)
		}
		ledBy(t, c, func(now uint64) bool { return now == target.ID })
		run(t, db, "INSERT INTO t VALUES (?)", written)
		written++
		equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), written)
	}
	leader, before := leading(t, c)
	if err := leader.Transfer(bounded(t), 0); err != nil {
		t.Fatal(err)
	}
	ledBy(t, c, func(now uint64) bool { return now != before.ID })
	equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), written)
}

// ledBy waits until every node names one leader, and it is a wanted one.
func ledBy(t *testing.T, c *cluster, wanted func(id uint64) bool) {
	t.Helper()
	err := eventually(func(ctx context.Context) error {
		leader, info, err := c.leader(ctx)
		if err != nil {
			return err
		}
		leader.Close()
		if !wanted(info.ID) {
			return fmt.Errorf("%v leads", info)
		}
		return c.named(ctx, 3)
	})
	if err != nil {
		t.Fatal(err)
	}
}
