//! What a statement gives: its effect, its columns, and its rows as whole batches.

use std::ffi::c_char;

use dqlite::{Column, RowBatch, blocking};

use crate::arguments::Sized64;

/// A column of a result. Its texts end with a NUL, which the lengths do not count.
#[repr(C)]
pub struct dqlite_column {
    /// The name. UTF-8.
    pub name: *const c_char,
    /// Its length in bytes.
    pub name_length: usize,
    /// The type in the table's declaration; NULL where the column is none of a table's.
    pub declared_type: *const c_char,
    /// Its length in bytes.
    pub declared_type_length: usize,
}

/// A batch of rows, by default 256 of them or 64 KiB. This struct never grows.
///
/// All numbers are little-endian, nothing is aligned. The batch begins with the count of its rows
/// and the count of their columns, 4 bytes each; then come the values, row by row. A value is a
/// byte that tells its kind and what follows from it:
///
///     DQLITE_NULL     nothing
///     DQLITE_INTEGER  8 bytes, with a sign
///     DQLITE_REAL     8 bytes, IEEE 754
///     DQLITE_TEXT     its length in 4 bytes, then as many bytes: UTF-8, may hold NULs, ends with
/// none
///     DQLITE_BLOB     its length in 4 bytes, then as many bytes
///
/// dqlite_values.h has functions that read it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dqlite_batch {
    /// The batch. Borrowed from the cursor until the next call with it.
    pub data: *const u8,
    /// Its length in bytes; 0 when there are no more rows.
    pub length: usize,
    /// The number of its rows.
    pub row_count: u32,
    /// 1 if there may be another batch, 0 if this is the last.
    pub more: u32,
}

/// What a statement did and gives. What it points to is borrowed from the cursor until the next
/// call with it.
#[repr(C)]
pub struct dqlite_result {
    /// sizeof(dqlite_result), set by the caller.
    pub size: u64,
    /// How many rows the INSERT, UPDATE, DELETE or REPLACE changed, of all sets of parameters
    /// together; -1 for other statements.
    pub row_count: i64,
    /// The rowid that the last INSERT gave.
    pub last_row_id: i64,
    /// Rows inserted, updated or deleted through the connection since it was opened.
    pub total_changes: u64,
    /// The index of the log that the connection has seen.
    pub last_index: u64,
    /// The columns; NULL where the statement gives no rows.
    pub columns: *const dqlite_column,
    /// How many columns there are.
    pub column_count: usize,
    /// The first rows.
    pub batch: dqlite_batch,
    /// Whether `last_row_id` has a meaning: 0 or 1.
    pub has_last_row_id: u32,
    /// Whether a transaction is open now: 0 or 1.
    pub in_transaction: u32,
}

impl Sized64 for dqlite_result {
    const BYTES_MIN: usize = 88;
}

const _: () = assert!(size_of::<dqlite_batch>() == 24 && size_of::<dqlite_result>() == 88);

impl dqlite_batch {
    pub(crate) const NONE: Self = Self { data: std::ptr::null(), length: 0, row_count: 0, more: 0 };

    pub(crate) fn of(batch: &RowBatch, more: bool) -> Self {
        Self {
            data: batch.0.as_ptr(),
            length: batch.0.len(),
            row_count: batch.row_count(),
            more: more.into(),
        }
    }
}

impl dqlite_result {
    /// The effect of what the cursor ran last, without columns and rows.
    pub(crate) fn effect(cursor: &blocking::Cursor) -> Self {
        let connection = cursor.connection();
        let last_row_id = cursor.last_row_id();
        Self {
            size: 0,
            row_count: cursor.row_count(),
            last_row_id: last_row_id.unwrap_or_default(),
            total_changes: connection.total_changes(),
            last_index: connection.last_index(),
            columns: std::ptr::null(),
            column_count: 0,
            batch: dqlite_batch::NONE,
            has_last_row_id: last_row_id.is_some().into(),
            in_transaction: connection.in_transaction().into(),
        }
    }
}

/// Columns as C reads them.
#[derive(Default)]
pub(crate) struct Columns {
    /// All texts, each with its NUL. The views point into it, so it never changes.
    _texts: Vec<u8>,
    views: Vec<dqlite_column>,
}

// SAFETY: the views point into `_texts`, which is on the heap, goes along and never changes.
unsafe impl Send for Columns {}

impl Columns {
    pub fn of(columns: &[Column]) -> Self {
        let room = |column: &Column| {
            column.name.len() + column.declared_type.as_ref().map_or(0, |it| it.len()) + 2
        };
        let mut texts: Vec<u8> = Vec::with_capacity(columns.iter().map(room).sum());
        let mut put = |text: &str| {
            let at = texts.len();
            texts.extend_from_slice(text.as_bytes());
            texts.push(0);
            at
        };
        let places: Vec<(usize, Option<usize>)> = columns
            .iter()
            .map(|it| (put(&it.name), it.declared_type.as_deref().map(&mut put)))
            .collect();
        let view = |(column, (name, declared)): (&Column, &(usize, Option<usize>))| dqlite_column {
            name: texts[*name..].as_ptr().cast(),
            name_length: column.name.len(),
            declared_type: declared.map_or(std::ptr::null(), |at| texts[at..].as_ptr().cast()),
            declared_type_length: column.declared_type.as_ref().map_or(0, |it| it.len()),
        };
        let views = columns.iter().zip(&places).map(view).collect();
        Self { views, _texts: texts }
    }

    /// Where they begin; NULL if there are none.
    pub fn start(&self) -> *const dqlite_column {
        if self.views.is_empty() { std::ptr::null() } else { self.views.as_ptr() }
    }

    pub fn count(&self) -> usize {
        self.views.len()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn columns_are_read_as_texts_of_c() {
        let column = |name: &str, declared: Option<&str>| Column {
            name: name.into(),
            declared_type: declared.map(Into::into),
        };
        let given = [column("é", Some("VARCHAR(10)")), column("", None), column("c", Some("INT"))];
        let columns = Columns::of(&given);
        // SAFETY: there are as many views, and each points to a text that ends with a NUL.
        let read = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_str().unwrap();
        // SAFETY: as above.
        let views = unsafe { std::slice::from_raw_parts(columns.start(), columns.count()) };
        for (view, given) in views.iter().zip(&given) {
            assert_eq!(read(view.name), &*given.name);
            assert_eq!(view.name_length, given.name.len());
            assert_eq!(view.declared_type.is_null(), given.declared_type.is_none());
        }
        assert_eq!(read(views[2].declared_type), "INT");
        assert!(Columns::of(&[]).start().is_null());
    }
}
