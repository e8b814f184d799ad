//! Prepared statements that own themselves, so that a cursor can stay open between calls.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

use libsqlite3_sys as ffi;

use crate::error::SqliteError;
use crate::value::ValueRef;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A row can be read.
    Row,
    /// The statement has run to its end. The next step runs it again.
    Done,
}

/// A column of a statement's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name, as the statement gives it.
    pub name: String,
    /// The type in the table's declaration, when the column is one of a table's.
    pub declared_type: Option<String>,
}

/// A prepared statement, as its connection lends it.
///
/// A reference to it is SQLite's own pointer, and there is nothing of it in Rust's memory: so no
/// safe code can move a statement out of its connection, or swap it with that of another.
#[repr(transparent)]
pub struct Statement {
    raw: ffi::sqlite3_stmt,
    /// Reading a value can touch SQLite's memory: one thread at a time.
    _not_sync: PhantomData<Cell<()>>,
}

/// A statement as its connection keeps it; finalized on drop.
#[derive(Debug)]
pub(crate) struct OwnedStatement(NonNull<ffi::sqlite3_stmt>);

// SAFETY: SQLite ties a statement to no thread. It must not be used while another thread uses its
// connection: it stays in the connection, which lends it exclusively.
unsafe impl Send for OwnedStatement {}

/// A statement, and how many bytes of the text it took. There is none in an empty text.
pub(crate) type Compiled = (Option<OwnedStatement>, usize);

impl OwnedStatement {
    /// Compiles the first statement of `sql`.
    ///
    /// # Safety
    /// `connection` must be open and stay so until the statement is dropped, and no other thread
    /// may be using it.
    pub(crate) unsafe fn compile(
        connection: *mut ffi::sqlite3,
        sql: &str,
    ) -> Result<Compiled, SqliteError> {
        let Ok(length) = c_int::try_from(sql.len()) else {
            return Err(SqliteError::new(ffi::SQLITE_TOOBIG, "statement too long"));
        };
        let mut raw = std::ptr::null_mut();
        let mut tail: *const c_char = std::ptr::null();
        let start = sql.as_ptr().cast::<c_char>();
        // SAFETY: the caller vouches for the connection; the text has that many bytes.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                connection,
                start,
                length,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &raw mut raw,
                &raw mut tail,
            )
        };
        if code != ffi::SQLITE_OK {
            // SAFETY: the caller vouches for the connection.
            return Err(unsafe { SqliteError::last(connection, code) });
        }
        let taken = (tail as usize).saturating_sub(start as usize).min(sql.len());
        Ok((NonNull::new(raw).map(Self), taken))
    }

    /// Lends the statement.
    pub fn lend(&mut self) -> &mut Statement {
        // SAFETY: the type is a transparent wrapper of SQLite's opaque one, of no size; the
        // statement is finalized only when this owner is dropped.
        unsafe { self.0.cast().as_mut() }
    }
}

impl Drop for OwnedStatement {
    fn drop(&mut self) {
        // SAFETY: nobody else has the statement, and its connection is open.
        unsafe { ffi::sqlite3_finalize(self.0.as_ptr()) };
    }
}

impl Statement {
    fn raw(&self) -> *mut ffi::sqlite3_stmt {
        (&raw const self.raw).cast_mut()
    }

    /// Binds `value` to the parameter `index`, counted from 1, as a copy.
    ///
    /// # Errors
    /// `SQLITE_RANGE`, `SQLITE_MISUSE` when the statement is at a row, `SQLITE_TOOBIG`.
    pub fn bind(&mut self, index: usize, value: ValueRef<'_>) -> Result<(), SqliteError> {
        let index = c_int::try_from(index).unwrap_or(c_int::MAX);
        // SAFETY: the statement is not finalized, and is lent exclusively.
        self.check(unsafe { value.bind(self.raw(), index) })
    }

    /// Sets all parameters to NULL.
    pub fn clear_bindings(&mut self) {
        // SAFETY: as in `bind`.
        unsafe { ffi::sqlite3_clear_bindings(self.raw()) };
    }

    /// Goes back to before the first row. The bindings stay.
    pub fn reset(&mut self) {
        // The result repeats the error of the last step, which was told then.
        // SAFETY: as in `bind`.
        unsafe { ffi::sqlite3_reset(self.raw()) };
    }

