//! What came out of a run, in one line.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use turmoil::Sim;

use super::cluster::Cluster;
use super::faults::{FaultCounts, Faults};
use super::plan::{NODES, Plan};
use super::trace::Trace;
use super::verdict;
use crate::history::Outcome;
use crate::workload::Workload;
use crate::world::World;

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Report {
    seed: u64,
    simulated: Duration,
    acknowledged: usize,
    unknown: usize,
    failed: usize,
    reads: usize,
    told: (u64, u64),
    faults: FaultCounts,
    torn_changes: u64,
    terms_led: usize,
    checkpoints: u64,
    installs: u64,
    digest: u64,
    /// The promises that were broken.
    pub violations: Vec<String>,
}

impl Report {
    #[expect(clippy::too_many_arguments, reason = "it sums up the whole run")]
    pub(super) fn new(
        plan: &Plan,
        sim: &Sim<'_>,
        cluster: &Cluster,
        faults: &Faults,
        world: &World,
        work: &Workload,
        images: &[Vec<u8>],
        trace: &Trace,
    ) -> Self {
        let history = work.history().lock();
        let mut violations = cluster.violations();
        if images.len() == NODES.len() {
            violations.extend(verdict::judge(images, &history));
        }
        let mut hasher = DefaultHasher::new();
        (trace.digest(), &*history, images, &violations).hash(&mut hasher);
        Self {
            seed: plan.seed,
            simulated: sim.elapsed(),
            acknowledged: history.count(Outcome::Acknowledged),
            unknown: history.count(Outcome::Unknown),
            failed: history.count(Outcome::Failed),
            reads: history.reads(),
            told: history.told,
            faults: faults.counts(),
            torn_changes: NODES.iter().map(|host| world.disk(host).counts().torn_changes).sum(),
            terms_led: cluster.terms_led(),
            checkpoints: cluster.checkpoints(),
            installs: cluster.installs(),
            digest: hasher.finish(),
            violations,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, .. } = self;
        write!(
            f,
            "seed={} simulated_s={:.1} acknowledged={} unknown={} failed={} reads={} \
             told_applied={} told_not={} crashes={} \
             restarts={} link_faults={} torn_changes={} leaders={} checkpoints={} \
             installs={} hash={:016x}",
            self.seed,
            self.simulated.as_secs_f64(),
            self.acknowledged,
            self.unknown,
            self.failed,
            self.reads,
            self.told.0,
            self.told.1,
            faults.crashes,
            faults.restarts,
            faults.links,
            self.torn_changes,
            self.terms_led,
            self.checkpoints,
            self.installs,
            self.digest,
        )
    }
}
