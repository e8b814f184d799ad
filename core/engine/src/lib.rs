//! Databases whose commits are put in order by a log.
#![forbid(unsafe_code)]

mod consensus;

pub use consensus::{
    Consensus, Machine, OnRefused, Payload, Position, Refused, SnapshotReader, SnapshotWriter,
};
