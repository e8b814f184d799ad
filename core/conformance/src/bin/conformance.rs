//! Runs the cases in Rust, makes random ones, records what they give, and compares records.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use dqlite_conformance::compare::{Comparison, compare};
use dqlite_conformance::control::Control;
use dqlite_conformance::generate::generate;
use dqlite_conformance::load::{Place, folder, load};
use dqlite_conformance::run::Runner;

/// The conformance cases, run in Rust.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run cases; fails if one fails
    Run {
        #[command(flatten)]
        what: What,
    },
    /// Run cases, and write down what each step gives instead of comparing it
    Record {
        #[command(flatten)]
        what: What,
        /// Where to
        #[arg(long)]
        log: PathBuf,
    },
    /// Say what is wrong with the case files, and how many cases there are
    Check {
        /// A file or folder [default: the project's cases]
        path: Option<PathBuf>,
    },
    /// Write a case file of random steps, the same for the same seed
    Generate {
        /// The seed
        #[arg(long)]
        seed: u64,
        /// How many steps
        #[arg(long, default_value_t = 1000)]
        steps: usize,
    },
    /// Compare two records; fails at the first difference
    Compare {
        /// One
        one: PathBuf,
        /// The other
        other: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct What {
    /// A file or folder [default: the project's cases]
    path: Option<PathBuf>,
    /// Only here
    #[arg(long = "where", value_enum)]
    places: Vec<PlaceName>,
    /// Only cases whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Name each case before it runs
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlaceName {
    Embedded,
    Client,
    Cluster,
}

impl What {
    fn run(&self, runner: &Runner) -> Result<bool> {
        let mut cases = load(self.path.as_deref().unwrap_or(&folder()))?;
        cases.retain(|case| case.name.contains(&self.only));
        let place = |name: &PlaceName| match name {
            PlaceName::Embedded => Place::Embedded,
            PlaceName::Client => Place::Client,
            PlaceName::Cluster => Place::Cluster,
        };
        let mut places: Vec<Place> = self.places.iter().map(place).collect();
        if places.is_empty() {
            places = Place::ALL.to_vec();
        }
        let verdict = runner.run(&cases, &places, |title| {
            if self.verbose {
                eprintln!("{title}");
            }
        })?;
        println!("{verdict}");
        Ok(verdict.failed.is_empty())
    }
}

fn run(command: &Command) -> Result<bool> {
    match command {
        Command::Run { what } => what.run(&Runner::new(Control::start_usual()?)),
        Command::Record { what, log } => {
            what.run(&Runner::recording(Control::start_usual()?, log)?)
        }
        Command::Check { path } => {
            let cases = load(path.as_deref().unwrap_or(&folder()))?;
            let pairs: usize = cases.iter().map(|case| case.places.len()).sum();
            println!("{} cases, {pairs} with their places", cases.len());
            Ok(true)
        }
        Command::Generate { seed, steps } => {
            print!("{}", generate(*seed, *steps));
            Ok(true)
        }
        Command::Compare { one, other } => compared(one, other),
    }
}

fn compared(one: &Path, other: &Path) -> Result<bool> {
    match compare(one, other)? {
        Comparison::Same(0) => bail!("both records are empty"),
        Comparison::Same(lines) => {
            println!("the same: {lines} steps");
            Ok(true)
        }
        Comparison::Differs(line, how) => {
            println!("line {line} differs: {how}");
            Ok(false)
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
