//! Runs every case in every place, and random steps in two places that must agree.

use std::path::Path;

use dqlite_conformance::compare::{Comparison, compare};
use dqlite_conformance::control::Control;
use dqlite_conformance::generate::generate;
use dqlite_conformance::load::{Place, folder, load};
use dqlite_conformance::run::Runner;

fn control() -> Control {
    Control::start(Path::new(env!("CARGO_BIN_EXE_conformance-cluster"))).unwrap()
}

fn run(place: Place) {
    let cases = load(&folder()).unwrap();
    let verdict = Runner::new(control()).run(&cases, &[place], |_| {}).unwrap();
    println!("{verdict}");
    assert!(verdict.failed.is_empty(), "{verdict}");
    assert!(verdict.passed > 0, "nothing ran");
}

#[test]
fn embedded() {
    run(Place::Embedded);
}

#[test]
fn client() {
    run(Place::Client);
}

#[test]
fn cluster() {
    run(Place::Cluster);
}

#[test]
fn random_steps_give_the_same_in_every_place() {
    const SEEDS: std::ops::Range<u64> = 1..4;
    const STEPS: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    for seed in SEEDS {
        let file = folder.path().join("random.toml");
        std::fs::write(&file, generate(seed, STEPS)).unwrap();
        let cases = load(&file).unwrap();
        let logs = [Place::Embedded, Place::Client].map(|place| {
            let log = folder.path().join(place.name());
            let runner = Runner::recording(control(), &log).unwrap();
            let verdict = runner.run(&cases, &[place], |_| {}).unwrap();
            assert!(verdict.failed.is_empty(), "seed {seed}: {verdict}");
            log
        });
        let comparison = compare(&logs[0], &logs[1]).unwrap();
        let Comparison::Same(lines) = comparison else { panic!("seed {seed}: {comparison:?}") };
        assert!(lines > STEPS, "seed {seed} has {lines} lines");
    }
}
