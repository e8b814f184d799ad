//! One run: a cluster that is set up, troubled, healed and judged.

mod cluster;
mod faults;
mod plan;
mod report;
mod trace;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::{sleep, timeout};

pub use cluster::Cluster;
pub use faults::{FaultCounts, Faults, TransferSlot};
pub use plan::{CLIENTS, NODES, Plan, Sabotage};
pub use report::Report;
pub use trace::Trace;
pub(crate) use trace::traced;

use crate::workload::{self, Workload};
use crate::world::World;

/// How long a new cluster may take until it can be worked with, in simulated time.
const SETTING_UP: Duration = Duration::from_secs(15);
/// No run takes longer than this, in simulated time.
const RUN: Duration = Duration::from_secs(90);
/// How often the rules of the cluster are checked, in steps of a millisecond.
const WATCH_STEPS: u64 = 10;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    SettingUp,
    Trouble,
    Healing,
    Over,
}

/// Runs the plan to its end.
pub fn run(plan: Plan, trace: Trace) -> Report {
    let world = World::new(plan.seed);
    if plan.sabotage == Some(Sabotage::Flush) {
        NODES.into_iter().for_each(|host| world.disk(host).lie_about("log"));
    }
    let mut sim = turmoil::Builder::new()
        .rng_seed(plan.seed)
        .tick_duration(Duration::from_millis(1))
        .simulation_duration(RUN * 2)
        .min_message_latency(faults::DELAY_MIN)
        .max_message_latency(faults::DELAY_MAX)
        .tcp_capacity(1 << 16)
        .epoch(std::time::UNIX_EPOCH)
        .enable_random_order()
        .build();
    let cluster = Cluster::new(&mut sim, plan, world.clone(), trace.clone());
    let random = SmallRng::seed_from_u64(plan.seed ^ 0xfa17);
    let mut faults = Faults::new(random, world.clone(), cluster.clone(), trace.clone());
    let work = Workload::new(world.boot(CLIENTS), &plan, cluster.clone(), trace.clone());
    let phase = Arc::new(Mutex::new(Phase::SettingUp));
    let images = Arc::new(Mutex::new(Vec::new()));
    let clients = Clients {
        work: work.clone(),
        cluster: cluster.clone(),
        trace: trace.clone(),
        phase: phase.clone(),
        transfer: faults.transfer_slot(),
        images: images.clone(),
    };
    sim.client(CLIENTS, async move {
        if let Err(error) = clients.run().await {
            clients.cluster.violate(format!("{error:#}"));
        }
        *clients.phase.lock() = Phase::Over;
        Ok(())
    });
    let mut trouble_ends = Duration::MAX;
    let mut step = 0;
    while *phase.lock() != Phase::Over && cluster.violations().is_empty() {
        step += 1;
        trace.set_now(sim.elapsed());
        if let Err(error) = sim.step() {
            cluster.violate(format!("a host failed: {error}"));
        }
        if step % WATCH_STEPS == 0 {
            cluster.watch();
        }
        if *phase.lock() == Phase::Trouble {
            trouble_ends = trouble_ends.min(sim.elapsed() + plan.trouble);
            if sim.elapsed() < trouble_ends {
                faults.step(&mut sim);
            } else {
                traced!(trace, "all is mended");
                faults.heal(&mut sim);
                *phase.lock() = Phase::Healing;
            }
        }
        if *phase.lock() == Phase::Healing {
            faults.boot_all(&mut sim);
        }
        if sim.elapsed() > RUN {
            cluster.violate("the run does not come to its end".to_owned());
        }
    }
    let report = Report::new(&plan, &sim, &cluster, &faults, &world, &work, &images.lock(), &trace);
    // Nothing in it may run again, not even to come to an end.
    std::mem::forget(sim);
    report
}

/// What the host of the clients does.
struct Clients {
    work: Workload,
    cluster: Cluster,
    trace: Trace,
    phase: Arc<Mutex<Phase>>,
    transfer: TransferSlot,
    images: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Clients {
    async fn run(&self) -> Result<()> {
        timeout(SETTING_UP, self.set_up()).await.context("the cluster is not there in time")?;
        *self.phase.lock() = Phase::Trouble;
        let mut clients = self.work.start();
        while *self.phase.lock() == Phase::Trouble {
            sleep(Duration::from_millis(5)).await;
            if let Some(host) = self.transfer.lock().take() {
                clients.spawn(transfer_lead(self.work.client(), self.cluster.clone(), host));
            }
        }
        verdict::progress(&self.work).await?;
        self.work.stop();
        while let Some(ended) = clients.join_next().await {
            ended.context("a client panicked")?;
        }
        verdict::settled(&self.cluster).await?;
        verdict::records(&self.cluster)?;
        *self.images.lock() = verdict::images(&self.work.client(), &self.trace).await?;
        Ok(())
    }

    async fn set_up(&self) {
        let client = self.work.client();
        while let Err(error) = workload::create(&client).await {
            traced!(self.trace, "no tables yet: {error}");
            sleep(Duration::from_millis(100)).await;
        }
        while !self.cluster.is_settled() {
            sleep(Duration::from_millis(20)).await;
        }
        traced!(self.trace, "the cluster is set up");
    }
}

async fn transfer_lead(client: dqlite_client::Client, cluster: Cluster, host: &'static str) {
    let id = cluster.statuses().get(host).map(|status| status.id);
    if let Some(id) = id {
        // It may fail, and the lead may go elsewhere: that is what is tried out.
        let _ = client.cluster().transfer(id).await;
    }
}
