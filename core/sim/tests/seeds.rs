//! The simulator as it is run: a process a seed.

use std::process::{Command, Output};

fn simulate(arguments: &[&str]) -> Output {
    let simulator = env!("CARGO_BIN_EXE_dqlite-sim");
    Command::new(simulator).args(arguments).output().expect("the simulator starts")
}

/// The line that a run prints, without what differs from machine to machine.
fn line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default();
    line.split_once(" wall_s=").expect("a run prints its line").0.to_owned()
}

#[test]
fn a_seed_has_one_history() {
    let first = simulate(&["--seed", "7"]);
    let second = simulate(&["--seed", "7"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stdout));
    assert_eq!(line(&first), line(&second));
    assert_ne!(line(&first), line(&simulate(&["--seed", "8"])));
}

/// Runs seeds from 1 with a broken rule until one fails.
fn first_failing(rule: &str) -> Option<(u64, String)> {
    (1..=30).find_map(|seed| {
        let output = simulate(&["--seed", &seed.to_string(), "--break", rule]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code() == Some(1)).then_some((seed, text))
    })
}

#[test]
fn a_flush_left_out_is_noticed() {
    first_failing("flush").unwrap();
}

#[test]
fn an_answer_before_the_commit_is_noticed() {
    first_failing("commit-wait").unwrap();
}

#[test]
fn a_leader_restored_in_its_term_is_noticed() {
    first_failing("leader-restore").unwrap();
}

#[test]
fn a_tail_that_is_not_undone_is_noticed() {
    first_failing("undo").unwrap();
}
