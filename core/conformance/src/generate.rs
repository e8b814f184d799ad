//! Random steps from a seed, as a case file without expectations. Every language records what they
//! give; the records must be equal.

mod random;
mod stream;
mod values;

pub use stream::generate;
