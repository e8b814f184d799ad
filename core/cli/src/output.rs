//! How rows are shown.
//!
//! A [`Printer`] takes rows one by one and writes them at once, except as a table, whose widths are
//! known only at its end.

mod text;

use std::io::{self, Write};
use std::str::FromStr;

use comfy_table::{Cell, ContentArrangement, Table, presets};
use dqlite_wire::Value;

pub use text::{hexadecimal, plain};

/// The shape of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// A box with lines.
    Table,
    /// An array of objects.
    Json,
    /// Comma-separated values, quoted as RFC 4180 says.
    Csv,
    /// One `name = value` a line, an empty line between rows.
    Line,
    /// Values with `|` between them.
    List,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "table" | "box" => Self::Table,
            "json" => Self::Json,
            "csv" => Self::Csv,
            "line" => Self::Line,
            "list" => Self::List,
            _ => return Err(format!("{name} is none of table, json, csv, line and list")),
        })
    }
}

/// How the user wants rows to look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The shape.
    pub mode: Mode,
    /// Whether columns are named above the rows, where the shape does not name them anyway.
    pub headers: bool,
}

/// Terminals that are narrower, or do not tell, get whole lines.
const WRAPPED_WIDTH_MIN: u16 = 40;

/// A table as every command of the program draws it.
pub fn table(columns: impl IntoIterator<Item = impl Into<Cell>>) -> Table {
    let mut table = table_without_head();
    table.set_header(columns);
    table
}

fn table_without_head() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    if table.width().is_some_and(|width| width >= WRAPPED_WIDTH_MIN) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

/// Writes one result.
pub struct Printer<'a, W: Write> {
    out: W,
    style: Style,
    columns: &'a [String],
    table: Table,
    row_count: u64,
}

impl<'a, W: Write> Printer<'a, W> {
    /// Begins a result with these columns.
    pub fn new(out: W, style: Style, columns: &'a [String]) -> Self {
        let table = if style.headers { table(columns) } else { table_without_head() };
        Self { out, style, columns, table, row_count: 0 }
    }

    /// Writes one row.
    ///
    /// # Errors
    /// The output is gone.
    pub fn row(&mut self, values: &[Value]) -> io::Result<()> {
        if self.row_count == 0 {
            self.begin()?;
        }
        match self.style.mode {
            Mode::Table => {
                self.table.add_row(values.iter().map(table_cell));
            }
            Mode::Json => {
                self.out.write_all(if self.row_count == 0 { b"[" } else { b",\n " })?;
                self.out.write_all(text::json_object(self.columns, values).as_bytes())?;
            }
            Mode::Csv => self.separated(values.iter().map(text::csv), ",")?,
            Mode::List => self.separated(values.iter().map(plain), "|")?,
            Mode::Line => {
                if self.row_count > 0 {
                    writeln!(self.out)?;
                }
                let width = self.columns.iter().map(|name| name.chars().count()).max().unwrap_or(0);
                for (name, value) in self.columns.iter().zip(values) {
                    writeln!(self.out, "{name:>width$} = {}", plain(value))?;
                }
            }
        }
        self.row_count += 1;
        Ok(())
    }

    /// Ends the result and gives the number of its rows.
    ///
    /// # Errors
    /// The output is gone.
    pub fn finish(mut self) -> io::Result<u64> {
        match self.style.mode {
            Mode::Table if self.row_count > 0 => writeln!(self.out, "{}", self.table)?,
            Mode::Json if self.row_count > 0 => writeln!(self.out, "]")?,
            Mode::Json => writeln!(self.out, "[]")?,
            _ => {}
        }
        self.out.flush()?;
        Ok(self.row_count)
    }

    fn begin(&mut self) -> io::Result<()> {
        match self.style.mode {
            Mode::Csv if self.style.headers => {
                let names: Vec<_> = self.columns.iter().map(|name| text::csv_text(name)).collect();
                self.separated(names.into_iter(), ",")
            }
            Mode::List if self.style.headers => {
                let names = self.columns.to_vec();
                self.separated(names.into_iter(), "|")
            }
            _ => Ok(()),
        }
    }

    fn separated(
        &mut self,
        fields: impl Iterator<Item = String>,
        separator: &str,
    ) -> io::Result<()> {
        let fields: Vec<String> = fields.collect();
        writeln!(self.out, "{}", fields.join(separator))
    }
}

/// Numbers stand to the right.
fn table_cell(value: &Value) -> Cell {
    let cell = Cell::new(plain(value));
    match value {
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::UnixTime(_) => {
            cell.set_alignment(comfy_table::CellAlignment::Right)
        }
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn shown(mode: Mode, headers: bool, rows: &[Vec<Value>]) -> String {
        let columns = ["id".to_owned(), "name".to_owned()];
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, Style { mode, headers }, &columns);
        for row in rows {
            printer.row(row).unwrap();
        }
        assert_eq!(printer.finish().unwrap(), rows.len() as u64);
        String::from_utf8(out).unwrap()
    }

    fn rows() -> Vec<Vec<Value>> {
        vec![
            vec![Value::Integer(1), Value::Text("a,b".into())],
            vec![Value::Null, Value::Blob(Bytes::from_static(&[0, 0xab]))],
        ]
    }

    #[test]
    fn a_table_has_its_columns_and_lines() {
        let table = shown(Mode::Table, true, &rows());
        assert!(table.contains("│ id   ┆ name    │"), "{table}");
        assert!(table.contains("│    1 ┆ a,b     │"), "{table}");
        assert!(table.contains("│ NULL ┆ X'00AB' │"), "{table}");
        assert!(!shown(Mode::Table, false, &rows()).contains("name"));
        assert_eq!(shown(Mode::Table, true, &[]), "");
    }

    #[test]
    fn json_is_an_array_of_objects() {
        let expected = "[{\"id\":1,\"name\":\"a,b\"},\n {\"id\":null,\"name\":\"X'00AB'\"}]\n";
        assert_eq!(shown(Mode::Json, true, &rows()), expected);
        assert_eq!(shown(Mode::Json, true, &[]), "[]\n");
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(shown(Mode::Csv, true, &rows()), "id,name\n1,\"a,b\"\n,X'00AB'\n");
        assert_eq!(shown(Mode::Csv, false, &rows()[..1]), "1,\"a,b\"\n");
    }

    #[test]
    fn lines_and_lists() {
        assert_eq!(
            shown(Mode::Line, true, &rows()),
            "  id = 1\nname = a,b\n\n  id = NULL\nname = X'00AB'\n"
        );
        assert_eq!(shown(Mode::List, true, &rows()), "id|name\n1|a,b\nNULL|X'00AB'\n");
        assert_eq!(shown(Mode::List, false, &rows()[..1]), "1|a,b\n");
    }

    #[test]
    fn modes_are_known_by_name() {
        assert_eq!("json".parse(), Ok(Mode::Json));
        assert!("html".parse::<Mode>().is_err());
    }
}
