//! The options of connections and nodes, from code and from text.

mod entry;
mod parse;
mod table;

use std::path::PathBuf;
use std::time::Duration;

pub use entry::{Kind, OptionEntry, Scope};
pub use table::OPTIONS;

use crate::error::Error;
use parse::{boolean, choice, duration, list, number};

/// How sure reads are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// They see everything that was acknowledged before they began.
    #[default]
    Linearizable,
    /// As the leader sees things. One that was deposed and does not know it yet may answer, for as
    /// long as its election timeout.
    Leader,
    /// On any node, and at least what this connection has seen or written.
    Session,
    /// On any node, as it is there; with a bound in `max_staleness`.
    Stale,
}

/// What is made of stored values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convert {
    /// Values are given as they are stored.
    #[default]
    None,
    /// Dates, times and booleans by the declared types of columns.
    Decltype,
}

/// A connection's options. What is `None` is as it usually is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectOptions {
    /// The database's name: `main` unless the URL names another.
    pub database: Option<String>,
    /// Whether each statement is a transaction of its own: true.
    pub autocommit: Option<bool>,
    /// How sure reads are: linearizable.
    pub consistency: Option<Level>,
    /// The most that `stale` reads may lag behind: no bound.
    pub max_staleness: Option<Duration>,
    /// How long one call may take in all: no limit, but half a minute to find a leader.
    pub timeout: Option<Duration>,
    /// How long a write waits for its turn: 5 s.
    pub busy_timeout: Option<Duration>,
    /// Whether to make a call again where that cannot apply it twice: true.
    pub retry: Option<bool>,
    /// What is made of stored values: nothing.
    pub convert: Option<Convert>,
    /// The certificate authority that vouches for the nodes, a PEM file. With it all is encrypted.
    pub tls_ca: Option<PathBuf>,
    /// The certificate shown to nodes, a PEM file.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, a PEM file.
    pub tls_key: Option<PathBuf>,
}

/// A node's options. What is `None` is as it usually is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeSettings {
    /// The folder with all the node's files, made if need be.
    pub data_dir: PathBuf,
    /// Where clients and other nodes reach the node, `host:port` say.
    pub address: String,
    /// The node's number: random, and the same from then on.
    pub id: Option<u64>,
    /// Where to listen: on `address`.
    pub bind: Option<String>,
    /// Addresses of members of the cluster to join; with none a new folder begins a cluster.
    pub join: Vec<String>,
    /// How many voters the cluster wants: 3.
    pub voters: Option<usize>,
    /// How many stand-bys it wants: 3.
    pub standbys: Option<usize>,
    /// Nodes with the same number may fail together: 0.
    pub failure_domain: Option<u64>,
    /// Of two nodes the one with the lower weight is preferred: 0.
    pub weight: Option<u64>,
    /// How the log is written: `auto`, `io_uring` or `threads`.
    pub log_backend: Option<String>,
    /// Frames in memory at which a checkpoint begins: 1000.
    pub checkpoint_frames: Option<u32>,
    /// Entries of the log between two snapshots.
    pub snapshot_threshold: Option<u64>,
    /// The shortest time without a leader before an election; the longest is twice that.
    pub election_timeout: Option<Duration>,
    /// How often a leader lets itself be heard.
    pub heartbeat: Option<Duration>,
    /// The certificate authority of the cluster, a PEM file: who connects must show a certificate.
    pub tls_ca: Option<PathBuf>,
    /// The node's certificate, a PEM file.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, a PEM file.
    pub tls_key: Option<PathBuf>,
}

