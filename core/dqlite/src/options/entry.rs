//! What the table of options says of each.

/// One option of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionEntry {
    /// Its name, the same in every language but for the case, and in URLs.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// What it can be given to.
    pub scopes: &'static [Scope],
    /// Whether it may stand in the query of a URL.
    pub in_url: bool,
    /// What it does, for people.
    pub doc: &'static str,
}

/// What an option takes, with what is taken if it is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool {
        /// If it is not given. Python has `autocommit` the other way round.
        default: bool,
    },
    /// A number.
    Integer {
        /// If it is not given.
        default: Option<u64>,
        /// The smallest that is allowed.
        min: u64,
        /// The largest that is allowed.
        max: u64,
    },
    /// A span of time. As text it is a number and a unit, `250ms`, `10s` or `5min`; without a unit
    /// it counts seconds.
    Duration {
        /// If it is not given, in milliseconds.
        default_ms: Option<u64>,
        /// The shortest that is allowed, in milliseconds.
        min_ms: u64,
        /// The longest that is allowed, in milliseconds.
        max_ms: u64,
    },
    /// One of a few words.
    Choice {
        /// If it is not given.
        default: Option<&'static str>,
        /// The words.
        choices: &'static [&'static str],
    },
    /// Any text.
    Text,
    /// The path of a file.
    Path,
    /// Addresses, as one text with commas between them.
    Addresses,
}

/// What an option can be given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `connect`, of a node too.
    Connect,
    /// A node in this process.
    Node,
    /// A cluster by its URL.
    Cluster,
}
