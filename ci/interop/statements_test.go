package interop

import (
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestCRUD(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER)")
	for i, name := range []string{"Ada", "Grace", "Edsger", "Barbara"} {
		result := run(t, db, "INSERT INTO person (name, age) VALUES (?, ?)", name, 30+i)
		id, _ := result.LastInsertId()
		changed, _ := result.RowsAffected()
		equal(t, id, int64(i+1))
		equal(t, changed, 1)
	}
	changed, _ := run(t, db, "UPDATE person SET age = age + 1 WHERE age > ?", 31).RowsAffected()
	equal(t, changed, 2)
	changed, _ = run(t, db, "DELETE FROM person WHERE name = ?", "Ada").RowsAffected()
	equal(t, changed, 1)
	equal(t, column(t, db, "SELECT name || age FROM person ORDER BY id"), "Grace31 Edsger33 Barbara34")
	run(t, db, "DROP TABLE person")
	fails(t, db, codeError, "SELECT * FROM person")
}

func TestPrepared(t *testing.T) {
	conn := pin(t, open(t, shared))
	run(t, conn, "CREATE TABLE point (x INTEGER, y INTEGER)")
	insert := prepare(t, conn, "INSERT INTO point VALUES (?, ?)")
	for i := range 100 {
		if _, err := insert.ExecContext(bounded(t), i, i*i); err != nil {
			t.Fatal(err)
		}
	}
	query := prepare(t, conn, "SELECT y FROM point WHERE x = ?")
	for i := range 100 {
		var y int
		if err := query.QueryRowContext(bounded(t), i).Scan(&y); err != nil {
			t.Fatal(err)
		}
		equal(t, y, i*i)
	}
	if _, err := insert.ExecContext(bounded(t), 1); err == nil {
		t.Fatal("a statement with two parameters took one")
	}
	// The statement was prepared for two columns; SQLite prepares it anew after the change.
	run(t, conn, "ALTER TABLE point RENAME COLUMN y TO z")
	run(t, conn, "ALTER TABLE point ADD COLUMN y INTEGER DEFAULT 7")
	var y int
	if err := query.QueryRowContext(bounded(t), 3).Scan(&y); err != nil {
		t.Fatal(err)
	}
	equal(t, y, 7)
}

// Statement ids are used again in any order of closing; the C server dies of some orders.
func TestPreparedIdsAreReused(t *testing.T) {
	conn := pin(t, open(t, shared))
	var statements []*sql.Stmt
	for i := range 4 {
		statements = append(statements, prepare(t, conn, fmt.Sprintf("SELECT %d", i)))
	}
	for _, i := range []int{0, 2, 1} {
		if err := statements[i].Close(); err != nil {
			t.Fatal(err)
		}
	}
	again := prepare(t, conn, "SELECT 10")
	for statement, want := range map[*sql.Stmt]int{statements[3]: 3, again: 10} {
		var got int
		if err := statement.QueryRowContext(bounded(t)).Scan(&got); err != nil {
			t.Fatal(err)
		}
		equal(t, got, want)
	}
}

func TestPrepareRefuses(t *testing.T) {
	conn := pin(t, open(t, shared))
	_, err := conn.PrepareContext(bounded(t), "SELEC 1")
	expect(t, err, codeError)
	_, err = conn.PrepareContext(bounded(t), "SELECT 1; SELECT 2")
	equal(t, expect(t, err, codeError).Message, messageStatementTail)
	_, err = conn.QueryContext(bounded(t), "SELECT 1; SELECT 2")
	equal(t, expect(t, err, codeError).Message, messageStatementTail)
	equal(t, scalar[int](t, conn, "SELECT 1; -- nothing follows"), 1)
}

// Around 255 parameters the driver changes the schema of its requests; around 16 columns a row
// header grows by a word.
func TestParameters(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE number (n INTEGER)")
	for _, count := range []int{1, 2, 7, 8, 15, 16, 17, 32, 33, 254, 255, 256, 300, 2000} {
		marks, args := parameters(count)
		checkParameters(t, db, "SELECT "+marks, args)
		statement, err := db.PrepareContext(bounded(t), "SELECT "+marks)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := statement.QueryContext(bounded(t), args...)
		if err != nil {
			t.Fatal(err)
		}
		checkRow(t, rows, args)
		statement.Close()
	}
	for _, count := range []int{255, 256, 300, 32766} {
		_, args := parameters(count)
		rows := strings.TrimSuffix(strings.Repeat("(?),", count), ",")
		changed, _ := run(t, db, "INSERT INTO number VALUES "+rows, args...).RowsAffected()
		equal(t, changed, int64(count))
		equal(t, scalar[int](t, db, "SELECT sum(n) FROM number"), count*(count-1)/2)
		run(t, db, "DELETE FROM number")
	}
	// Too few are bound as NULL.
	equal(t, scalar[bool](t, db, "SELECT ?2 IS NULL AND ?1 = 5", 5), true)
}

