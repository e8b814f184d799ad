//! `connect`: by path to a node in this process, by URL to a cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dqlite_env::Env;
use tokio::time::Instant;

use crate::connection::{Connection, Settings, Shared};
use crate::embedded::{self, Lease};
use crate::error::Error;
use crate::options::{ConnectOptions, Level};
use crate::target::Target;
use crate::tls;
use crate::url::{Url, is_url};

/// The database's name, unless one is given.
pub(crate) const DATABASE: &str = "main";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an embedded node may take to come up: it applies its log again.
const READY_TIMEOUT: Duration = Duration::from_secs(600);

/// Connects to a database: `target` is the path of a folder, which is made if need be and served by
/// a node in this process, or `dqlite://host:port,host:port/database?option=value`, which names
/// nodes of a running cluster.
///
/// All connections of the process to one folder share its node, which ends with the last of them.
/// A client finds the cluster with its first call.
///
/// # Errors
/// `InterfaceError` for options that cannot be; `OperationalError` when the folder cannot be used,
/// by another process's doing say.
pub async fn connect(target: &str, options: ConnectOptions) -> Result<Connection, Error> {
    if is_url(target) {
        let url = Url::parse(target)?;
        let options = url.options.merged(options)?;
        check(&options)?;
        return Ok(client(tls::client_env(&options)?, url.addresses, options));
    }
    if tls::is_wanted(&options) {
        let reason = "a node that is opened by its path has no network: tls options need a URL";
        return Err(Error::new("option.value", reason));
    }
    check(&options)?;
    let opened = embedded::open(Path::new(target)).await?;
    let connection = connection(in_process(&opened.node, Some(opened.lease)), options);
    connection.shared.target.ready(Instant::now() + READY_TIMEOUT).await?;
    Ok(connection)
}

/// A bound that nothing keeps would be no bound.
fn check(options: &ConnectOptions) -> Result<(), Error> {
    if options.max_staleness.is_some() && options.consistency != Some(Level::Stale) {
        let reason = "max_staleness: only with the consistency `stale`";
        return Err(Error::new("option.value", reason));
    }
    Ok(())
}

/// A connection to a cluster at `addresses`.
pub(crate) fn client(env: Env, addresses: Vec<String>, options: ConnectOptions) -> Connection {
    connection(Target::new(env, addresses, None, None), options)
}

/// A connection through the node in this process.
pub(crate) fn through(node: &dqlite_server::Node, options: ConnectOptions) -> Connection {
    connection(in_process(node, None), options)
}

fn in_process(node: &dqlite_server::Node, lease: Option<Lease>) -> Target {
    Target::new(node.env(), vec![node.address().to_owned()], Some(node.clone()), lease)
}

fn connection(target: Target, options: ConnectOptions) -> Connection {
    let autocommit = options.autocommit.unwrap_or(true);
    let settings = Settings {
        database: options.database.unwrap_or_else(|| DATABASE.to_owned()),
        level: options.consistency.unwrap_or(Level::Linearizable),
        max_staleness: options.max_staleness,
        timeout: options.timeout.filter(|timeout| !timeout.is_zero()),
        busy_timeout: options.busy_timeout.unwrap_or(BUSY_TIMEOUT),
        retry: options.retry.unwrap_or(true),
        convert: options.convert.unwrap_or_default(),
    };
    Connection::new(Shared::new(Arc::new(target), settings, autocommit))
}
