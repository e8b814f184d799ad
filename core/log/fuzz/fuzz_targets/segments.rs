//! Any bytes as a folder of segments: `cargo +nightly fuzz run segments` in `core/log`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dqlite_log::fuzz::recover(bytes));
