//! Engines that follow one log: what is shown, what is undone, what comes back.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod replicas;

use std::sync::Arc;
use std::time::Duration;

use dqlite_engine::{Error, Machine, Options, Position, Tail};
use replicas::{Replica, Tape, query, rows_of};

const SCHEMA: &str = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)";

struct Setup {
    _dirs: Vec<tempfile::TempDir>,
    tape: Arc<Tape>,
    leader: Replica,
    follower: Replica,
}

async fn setup() -> Setup {
    let dirs = vec![tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let tape = Arc::new(Tape::default());
    let mut leader = Replica::open(dirs[0].path(), &tape);
    let follower = Replica::open(dirs[1].path(), &tape);
    leader.lead(1).await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, SCHEMA).await.unwrap();
    Setup { _dirs: dirs, tape, leader, follower }
}

async fn assert_equal(leader: &Replica, follower: &Replica, expected: &[&str]) {
    let image = leader.image().await;
    assert_eq!(rows_of(&image), expected);
    assert!(image == follower.image().await, "the replicas differ");
}

#[tokio::test]
async fn replicas_hold_the_same_bytes() {
    let Setup { mut leader, mut follower, _dirs, .. } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, "INSERT INTO t VALUES (1, 'x'), (2, 'y')").await.unwrap();
    leader.run(&mut session, "BEGIN; UPDATE t SET b = 'z' WHERE a = 2; COMMIT").await.unwrap();
    leader.run(&mut session, "BEGIN; DELETE FROM t; ROLLBACK").await.unwrap();
    follower.apply_all().await;
    assert_equal(&leader, &follower, &["1=x", "2=z"]).await;
}

#[tokio::test]
async fn no_answer_tells_of_what_is_not_committed() {
    let Setup { tape, mut leader, _dirs, .. } = setup().await;
    let mut writer = leader.engine.open_session("app").await.unwrap();
    let mut reader = leader.engine.open_session("app").await.unwrap();
    let mut rival = leader.engine.open_session("app").await.unwrap();
    // A commit shows right after it was captured: certainly once the next one is.
    let held = tape.last_index() + 2;
    let insert = "INSERT INTO t VALUES (1, 'x')";
    let script = format!("{insert}; INSERT INTO t VALUES (2, 'y')");
    let written = tokio::spawn(async move { writer.execute_script(script, ()).await });
    tape.wait_for(held).await;
    // The row is in SQLite now. Nobody may hear of it: not a reader, nor one who collides with it.
    let read = tokio::spawn(async move { query(&mut reader, "SELECT a FROM t WHERE a = 1").await });
    let collided = tokio::spawn(async move { rival.execute_script(insert.to_owned(), ()).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!written.is_finished() && !read.is_finished() && !collided.is_finished());
    leader.apply_to(held).await;
    assert_eq!(written.await.unwrap().unwrap().changes, 1);
    assert_eq!(read.await.unwrap().unwrap(), ["1"]);
    let error = collided.await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (1555, "UNIQUE constraint failed: t.a"));
}

#[tokio::test]
async fn commits_do_not_wait_for_each_other() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let held = tape.last_index() + 20;
    let mut writers = Vec::new();
    for number in 0..20 {
        let mut session = leader.engine.open_session("app").await.unwrap();
        writers.push(tokio::spawn(async move {
            let sql = format!("INSERT INTO t VALUES ({number}, 'x')");
            session.execute_script(sql, ()).await
        }));
    }
    // All twenty are built on each other before the first is committed.
    tape.wait_for(held).await;
    leader.apply_all().await;
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    follower.apply_all().await;
    assert_eq!(rows_of(&follower.image().await).len(), 20);
}

