//! The cluster itself: its members and their state.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dqlite_client::{Client, ClientOptions};
use dqlite_env::Env;

pub use dqlite_client::{DatabaseStatus, Metadata, NodeAddress, NodeInfo, Role};

use crate::connect;
use crate::connection::Connection;
use crate::error::Error;
use crate::options::ConnectOptions;
use crate::tls;
use crate::url::{Url, is_url};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The cluster that a node belongs to or a URL names.
#[derive(Clone, Debug)]
pub struct Cluster {
    client: Client,
    /// Opens connections for [`Cluster::dump`].
    connect: Connect,
}

#[derive(Clone)]
struct Connect(Arc<dyn Fn(&str) -> Connection + Send + Sync>);

impl std::fmt::Debug for Connect {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connect")
    }
}

impl Cluster {
    /// The cluster that `url` names: `dqlite://host:port,host:port`.
    ///
    /// # Errors
    /// `InterfaceError`: the URL or an option is wrong.
    pub fn new(url: &str, options: ConnectOptions) -> Result<Self, Error> {
        if !is_url(url) {
            let reason = format!("{url:?} is not dqlite://host:port");
            return Err(Error::new("target", reason));
        }
        let url = Url::parse(url)?;
        let options = url.options.merged(options)?;
        let env = tls::client_env(&options)?;
        let client = client(env.clone(), url.addresses.clone(), options.timeout);
        let connect = move |database: &str| {
            let named = ConnectOptions { database: Some(database.to_owned()), ..options.clone() };
            connect::client(env.clone(), url.addresses.clone(), named)
        };
        Ok(Self { client, connect: Connect(Arc::new(connect)) })
    }

    pub(crate) fn through(node: &dqlite_server::Node) -> Self {
        let client = client(node.env(), vec![node.address().to_owned()], None);
        let node = node.clone();
        let connect = move |database: &str| {
            let named =
                ConnectOptions { database: Some(database.to_owned()), ..Default::default() };
            connect::through(&node, named)
        };
        Self { client, connect: Connect(Arc::new(connect)) }
    }

    /// The members and their roles, as the leader knows them.
    ///
    /// # Errors
    /// No leader was found in time.
    pub async fn members(&self) -> Result<Vec<NodeInfo>, Error> {
        Ok(self.client.cluster().members().await?)
    }

    /// Who leads.
    ///
    /// # Errors
    /// No leader was found in time.
    pub async fn leader(&self) -> Result<NodeAddress, Error> {
        Ok(self.client.cluster().leader().await?)
    }

    /// Adds a member in a role. It must be running, with the cluster not in its folder yet.
    ///
    /// # Errors
    /// The id or address is in use, another change is in progress, or it did not catch up in time.
    pub async fn add(&self, id: u64, address: &str, role: Role) -> Result<(), Error> {
        let cluster = self.client.cluster();
        cluster.add(id, address).await?;
        if role != Role::Spare {
            cluster.assign(id, role).await?;
        }
        Ok(())
    }

    /// Gives a member a role; returns once it has it.
    ///
    /// # Errors
    /// There is no such member, it has the role, or it did not catch up in time.
    pub async fn assign(&self, id: u64, role: Role) -> Result<(), Error> {
        Ok(self.client.cluster().assign(id, role).await?)
    }

    /// Removes a member.
    ///
    /// # Errors
    /// There is no such member, or it is the last voter.
    pub async fn remove(&self, id: u64) -> Result<(), Error> {
        Ok(self.client.cluster().remove(id).await?)
    }

    /// Hands the lead over to a voter, or with 0 to any.
    ///
    /// # Errors
    /// Nobody took over in time.
    pub async fn transfer(&self, id: u64) -> Result<(), Error> {
        Ok(self.client.cluster().transfer(id).await?)
    }

    /// The failure domain and the weight of a member.
    ///
    /// # Errors
    /// The member cannot be reached.
    pub async fn describe(&self, address: &str) -> Result<Metadata, Error> {
        Ok(self.client.cluster().describe(address).await?)
    }

    /// Sets the weight of a member, until it stops.
    ///
    /// # Errors
    /// The member cannot be reached.
    pub async fn weight(&self, address: &str, weight: u64) -> Result<(), Error> {
        Ok(self.client.cluster().set_weight(address, weight).await?)
    }

    /// The databases that hold anything, as the leader has them.
    ///
    /// # Errors
    /// No leader was found in time.
    pub async fn databases(&self) -> Result<Vec<DatabaseStatus>, Error> {
        let cluster = self.client.cluster();
        let leader = cluster.leader().await?;
        Ok(cluster.status(&leader.address).await?.databases)
    }

    /// Writes a database as one SQLite file to `path`.
    ///
    /// # Errors
    /// As [`Connection::backup`]; `database.missing` when there is none of this name.
    pub async fn dump(&self, database: &str, path: &Path) -> Result<(), Error> {
        if !self.databases().await?.iter().any(|it| &*it.name == database) {
            let reason = format!("there is no database {database:?}");
            return Err(Error::new("database.missing", reason));
        }
        let connection = (self.connect.0)(database);
        let dumped = connection.backup(path, |_| {}).await;
        connection.close().await;
        dumped
    }
}

fn client(env: Env, addresses: Vec<String>, timeout: Option<Duration>) -> Client {
    let timeout = timeout.unwrap_or(TIMEOUT);
    let options = ClientOptions { timeout, ..ClientOptions::default() };
    Client::with_options(env, addresses, connect::DATABASE, options)
}
