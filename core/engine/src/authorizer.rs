//! Which SQL a session may run: all but what would go round the replication.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Pragmas that may be asked but not set: the node's own settings.
const FIXED: [&str; 6] = [
    "journal_mode",
    "locking_mode",
    "synchronous",
    "page_size",
    "wal_autocheckpoint",
    "journal_size_limit",
];

/// Pragmas that may not be used at all.
const REFUSED: [&str; 8] = [
    "wal_checkpoint",
    // dqlite's own: elsewhere, SQLite ignores a pragma that it does not know.
    "delete_database",
    "busy_timeout",
    "read_uncommitted",
    "temp_store_directory",
    "data_store_directory",
    "mmap_size",
    "hard_heap_limit",
];

/// The pragma that keeps a reading connection from writing.
const ONLY_READS: &str = "query_only";

/// Why the last statement was refused, for a better message than SQLite's "not authorized".
#[derive(Clone, Debug)]
pub(crate) struct Refusals {
    last: Arc<Mutex<Option<String>>>,
    only_reads: bool,
}

impl Refusals {
    /// For a connection that only reads, or for one that writes too.
    pub fn new(only_reads: bool) -> Self {
        Self { last: Arc::default(), only_reads }
    }

    /// Takes the reason of the last refusal.
    pub fn take(&self) -> Option<String> {
        self.last.lock().take()
    }

    /// The decision on one action of a statement that is being prepared.
    pub fn decide(&self, context: &AuthContext<'_>) -> Authorization {
        match reason(&context.action, self.only_reads) {
            None => Authorization::Allow,
            Some(reason) => {
                *self.last.lock() = Some(reason);
                Authorization::Deny
            }
        }
    }
}

fn reason(action: &AuthAction<'_>, only_reads: bool) -> Option<String> {
    match action {
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let is = |names: &[&str]| names.iter().any(|it| pragma_name.eq_ignore_ascii_case(it));
            if is(&REFUSED) {
                Some(format!("PRAGMA {pragma_name} is left to the node"))
            } else if only_reads && is(&[ONLY_READS]) && pragma_value.is_some() {
                Some(format!("PRAGMA {pragma_name} is fixed in a session that only reads"))
            } else if is(&FIXED) && pragma_value.is_some() {
                Some(format!("PRAGMA {pragma_name} is fixed in a replicated database"))
            } else {
                None
            }
        }
        AuthAction::Function { function_name: name }
            if name.eq_ignore_ascii_case("load_extension") =>
        {
            Some("extensions cannot be loaded".to_owned())
        }
        _ => None,
    }
}