#[tokio::test]
async fn what_a_lost_lead_takes_along_is_undone_and_called_failed() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, "INSERT INTO t VALUES (1, 'kept')").await.unwrap();
    let held = tape.last_index() + 1;
    let lost = tokio::spawn(async move {
        session
            .execute_script("INSERT INTO t VALUES (2, 'lost'); CREATE TABLE u (x)".into(), ())
            .await
    });
    tape.wait_for(held + 1).await;
    leader.engine.follow().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!lost.is_finished(), "it could still be committed");
    // Another leader takes over, without those entries.
    tape.truncate(held);
    follower.lead(2).await;
    let mut other = follower.engine.open_session("app").await.unwrap();
    follower.run(&mut other, "INSERT INTO t VALUES (2, 'new')").await.unwrap();
    leader.apply_all().await;
    assert!(matches!(lost.await.unwrap(), Err(Error::NotLeader)));
    assert_equal(&leader, &follower, &["1=kept", "2=new"]).await;
    // And back again.
    drop(other);
    follower.engine.follow().await;
    leader.lead(3).await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, "INSERT INTO t VALUES (3, 'back')").await.unwrap();
    follower.apply_all().await;
    assert_equal(&leader, &follower, &["1=kept", "2=new", "3=back"]).await;
}

#[tokio::test]
async fn what_is_committed_after_all_comes_back_and_is_called_committed() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let held = tape.last_index() + 1;
    let kept = tokio::spawn(async move {
        session.execute_script("INSERT INTO t VALUES (1, 'kept')".into(), ()).await
    });
    tape.wait_for(held).await;
    leader.engine.follow().await;
    follower.lead(2).await; // Its log holds the entry.
    leader.apply_all().await;
    assert_eq!(kept.await.unwrap().unwrap().changes, 1);
    assert_equal(&leader, &follower, &["1=kept"]).await;
}

#[tokio::test]
async fn a_deposed_leader_that_hears_of_it_by_an_entry_undoes_its_own_first() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let held = tape.last_index() + 1;
    let lost = tokio::spawn(async move {
        session.execute_script("INSERT INTO t VALUES (1, 'lost')".into(), ()).await
    });
    tape.wait_for(held).await;
    tape.truncate(held);
    follower.lead(2).await;
    let mut other = follower.engine.open_session("app").await.unwrap();
    follower.run(&mut other, "INSERT INTO t VALUES (1, 'new')").await.unwrap();
    leader.apply_all().await; // Nobody called `follow`.
    assert!(matches!(lost.await.unwrap(), Err(Error::NotLeader)));
    assert_equal(&leader, &follower, &["1=new"]).await;
}

#[tokio::test]
async fn a_commit_whose_predecessor_is_missing_is_void_everywhere() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let held = tape.last_index() + 1;
    let mut first = leader.engine.open_session("app").await.unwrap();
    let mut second = leader.engine.open_session("app").await.unwrap();
    let missing = tokio::spawn(async move {
        first.execute_script("INSERT INTO t VALUES (1, 'missing')".into(), ()).await
    });
    tape.wait_for(held).await;
    let void = tokio::spawn(async move {
        second.execute_script("INSERT INTO t VALUES (2, 'void')".into(), ()).await
    });
    tape.wait_for(held + 1).await;
    tape.blank(held);
    leader.apply_all().await;
    follower.apply_all().await;
    assert!(matches!(void.await.unwrap(), Err(Error::NotLeader)));
    assert_equal(&leader, &follower, &[]).await;
    // The leader goes on, in a new session of leadership.
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, "INSERT INTO t VALUES (3, 'on')").await.unwrap();
    assert!(matches!(missing.await.unwrap(), Err(Error::NotLeader)));
    follower.apply_all().await;
    assert_equal(&leader, &follower, &["3=on"]).await;
}

#[tokio::test]
async fn what_the_log_refuses_is_undone() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    tape.refuse(true);
    let refused = session.execute_script("INSERT INTO t VALUES (1, 'refused')".into(), ()).await;
    assert!(matches!(refused, Err(Error::NotLeader)));
    tape.refuse(false);
    // The undo takes the session's connection away.
    while !session.is_over() {
        tokio::task::yield_now().await;
    }
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, "INSERT INTO t VALUES (1, 'taken')").await.unwrap();
    follower.apply_all().await;
    assert_equal(&leader, &follower, &["1=taken"]).await;
}

#[tokio::test]
async fn large_transactions_come_in_parts() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let before = tape.last_index();
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)
        INSERT INTO t SELECT i, hex(randomblob(1000)) FROM s";
    leader.run(&mut session, sql).await.unwrap();
    assert!(tape.last_index() - before > 3, "several parts");
    follower.apply_to(tape.last_index() - 1).await;
    assert_eq!(rows_of(&follower.image().await).len(), 0, "nothing shows before the last part");
    follower.apply_all().await;
    assert_eq!(rows_of(&follower.image().await).len(), 2000);
    assert!(leader.image().await == follower.image().await);
}

