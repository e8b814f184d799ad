//! The simulation: one process a seed, as many at once as there are cores.
//!
//! A seed that fails keeps its log in `target/sim/` and is printed with what repeats it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::report::{Count, Report};
use crate::{build, process};

/// Seeds that CI runs.
pub const SEEDS_IN_CI: u64 = 200;

/// A seed that takes longer hangs: simulated time makes hours of a cluster pass in seconds.
const SEED_LIMIT: Duration = Duration::from_secs(300);

/// Lines of a failed seed's log that are shown.
const TAIL_LINES: usize = 20;

/// Builds, then runs the seeds `first..first + seeds`.
pub fn alone(report: &mut Report, first: u64, seeds: u64) {
    if report.step("build", build::everything) {
        report.counted("sim", |count| run(count, first, seeds));
    }
}

/// Runs the seeds `first..first + seeds` with the simulator that is already built.
pub fn run(count: &mut Count, first: u64, seeds: u64) -> Result<()> {
    let simulator = build::binary("dqlite-sim")?;
    let logs = process::root().join("target/sim");
    std::fs::create_dir_all(&logs).context("cannot create target/sim")?;
    let failed = run_seeds(&simulator, &logs, first, seeds)?;
    count.failed = failed.len() as u64;
    count.passed = seeds - count.failed;
    for failure in &failed {
        println!("seed {} failed: {}", failure.seed, failure.reason);
        println!("{}", failure.tail);
        println!("  repeat it: {} --seed {}", simulator.display(), failure.seed);
        println!("  its log:   {}", log_path(&logs, failure.seed).display());
    }
    Ok(())
}

struct Failure {
    seed: u64,
    reason: String,
    tail: String,
}

fn run_seeds(simulator: &Path, logs: &Path, first: u64, seeds: u64) -> Result<Vec<Failure>> {
    let end = first.checked_add(seeds).context("the last seed does not fit 64 bits")?;
    let next = AtomicU64::new(first);
    let done = AtomicU64::new(0);
    let failures = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return Ok(());
                }
                if let Some(failure) = run_seed(simulator, logs, seed)? {
                    println!("sim: seed {seed} failed: {}", failure.reason);
                    failures.lock().unwrap_or_else(|e| e.into_inner()).push(failure);
                }
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if done.is_multiple_of(seeds.div_ceil(10).max(1)) {
                    println!("sim: {done} of {seeds} seeds");
                }
            }
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for handle in handles {
            let outcome = handle.join();
            ensure!(outcome.is_ok(), "a worker panicked");
            outcome.unwrap_or(Ok(()))?;
        }
        Ok(())
    })?;
    let mut failures = failures.into_inner().unwrap_or_else(|e| e.into_inner());
    failures.sort_by_key(|failure| failure.seed);
    Ok(failures)
}

fn run_seed(simulator: &Path, logs: &Path, seed: u64) -> Result<Option<Failure>> {
    let path = log_path(logs, seed);
    let log = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut child = Command::new(simulator)
        .args(["--seed", &seed.to_string()])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {}", simulator.display()))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > SEED_LIMIT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(10));
    };
    if status.is_some_and(|status| status.success()) {
        std::fs::remove_file(&path)?;
        return Ok(None);
    }
    let reason = match status {
        Some(status) => status.to_string(),
        None => format!("still running after {} s", SEED_LIMIT.as_secs()),
    };
    Ok(Some(Failure { seed, reason, tail: tail(&path)? }))
}

fn log_path(logs: &Path, seed: u64) -> PathBuf {
    logs.join(format!("seed-{seed}.log"))
}

fn tail(path: &Path) -> Result<String> {
    let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    Ok(shown.iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_seed_runs_once_and_failures_are_kept() {
        let folder = std::env::temp_dir().join(format!("xtask-sim-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let simulator = folder.join("simulator");
        std::fs::write(&simulator, "#!/bin/sh\necho seed $2\ntest $2 -ne 7\n").unwrap();
        std::fs::set_permissions(&simulator, PermissionsExt::from_mode(0o755)).unwrap();

        let failures = run_seeds(&simulator, &folder, 5, 4).unwrap();

        let seeds: Vec<u64> = failures.iter().map(|failure| failure.seed).collect();
        assert_eq!(seeds, [7]);
        assert_eq!(failures[0].tail, "  | seed 7");
        assert!(log_path(&folder, 7).exists());
        assert!(!log_path(&folder, 8).exists(), "the log of a good seed is removed");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
