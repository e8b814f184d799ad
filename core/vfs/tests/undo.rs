//! Transactions that the log did not take.

mod support;

use dqlite_vfs::WalError;
use support::*;

#[test]
fn undone_transactions_leave_no_trace() {
    let (leader, follower) = (Node::new(), Node::new());
    let mut connection = leader.connect_small();
    exec(&mut connection, TABLE);
    exec(&mut connection, &fill(500, 300));
    follower.follow(&leader);
    let committed = leader.database.position();
    let page_count = leader.database.page_count();
    let before = content(&mut connection);

    exec(&mut connection, "UPDATE t SET b = randomblob(301); CREATE TABLE later(x)");
    exec(&mut connection, "DELETE FROM t WHERE a % 2 = 0; VACUUM");
    assert_eq!(leader.queue.take().len(), 4);
    assert_eq!(leader.database.undo_to(committed), Err(WalError::ConnectionsOpen(1)));
    drop(connection);
    leader.database.undo_to(committed).unwrap();

    assert_eq!(leader.database.position(), committed);
    assert_eq!(leader.database.page_count(), page_count);
    let mut connection = leader.connect_small();
    assert_eq!(content(&mut connection), before);
    assert!(run(&mut connection, "SELECT * FROM later").is_err());

    // It goes on as if nothing had been, by SQLite and by apply.
    exec(&mut connection, &format!("BEGIN; {}; COMMIT", fill(900, 300).replace("100 +", "9000 +")));
    follower.follow(&leader);
    exec(&mut follower.connect(), "INSERT INTO t VALUES(1, x'01')");
    leader.follow(&follower);
    assert_same(&leader, &follower);
}

#[test]
fn undo_to_the_start_of_a_generation() {
    let (leader, follower) = (Node::new(), Node::new());
    exec(&mut leader.connect(), TABLE);
    exec(&mut leader.connect(), &fill(500, 300));
    follower.follow(&leader);
    leader.checkpoint_all();
    let committed = leader.database.position();
    let before = content(&mut leader.connect());
    exec(&mut leader.connect(), "DELETE FROM t; VACUUM");
    leader.queue.take();
    assert_eq!(leader.database.generation(), committed.generation + 1);

    // The committed position is of the generation before.
    leader.database.undo_to(committed).unwrap();
    assert_eq!(leader.database.last_frame(), 0);
    assert_eq!(content(&mut leader.connect()), before);
    assert!(leader.database.checkpointed().complete);

    exec(&mut follower.connect(), "INSERT INTO t VALUES(1, x'01')");
    leader.follow(&follower);
    exec(&mut leader.connect(), "INSERT INTO t VALUES(2, x'02')");
    follower.follow(&leader);
    assert_same(&leader, &follower);

    // A first transaction in all.
    let fresh = Node::new();
    exec(&mut fresh.connect(), TABLE);
    fresh.database.undo_to(at(0, 0)).unwrap();
    assert_eq!(content(&mut fresh.connect()), "");
    exec(&mut fresh.connect(), TABLE);
    content(&mut fresh.connect());
}

#[test]
fn undo_goes_to_commits_only() {
    let node = Node::new();
    exec(&mut node.connect(), TABLE);
    exec(&mut node.connect(), &fill(500, 300));
    let end = node.database.position();
    let inside = end.frame - 1;
    assert_eq!(node.database.undo_to(at(0, inside)), Err(WalError::NotACommit(inside)));
    assert_eq!(
        node.database.undo_to(at(0, end.frame + 1)),
        Err(WalError::NotACommit(end.frame + 1))
    );
    assert_eq!(node.database.undo_to(at(1, 0)), Err(WalError::NotACommit(0)));
    node.checkpoint_all();
    assert_eq!(node.database.undo_to(at(0, 0)), Err(WalError::Checkpointed(1)));
    node.database.undo_to(end).unwrap();
    assert_eq!(node.database.position(), end);
    content(&mut node.connect());
}
