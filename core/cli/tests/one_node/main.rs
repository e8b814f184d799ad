//! The real binary against one node: each test has a node of its own.
#![expect(clippy::unwrap_used, reason = "the fixture is part of the tests")]

mod commands;
mod fixture;
mod shell;
