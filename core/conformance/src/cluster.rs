//! The nodes that cases run against, and what is done to them: the program `conformance-cluster`.
//!
//! A runner asks for things in lines and reads an answer to each, `ok …` or `error …`, so that no
//! runner needs to know how a node is started or killed. Nodes are processes of this same program.
//!
//! 1. No node outlives the program: each is killed when it is dropped, and stops by itself when the
//!    pipe to its standard input closes.
//! 2. Ports are taken below the range from which systems choose the ports of outgoing connections,
//!    so that a node that is started again finds its port free.

mod answer;
mod nodes;
mod process;

pub use answer::serve;
pub use process::{hold, node};