impl ConnectOptions {
    /// Sets the option called `name` from text, as a URL has it.
    ///
    /// # Errors
    /// `InterfaceError`: there is no such option, or the text is no value of it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), Error> {
        match name {
            "database" => self.database = Some(text.to_owned()),
            "autocommit" => self.autocommit = Some(boolean(name, text)?),
            "consistency" => self.consistency = Some(choice(name, text, &LEVELS)?),
            "max_staleness" => self.max_staleness = Some(duration(name, text)?),
            "timeout" => self.timeout = Some(duration(name, text)?),
            "busy_timeout" => self.busy_timeout = Some(duration(name, text)?),
            "retry" => self.retry = Some(boolean(name, text)?),
            "convert" => self.convert = Some(choice(name, text, &CONVERTS)?),
            "tls_ca" => self.tls_ca = Some(text.into()),
            "tls_cert" => self.tls_cert = Some(text.into()),
            "tls_key" => self.tls_key = Some(text.into()),
            _ => return Err(parse::unknown(name, Scope::Connect)),
        }
        Ok(())
    }

    /// These, of a URL, and `given` in code.
    ///
    /// # Errors
    /// `InterfaceError`: an option is in both.
    pub(crate) fn merged(self, given: Self) -> Result<Self, Error> {
        Ok(Self {
            database: either("database", self.database, given.database)?,
            autocommit: either("autocommit", self.autocommit, given.autocommit)?,
            consistency: either("consistency", self.consistency, given.consistency)?,
            max_staleness: either("max_staleness", self.max_staleness, given.max_staleness)?,
            timeout: either("timeout", self.timeout, given.timeout)?,
            busy_timeout: either("busy_timeout", self.busy_timeout, given.busy_timeout)?,
            retry: either("retry", self.retry, given.retry)?,
            convert: either("convert", self.convert, given.convert)?,
            tls_ca: either("tls_ca", self.tls_ca, given.tls_ca)?,
            tls_cert: either("tls_cert", self.tls_cert, given.tls_cert)?,
            tls_key: either("tls_key", self.tls_key, given.tls_key)?,
        })
    }
}

fn either<T>(name: &str, in_url: Option<T>, given: Option<T>) -> Result<Option<T>, Error> {
    if in_url.is_some() && given.is_some() {
        let reason = format!("option {name} is both in the URL and given by name");
        return Err(Error::new("option.repeated", reason));
    }
    Ok(in_url.or(given))
}

impl NodeSettings {
    /// The usual settings for a node with its files in `data_dir`, reached at `address`.
    pub fn new(data_dir: impl Into<PathBuf>, address: impl Into<String>) -> Self {
        Self { data_dir: data_dir.into(), address: address.into(), ..Self::default() }
    }

    /// Sets the option called `name` from text. Several addresses are separated by commas.
    ///
    /// # Errors
    /// `InterfaceError`: there is no such option, or the text is no value of it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), Error> {
        match name {
            "id" => self.id = Some(number(name, text)?),
            "bind" => self.bind = Some(text.to_owned()),
            "join" => self.join = list(text),
            "voters" => self.voters = Some(number(name, text)?),
            "standbys" => self.standbys = Some(number(name, text)?),
            "failure_domain" => self.failure_domain = Some(number(name, text)?),
            "weight" => self.weight = Some(number(name, text)?),
            "log_backend" => {
                let known = [("auto", "auto"), ("io_uring", "io_uring"), ("threads", "threads")];
                self.log_backend = Some(choice(name, text, &known)?.to_owned());
            }
            "checkpoint_frames" => self.checkpoint_frames = Some(number(name, text)?),
            "snapshot_threshold" => self.snapshot_threshold = Some(number(name, text)?),
            "election_timeout" => self.election_timeout = Some(duration(name, text)?),
            "heartbeat" => self.heartbeat = Some(duration(name, text)?),
            "tls_ca" => self.tls_ca = Some(text.into()),
            "tls_cert" => self.tls_cert = Some(text.into()),
            "tls_key" => self.tls_key = Some(text.into()),
            _ => return Err(parse::unknown(name, Scope::Node)),
        }
        Ok(())
    }
}

const LEVELS: [(&str, Level); 4] = [
    ("linearizable", Level::Linearizable),
    ("leader", Level::Leader),
    ("session", Level::Session),
    ("stale", Level::Stale),
];

const CONVERTS: [(&str, Convert); 2] = [("none", Convert::None), ("decltype", Convert::Decltype)];
