//! `dqlite recover`: a stopped node begins a cluster anew, when the quorum of the old one is gone.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use dqlite_env::Env;
use dqlite_server::{Member, Role, describe_last_entry, recover};

/// Make a stopped node the first of a new cluster, when most voters are lost for good.
///
/// Without --member it says how far the node's log goes: of the nodes that are left, take the one
/// with the highest term, and of those the one with the highest index. All others must never come
/// back with the files that they have: let them join with empty folders, or give them copies of
/// the recovered folder before its node is started.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder with the node's files
    #[arg(long)]
    dir: PathBuf,
    /// A member of the new cluster, the node itself among them: ID,ADDRESS,ROLE with voter,
    /// stand-by or spare as the role
    #[arg(long = "member", value_name = "ID,ADDRESS,ROLE", value_parser = parse_member)]
    members: Vec<Member>,
}

/// Recovers the node, or says how far its log goes.
///
/// # Errors
/// The node runs, is not among the members, or its files cannot be used.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let env = Env::real();
    let dir = arguments.dir.display();
    let last = || describe_last_entry(&env, &arguments.dir);
    if arguments.members.is_empty() {
        let (term, index) = last().await?;
        println!("the last entry in {dir} has term {term} and index {index}");
        return Ok(());
    }
    recover(&env, &arguments.dir, &arguments.members)
        .await
        .with_context(|| format!("cannot recover {dir}"))?;
    let (term, index) = last().await?;
    println!("{dir} begins a cluster with term {term} and index {index}, once it is started:");
    for member in &arguments.members {
        println!("  {} {} {}", member.id, member.address, member.role);
    }
    Ok(())
}

fn parse_member(text: &str) -> Result<Member> {
    let parts: Vec<&str> = text.split(',').collect();
    let [id, address, role] = parts.as_slice() else {
        return Err(anyhow!("it is not ID,ADDRESS,ROLE"));
    };
    let id = id.parse().with_context(|| format!("{id} is no number"))?;
    let role = match *role {
        "voter" => Role::Voter,
        "standby" | "stand-by" => Role::StandBy,
        "spare" => Role::Spare,
        other => bail!("{other} is no role: voter, stand-by or spare"),
    };
    Ok(Member { id, address: (*address).to_owned(), role })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_written_with_commas() {
        let member = parse_member("7,10.0.0.1:9001,stand-by").unwrap();
        let expected = Member { id: 7, address: "10.0.0.1:9001".into(), role: Role::StandBy };
        assert_eq!(member, expected);
        for wrong in ["", "7", "7,a", "7,a,voter,", "x,a,voter", "-1,a,voter", "7,a,leader"] {
            assert!(parse_member(wrong).is_err(), "{wrong}");
        }
    }
}
