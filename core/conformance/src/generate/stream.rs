//! A stream of steps over a few tables: mostly sensible ones, some that must fail.

use std::fmt::Write;

use super::random::Random;
use super::values::{literal, small, value};

/// How many tables there can be.
const TABLES: usize = 4;
/// The columns that a table may have, and the odds of each constraint.
const TYPES: [&str; 7] = ["", "INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", "VARCHAR(10)"];
const MODES: [&str; 3] = ["deferred", "immediate", "exclusive"];

/// The stream of a seed as a case file: `steps` random steps, then a dump of all tables.
pub fn generate(seed: u64, steps: usize) -> String {
    let mut stream = Stream { random: Random::new(seed), widths: [0; TABLES], out: String::new() };
    stream.head(seed);
    (0..TABLES).for_each(|table| stream.make_table(table));
    for _ in 0..steps {
        stream.step();
    }
    stream.dump();
    stream.out.push_str("]\n");
    stream.out
}

struct Stream {
    random: Random,
    /// How many columns each table had when it was made last; 0 before.
    widths: [usize; TABLES],
    out: String,
}

impl Stream {
    fn head(&mut self, seed: u64) {
        let _ = write!(
            self.out,
            "# Random steps of seed {seed}: `conformance generate` made them.\n\n[[case]]\n\
             name = \"random.seed-{seed}\"\n\
             options = {{ timeout_ms = 60000 }}\nsteps = [\n  \
             {{ do = \"connect\", on = \"b\", options = {{ busy_timeout_ms = 200 }} }},\n"
        );
    }

    /// Writes a step; `sql` and what follows it stand in its braces.
    fn put(&mut self, verb: &str, rest: &str) {
        let _ = writeln!(self.out, "  {{ do = \"{verb}\"{rest} }},");
    }

