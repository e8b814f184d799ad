//! Starts nodes for the cases, kills them and starts them again: lines on standard input ask, lines
//! on standard output answer. See FORMAT.md.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dqlite_conformance::cluster;

/// The nodes that conformance cases run against.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
}

/// What a process of this program is, if not the one that a runner talks to.
#[derive(Debug, Subcommand)]
enum Role {
    /// A node
    Node {
        /// Its folder
        #[arg(long)]
        dir: PathBuf,
        /// Its address
        #[arg(long)]
        address: String,
        /// A member of its cluster
        #[arg(long)]
        join: Option<String>,
    },
    /// A user of a folder
    Hold {
        /// The folder
        dir: String,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().role {
        None => cluster::serve(io::stdin().lock(), io::stdout()),
        Some(Role::Node { dir, address, join }) => cluster::node(dir, &address, join),
        Some(Role::Hold { dir }) => cluster::hold(&dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
