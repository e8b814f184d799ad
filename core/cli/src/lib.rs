//! The command `dqlite`: everything a person does with a cluster, from one binary.
//!
//! Each command is one module that holds its arguments and a `run`. All but `node`, and `recover`,
//! which works on the files of a stopped one, reach a cluster through `dqlite-client`, as any other
//! program would; `demo` and `bench` start their nodes as processes of this same program. It
//! promises that what it reports was seen: an error ends with exit status 1, and `demo` fails if a
//! single acknowledged transaction is missing anywhere.
//!
//! A library, because there are two programs of it: the binary `dqlite`, and `python -m dqlite`.
//!
//! ```text
//!  node ──────────────── dqlite-server        runs until a signal
//!  recover ───────────── dqlite-server        the files of a node that does not run
//!  shell ──┐
//!  cluster ├──────────── dqlite-client ─────> nodes, over the wire
//!  status  │
//!  import ─┤ image       a user's file as it can be imported
//!  dump ───┘
//!  demo ───┬ processes   three nodes, killed and started again
//!  bench ──┘
//! ```
#![forbid(unsafe_code)]

mod bench;
mod cluster;
mod demo;
mod dump;
mod image;
mod import;
mod node;
mod output;
mod processes;
mod progress;
mod recover;
mod servers;
mod shell;
mod status;
mod tls;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Replicated SQLite: nodes, a shell, and the cluster.
#[derive(Debug, Parser)]
#[command(name = "dqlite", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Node(node::Arguments),
    Shell(shell::Arguments),
    Cluster(cluster::Arguments),
    Status(status::Arguments),
    Import(import::Arguments),
    Dump(dump::Arguments),
    Recover(recover::Arguments),
    Demo(demo::Arguments),
    Bench(bench::Arguments),
}

/// What starts this program once more, for nodes as processes of their own.
static PROGRAM: OnceLock<Vec<OsString>> = OnceLock::new();

/// Runs the command and gives its exit status: 0 if all went well. `arguments` begin with the
/// program's name; `program` is what starts the same program once more, with its first arguments.
pub fn main(arguments: Vec<OsString>, program: Vec<OsString>) -> u8 {
    PROGRAM.get_or_init(|| program);
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => begin(arguments),
        Err(told) => {
            // Standard output may be gone; there is nobody left to tell.
            let _ = told.print();
            u8::try_from(told.exit_code()).unwrap_or(FAILURE)
        }
    }
}

const FAILURE: u8 = 1;

fn begin(arguments: Arguments) -> u8 {
    // The node tells what it does; the other commands speak for themselves. A caller that does not
    // wait for an entry to be applied is nothing to warn of.
    let default = match &arguments.command {
        Command::Node(_) => "warn,dqlite=info,openraft::raft::responder=error",
        _ => "error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return FAILURE;
        }
    };
    let outcome = runtime.block_on(run(arguments.command));
    // A blocking call that nobody waits for any more does not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: {error:#}");
            FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Node(arguments) => node::run(&arguments).await,
        Command::Shell(arguments) => shell::run(arguments).await,
        Command::Cluster(arguments) => cluster::run(arguments).await,
        Command::Status(arguments) => status::run(&arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Dump(arguments) => dump::run(&arguments).await,
        Command::Recover(arguments) => recover::run(&arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Bench(arguments) => bench::run(&arguments).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn servers_are_separated_by_commas() {
        let parsed =
            Arguments::try_parse_from(["dqlite", "shell", "--servers", "a:1,b:2", "app"]).unwrap();
        let Command::Shell(shell) = parsed.command else { panic!("not the shell") };
        assert_eq!(shell.servers.servers, ["a:1", "b:2"]);
    }
}
