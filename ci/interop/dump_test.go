package interop

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/canonical/go-dqlite/v3/client"
	_ "github.com/mattn/go-sqlite3" // Opens the dumps; go-dqlite uses it too.
)

// dump asks one node for its copy of a database.
func dump(ctx context.Context, address, name string) ([]byte, error) {
	direct, err := client.New(ctx, address)
	if err != nil {
		return nil, err
	}
	defer direct.Close()
	files, err := direct.Dump(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(files) != 2 || files[0].Name != name || files[1].Name != name+"-wal" {
		return nil, fmt.Errorf("not a database and its WAL: %d files", len(files))
	}
	if len(files[1].Data) != 0 {
		return nil, fmt.Errorf("a WAL of %d bytes: the database is not whole", len(files[1].Data))
	}
	return files[0].Data, nil
}

// identicalDumps waits until all running nodes hold the same bytes, and returns them.
func identicalDumps(t *testing.T, c *cluster, name string) []byte {
	t.Helper()
	var same []byte
	err := eventually(func(ctx context.Context) error {
		same = nil
		for _, n := range c.nodes {
			if n.process == nil {
				continue
			}
			data, err := dump(ctx, n.address, name)
			if err != nil {
				return fmt.Errorf("%s: %w", n.address, err)
			}
			if same != nil && !bytes.Equal(same, data) {
				return fmt.Errorf("%s holds another database", n.address)
			}
			same = data
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return same
}

// openDump opens the bytes of a dump with SQLite itself, which must find them whole.
func openDump(t *testing.T, data []byte) *sql.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump.sqlite")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	equal(t, scalar[string](t, db, "PRAGMA integrity_check"), "ok")
	return db
}

func TestDump(t *testing.T) {
	db := open(t, shared)
	fill(t, db)
	copied := openDump(t, identicalDumps(t, shared, databaseName(t)))
	equal(t, scalar[int](t, copied, "SELECT count(*) FROM t"), rowCount)
	equal(t, scalar[string](t, copied, "SELECT name FROM t WHERE i = 77"), "name of row 77")

	// The leader's copy holds what it acknowledged, at once.
	run(t, db, "INSERT INTO t VALUES (?, 'last')", rowCount)
	leader, info, err := shared.leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	defer leader.Close()
	data, err := dump(bounded(t), info.Address, databaseName(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, scalar[int](t, openDump(t, data), "SELECT count(*) FROM t"), rowCount+1)

	_, err = leader.Dump(bounded(t), "unknown.db")
	expectRequest(t, err, codeUnknownDatabase)
}
