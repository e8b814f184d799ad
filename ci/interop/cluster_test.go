package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/canonical/go-dqlite/v3/client"
)

// patience bounds every wait; nothing here passes by being slow enough.
const patience = 60 * time.Second

// logTailLines is how much of a node's log a failed test shows.
const logTailLines = 30

// tied makes a node die with the test, where the system can do that.
var tied *syscall.SysProcAttr

// A node is one `dqlite node` process and what it takes to start it again.
type node struct {
	address string
	join    string // Address of a member; empty for the first node.
	dir     string
	process *exec.Cmd // Nil while the node is down.
}

// A cluster is a group of node processes on loopback.
type cluster struct {
	dir   string
	nodes []*node
}

// startCluster starts three nodes and waits until all are voters.
func startCluster() (*cluster, error) {
	dir, err := os.MkdirTemp("", "dqlite-interop-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	for i := 0; i < 3; i++ {
		if _, err := c.add(); err != nil {
			c.stop()
			return nil, err
		}
		if i == 0 {
			err = eventually(func(ctx context.Context) error { return c.named(ctx, 1) })
		}
		if err != nil {
			c.stop()
			return nil, fmt.Errorf("the first node does not lead: %w\n%s", err, c.logs())
		}
	}
	if err := eventually(func(ctx context.Context) error { return c.named(ctx, 3) }); err != nil {
		c.stop()
		return nil, fmt.Errorf("three nodes do not form a cluster: %w\n%s", err, c.logs())
	}
	return c, nil
}

// newCluster gives a test three nodes of its own.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := startCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.logs())
		}
		c.stop()
	})
	return c
}

// add starts one more node, which joins the first.
func (c *cluster) add() (*node, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	n := &node{address: address, dir: filepath.Join(c.dir, fmt.Sprint(len(c.nodes)+1))}
	if len(c.nodes) > 0 {
		n.join = c.nodes[0].address
	}
	c.nodes = append(c.nodes, n)
	return n, n.start()
}

// stop kills what runs and removes every file.
func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.kill()
	}
	os.RemoveAll(c.dir)
}

// store lists the addresses of all nodes, as a program that uses go-dqlite would.
func (c *cluster) store() client.NodeStore {
	store := client.NewInmemNodeStore()
	infos := make([]client.NodeInfo, len(c.nodes))
	for i, n := range c.nodes {
		infos[i] = client.NodeInfo{ID: uint64(i + 1), Address: n.address}
	}
	store.Set(context.Background(), infos)
	return store
}

// leader connects to the leader; the caller closes the client.
func (c *cluster) leader(ctx context.Context) (*client.Client, *client.NodeInfo, error) {
	found, err := client.FindLeader(ctx, c.store(), client.WithLogFunc(silent))
	if err != nil {
		return nil, nil, err
	}
	info, err := found.Leader(ctx)
	if err != nil {
		found.Close()
		return nil, nil, err
	}
	return found, info, nil
}

// members is the leader's list of the cluster.
func (c *cluster) members(ctx context.Context) ([]client.NodeInfo, error) {
	leader, _, err := c.leader(ctx)
	if err != nil {
		return nil, err
	}
	defer leader.Close()
	return leader.Cluster(ctx)
}

// named is nil once the leader names so many voters and every running node names the leader.
func (c *cluster) named(ctx context.Context, voters int) error {
	leader, info, err := c.leader(ctx)
	if err != nil {
		return err
	}
	defer leader.Close()
	members, err := leader.Cluster(ctx)
	if err != nil {
		return err
	}
	count := 0
	for _, member := range members {
		if member.Role == client.Voter {
			count++
		}
	}
	if count != voters {
		return fmt.Errorf("%d voters, not %d: %v", count, voters, members)
	}
	for _, n := range c.nodes {
		if n.process == nil {
			continue
		}
		direct, err := client.New(ctx, n.address)
		if err != nil {
			return err
		}
		seen, err := direct.Leader(ctx)
		direct.Close()
		if err != nil {
			return err
		}
		if seen.Address != info.Address || seen.ID != info.ID {
			return fmt.Errorf("%s names %v, the leader is %v", n.address, seen, info)
		}
	}
	return nil
}

// at is the node with an address.
func (c *cluster) at(address string) *node {
	for _, n := range c.nodes {
		if n.address == address {
			return n
		}
	}
	return nil
}

// logs is the end of every node's log.
func (c *cluster) logs() string {
	var all strings.Builder
	for _, n := range c.nodes {
		text, err := os.ReadFile(n.logPath())
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		lines = lines[max(0, len(lines)-logTailLines):]
		fmt.Fprintf(&all, "--- log of %s\n%s\n", n.address, strings.Join(lines, "\n"))
	}
	return all.String()
}

func (n *node) logPath() string { return n.dir + ".log" }

// start starts the process, with the same arguments each time.
func (n *node) start() error {
	log, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	arguments := []string{"node", "--dir", n.dir, "--address", n.address}
	if n.join != "" {
		arguments = append(arguments, "--join", n.join)
	}
	process := exec.Command(os.Getenv("DQLITE_BIN"), arguments...)
	process.Stdout, process.Stderr = log, log
	process.SysProcAttr = tied
	if err := process.Start(); err != nil {
		return err
	}
	n.process = process
	return nil
}

// kill ends the process with SIGKILL: no goodbye, nothing flushed.
func (n *node) kill() {
	if n.process != nil {
		n.process.Process.Kill()
		n.process.Wait()
		n.process = nil
	}
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// eventually tries until check is nil, and returns its last error when patience ends.
func eventually(check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		attempt, done := context.WithTimeout(ctx, 10*time.Second)
		err := check(attempt)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return errors.Join(errors.New("patience ended"), err)
		}
	}
}

func silent(client.LogLevel, string, ...interface{}) {}
