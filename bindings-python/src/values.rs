//! Values, both ways: parameters of Python to the core, rows of the core to Python.

mod convert;
mod decode;
mod encode;
mod sets;

pub use convert::{Conversion, conversion};
pub use decode::{Place, rows, skip_row};
pub use encode::surrogate;
pub use sets::{many, one};