    /// Goes to the next row. After an error the statement is reset.
    ///
    /// # Errors
    /// SQLite's.
    pub fn step(&mut self) -> Result<Step, SqliteError> {
        // SAFETY: as in `bind`.
        match unsafe { ffi::sqlite3_step(self.raw()) } {
            ffi::SQLITE_ROW => Ok(Step::Row),
            ffi::SQLITE_DONE => Ok(Step::Done),
            code => {
                let error = self.error(code);
                self.reset();
                Err(error)
            }
        }
    }

    /// The columns of the result. They can change when a step finds the schema changed.
    pub fn columns(&self) -> Vec<Column> {
        (0..self.column_count() as c_int)
            .map(|column| {
                // SAFETY: as in `bind`; SQLite gives null or a C string that stays for the moment.
                unsafe {
                    Column {
                        name: text(ffi::sqlite3_column_name(self.raw(), column))
                            .unwrap_or_default(),
                        declared_type: text(ffi::sqlite3_column_decltype(self.raw(), column)),
                    }
                }
            })
            .collect()
    }

    /// How many columns the result has; 0 when the statement gives none.
    pub fn column_count(&self) -> usize {
        // SAFETY: as in `bind`.
        let count = unsafe { ffi::sqlite3_column_count(self.raw()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// The value in `column`, counted from 0, of the present row; `Null` when there is none.
    pub fn value(&self, column: usize) -> ValueRef<'_> {
        let column = c_int::try_from(column).unwrap_or(c_int::MAX);
        // SAFETY: the statement is not finalized, and cannot be stepped while it is lent.
        unsafe { ValueRef::of_column(self.raw(), column) }
    }

    /// How many parameters there are: the largest index.
    pub fn parameter_count(&self) -> usize {
        // SAFETY: as in `bind`.
        let count = unsafe { ffi::sqlite3_bind_parameter_count(self.raw()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// The name of parameter `index`, counted from 1, with its sign (`:a`, `@a`, `$a`, `?1`).
    pub fn parameter_name(&self, index: usize) -> Option<String> {
        let index = c_int::try_from(index).ok()?;
        // SAFETY: as in `bind`; SQLite gives null or a C string that lives with the statement.
        unsafe { text(ffi::sqlite3_bind_parameter_name(self.raw(), index)) }
    }

    /// The index, counted from 1, of the parameter called `name`, its sign included.
    pub fn parameter_index(&self, name: &str) -> Option<usize> {
        let name = CString::new(name).ok()?;
        // SAFETY: as in `bind`; the name is a C string.
        let index = unsafe { ffi::sqlite3_bind_parameter_index(self.raw(), name.as_ptr()) };
        usize::try_from(index).ok().filter(|index| *index > 0)
    }

    /// True when the statement itself writes nothing to the database. `BEGIN` counts as such,
    /// `BEGIN IMMEDIATE` does not.
    pub fn readonly(&self) -> bool {
        // SAFETY: as in `bind`.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw()) != 0 }
    }

    /// True for `EXPLAIN` and `EXPLAIN QUERY PLAN`.
    pub fn is_explain(&self) -> bool {
        // SAFETY: as in `bind`.
        unsafe { ffi::sqlite3_stmt_isexplain(self.raw()) != 0 }
    }

    /// How often SQLite compiled the statement anew because the schema had changed. The columns
    /// stay what they are as long as this does.
    pub fn recompiled_count(&self) -> u32 {
        // SAFETY: as in `bind`.
        let count =
            unsafe { ffi::sqlite3_stmt_status(self.raw(), ffi::SQLITE_STMTSTATUS_REPREPARE, 0) };
        u32::try_from(count).unwrap_or(0)
    }

    /// True between a step that gave a row and the end, or a reset.
    pub fn is_busy(&self) -> bool {
        // SAFETY: as in `bind`.
        unsafe { ffi::sqlite3_stmt_busy(self.raw()) != 0 }
    }

    fn check(&self, code: c_int) -> Result<(), SqliteError> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.error(code)) }
    }

    fn error(&self, code: c_int) -> SqliteError {
        // SAFETY: the statement's connection is open for as long as the statement is.
        unsafe { SqliteError::last(ffi::sqlite3_db_handle(self.raw()), code) }
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Statement").field("busy", &self.is_busy()).finish_non_exhaustive()
    }
}

/// # Safety
/// `start` must be null or a C string.
unsafe fn text(start: *const c_char) -> Option<String> {
    if start.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    Some(unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned())
}
