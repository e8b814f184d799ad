//! `dqlite cluster`: who is in it, and changes to that.

use anyhow::Result;
use clap::Subcommand;
use comfy_table::Table;
use dqlite_client::Cluster;
use dqlite_wire::Role;

use crate::output;
use crate::servers::Servers;
use crate::status::{self, role_name};

/// Show and change who is in the cluster.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    servers: Servers,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The members and their roles
    List,
    /// The leader's address
    Leader,
    /// Make a node known, as a spare
    Add { id: u64, address: String },
    /// Give a member a role
    Assign { id: u64, role: RoleName },
    /// Take a member out
    Remove { id: u64 },
    /// Hand the lead over, to any voter or to one
    Transfer { id: Option<u64> },
    /// Every node's place in the log
    Status,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum RoleName {
    /// Has the log and a vote
    Voter,
    /// Has the log
    #[value(alias = "stand-by")]
    Standby,
    /// Has neither
    Spare,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Voter => Self::Voter,
            RoleName::Standby => Self::Standby,
            RoleName::Spare => Self::Spare,
        }
    }
}

/// Does what was asked, through the leader where it must.
///
/// # Errors
/// The leader refused, or there is none.
pub async fn run(arguments: Arguments) -> Result<()> {
    let client = arguments.servers.client("")?;
    let cluster = client.cluster();
    match arguments.action {
        Action::List => println!("{}", members(&cluster).await?),
        Action::Leader => println!("{}", leader(&cluster).await?),
        Action::Add { id, address } => {
            cluster.add(id, &address).await?;
            println!("{address} is a spare; assign it a role");
        }
        Action::Assign { id, role } => {
            cluster.assign(id, role.into()).await?;
            println!("{id} is a {}", role_name(role.into()));
        }
        Action::Remove { id } => {
            cluster.remove(id).await?;
            println!("{id} is no longer in the cluster");
        }
        Action::Transfer { id } => {
            cluster.transfer(id.unwrap_or(0)).await?;
            println!("{} leads", leader(&cluster).await?);
        }
        Action::Status => println!("{}", status::table(&cluster).await?),
    }
    Ok(())
}

/// A table of the members.
///
/// # Errors
/// No node knows them.
pub async fn members(cluster: &Cluster) -> Result<Table> {
    let leader_id = cluster.leader().await.map_or(0, |leader| leader.id);
    let mut table = output::table(["id", "address", "role", "leads"]);
    for member in cluster.members().await? {
        let leads = if member.id == leader_id { "yes" } else { "" };
        table.add_row([
            member.id.to_string(),
            member.address.to_string(),
            role_name(member.role).to_owned(),
            leads.to_owned(),
        ]);
    }
    Ok(table)
}

/// The leader as `id address`.
///
/// # Errors
/// None was found in time.
pub async fn leader(cluster: &Cluster) -> Result<String> {
    let leader = cluster.leader().await?;
    Ok(format!("{} {}", leader.id, leader.address))
}