#[tokio::test]
async fn parts_without_the_last_one_leave_nothing() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)
        INSERT INTO t SELECT i, hex(randomblob(1000)) FROM s";
    let before = tape.last_index();
    let lost = tokio::spawn(async move { session.execute_script(sql.into(), ()).await });
    tape.wait_for(before + 4).await;
    tape.truncate(before + 3);
    follower.lead(2).await;
    let mut other = follower.engine.open_session("app").await.unwrap();
    follower.run(&mut other, "INSERT INTO t VALUES (1, 'new')").await.unwrap();
    leader.apply_all().await;
    assert!(matches!(lost.await.unwrap(), Err(Error::NotLeader)));
    assert_equal(&leader, &follower, &["1=new"]).await;
}

#[tokio::test]
async fn a_node_that_starts_again_replays_what_its_files_lack() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let tape = Arc::new(Tape::default());
    let options = Options { checkpoint_frames: 20, ..Options::default() };
    let mut leader = Replica::open_with(dirs[0].path(), &tape, options.clone(), 0);
    let mut follower = Replica::open_with(dirs[1].path(), &tape, options.clone(), 0);
    leader.lead(1).await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, SCHEMA).await.unwrap();
    for number in 0..100 {
        let sql = format!("INSERT INTO t VALUES ({number}, 'x')");
        leader.run(&mut session, &sql).await.unwrap();
    }
    follower.apply_to(60).await;
    let covered = follower.engine.checkpoint().await.unwrap();
    assert_eq!(covered, 60);
    follower.apply_to(80).await;
    // It stops without a word, and starts from the log's entry 30: the files know better.
    follower.engine.close().await.unwrap();
    drop(follower);
    let mut follower = Replica::open_with(dirs[1].path(), &tape, options, 30);
    follower.apply_all().await;
    assert!(leader.image().await == follower.image().await);
    assert_eq!(rows_of(&follower.image().await).len(), 100);
    assert_eq!(follower.engine.checkpoint().await.unwrap(), tape.last_index());
}

#[tokio::test]
async fn a_snapshot_taken_while_checkpoints_go_on_is_made_whole_by_the_log() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let fill = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3000)
        INSERT OR REPLACE INTO t SELECT i, hex(randomblob(300)) FROM s";
    leader.run(&mut session, fill).await.unwrap();
    let start = leader.engine.checkpoint().await.unwrap();
    assert_eq!(start, tape.last_index());
    let mut reader = leader.engine.read_snapshot().await.unwrap();
    let mut writer = follower.engine.write_snapshot().await.unwrap();
    let mut chunk_count = 0;
    while let Some(chunk) = reader.next().await.unwrap() {
        writer.write(chunk).await.unwrap();
        chunk_count += 1;
        // The file changes under the reader's hands.
        if chunk_count % 3 == 0 {
            leader.run(&mut session, fill).await.unwrap();
            leader.run(&mut session, "DELETE FROM t WHERE a % 7 = 0").await.unwrap();
            leader.engine.checkpoint().await.unwrap();
        }
    }
    writer.finish().await.unwrap();
    assert!(chunk_count > 6, "long enough to be overtaken");
    follower.engine.install_snapshot(Position { term: 1, index: start }, writer).await.unwrap();
    follower.skip_to(start);
    let unserved = follower.engine.dump("app").await;
    assert!(matches!(unserved, Err(Error::Recovering)), "served: {unserved:.60?}");
    follower.apply_all().await;
    assert!(leader.image().await == follower.image().await);
    assert_eq!(rows_of(&follower.image().await).len(), rows_of(&leader.image().await).len());
}

