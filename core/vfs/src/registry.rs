//! The names under which SQLite finds databases: the path that it opens is only ever such a name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::shared::Shared;

static DATABASES: Mutex<BTreeMap<String, Weak<Shared>>> = Mutex::new(BTreeMap::new());
static NAMES_MADE: AtomicU64 = AtomicU64::new(0);

/// A name that no database of this process has had.
pub(crate) fn new_name() -> String {
    format!("dqlite-{}", NAMES_MADE.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn add(database: &Arc<Shared>) {
    DATABASES.lock().insert(database.name.clone(), Arc::downgrade(database));
}

pub(crate) fn find(name: &str) -> Option<Arc<Shared>> {
    DATABASES.lock().get(name)?.upgrade()
}

pub(crate) fn remove(name: &str) {
    DATABASES.lock().remove(name);
}

/// Databases of this process that are open, or whose connections are.
pub fn open_database_count() -> usize {
    DATABASES.lock().len()
}
