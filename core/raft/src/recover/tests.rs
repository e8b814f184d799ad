use std::sync::Arc;

use dqlite_engine::Machine;
use tempfile::TempDir;

use super::*;
use crate::node::Node;
use crate::options::Options;
use crate::status::Status;
use crate::testing::Nothing;

fn member(id: u64, address: &str, role: Role) -> Member {
    Member { id, address: address.to_owned(), role }
}

async fn start(dir: &TempDir, id: u64) -> Node {
    let machine = Arc::new(Nothing::default());
    let options = Options::new(id, "nowhere");
    Node::start(Env::real(), dir.path(), options, machine as Arc<dyn Machine>).await.unwrap()
}

/// A directory of a node that led alone, and its last entry.
async fn used() -> (TempDir, Position) {
    let dir = tempfile::tempdir().unwrap();
    let node = start(&dir, 1).await;
    node.bootstrap().await.unwrap();
    // The first membership, and the leader's first entry.
    node.wait_status(|status| (status.applied_index >= 2).then_some(())).await.unwrap();
    node.add(2, "elsewhere").await.unwrap();
    node.shutdown().await;
    let last = describe_last_entry(&Env::real(), dir.path()).await.unwrap();
    (dir, last)
}

/// The node's state once it has applied the entry at `place`.
async fn applied(node: &Node, place: Position) -> Status {
    let found =
        node.wait_status(|status| (status.applied_index >= place.index).then(|| status.clone()));
    tokio::time::timeout(std::time::Duration::from_secs(20), found).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decreed_is_the_last_committed_entry_of_a_new_term() {
    let (dir, last) = used().await;
    // The other voter is not there, so that nobody can lead.
    let members = [member(1, "here", Role::Voter), member(7, "there", Role::Voter)];
    let env = Env::real();
    let place = recover(&env, dir.path(), 1, &members).await.unwrap();
    assert_eq!(place, Position { term: last.term + 1, index: last.index + 1 });
    assert_eq!(describe_last_entry(&env, dir.path()).await.unwrap(), place);
    let node = start(&dir, 1).await;
    let status = applied(&node, place).await;
    assert_eq!((status.term, status.commit_index), (place.term, place.index));
    assert_eq!(status.members, members);
    node.shutdown().await;
    // A second decree stands behind the first.
    let members = [member(1, "here", Role::Voter), member(7, "there", Role::StandBy)];
    let place = recover(&env, dir.path(), 1, &members).await.unwrap();
    let node = start(&dir, 1).await;
    let leader = node.wait_leader().await.unwrap();
    assert!(leader.id == 1 && leader.address == "here" && leader.term > place.term);
    assert_eq!(node.members(), members);
    node.shutdown().await;
}

/// (3)
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_another_members_node() {
    let (dir, _) = used().await;
    let members = [member(1, "one", Role::Voter), member(2, "two", Role::Voter)];
    recover(&Env::real(), dir.path(), 1, &members).await.unwrap();
    let place = describe_last_entry(&Env::real(), dir.path()).await.unwrap();
    let node = start(&dir, 2).await;
    let status = applied(&node, place).await;
    assert_eq!((status.role, status.members), (Some(Role::Voter), members.to_vec()));
    node.shutdown().await;
}

/// (1) A vote of a term without entries is not given twice.
#[tokio::test(flavor = "multi_thread")]
async fn no_term_that_was_voted_in_is_used_again() {
    let (dir, last) = used().await;
    let env = Env::real();
    let (log, _) = open_log(&env, dir.path(), dqlite_log::Options::default()).await.unwrap();
    let (saved, is_saved) = oneshot::channel();
    let vote = Vote { term: last.term + 8, voted_for: 3, committed: false };
    log.save_vote(vote, Box::new(move |result| drop(saved.send(result))));
    durable(is_saved).await.unwrap();
    log.close().await;
    let members = [member(1, "here", Role::Voter)];
    let place = recover(&env, dir.path(), 1, &members).await.unwrap();
    assert_eq!(place, Position { term: last.term + 9, index: last.index + 1 });
}

/// The files are ahead of the log when a node died while it installed a snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_before_the_files_goes_on_behind_them() {
    let (dir, last) = used().await;
    let env = Env::real();
    let ahead = Position { term: last.term + 3, index: last.index + 100 };
    let mut manifest = Manifest::load(&env, dir.path()).await.unwrap();
    manifest.last = Some(crate::types::log_id(ahead));
    manifest.store(&env, dir.path()).await.unwrap();
    assert_eq!(describe_last_entry(&env, dir.path()).await.unwrap(), ahead);
    let members = [member(1, "here", Role::Voter)];
    let place = recover(&env, dir.path(), 1, &members).await.unwrap();
    assert_eq!(place, Position { term: ahead.term + 1, index: ahead.index + 1 });
    let node = start(&dir, 1).await;
    assert_eq!(node.wait_leader().await.unwrap().address, "here");
    assert!(node.status().purged_index >= ahead.index);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_cluster_leaves_the_directory_alone() {
    let (dir, last) = used().await;
    let env = Env::real();
    let long = "x".repeat(ADDRESS_BYTES_MAX + 1);
    for (members, why) in [
        (vec![], "at least one voter"),
        (vec![member(1, "a", Role::Spare)], "at least one voter"),
        (vec![member(2, "a", Role::Voter)], "has the id 1, which no member has"),
        (vec![member(1, "a", Role::Voter), member(1, "b", Role::Voter)], "two members"),
        (vec![member(1, "a", Role::Voter), member(2, "a", Role::Voter)], "two members"),
        (vec![member(1, "a", Role::Voter), member(0, "b", Role::Voter)], "no member can"),
        (vec![member(1, "", Role::Voter)], "no member can"),
        (vec![member(1, &long, Role::Voter)], "no member can"),
    ] {
        let error = recover(&env, dir.path(), 1, &members).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(describe_last_entry(&env, dir.path()).await.unwrap(), last);
    let node = start(&dir, 1).await;
    let error = describe_last_entry(&env, dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("is in use by this process"), "{error}");
    node.shutdown().await;
}

#[tokio::test]
async fn nothing_is_made_where_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let env = Env::real();
    let members = [member(1, "here", Role::Voter)];
    let error = recover(&env, dir.path(), 1, &members).await.unwrap_err().to_string();
    assert!(error.contains("no node that was in a cluster"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
