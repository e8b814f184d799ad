//! The one entry for people and CI: `cargo xtask <command>`.
//!
//! `Makefile` and `.ci/run` only forward to it, so what CI does is what a person can do. It
//! promises that `check` never writes to the tree, that every step prints its name and its wall
//! time, and that a run of tests ends in one plain line, `N passed, N failed`, summed over every
//! kind of test.
//!
//! ```text
//!  ci ──┬─ check ──┬─ tidy        rules over the tracked tree that no compiler checks
//!       │          ├─ generated   tables and pages are what core/spec says
//!       │          ├─ rustfmt, clippy
//!       │          ├─ gofmt, go vet
//!       │          └─ ruff, mypy
//!       └─ test ───┬─ cargo test  every crate
//!                  ├─ interop     go-dqlite, unmodified, against three node processes
//!                  ├─ sim         one process a seed
//!                  └─ python      the package as pip installs it
//! ```
#![forbid(unsafe_code)]

mod bench;
mod build;
mod c;
mod fuzz;
mod generate;
mod interop;
mod lint;
mod process;
mod python;
mod report;
mod sim;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::Report;

/// Linters, tests and tools of the project.
#[derive(Parser)]
#[command(name = "xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that CI runs: `check`, then `test`.
    Ci,
    /// The linters, read-only.
    Check,
    /// The linters, writing what they can mend.
    Fix,
    /// Writes the tables and pages that are made from core/spec.
    Gen {
        /// Only compare, and fail where a file is stale.
        #[arg(long)]
        check: bool,
    },
    /// The rules of the tree: width, seams, unsafe, links, sizes.
    Tidy,
    /// Every test: crates, interop, simulation.
    Test {
        /// Seeds that the simulation runs.
        #[arg(long, default_value_t = sim::SEEDS_IN_CI)]
        seeds: u64,
    },
    /// go-dqlite's client and driver against three nodes.
    Interop {
        /// Only the tests that match, as in `go test -run`.
        #[arg(long)]
        run: Option<String>,
    },
    /// The Python package: builds it as pip does, and runs its tests.
    Python {
        /// Arguments for pytest.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// The C library, laid out in dist/c.
    DistC,
    /// Copies dist/c below a prefix.
    InstallC {
        /// Where it will stand.
        #[arg(long, default_value = "/usr/local")]
        prefix: PathBuf,
        /// Where the machine's root is, for packagers.
        #[arg(long)]
        root: Option<PathBuf>,
    },
    /// The C library: its exports, and the C programs that test it.
    TestC,
    /// A manylinux wheel, tried in an environment of its own.
    Wheel,
    /// Whole clusters in simulated time, one process a seed.
    Sim {
        /// How many seeds.
        #[arg(long, default_value_t = sim::SEEDS_IN_CI)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        first: u64,
    },
    /// The crates' fuzz tests, with many more cases than `test` gives them.
    Fuzz {
        /// Cases a fuzz test.
        #[arg(long, default_value_t = 100_000)]
        cases: u64,
    },
    /// The load generator, in release mode; what follows is passed on.
    Bench {
        /// Arguments for `dqlite bench`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

fn main() -> ExitCode {
    let mut report = Report::new();
    match Arguments::parse().command {
        Command::Ci => {
            lint::check(&mut report);
            test::all(&mut report, sim::SEEDS_IN_CI);
        }
        Command::Check => lint::check(&mut report),
        Command::Fix => lint::fix(&mut report),
        Command::Gen { check } => lint::generated(&mut report, check),
        Command::Tidy => lint::tidy(&mut report),
        Command::Test { seeds } => test::all(&mut report, seeds),
        Command::Interop { run } => interop::alone(&mut report, run.as_deref()),
        Command::DistC => {
            c::dist(&mut report);
        }
        Command::InstallC { prefix, root } => c::install(&mut report, &prefix, root.as_deref()),
        Command::TestC => c::test(&mut report),
        Command::Python { rest } => python::alone(&mut report, &rest),
        Command::Wheel => python::wheel(&mut report),
        Command::Sim { seeds, first } => sim::alone(&mut report, first, seeds),
        Command::Fuzz { cases } => fuzz::run(&mut report, cases),
        Command::Bench { rest } => bench::run(&mut report, &rest),
    }
    report.finish()
}