    fn put_sql(&mut self, verb: &str, sql: &str, rest: &str) {
        let sql = sql.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        self.put(verb, &format!(", sql = \"{sql}\"{rest}"));
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..3 => {
                let table = self.random.below(TABLES);
                self.make_table(table);
            }
            3..34 => self.insert(),
            34..39 => self.insert_many(),
            39..47 => self.update(),
            47..52 => self.delete(),
            52..66 => self.select(),
            66..70 => self.read_in_pieces(),
            70..82 => self.transaction(),
            82..84 => self.script(),
            84..88 => self.returning(),
            88..91 => self.change_table(),
            91..95 => self.mistake(),
            95..98 => self.other_connection(),
            _ => self.setting(),
        }
    }

    /// A table that exists, if any does, and its width.
    fn table(&mut self) -> (usize, usize) {
        let table = self.random.below(TABLES);
        let made = (0..TABLES).map(|step| (table + step) % TABLES).find(|&it| self.widths[it] > 0);
        made.map_or((table, 1), |table| (table, self.widths[table]))
    }

    fn make_table(&mut self, table: usize) {
        let width = 1 + self.random.below(4);
        if self.random.chance(90) {
            self.put_sql("execute", &format!("DROP TABLE IF EXISTS t{table}"), "");
        }
        self.widths[table] = width;
        let mut columns = Vec::new();
        for column in 0..width {
            let declared = self.random.one_of(&TYPES);
            let constraint = match self.random.below(20) {
                0 => " UNIQUE",
                1 => " NOT NULL",
                2 => " CHECK (c0 IS NOT 7)",
                3 => " DEFAULT 'd'",
                4 => " COLLATE NOCASE",
                _ => "",
            };
            columns.push(format!("c{column} {declared}{constraint}").replace("  ", " "));
        }
        if self.random.chance(25) {
            columns.insert(0, "id INTEGER PRIMARY KEY".to_owned());
        }
        self.put_sql("execute", &format!("CREATE TABLE t{table} ({})", columns.join(", ")), "");
    }

    fn columns(width: usize) -> String {
        (0..width).map(|column| format!("c{column}")).collect::<Vec<_>>().join(", ")
    }

    fn insert(&mut self) {
        let (table, width) = self.table();
        let verb = self.random.one_of(&[
            "INSERT",
            "INSERT",
            "INSERT",
            "INSERT OR IGNORE",
            "INSERT OR REPLACE",
            "INSERT OR ROLLBACK",
            "REPLACE",
        ]);
        let columns = Self::columns(width);
        if self.random.chance(25) {
            let values: Vec<_> = (0..width).map(|_| literal(&mut self.random)).collect();
            let values = values.join(", ");
            let sql = format!("{verb} INTO t{table} ({columns}) VALUES ({values})");
            return self.put_sql("execute", &sql, "");
        }
        let named = self.random.chance(25);
        let sign = self.random.one_of(&[":", "@", "$"]);
        let place = |column: usize| {
            if named { format!("{sign}p{column}") } else { "?".to_owned() }
        };
        let places: Vec<_> = (0..width).map(place).collect();
        let places = places.join(", ");
        let sql = format!("{verb} INTO t{table} ({columns}) VALUES ({places})");
        let values: Vec<_> = (0..width).map(|_| value(&mut self.random)).collect();
        let given = if named {
            let pairs: Vec<_> =
                (0..).zip(&values).map(|(at, value)| format!("p{at} = {value}")).collect();
            format!(", named = {{ {} }}", pairs.join(", "))
        } else {
            format!(", params = [{}]", values.join(", "))
        };
        self.put_sql("execute", &sql, &given);
    }

    fn insert_many(&mut self) {
        let (table, width) = self.table();
        let places = vec!["?"; width].join(", ");
        let sql = format!("INSERT INTO t{table} ({}) VALUES ({places})", Self::columns(width));
        let mut sets = Vec::new();
        for _ in 0..self.random.below(6) {
            let values: Vec<_> = (0..width).map(|_| value(&mut self.random)).collect();
            sets.push(format!("[{}]", values.join(", ")));
        }
        self.put_sql("execute_many", &sql, &format!(", sets = [{}]", sets.join(", ")));
    }

    fn condition(&mut self) -> String {
        match self.random.below(5) {
            0 => format!("c0 > {}", literal(&mut self.random)),
            1 => format!("c0 = {}", literal(&mut self.random)),
            2 => "c0 IS NULL".to_owned(),
            _ => {
                let divisor = 2 + self.random.below(6);
                format!("rowid % {divisor} = {}", self.random.below(divisor))
            }
        }
    }

    fn update(&mut self) {
        let (table, width) = self.table();
        let column = self.random.below(width);
        let condition = self.condition();
        let sql = format!("UPDATE t{table} SET c{column} = ? WHERE {condition}");
        let value = value(&mut self.random);
        self.put_sql("execute", &sql, &format!(", params = [{value}]"));
    }

    fn delete(&mut self) {
        let (table, _) = self.table();
        let condition = self.condition();
        self.put_sql("execute", &format!("DELETE FROM t{table} WHERE {condition}"), "");
    }

    fn select(&mut self) {
        let (table, width) = self.table();
        let columns = Self::columns(width);
        let condition = self.condition();
        let sql = match self.random.below(5) {
            0 => format!("SELECT count(*), total(rowid), min(c0), max(c0) FROM t{table}"),
            1 => format!("SELECT typeof(c0) AS kind, count(*) FROM t{table} GROUP BY 1 ORDER BY 1"),
            2 => format!("SELECT * FROM t{table} ORDER BY rowid LIMIT 20"),
            3 => format!("SELECT quote(c0), length(c0) FROM t{table} ORDER BY rowid DESC LIMIT 9"),
            _ => format!("SELECT rowid, {columns} FROM t{table} WHERE {condition} ORDER BY rowid"),
        };
        self.put_sql("query", &sql, "");
    }

    fn read_in_pieces(&mut self) {
        let (table, _) = self.table();
        let sql = format!("SELECT c0 FROM t{table} ORDER BY rowid");
        self.put_sql("execute", &sql, ", cursor = \"x\"");
        for _ in 0..=self.random.below(3) {
            let size = self.random.below(10);
            self.put("fetch_many", &format!(", cursor = \"x\", size = {size}"));
        }
        if self.random.chance(50) {
            self.put("fetch_one", ", cursor = \"x\"");
            self.put("stream", ", cursor = \"x\"");
        }
    }

    fn transaction(&mut self) {
        let savepoint = self.random.below(3);
        match self.random.below(20) {
            0..6 => {
                let mode = self.random.one_of(&MODES);
                self.put("begin", &format!(", mode = \"{mode}\""));
            }
            6..11 => self.put("commit", ""),
            11..14 => self.put("rollback", ""),
            14..16 => self.put_sql("execute", &format!("SAVEPOINT s{savepoint}"), ""),
            16..18 => self.put_sql("execute", &format!("ROLLBACK TO s{savepoint}"), ""),
            18 => self.put_sql("execute", &format!("RELEASE s{savepoint}"), ""),
            _ => {
                let sql = self.random.one_of(&["BEGIN", "COMMIT", "END", "ROLLBACK"]);
                self.put_sql("execute", sql, "");
            }
        }
    }

    fn script(&mut self) {
        let (table, _) = self.table();
        let (one, other) = (literal(&mut self.random), literal(&mut self.random));
        let sql = format!(
            "INSERT INTO t{table} (c0) VALUES ({one}); -- a ; b\nUPDATE t{table} SET c0 = {other} \
             WHERE rowid = 3; SELECT * FROM t{table};"
        );
        self.put_sql("execute_script", &sql, "");
    }

    fn returning(&mut self) {
        let (table, width) = self.table();
        let columns = Self::columns(width);
        let condition = self.condition();
        let sql = match self.random.below(3) {
            0 => format!("INSERT INTO t{table} (c0) VALUES (?) RETURNING rowid, {columns}"),
            1 => format!("UPDATE t{table} SET c0 = ? WHERE {condition} RETURNING rowid"),
            _ => format!("DELETE FROM t{table} WHERE c0 = ? RETURNING {columns}"),
        };
        let value = value(&mut self.random);
        self.put_sql("query", &sql, &format!(", params = [{value}]"));
    }

    fn change_table(&mut self) {
        let (table, width) = self.table();
        let column = self.random.below(width);
        let sql = match self.random.below(5) {
            0 => format!("CREATE INDEX IF NOT EXISTS i{table}{column} ON t{table} (c{column})"),
            1 => format!("DROP INDEX IF EXISTS i{table}{column}"),
            2 => format!("ALTER TABLE t{table} ADD COLUMN extra{column} DEFAULT {column}"),
            3 => format!("CREATE UNIQUE INDEX u{table} ON t{table} (c{column})"),
            _ => {
                self.widths[table] = 0;
                format!("DROP TABLE t{table}")
            }
        };
        self.put_sql("execute", &sql, "");
    }

    fn mistake(&mut self) {
        let (table, _) = self.table();
        let number = small(&mut self.random);
        match self.random.below(8) {
            0 => self.put_sql("execute", "SELEKT", ""),
            1 => self.put_sql("query", "SELECT * FROM nowhere", ""),
            2 => self.put_sql("query", &format!("SELECT ?, ? FROM t{table}"), ", params = []"),
            3 => {
                let given = format!(", named = {{ a = {{ int = \"{number}\" }} }}");
                self.put_sql("query", "SELECT :a, :b", &given);
            }
            4 => self.put_sql("execute", "", ""),
            5 => self.put_sql("execute", "SELECT 1; SELECT 2", ""),
            6 => self.put_sql("execute_many", "SELECT ?", ", sets = [[{ null = true }]]"),
            _ => self.put_sql("query", "SELECT abs(-9223372036854775808)", ""),
        }
    }

    fn other_connection(&mut self) {
        let (table, _) = self.table();
        let number = small(&mut self.random);
        let sql = match self.random.below(3) {
            0 => format!("INSERT INTO t{table} (c0) VALUES ({number})"),
            1 => format!("DELETE FROM t{table} WHERE rowid % 10 = 9"),
            _ => format!("SELECT count(*), max(rowid) FROM t{table}"),
        };
        self.put_sql("query", &sql, ", on = \"b\"");
    }

    fn setting(&mut self) {
        match self.random.below(4) {
            0 => {
                self.put("close", "");
                self.put("connect", "");
                // The one before belongs to the connection that was closed.
                self.put("cursor", ", cursor = \"x\"");
            }
            1 => self.put_sql("execute", "VACUUM", ""),
            _ => {
                let on = self.random.chance(50);
                self.put("set_autocommit", &format!(", to = {on}"));
            }
        }
    }

    fn dump(&mut self) {
        self.put("rollback", "");
        let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name";
        self.put_sql("query", sql, "");
        for table in 0..TABLES {
            let sql = format!("SELECT rowid, * FROM t{table} ORDER BY rowid");
            self.put_sql("query", &sql, "");
        }
        self.put_sql("query", "PRAGMA integrity_check", "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_and_another_does_not() {
        assert_eq!(generate(1, 100), generate(1, 100));
        assert_ne!(generate(1, 100), generate(2, 100));
    }

    #[test]
    fn what_is_generated_is_a_case_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("random.toml");
        for seed in 0..5 {
            std::fs::write(&path, generate(seed, 500)).unwrap();
            let cases = crate::load::load(&path).unwrap();
            assert!(cases.len() == 1 && cases[0].steps.len() > 500);
        }
    }
}