func TestScript(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (a); INSERT INTO t VALUES (?); INSERT INTO t VALUES (?), (?)", 1, 2, 3)
	equal(t, column(t, db, "SELECT a FROM t ORDER BY a"), "1 2 3")
	// Each statement commits by itself; what stands before the error stays.
	fails(t, db, codeError, "INSERT INTO t VALUES (4); INSERT INTO gone VALUES (5); INSERT INTO t VALUES (6)")
	equal(t, column(t, db, "SELECT a FROM t ORDER BY a"), "1 2 3 4")
	run(t, db, "BEGIN; DELETE FROM t; INSERT INTO t VALUES (7); COMMIT")
	equal(t, column(t, db, "SELECT a FROM t"), "7")
	run(t, db, "")
}

func TestReturning(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
	insert := "INSERT INTO t (a) VALUES (?), (?), (?) RETURNING id * 10"
	equal(t, column(t, db, insert, "x", "y", "z"), "10 20 30")
	equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), 3)
	equal(t, column(t, db, "DELETE FROM t WHERE id > 1 RETURNING a"), "y z")
	equal(t, scalar[int](t, db, "SELECT count(*) FROM t"), 1)

	// An EXEC that yields rows is refused, and neither its connection nor the writer's lock hangs.
	conn := pin(t, db)
	found := fails(t, conn, codeError, "INSERT INTO t (a) VALUES ('w') RETURNING id")
	if !strings.Contains(found.Message, messageRowsFromExec) {
		t.Fatal(found.Message)
	}
	run(t, conn, "INSERT INTO t (a) VALUES ('v')")
	run(t, pin(t, db), "INSERT INTO t (a) VALUES ('u')")
	fails(t, conn, codeError, "SELECT 1")
	equal(t, scalar[int](t, conn, "SELECT 2"), 2)
}

// What would break replication is refused, and leaves the connection as it was.
func TestRefusals(t *testing.T) {
	conn := pin(t, open(t, shared))
	for _, query := range []string{
		"PRAGMA journal_mode = DELETE",
		"PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA synchronous = OFF",
		"PRAGMA wal_checkpoint",
		"ATTACH 'other.db' AS other",
	} {
		fails(t, conn, codeAuth, query)
	}
	var loaded any
	query := "SELECT load_extension('x')"
	if err := conn.QueryRowContext(bounded(t), query).Scan(&loaded); err == nil {
		t.Fatal("load_extension is not refused")
	}
	equal(t, scalar[string](t, conn, "PRAGMA journal_mode"), "wal")
	equal(t, scalar[int](t, conn, "PRAGMA foreign_keys"), 1)
	run(t, conn, "CREATE TEMP TABLE scratch (a); INSERT INTO scratch VALUES (1)")
	equal(t, scalar[int](t, conn, "SELECT a FROM scratch"), 1)
}

func prepare(t *testing.T, conn *sql.Conn, query string) *sql.Stmt {
	t.Helper()
	statement, err := conn.PrepareContext(bounded(t), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	t.Cleanup(func() { statement.Close() })
	return statement
}

// parameters gives so many placeholders and values 0, 1, 2, ….
func parameters(count int) (string, []any) {
	args := make([]any, count)
	for i := range args {
		args[i] = int64(i)
	}
	return strings.TrimSuffix(strings.Repeat("?,", count), ","), args
}

func checkParameters(t *testing.T, db *sql.DB, query string, args []any) {
	t.Helper()
	rows, err := db.QueryContext(bounded(t), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	checkRow(t, rows, args)
}

// checkRow reads the only row of a result and compares it.
func checkRow(t *testing.T, rows *sql.Rows, want []any) {
	t.Helper()
	defer rows.Close()
	if !rows.Next() {
		t.Fatalf("no row: %v", rows.Err())
	}
	got := make([]any, len(want))
	targets := make([]any, len(want))
	for i := range got {
		targets[i] = &got[i]
	}
	if err := rows.Scan(targets...); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, not %v", got, want)
	}
	if rows.Next() {
		t.Fatal("a second row")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// column reads a result of one column and joins its values with spaces.
func column(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.QueryContext(bounded(t), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(values, " ")
}
