//! The columns of a result, made once per compiled statement.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use dqlite_vfs::{Column, Statement};

/// The columns of a result, shared by all results of the same compiled statement.
pub struct Columns {
    list: Vec<Column>,
    form: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Columns {
    pub(crate) fn of(statement: &Statement) -> Arc<Self> {
        Arc::new(Self { list: statement.columns(), form: OnceLock::new() })
    }

    /// The columns, in order.
    pub fn list(&self) -> &[Column] {
        &self.list
    }

    /// The columns in the caller's own form, which `make` makes of them the first time.
    pub fn form<T: Clone + Send + Sync + 'static>(&self, make: impl FnOnce(&[Column]) -> T) -> T {
        let mut make = Some(make);
        let form = self.form.get_or_init(|| match make.take() {
            Some(make) => Arc::new(make(&self.list)),
            None => Arc::new(()),
        });
        match (form.downcast_ref::<T>(), make) {
            (Some(form), _) => form.clone(),
            // Somebody else keeps another form here.
            (None, Some(make)) => make(&self.list),
            (None, None) => unreachable!("a form was made and is of another type"),
        }
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.list).finish()
    }
}
