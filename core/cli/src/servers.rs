//! Which nodes a command asks.

use std::time::Duration;

use anyhow::Result;
use dqlite_client::{Client, ClientOptions};

use crate::tls::TlsArguments;

/// The option that every command with a running cluster has.
#[derive(Clone, Debug, clap::Args)]
pub struct Servers {
    /// Addresses of nodes of the cluster; one that is up is enough
    #[arg(long, short, value_delimiter = ',', required = true, value_name = "ADDRESS,…")]
    pub servers: Vec<String>,
    /// How long one call may take, with the search for the leader
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    timeout: u64,
    #[command(flatten)]
    tls: TlsArguments,
}

impl Servers {
    /// A client of the database `name`.
    ///
    /// # Errors
    /// A certificate cannot be used.
    pub fn client(&self, name: &str) -> Result<Client> {
        let options = ClientOptions {
            timeout: Duration::from_secs(self.timeout),
            ..ClientOptions::default()
        };
        let env = self.tls.client_env()?;
        Ok(Client::with_options(env, self.servers.iter().cloned(), name, options))
    }
}
