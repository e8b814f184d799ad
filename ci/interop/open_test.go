package interop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/canonical/go-dqlite/v3/driver"
)

// Result codes of SQLite and of dqlite that programs match on.
const (
	codeError            = 1
	codeBusy             = driver.ErrBusy
	codeBusySnapshot     = driver.ErrBusySnapshot
	codeAuth             = 23
	codeCheck            = 275
	codeForeignKey       = 787
	codeNotNull          = 1299
	codePrimaryKey       = 1555
	codeUnique           = 2067
	codeUnknownDatabase  = 1002
	codeNotLeader        = driver.ErrIoErrNotLeader
	messageBusy          = "database is locked"
	messageRowsFromExec  = "rows yielded when none expected"
	messageStatementTail = "nonempty statement tail"
)

// shared is the cluster of the tests that neither kill nodes nor change the membership.
var shared *cluster

func TestMain(m *testing.M) {
	if os.Getenv("DQLITE_BIN") == "" {
		fmt.Println("DQLITE_BIN must name the dqlite binary; `cargo xtask interop` sets it")
		os.Exit(1)
	}
	var err error
	if shared, err = startCluster(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	status := m.Run()
	if status != 0 {
		fmt.Println(shared.logs())
	}
	shared.stop()
	os.Exit(status)
}

// open opens a database of the test's own on a cluster, through database/sql.
func open(t *testing.T, c *cluster) *sql.DB {
	t.Helper()
	d, err := driver.New(c.store(), driver.WithLogFunc(silent))
	if err != nil {
		t.Fatal(err)
	}
	connector, err := d.OpenConnector(databaseName(t))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(16)
	t.Cleanup(func() { db.Close() })
	return db
}

// databaseName is the name of the database that open gives a test.
func databaseName(t *testing.T) string {
	return strings.ReplaceAll(t.Name(), "/", "-") + ".db"
}

// pin takes one connection out of the pool: what fails on it is not tried again on another.
func pin(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	conn, err := db.Conn(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// bounded is a context that ends with patience.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// An executor is a pool, a connection or a transaction.
type executor interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// run runs a statement that must succeed.
func run(t *testing.T, on executor, query string, args ...any) sql.Result {
	t.Helper()
	result, err := on.ExecContext(bounded(t), query, args...)
	if err != nil {
		t.Fatalf("%.80s: %v", query, err)
	}
	return result
}

// scalar is the one value of a query that must succeed.
func scalar[T any](t *testing.T, on executor, query string, args ...any) T {
	t.Helper()
	var value T
	if err := on.QueryRowContext(bounded(t), query, args...).Scan(&value); err != nil {
		t.Fatalf("%.80s: %v", query, err)
	}
	return value
}

// fails runs a statement that must fail with a code.
func fails(t *testing.T, on executor, code int, query string, args ...any) driver.Error {
	t.Helper()
	_, err := on.ExecContext(bounded(t), query, args...)
	return expect(t, err, code)
}

// expect checks the code of an error of the driver.
func expect(t *testing.T, err error, code int) driver.Error {
	t.Helper()
	var found driver.Error
	if !errors.As(err, &found) || found.Code != code {
		t.Fatalf("not code %d but %d: %v (%T)", code, found.Code, err, err)
	}
	return found
}

// expectRequest checks the code of an error of the client package, whose type is not exported.
func expectRequest(t *testing.T, err error, code int) {
	t.Helper()
	if err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("(%d)", code)) {
		t.Fatalf("not code %d: %v", code, err)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%v, not %v", got, want)
	}
}