#[tokio::test]
async fn a_snapshot_that_is_cut_short_changes_nothing() {
    let Setup { mut leader, mut follower, _dirs, .. } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut session, "INSERT INTO t VALUES (1, 'x')").await.unwrap();
    follower.apply_all().await;
    let mut reader = leader.engine.read_snapshot().await.unwrap();
    let mut writer = follower.engine.write_snapshot().await.unwrap();
    writer.write(reader.next().await.unwrap().unwrap()).await.unwrap();
    assert!(writer.finish().await.is_err());
    let position = Position { term: 1, index: 9 };
    assert!(follower.engine.install_snapshot(position, writer).await.is_err());
    assert_equal(&leader, &follower, &["1=x"]).await;
}

#[tokio::test]
async fn a_transaction_of_200_mib_goes_through() {
    let Setup { mut leader, mut follower, _dirs, .. } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 200)
        INSERT INTO t SELECT i, randomblob(1 << 20) FROM s";
    assert_eq!(leader.run(&mut session, sql).await.unwrap().changes, 200);
    follower.apply_all().await;
    assert_eq!(leader.engine.databases()[0].page_count, follower.engine.databases()[0].page_count);
    // Both give the memory back once it is in the file.
    for replica in [&leader, &follower] {
        replica.engine.checkpoint().await.unwrap();
        assert!(replica.engine.databases()[0].wal_bytes < 20 << 20);
    }
    assert!(leader.image().await == follower.image().await);
}

#[tokio::test]
async fn an_entry_of_another_leader_undoes_ones_own_without_further_notice() {
    let Setup { tape, mut leader, mut follower, _dirs } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let held = tape.last_index() + 1;
    let lost = tokio::spawn(async move {
        session.execute_script("INSERT INTO t VALUES (1, 'lost')".into(), ()).await
    });
    tape.wait_for(held).await;
    tape.truncate(held);
    follower.apply_all().await;
    follower.engine.lead(2).await; // Its first entry is a write.
    let mut other = follower.engine.open_session("app").await.unwrap();
    follower.run(&mut other, "INSERT INTO t VALUES (1, 'new')").await.unwrap();
    leader.apply_all().await;
    assert!(matches!(lost.await.unwrap(), Err(Error::NotLeader)));
    assert_equal(&leader, &follower, &["1=new"]).await;
}

#[tokio::test]
async fn the_log_is_needed_from_where_a_reader_holds_the_checkpoint_back() {
    let Setup { tape, mut leader, _dirs, .. } = setup().await;
    let mut session = leader.engine.open_session("app").await.unwrap();
    let mut reader = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut reader, "BEGIN").await.unwrap();
    assert_eq!(query(&mut reader, "SELECT count(*) FROM t").await.unwrap(), ["0"]);
    let seen = tape.last_index();
    leader.run(&mut session, "INSERT INTO t VALUES (1, 'x')").await.unwrap();
    leader.run(&mut session, "INSERT INTO t VALUES (2, 'y')").await.unwrap();
    assert_eq!(leader.engine.checkpoint().await.unwrap(), seen);
    drop(reader);
    assert_eq!(leader.engine.checkpoint().await.unwrap(), seen + 2);
}

#[tokio::test]
async fn a_schema_that_is_not_committed_is_not_told_of_either() {
    let Setup { tape, mut leader, _dirs, .. } = setup().await;
    let mut writer = leader.engine.open_session("app").await.unwrap();
    let mut reader = leader.engine.open_session("app").await.unwrap();
    let mut other = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut reader, "BEGIN").await.unwrap();
    leader.run(&mut other, "BEGIN").await.unwrap();
    let held = tape.last_index() + 2;
    let script = "DROP TABLE t; CREATE TABLE u (x)".to_owned();
    let written = tokio::spawn(async move { writer.execute_script(script, ()).await });
    tape.wait_for(held).await;
    let sql = "SELECT * FROM missing".to_owned();
    let failed = tokio::spawn(async move { other.prepare(sql, Tail::Refuse).await });
    let sql = "EXPLAIN SELECT * FROM sqlite_schema WHERE name = 't'".to_owned();
    let prepared = tokio::spawn(async move { reader.prepare(sql, Tail::Refuse).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!written.is_finished() && !failed.is_finished() && !prepared.is_finished());
    leader.apply_to(held).await;
    written.await.unwrap().unwrap();
    assert!(failed.await.unwrap().unwrap_err().to_string().contains("no such table"));
    prepared.await.unwrap().unwrap();
}
