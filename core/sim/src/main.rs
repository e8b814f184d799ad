//! `dqlite-sim --seed N`: one seed, one line, exit status 1 if a promise was broken.
#![forbid(unsafe_code)]

use std::fmt;
use std::process::ExitCode;

use clap::Parser;
use dqlite_sim::scenario::{Plan, Sabotage, Trace, run};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Runs a cluster of three nodes in simulated time.
#[derive(Parser)]
struct Arguments {
    /// What everything follows from.
    #[arg(long)]
    seed: u64,
    /// Prints what happens as it happens, with the nodes' own logs as RUST_LOG asks for them.
    #[arg(long)]
    trace: bool,
    /// Breaks a rule of the product on purpose: the run should fail.
    #[arg(long = "break", value_enum, value_name = "RULE")]
    sabotage: Option<Sabotage>,
}

/// The simulated time, for log lines.
struct SimulatedTime(Trace);

impl FormatTime for SimulatedTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:>6}", self.0.now_ms())
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let begun = tokio::time::Instant::now();
    let trace = Trace::new(arguments.trace);
    if arguments.trace {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::from_default_env())
            .with_timer(SimulatedTime(trace.clone()))
            .with_writer(std::io::stderr)
            .init();
    }
    let report = run(Plan::new(arguments.seed, arguments.sabotage), trace);
    println!("{report} wall_s={:.2}", begun.elapsed().as_secs_f64());
    for violation in &report.violations {
        println!("  violation: {violation}");
    }
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
