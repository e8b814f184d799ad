package interop

import (
	"database/sql"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Every value comes back as it was sent, from a column that has no say in its type.
func TestValues(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (v)")
	for name, value := range map[string]any{
		"null":             nil,
		"zero":             int64(0),
		"minus one":        int64(-1),
		"smallest integer": int64(math.MinInt64),
		"largest integer":  int64(math.MaxInt64),
		"float":            0.1,
		"largest float":    math.MaxFloat64,
		"smallest float":   math.SmallestNonzeroFloat64,
		"infinity":         math.Inf(-1),
		"empty text":       "",
		"text of 7 bytes":  "seven77",
		"text of 8 bytes":  "eight888",
		"text of 9 bytes":  "nine99999",
		"unicode":          "žluťoučký 馬 🐎",
		"text of 1 MiB":    strings.Repeat("long ", 1<<20/5),
		"empty blob":       []byte{},
		"blob of 7 bytes":  []byte("\x00\xff\xee\x00\xff\xee\x00"),
		"blob of markers":  []byte(strings.Repeat("\xee", 8) + strings.Repeat("\xff", 8)),
		"blob of 1 MiB":    []byte(strings.Repeat("\xff\xee\x00\x01", 1<<18)),
	} {
		t.Run(name, func(t *testing.T) {
			run(t, db, "DELETE FROM t")
			run(t, db, "INSERT INTO t VALUES (?)", value)
			for _, query := range []string{"SELECT v FROM t", "SELECT ?1"} {
				var args []any
				if strings.Contains(query, "?") {
					args = []any{value}
				}
				var got any
				if err := db.QueryRowContext(bounded(t), query, args...).Scan(&got); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, value) {
					t.Fatalf("%s: %.40v, not %.40v", query, got, value)
				}
			}
		})
	}
	equal(t, scalar[bool](t, db, "SELECT ?1 IS NULL", math.NaN()), true)
	equal(t, scalar[int](t, db, "SELECT ?1 + 1", true), 2)
}

func TestTimes(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP, on_day DATE, wide DATETIME)")
	zone := time.FixedZone("", -(3*3600 + 30*60))
	for _, at := range []time.Time{
		time.Date(2024, 2, 29, 23, 59, 59, 999999999, zone),
		time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC),
		time.Date(9999, 12, 31, 0, 0, 0, 1, time.UTC),
	} {
		id, _ := run(t, db, "INSERT INTO t (at, on_day, wide) VALUES (?, ?, ?)", at, at, at).LastInsertId()
		for _, name := range []string{"at", "on_day", "wide"} {
			got := scalar[time.Time](t, db, "SELECT "+name+" FROM t WHERE id = ?", id)
			if !got.Equal(at) {
				t.Fatalf("%s: %v, not %v", name, got, at)
			}
		}
	}
	run(t, db, "DELETE FROM t")
	run(t, db, "INSERT INTO t (at, on_day) VALUES (?, ?)", -86400, "2024-02-29")
	got := scalar[time.Time](t, db, "SELECT at FROM t")
	equal(t, got.Unix(), -86400)
	got = scalar[time.Time](t, db, "SELECT on_day FROM t")
	equal(t, got, time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC))
	equal(t, scalar[sql.NullTime](t, db, "SELECT wide FROM t").Valid, false)
}

func TestBooleans(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (b BOOLEAN)")
	run(t, db, "INSERT INTO t VALUES (?), (?), (NULL)", true, false)
	rows, err := db.QueryContext(bounded(t), "SELECT b FROM t ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []sql.NullBool
	for rows.Next() {
		var value any
		var b sql.NullBool
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		if _, isBool := value.(bool); value != nil && !isBool {
			t.Fatalf("a BOOLEAN came as %T", value)
		}
		if err := b.Scan(value); err != nil {
			t.Fatal(err)
		}
		got = append(got, b)
	}
	// The third is not false: dqlite 1.18.6 cannot tell the two.
	want := []sql.NullBool{{Bool: true, Valid: true}, {Bool: false, Valid: true}, {}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, not %v", got, want)
	}
}

// Classes that a declared type does not expect come as they are; dqlite 1.18.6 dies of them.
func TestOddClasses(t *testing.T) {
	db := open(t, shared)
	run(t, db, "CREATE TABLE t (at DATETIME, b BOOLEAN)")
	run(t, db, "INSERT INTO t VALUES (2.5, 'yes'), (x'00ff', 1.5), (1, x'01')")
	rows, err := db.QueryContext(bounded(t), "SELECT at, b FROM t ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got [][2]any
	for rows.Next() {
		var row [2]any
		if err := rows.Scan(&row[0], &row[1]); err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	want := [][2]any{{2.5, "yes"}, {[]byte{0, 255}, 1.5}, {time.Unix(1, 0), []byte{1}}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, not %v", got, want)
	}
}
