package interop

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"testing"

	"github.com/canonical/go-dqlite/v3/driver"
)

func begin(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(bounded(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

func commit(t *testing.T, tx *sql.Tx) {
	t.Helper()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestTransaction(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (a)")

	tx := begin(t, db)
	run(t, tx, "INSERT INTO t VALUES (1)")
	equal(t, scalar[int](t, tx, "SELECT count(*) FROM t"), 1)
	equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), 0)
	commit(t, tx)
	equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), 1)

	tx = begin(t, db)
	run(t, tx, "INSERT INTO t VALUES (2)")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), 1)

	tx = begin(t, db)
	run(t, tx, "SAVEPOINT s")
	run(t, tx, "INSERT INTO t VALUES (3)")
	run(t, tx, "ROLLBACK TO s")
	run(t, tx, "INSERT INTO t VALUES (4)")
	run(t, tx, "RELEASE s")
	commit(t, tx)
	equal(t, column(t, db, "SELECT a FROM t ORDER BY a"), "1 4")

	fails(t, db, codeError, "ROLLBACK")
	fails(t, db, codeError, "COMMIT")
}

// A reader keeps what it saw first, whatever is committed meanwhile.
func TestSnapshot(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (a)")
	reader := begin(t, db)
	equal(t, scalar[int](t, reader, "SELECT count(*) FROM t"), 0)
	for i := range 50 {
		run(t, db, "INSERT INTO t VALUES (?)", i)
	}
	equal(t, scalar[int](t, reader, "SELECT count(*) FROM t"), 0)
	commit(t, reader)
	equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), 50)
}

func TestConstraints(t *testing.T) {
	db := open(t, shared)
	run(t, db, `CREATE TABLE owner (id INTEGER PRIMARY KEY);
		CREATE TABLE thing (
			id TEXT PRIMARY KEY NOT NULL,
			serial INTEGER UNIQUE,
			owner INTEGER NOT NULL REFERENCES owner (id),
			size INTEGER CHECK (size > 0)
		);
		INSERT INTO owner VALUES (1);
		INSERT INTO thing VALUES ('a', 1, 1, 1)`)
	broken := map[string]int{
		"INSERT INTO thing VALUES ('a', 2, 1, 1)":  codePrimaryKey,
		"INSERT INTO owner VALUES (1)":             codePrimaryKey,
		"INSERT INTO thing VALUES ('b', 1, 1, 1)":  codeUnique,
		"INSERT INTO thing VALUES ('b', 2, 9, 1)":  codeForeignKey,
		"DELETE FROM owner":                        codeForeignKey,
		"INSERT INTO thing VALUES ('b', 2, 1, -1)": codeCheck,
		"UPDATE thing SET owner = NULL":            codeNotNull,
	}
	for query, code := range broken {
		fails(t, db, code, query)
		// In a transaction only the statement fails; what came before can be committed.
		tx := begin(t, db)
		run(t, tx, "INSERT INTO owner (id) VALUES (NULL)")
		fails(t, tx, code, query)
		commit(t, tx)
	}
	equal(t, scalar[int](t, db, "SELECT count(*) FROM owner"), 1+len(broken))
	equal(t, scalar[int](t, db, "SELECT count(*) FROM thing"), 1)
}

// The second writer waits for the first, and succeeds or is told that the database is busy.
func TestWritersQueue(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (a)")
	first := begin(t, db)
	run(t, first, "INSERT INTO t VALUES (1)")

	second := pin(t, db)
	outcome := make(chan error, 1)
	go func() {
		_, err := second.ExecContext(context.Background(), "INSERT INTO t VALUES (2)")
		outcome <- err
	}()
	commit(t, first)
	var found driver.Error
	switch err := <-outcome; {
	case err == nil:
		equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), 2)
	case errors.As(err, &found) && found.Code == codeBusy:
		run(t, second, "INSERT INTO t VALUES (2)")
	default:
		t.Fatal(err)
	}

	// A writer that never ends makes the next one busy, not hang.
	first = begin(t, db)
	run(t, first, "INSERT INTO t VALUES (3)")
	equal(t, fails(t, second, codeBusy, "INSERT INTO t VALUES (4)").Message, messageBusy)
	if err := first.Rollback(); err != nil {
		t.Fatal(err)
	}
	run(t, second, "INSERT INTO t VALUES (5)")
	equal(t, column(t, db, "SELECT a FROM t ORDER BY a"), "1 2 5")
}

// Many writers at once all get their turn.
func TestManyWriters(t *testing.T) {
	const writers, turns = 8, 25
	db := open(t, shared)
	run(t, db, "CREATE TABLE counter (n INTEGER); INSERT INTO counter VALUES (0)")
	outcomes := make(chan error, writers)
	for range writers {
		go func() {
			for range turns {
				_, err := db.ExecContext(bounded(t), "UPDATE counter SET n = n + 1")
				if err != nil {
					outcomes <- err
					return
				}
			}
			outcomes <- nil
		}()
	}
	for range writers {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
	equal(t, scalar[int](t, db, "SELECT n FROM counter"), writers*turns)
}

// A transaction that read before another wrote cannot write: its snapshot is stale.
func TestStaleUpgrade(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (a)")
	stale := begin(t, db)
	equal(t, scalar[int](t, stale, "SELECT count(*) FROM t"), 0)
	run(t, db, "INSERT INTO t VALUES (1)")
	fails(t, stale, codeBusySnapshot, "INSERT INTO t VALUES (2)")
	if err := stale.Rollback(); err != nil {
		t.Fatal(err)
	}
	again := begin(t, db)
	run(t, again, "INSERT INTO t VALUES (3)")
	commit(t, again)
	equal(t, column(t, db, "SELECT a FROM t ORDER BY a"), "1 3")
}

// A client that goes away amid a transaction gives the writer's lock back, and nothing stays.
func TestDisconnectAmidTransaction(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (a)")
	holder := pin(t, db)
	run(t, holder, "BEGIN IMMEDIATE")
	run(t, holder, "INSERT INTO t VALUES (1)")
	// The pool closes the socket of a connection that is called bad.
	holder.Raw(func(any) error { return sqldriver.ErrBadConn })
	err := eventually(func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "INSERT INTO t VALUES (2)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, column(t, db, "SELECT a FROM t"), "2")
}
