package interop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/canonical/go-dqlite/v3/driver"
)

const (
	writersOfAKind = 4
	// Inserts that are acknowledged before each kill, and again after it.
	insertsPerPhase  = 150
	killsAndRestarts = 2
)

// An outcome is what a writer knows of one insert.
type outcome int

const (
	unknown outcome = iota // The connection broke; the row may be there.
	present                // Acknowledged, or found there by a later attempt.
	absent                 // Refused for good.
)

// A ledger is what all writers know of their inserts into one table.
type ledger struct {
	table  string
	insert func(ctx context.Context, token string) outcome

	mu           sync.Mutex
	outcomes     map[string]outcome
	longestPause time.Duration
	total        *atomic.Int64
}

// write inserts one token after another until stop is closed.
func (l *ledger) write(writer int, stop <-chan struct{}) {
	last := time.Now()
	for turn := 0; ; turn++ {
		select {
		case <-stop:
			return
		default:
		}
		token := fmt.Sprintf("%d-%d", writer, turn)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		known := l.insert(ctx, token)
		cancel()
		l.mu.Lock()
		l.outcomes[token] = known
		if known == present {
			l.longestPause = max(l.longestPause, time.Since(last))
			last = time.Now()
			l.total.Add(1)
		}
		l.mu.Unlock()
	}
}

// verify compares the table in one copy of the database with what the writers know.
func (l *ledger) verify(t *testing.T, db *sql.DB) {
	t.Helper()
	rows, err := db.Query("SELECT token, count(*) FROM " + l.table + " GROUP BY token")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	stored := map[string]int{}
	for rows.Next() {
		var token string
		var count int
		if err := rows.Scan(&token, &count); err != nil {
			t.Fatal(err)
		}
		stored[token] = count
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	counts := map[outcome]int{}
	for token, known := range l.outcomes {
		counts[known]++
		count := stored[token]
		delete(stored, token)
		switch {
		case count > 1:
			t.Errorf("%s: %s is there %d times", l.table, token, count)
		case known == present && count == 0:
			t.Errorf("%s: %s was acknowledged and is lost", l.table, token)
		case known == absent && count == 1:
			t.Errorf("%s: %s was refused and is there", l.table, token)
		}
	}
	if len(stored) > 0 {
		t.Errorf("%s: nobody wrote %v", l.table, stored)
	}
	t.Logf("%s: %d acknowledged, %d refused, %d unknown, longest pause %v",
		l.table, counts[present], counts[absent], counts[unknown], l.longestPause)
}

// The leader is killed while a program writes through database/sql. What was acknowledged is there
// once, on every node; so it is when the killed node is back.
func TestLeaderKilled(t *testing.T) {
	c := newCluster(t)
	db := open(t, c)
	run(t, db, `CREATE TABLE pinned (token TEXT NOT NULL, noise BLOB);
		CREATE TABLE pooled (token TEXT PRIMARY KEY, noise BLOB)`)
	var acknowledged atomic.Int64
	ledgers := []*ledger{
		{table: "pinned", insert: insertPinned(db)},
		{table: "pooled", insert: insertPooled(db)},
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for _, l := range ledgers {
		l.outcomes, l.total = map[string]outcome{}, &acknowledged
		for writer := range writersOfAKind {
			writers.Go(func() { l.write(writer, stop) })
		}
	}
	stopWriters := sync.OnceFunc(func() { close(stop); writers.Wait() })
	defer stopWriters()

	for range killsAndRestarts {
		awaitInserts(t, &acknowledged)
		_, info := leading(t, c)
		killed := c.at(info.Address)
		killed.kill()
		awaitInserts(t, &acknowledged)
		if err := killed.start(); err != nil {
			t.Fatal(err)
		}
		if err := eventually(func(ctx context.Context) error { return c.named(ctx, 3) }); err != nil {
			t.Fatal(err)
		}
	}
	awaitInserts(t, &acknowledged)
	_, info := leading(t, c)
	last := c.at(info.Address)
	last.kill()
	awaitInserts(t, &acknowledged)
	stopWriters()

	for _, l := range ledgers {
		l.verify(t, db)
	}
	survivors := openDump(t, identicalDumps(t, c, databaseName(t)))
	for _, l := range ledgers {
		l.verify(t, survivors)
	}
	if err := last.start(); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func(ctx context.Context) error { return c.named(ctx, 3) }); err != nil {
		t.Fatal(err)
	}
	all := openDump(t, identicalDumps(t, c, databaseName(t)))
	for _, l := range ledgers {
		l.verify(t, all)
	}
}

// awaitInserts waits until so many more inserts are acknowledged.
func awaitInserts(t *testing.T, acknowledged *atomic.Int64) {
	t.Helper()
	want := acknowledged.Load() + insertsPerPhase
	err := eventually(func(context.Context) error {
		if now := acknowledged.Load(); now < want {
			return fmt.Errorf("%d inserts acknowledged, waiting for %d", now, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// insertPinned inserts on a connection of its own: database/sql does not try again, so a row that is
// there twice was put there twice by the server.
func insertPinned(db *sql.DB) func(context.Context, string) outcome {
	return func(ctx context.Context, token string) outcome {
		conn, err := db.Conn(ctx)
		if err != nil {
			return absent // Nothing was sent.
		}
		defer conn.Close()
		_, err = conn.ExecContext(ctx, "INSERT INTO pinned VALUES (?, randomblob(200))", token)
		var refused driver.Error
		switch {
		case err == nil:
			return present
		case errors.As(err, &refused):
			return absent
		default:
			return unknown
		}
	}
}

// insertPooled inserts as most programs do: database/sql tries again when a connection breaks, and
// the key tells whether an earlier attempt had succeeded.
func insertPooled(db *sql.DB) func(context.Context, string) outcome {
	return func(ctx context.Context, token string) outcome {
		_, err := db.ExecContext(ctx, "INSERT INTO pooled VALUES (?, randomblob(200))", token)
		var refused driver.Error
		switch {
		case err == nil:
			return present
		case errors.As(err, &refused) && refused.Code == codePrimaryKey:
			return present
		default:
			return unknown
		}
	}
}
