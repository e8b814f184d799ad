//! Whole clusters in simulated time.
//!
//! One seed decides everything.
#![forbid(unsafe_code)]

pub mod history;
pub mod world;
