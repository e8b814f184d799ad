package interop

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

const rowCount = 20_000

// endless runs until it is stopped and never yields a row.
const endless = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c WHERE i < 0"

// fill makes a table of rowCount rows, many frames of the protocol long.
func fill(t *testing.T, db *sql.DB) {
	t.Helper()
	run(t, db, "CREATE TABLE t (i INTEGER PRIMARY KEY, name TEXT)")
	run(t, db, `INSERT INTO t
		WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < ?)
		SELECT i, 'name of row ' || i FROM c`, rowCount)
}

// read reads up to limit rows and checks each.
func read(t *testing.T, rows *sql.Rows, limit int) int {
	t.Helper()
	count := 0
	for count < limit && rows.Next() {
		var i int
		var name string
		if err := rows.Scan(&i, &name); err != nil {
			t.Fatal(err)
		}
		if i != count || name != fmt.Sprintf("name of row %d", i) {
			t.Fatalf("row %d is %d, %q", count, i, name)
		}
		count++
	}
	return count
}

func TestManyRows(t *testing.T) {
	db := open(t, shared)
	fill(t, db)
	rows, err := db.QueryContext(bounded(t), "SELECT i, name FROM t ORDER BY i")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	equal(t, read(t, rows, rowCount+1), rowCount)
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// A result that is closed early is interrupted, and its connection goes on.
func TestEarlyClose(t *testing.T) {
	db := open(t, shared)
	fill(t, db)
	conn := pin(t, db)
	statement := prepare(t, conn, "SELECT i, name FROM t ORDER BY i")
	for round, limit := range []int{0, 1, 10, 100, 1000, 5000, 19_999, 20_000} {
		for _, query := range []func() (*sql.Rows, error){
			func() (*sql.Rows, error) { return statement.QueryContext(bounded(t)) },
			func() (*sql.Rows, error) {
				return conn.QueryContext(bounded(t), "SELECT i, name FROM t ORDER BY i")
			},
		} {
			rows, err := query()
			if err != nil {
				t.Fatal(err)
			}
			equal(t, read(t, rows, limit), limit)
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			equal(t, scalar[int](t, conn, "SELECT ?", round), round)
		}
	}
	// No reader is left behind that would hold the table.
	run(t, conn, "DROP TABLE t")
}

func TestErrorAmidRows(t *testing.T) {
	db := open(t, shared)
	fill(t, db)
	conn := pin(t, db)
	rows, err := conn.QueryContext(bounded(t), `SELECT abs(CASE WHEN i = 15000
		THEN -9223372036854775808 ELSE i END), name FROM t ORDER BY i`)
	if err != nil {
		t.Fatal(err)
	}
	if count := read(t, rows, rowCount); count > 15_000 {
		t.Fatalf("%d rows, the error is in row 15000", count)
	}
	expect(t, rows.Err(), codeError)
	rows.Close()
	equal(t, scalar[int](t, conn, "SELECT 1"), 1)
}

func TestShapes(t *testing.T) {
	db := open(t, shared)
	fill(t, db)
	equal(t, column(t, db, "SELECT name FROM t WHERE i < 0"), "")
	equal(t, len(column(t, db, "SELECT zeroblob(100000) FROM t WHERE i < 30")), 30*100_000+29)

	// The names alone are longer than a page; the C server sends empty frames for ever.
	names := make([]string, 2000)
	want := make([]any, len(names))
	for i := range names {
		names[i] = fmt.Sprintf("%d AS a_long_name_of_column_%d", i, i)
		want[i] = int64(i)
	}
	rows, err := db.QueryContext(bounded(t), "SELECT "+strings.Join(names, ", "))
	if err != nil {
		t.Fatal(err)
	}
	checkRow(t, rows, want)

	rows, err = db.QueryContext(bounded(t), "CREATE TABLE by_query (a)")
	if err != nil {
		t.Fatal(err)
	}
	columns, _ := rows.Columns()
	equal(t, len(columns), 0)
	equal(t, rows.Next(), false)
	rows.Close()
	run(t, db, "INSERT INTO by_query VALUES (1)")
}

// A deadline ends a query; the pool goes on, and the node does not go on computing for nobody.
func TestCancelQuery(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (i)")
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			var i int
			if err := db.QueryRowContext(ctx, endless).Scan(&i); err == nil || err == sql.ErrNoRows {
				t.Errorf("an endless query ended: %v", err)
			}
		})
	}
	running.Wait()
	for i := range 32 {
		run(t, db, "INSERT INTO t VALUES (?)", i)
	}
	equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), 32)
}

// A deadline ends a write; it leaves nothing behind, its lock least of all.
func TestCancelWrite(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (i)")
	run(t, db, "INSERT INTO t VALUES (1)")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := db.ExecContext(ctx, "INSERT INTO t "+endless); err == nil {
		t.Fatal("an endless insert ended")
	}
	err := eventually(func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "INSERT INTO t VALUES (2)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, column(t, db, "SELECT i FROM t ORDER BY i"), "1 2")
}
