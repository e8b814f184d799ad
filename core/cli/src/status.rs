//! `dqlite status`: every node's place in the log.

use anyhow::Result;
use comfy_table::Table;
use dqlite_client::Cluster;
use dqlite_wire::{NodeStatus, Role};

use crate::output;
use crate::servers::Servers;

/// Show every node's role and place in the log.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    servers: Servers,
}

/// Prints what each node says of itself.
///
/// # Errors
/// No node knows the members.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let client = arguments.servers.client("")?;
    println!("{}", table(&client.cluster()).await?);
    Ok(())
}

/// A table with a line for each member and one for each of its databases.
///
/// # Errors
/// No node knows the members.
pub async fn table(cluster: &Cluster) -> Result<Table> {
    let mut table = output::table([
        "id",
        "address",
        "role",
        "leads",
        "term",
        "last",
        "committed",
        "applied",
        "databases",
    ]);
    for member in cluster.members().await? {
        let (id, address) = (member.id.to_string(), member.address.to_string());
        match cluster.status(&address).await {
            Ok(status) => {
                table.add_row([
                    id,
                    address,
                    status.role.map_or("none", role_name).to_owned(),
                    if status.leader_id == status.id { "yes" } else { "" }.to_owned(),
                    status.term.to_string(),
                    status.last_log_index.to_string(),
                    status.commit_index.to_string(),
                    status.applied_index.to_string(),
                    databases(&status),
                ]);
            }
            Err(error) => {
                let role = role_name(member.role).to_owned();
                table.add_row([id, address, role, format!("unreachable: {error}")]);
            }
        }
    }
    Ok(table)
}

fn databases(status: &NodeStatus) -> String {
    let lines: Vec<String> = status
        .databases
        .iter()
        .map(|it| {
            format!("{}: {} pages, in its file to {}", it.name, it.page_count, {
                it.checkpoint_index
            })
        })
        .collect();
    lines.join("\n")
}

/// A role as the commands spell it.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Voter => "voter",
        Role::Standby => "stand-by",
        Role::Spare => "spare",
    }
}
