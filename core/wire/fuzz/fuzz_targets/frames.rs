//! Any bytes as a stream of frames, and as one request, response or rows: `cargo +nightly fuzz run
//! frames`. What is checked is shared with `tests/robustness.rs`.
#![no_main]

#[path = "../../tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| exercise::exercise(data));
