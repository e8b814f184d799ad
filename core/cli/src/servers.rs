//! Which nodes a command asks.

use dqlite_client::Client;
use dqlite_env::Env;

/// The option that every command with a running cluster has.
#[derive(Clone, Debug, clap::Args)]
pub struct Servers {
    /// Addresses of nodes of the cluster; one that is up is enough
    #[arg(long, short, value_delimiter = ',', required = true, value_name = "ADDRESS,…")]
    pub servers: Vec<String>,
}

impl Servers {
    /// A client of the database `name`.
    pub fn client(&self, name: &str) -> Client {
        Client::new(Env::real(), self.servers.iter().cloned(), name)
    }
}
