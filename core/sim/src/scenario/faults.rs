//! What goes wrong, and when.
//!
//! One list of things that are broken now, each with the time when it is mended. Between two hosts
//! at most one thing is broken, and of each node at most one.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::SmallRng;
use turmoil::Sim;

use super::cluster::Cluster;
use super::plan::{CLIENTS, NODES};
use super::trace::{Trace, traced};
use crate::world::World;

/// Message delays when nothing is wrong.
pub const DELAY_MIN: Duration = Duration::from_micros(200);
/// The longest of them.
pub const DELAY_MAX: Duration = Duration::from_millis(5);

/// Breaks and mends things.
#[derive(Debug)]
pub struct Faults {
    random: SmallRng,
    world: World,
    cluster: Cluster,
    trace: Trace,
    /// With the time when it is mended, or over.
    broken: Vec<(Duration, Broken)>,
    next: Duration,
    /// How often each kind comes. Seeds differ in it: what one kind of fault does wrong, another
    /// may heal before anybody sees it.
    appetite: [u32; KINDS.len()],
    /// How long it is from one fault to the next, on average.
    pause_ms: u64,
    counts: FaultCounts,
    transfer: TransferSlot,
}

/// Where it is said which host the lead is to be moved to.
pub type TransferSlot = Arc<Mutex<Option<&'static str>>>;

/// How often what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Power losses and kills, a node each.
    pub crashes: u64,
    /// Orderly restarts.
    pub restarts: u64,
    /// Partitions, also one-way, and links that stall or are slow.
    pub links: u64,
    /// Transfers of the lead.
    pub transfers: u64,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    PowerLoss,
    Kill,
    PowerLossOfAll,
    Restart,
    Cut,
    CutOneWay,
    Stall,
    Slow,
    Isolate,
    Transfer,
}

const KINDS: [Kind; 10] = [
    Kind::PowerLoss,
    Kind::Kill,
    Kind::PowerLossOfAll,
    Kind::Restart,
    Kind::Cut,
    Kind::CutOneWay,
    Kind::Stall,
    Kind::Slow,
    Kind::Isolate,
    Kind::Transfer,
];

