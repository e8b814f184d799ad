//! Lists that C is given, until it gives them back.
//!
//! They are plain memory that C reads. Their addresses are kept here, so that one that is given
//! back twice, or was never given, is an error instead of harm.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};

use parking_lot::Mutex;

use crate::error::dqlite_error;
use crate::failure::{Failure, answer};

/// Something on the heap, with all that it points to.
struct Given(#[expect(dead_code, reason = "it is kept for whom it was given to")] Box<dyn Any>);

// SAFETY: nothing in it is used before it is dropped, and it holds plain memory only: texts and
// structs of numbers and pointers into it.
unsafe impl Send for Given {}

static GIVEN: Mutex<Option<HashMap<usize, Given>>> = Mutex::new(None);

/// Gives a list of items, which point into `texts` and nowhere else. An empty list has an address
/// too.
pub(crate) fn list<T: 'static>(mut items: Vec<T>, texts: impl Any) -> *const T {
    // An allocation, so that the address is nobody else's.
    items.reserve_exact(1);
    let start = items.as_ptr();
    let kept = (items, texts);
    GIVEN.lock().get_or_insert_default().insert(start.addr(), Given(Box::new(kept)));
    start
}

/// Gives a list back that a call has made: members, databases, a status. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_release(
    list: *const c_void,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || {
            if list.is_null() {
                return Ok(());
            }
            let found = GIVEN.lock().as_mut().and_then(|given| given.remove(&list.addr()));
            match found {
                Some(_) => Ok(()),
                None => Err(Failure::argument("the list was given back before, or never given")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_given_back_once() {
        // SAFETY: NULL is allowed for the error.
        let release = |list: *const c_void| unsafe { dqlite_release(list, std::ptr::null_mut()) };
        for items in [vec![1u64, 2], Vec::new()] {
            let expected = items.clone();
            let given = list(items, vec![c"text".to_owned()]);
            // SAFETY: the list is still given.
            let read = unsafe { std::slice::from_raw_parts(given, expected.len()) };
            assert_eq!(read, expected);
            assert_eq!(release(given.cast()), 0);
            assert_ne!(release(given.cast()), 0);
        }
        assert_eq!(release(std::ptr::null()), 0);
        let mine = 5u64;
        assert_ne!(release((&raw const mine).cast()), 0);
    }
}