/// Something that waits to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Down(&'static str),
    /// To lose power as soon as something is on its way to the disk, or at the latest when due.
    Fading(&'static str),
    /// Told to stop; to start again when due.
    Stopping(&'static str),
    Cut(&'static str, &'static str),
    CutOneWay(&'static str, &'static str),
    Stalled(&'static str, &'static str),
    Slow(&'static str, &'static str),
}

impl Broken {
    fn concerns_node(self, host: &str) -> bool {
        matches!(self, Self::Down(it) | Self::Fading(it) | Self::Stopping(it) if it == host)
    }

    fn concerns_link(self, a: &str, b: &str) -> bool {
        match self {
            Self::Cut(x, y) | Self::CutOneWay(x, y) | Self::Stalled(x, y) | Self::Slow(x, y) => {
                (x, y) == (a, b) || (y, x) == (a, b)
            }
            Self::Down(_) | Self::Fading(_) | Self::Stopping(_) => false,
        }
    }
}

impl Faults {
    /// Nothing is broken yet.
    pub fn new(mut random: SmallRng, world: World, cluster: Cluster, trace: Trace) -> Self {
        let mut appetite = KINDS.map(|_| [0, 0, 1, 3][random.random_range(0..4)]);
        if appetite == [0; KINDS.len()] || random.random_bool(0.25) {
            // Leaders lose the lead and live on, and nothing else.
            appetite = KINDS.map(|kind| u32::from(kind == Kind::Isolate));
        }
        let pause_ms = random.random_range(250..1500);
        traced!(trace, "appetite: {:?}", KINDS.iter().zip(appetite).collect::<Vec<_>>());
        Self {
            random,
            world,
            cluster,
            trace,
            broken: Vec::new(),
            next: Duration::ZERO,
            appetite,
            pause_ms,
            counts: FaultCounts::default(),
            transfer: TransferSlot::default(),
        }
    }

    /// How often what went wrong so far.
    pub fn counts(&self) -> FaultCounts {
        self.counts
    }

    /// Where this asks for the lead to be moved.
    pub fn transfer_slot(&self) -> TransferSlot {
        self.transfer.clone()
    }

    /// Mends what is due, and breaks something now and then.
    pub fn step(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        self.fade(sim, now);
        self.mend(sim, |due| due <= now);
        if now < self.next {
            return;
        }
        let range = self.pause_ms / 4..self.pause_ms * 7 / 4;
        self.next = now + Duration::from_millis(self.random.random_range(range));
        self.break_something(sim, now);
    }

    /// Mends everything.
    pub fn heal(&mut self, sim: &mut Sim<'_>) {
        self.mend(sim, |_| true);
        self.boot_all(sim);
    }

    /// Boots all hosts that are down, such as one that has just come to the end of its stopping.
    pub fn boot_all(&mut self, sim: &mut Sim<'_>) {
        NODES.into_iter().for_each(|host| self.boot(sim, host));
    }

    fn mend(&mut self, sim: &mut Sim<'_>, is_due: impl Fn(Duration) -> bool) {
        let (due, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.broken).into_iter().partition(|(due, _)| is_due(*due));
        self.broken = rest;
        for (_, broken) in due {
            traced!(self.trace, "mended: {broken:?}");
            match broken {
                Broken::Down(host) => self.boot(sim, host),
                Broken::Fading(_) => {}
                Broken::Stopping(host) => {
                    if sim.is_host_running(host) {
                        // It hangs in stopping, or is slow to: like a service manager, kill it.
                        self.kill(sim, host);
                    }
                    self.boot(sim, host);
                }
                Broken::Cut(a, b) => {
                    sim.repair(a, b);
                    self.world.streams().reset(a, b);
                }
                Broken::CutOneWay(from, to) => {
                    sim.repair_oneway(from, to);
                    self.world.streams().reset(from, to);
                }
                Broken::Stalled(a, b) => sim.release(a, b),
                Broken::Slow(a, b) => sim.set_link_max_message_latency(a, b, DELAY_MAX),
            }
        }
    }

    fn boot(&self, sim: &mut Sim<'_>, host: &'static str) {
        if !sim.is_host_running(host) {
            traced!(self.trace, "{host} boots");
            sim.bounce(host);
        }
    }

    fn kill(&mut self, sim: &mut Sim<'_>, host: &'static str) {
        self.world.disk(host).end_process();
        self.cluster.forget(host);
        sim.crash(host);
    }

    fn lose_power(&mut self, sim: &mut Sim<'_>, host: &'static str) {
        let silently = self.random.random_bool(0.5);
        self.world.disk(host).lose_power();
        self.cluster.forget(host);
        let others: Vec<_> =
            NODES.into_iter().chain([CLIENTS]).filter(|other| *other != host).collect();
        if silently {
            // No stream is closed, as a process that ends would: the others find out later.
            let free = |other: &&str| !self.broken.iter().any(|it| it.1.concerns_link(host, other));
            let cut: Vec<_> = others.into_iter().filter(free).collect();
            cut.iter().for_each(|other| sim.partition(host, *other));
            sim.crash(host);
            cut.iter().for_each(|other| sim.repair(host, *other));
        } else {
            sim.crash(host);
        }
    }

    fn break_something(&mut self, sim: &mut Sim<'_>, now: Duration) {
        let all: u32 = self.appetite.iter().sum();
        let mut at = self.random.random_range(0..all);
        for (kind, weight) in KINDS.into_iter().zip(self.appetite) {
            if at < weight {
                return self.break_one(sim, now, kind);
            }
            at -= weight;
        }
    }

    fn break_one(&mut self, sim: &mut Sim<'_>, now: Duration, kind: Kind) {
        match kind {
            Kind::PowerLoss => self.crash_one(sim, now, true),
            Kind::Kill => self.crash_one(sim, now, false),
            Kind::PowerLossOfAll => self.crash_all(sim, now),
            Kind::Restart => self.restart(now),
            Kind::Cut => self.break_link(sim, now, Broken::Cut),
            Kind::CutOneWay => self.break_link(sim, now, Broken::CutOneWay),
            Kind::Stall => self.break_link(sim, now, Broken::Stalled),
            Kind::Slow => self.break_link(sim, now, Broken::Slow),
            Kind::Isolate => self.isolate(sim, now),
            Kind::Transfer => {
                let host = NODES[self.random.random_range(0..NODES.len())];
                traced!(self.trace, "the lead is to go to {host}");
                self.counts.transfers += 1;
                *self.transfer.lock() = Some(host);
            }
        }
    }

    /// A node to break: often the leader, as that is where it hurts.
    fn victim(&mut self) -> &'static str {
        let any = NODES[self.random.random_range(0..NODES.len())];
        match self.cluster.leader() {
            Some(leader) if self.random.random_bool(0.5) => leader,
            _ => any,
        }
    }

    fn is_up(&self, host: &str) -> bool {
        !self.broken.iter().any(|(_, broken)| broken.concerns_node(host))
    }

    fn down_time(&mut self) -> Duration {
        // Some stay away long enough to need a snapshot.
        let range = if self.random.random_bool(0.15) { 2500..5000 } else { 20..1200 };
        Duration::from_millis(self.random.random_range(range))
    }

    /// Takes the power from those that are about to lose it.
    fn fade(&mut self, sim: &mut Sim<'_>, now: Duration) {
        for (due, broken) in self.broken.clone() {
            let Broken::Fading(host) = broken else { continue };
            if now < due && !self.world.disk(host).is_busy() {
                continue;
            }
            traced!(self.trace, "{host} loses power");
            self.broken.retain(|(_, other)| *other != broken);
            self.lose_power(sim, host);
            let due = now + self.down_time();
            self.broken.push((due, Broken::Down(host)));
        }
    }

    fn crash_one(&mut self, sim: &mut Sim<'_>, now: Duration, power: bool) {
        let host = self.victim();
        if !self.is_up(host) {
            return;
        }
        self.counts.crashes += 1;
        if power {
            let patience = self.random.random_range(0..100);
            self.broken.push((now + Duration::from_millis(patience), Broken::Fading(host)));
            return self.fade(sim, now);
        }
        traced!(self.trace, "{host} is killed");
        self.kill(sim, host);
        let due = now + self.down_time();
        self.broken.push((due, Broken::Down(host)));
    }

    fn crash_all(&mut self, sim: &mut Sim<'_>, now: Duration) {
        traced!(self.trace, "all lose power");
        for host in NODES {
            self.broken.retain(|(_, broken)| !broken.concerns_node(host));
            self.counts.crashes += 1;
            self.lose_power(sim, host);
            let down = Duration::from_millis(self.random.random_range(20..600));
            self.broken.push((now + down, Broken::Down(host)));
        }
    }

    fn restart(&mut self, now: Duration) {
        let host = self.victim();
        if !self.is_up(host) {
            return;
        }
        traced!(self.trace, "{host} is to stop");
        self.counts.restarts += 1;
        self.cluster.stop(host);
        let due = now + Duration::from_millis(self.random.random_range(300..2000));
        self.broken.push((due, Broken::Stopping(host)));
    }

    fn isolate(&mut self, sim: &mut Sim<'_>, now: Duration) {
        let any = NODES[self.random.random_range(0..NODES.len())];
        let host = self.cluster.leader().unwrap_or(any);
        // Mostly long enough for the others to have another leader.
        let due = now + Duration::from_millis(self.random.random_range(500..3000));
        let silently = self.random.random_bool(0.3);
        for other in NODES.into_iter().filter(|other| *other != host) {
            let cut = if silently { Broken::Stalled } else { Broken::Cut };
            self.break_this_link(sim, due, cut(host, other));
        }
        // Most clients still reach it, and it may go on believing that it leads.
        if self.random.random_bool(0.2) {
            self.break_this_link(sim, due, Broken::Cut(host, CLIENTS));
        }
    }

    fn break_link(
        &mut self,
        sim: &mut Sim<'_>,
        now: Duration,
        how: fn(&'static str, &'static str) -> Broken,
    ) {
        let host = self.victim();
        let others = [NODES[0], NODES[1], NODES[2], CLIENTS];
        let other = others[self.random.random_range(0..others.len())];
        if other != host {
            let due = now + Duration::from_millis(self.random.random_range(100..2500));
            let ends = if self.random.random_bool(0.5) { (host, other) } else { (other, host) };
            self.break_this_link(sim, due, how(ends.0, ends.1));
        }
    }

    fn break_this_link(&mut self, sim: &mut Sim<'_>, due: Duration, broken: Broken) {
        let (Broken::Cut(a, b)
        | Broken::CutOneWay(a, b)
        | Broken::Stalled(a, b)
        | Broken::Slow(a, b)) = broken
        else {
            return;
        };
        if self.broken.iter().any(|(_, it)| it.concerns_link(a, b)) {
            return;
        }
        traced!(self.trace, "broken: {broken:?}");
        self.counts.links += 1;
        match broken {
            Broken::Cut(..) => sim.partition(a, b),
            Broken::CutOneWay(..) => sim.partition_oneway(a, b),
            Broken::Stalled(..) => sim.hold(a, b),
            _ => {
                let delay = Duration::from_millis(self.random.random_range(20..250));
                sim.set_link_max_message_latency(a, b, delay);
            }
        }
        self.broken.push((due, broken));
    }
}
