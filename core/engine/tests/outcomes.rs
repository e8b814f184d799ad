//! "Did my commit take effect?": answers that are definite, and stay true.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod replicas;

use std::sync::Arc;
use std::time::Duration;

use dqlite_engine::{Error, Machine, Options, Outcome, Position, Session};
use replicas::{Replica, Tape, query};
use tokio::task::JoinHandle;

const SCHEMA: &str = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)";
const ME: u128 = 0xfeed_beef << 64;
const OTHER: u128 = 2;

struct Setup {
    dirs: Vec<tempfile::TempDir>,
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
    Setup { dirs, tape, leader, follower }
}

async fn session_of(replica: &Replica, client: u128) -> Session {
    let mut session = replica.engine.open_session("app").await.unwrap();
    session.set_client(client);
    session
}

/// Inserts the row `mark`, with the mark.
async fn write(replica: &mut Replica, session: &mut Session, mark: u64) {
    session.set_mark(mark);
    replica.run(session, &insert(mark)).await.unwrap();
}

fn insert(row: u64) -> String {
    format!("INSERT INTO t VALUES ({row}, 'x')")
}

type Written = JoinHandle<Result<dqlite_engine::Executed, Error>>;

/// Lets `session` commit the row `mark`, which is then in the log and applied nowhere.
async fn leave_in_the_log(tape: &Tape, mut session: Session, mark: u64) -> (Written, u64) {
    let held = tape.last_index() + 1;
    session.set_mark(mark);
    let written = tokio::spawn(async move { session.execute_script(insert(mark), ()).await });
    tape.wait_for(held).await;
    (written, held)
}

fn assert_same_record(left: &Replica, right: &Replica) {
    let left = left.engine.record_of_outcomes("app").unwrap();
    assert_eq!(left, right.engine.record_of_outcomes("app").unwrap());
}

#[tokio::test]
async fn the_new_leader_knows_what_the_old_one_committed() {
    let Setup { dirs: _dirs, tape, leader, mut follower } = setup().await;
    let session = session_of(&leader, ME).await;
    let since = tape.last_index();
    let (_unanswered, held) = leave_in_the_log(&tape, session, 7).await;
    drop(leader); // With it goes the answer.
    follower.lead(2).await;
    assert_eq!(follower.outcome(ME, 7, since).await.unwrap(), Outcome::Applied(held));
    assert_eq!(follower.outcome(ME, 8, since).await.unwrap(), Outcome::NotApplied);
    assert_eq!(follower.outcome(ME, 6, since).await.unwrap(), Outcome::Forgotten);
    assert_eq!(follower.outcome(OTHER, 7, since).await.unwrap(), Outcome::NotApplied);
}

#[tokio::test]
async fn what_was_not_applied_never_will_be() {
    let Setup { dirs: _dirs, tape, mut leader, mut follower } = setup().await;
    let session = session_of(&leader, ME).await;
    let mut unread = session_of(&leader, ME).await; // Its call is still on the way.
    let since = tape.last_index();
    let (lost, held) = leave_in_the_log(&tape, session, 7).await;
    tape.truncate(held);
    follower.lead(2).await;
    assert_eq!(follower.outcome(ME, 7, since).await.unwrap(), Outcome::NotApplied);
    // The first leader comes back, and its gateway gets to what the client had sent to it.
    leader.apply_all().await;
    follower.engine.follow().await;
    leader.lead(3).await;
    assert!(matches!(lost.await.unwrap(), Err(Error::NotLeader)));
    unread.set_mark(7);
    leader.run(&mut unread, &insert(7)).await.unwrap_err();
    assert_eq!(leader.outcome(ME, 7, since).await.unwrap(), Outcome::NotApplied);
    let mut session = session_of(&leader, ME).await;
    write(&mut leader, &mut session, 8).await;
    assert_eq!(query(&mut session, "SELECT a FROM t").await.unwrap(), ["8"]);
    let index = tape.last_index();
    assert_eq!(leader.outcome(ME, 8, since).await.unwrap(), Outcome::Applied(index));
    follower.apply_all().await;
    assert_same_record(&leader, &follower);
}

#[tokio::test]
async fn asking_ends_what_the_client_was_doing_and_nothing_else() {
    let Setup { dirs: _dirs, tape, mut leader, .. } = setup().await;
    let mut others = session_of(&leader, OTHER).await;
    let mut mine = session_of(&leader, ME).await;
    let mut unread = session_of(&leader, ME).await;
    let mut reader = leader.engine.open_reader("app").await.unwrap();
    reader.set_client(ME);
    let since = tape.last_index();
    mine.set_mark(7);
    leader.run(&mut mine, &format!("BEGIN; {}", insert(1))).await.unwrap();
    assert_eq!(leader.outcome(ME, 8, since).await.unwrap(), Outcome::NotApplied);
    mine.set_mark(8);
    let ended = leader.run(&mut mine, "COMMIT").await.unwrap_err();
    assert!(matches!(ended, Error::SessionEnded), "{ended}");
    unread.set_mark(8);
    let ended = leader.run(&mut unread, &insert(2)).await.unwrap_err();
    assert!(matches!(ended, Error::SessionEnded), "{ended}");
    write(&mut leader, &mut others, 3).await; // The lane is free, too.
    // A session that comes late.
    let mut late = session_of(&leader, ME).await;
    late.set_mark(8);
    let refused = leader.run(&mut late, &insert(4)).await.unwrap_err();
    assert!(matches!(refused, Error::Fenced), "{refused}");
    write(&mut leader, &mut late, 9).await;
    assert_eq!(query(&mut late, "SELECT a FROM t").await.unwrap(), ["3", "9"]);
    assert!(!others.is_over() && !reader.is_over());
    let unmarked = leader.outcome(ME, 0, since).await.unwrap_err();
    assert!(matches!(unmarked, Error::Unmarked), "{unmarked}");
}

#[tokio::test]
async fn the_answer_waits_for_what_is_on_its_way() {
    let Setup { dirs: _dirs, tape, mut leader, .. } = setup().await;
    let session = session_of(&leader, ME).await;
    let since = tape.last_index();
    let (written, held) = leave_in_the_log(&tape, session, 7).await;
    let engine = leader.engine.clone();
    let asked = tokio::spawn(async move { engine.outcome("app", ME, 7, since).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!asked.is_finished(), "nobody knows yet");
    leader.apply_all().await;
    assert_eq!(asked.await.unwrap().unwrap(), Outcome::Applied(held));
    assert_eq!(written.await.unwrap().unwrap().changes, 1);
}

/// The moment in which a transaction is called committed and is not noted yet must not exist.
/// The asker looks as often as it can, from another thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_called_committed_is_noted() {
    let Setup { dirs: _dirs, tape, mut leader, .. } = setup().await;
    for mark in 1..300 {
        let session = session_of(&leader, ME).await;
        let (written, held) = leave_in_the_log(&tape, session, mark).await;
        let (engine, runtime) = (leader.engine.clone(), tokio::runtime::Handle::current());
        let (looks_in, looks) = tokio::sync::oneshot::channel();
        let asked = std::thread::spawn(move || {
            let mut looks_in = Some(looks_in);
            let _runtime = runtime.enter();
            let mut asked = std::pin::pin!(engine.outcome("app", ME, mark, 0));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            loop {
                if let std::task::Poll::Ready(outcome) = asked.as_mut().poll(&mut context) {
                    return outcome;
                }
                looks_in.take().map(|looks| looks.send(()));
            }
        });
        looks.await.unwrap();
        leader.apply_all().await;
        assert_eq!(asked.join().unwrap().unwrap(), Outcome::Applied(held));
        written.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_answer_waits_for_a_retired_session_of_the_same_term() {
    let Setup { dirs: _dirs, tape, mut leader, .. } = setup().await;
    let session = session_of(&leader, ME).await;
    let mut others = session_of(&leader, OTHER).await;
    let since = tape.last_index();
    let (written, held) = leave_in_the_log(&tape, session, 7).await;
    // The log refuses what comes next, and the leader begins anew while 7 is on its way.
    tape.refuse(true);
    others.execute_script(insert(1), ()).await.unwrap_err();
    tape.refuse(false);
    while !others.is_over() {
        tokio::task::yield_now().await;
    }
    let engine = leader.engine.clone();
    let asked = tokio::spawn(async move { engine.outcome("app", ME, 7, since).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!asked.is_finished(), "nobody knows yet");
    leader.apply_all().await;
    assert_eq!(asked.await.unwrap().unwrap(), Outcome::Applied(held));
    assert_eq!(written.await.unwrap().unwrap().changes, 1);
}

#[tokio::test]
async fn only_a_leader_that_still_leads_answers() {
    let Setup { dirs: _dirs, tape, mut leader, mut follower } = setup().await;
    let unasked = follower.outcome(ME, 7, 0).await.unwrap_err();
    assert!(matches!(unasked, Error::NotLeader), "{unasked}");
    assert_eq!(leader.outcome(ME, 7, 0).await.unwrap(), Outcome::NotApplied);
    // Another node leads by now, and may have committed the call.
    tape.depose();
    let deposed = leader.outcome(ME, 7, 0).await.unwrap_err();
    assert!(matches!(deposed, Error::NotLeader), "{deposed}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let tape = Arc::new(Tape::default());
    let commit_timeout = Duration::from_millis(100);
    let options = Options { commit_timeout, ..Options::default() };
    let mut leader = Replica::open_with(dir.path(), &tape, options, 0);
    leader.lead(1).await;
    let mut session = session_of(&leader, ME).await;
    leader.run(&mut session, SCHEMA).await.unwrap();
    let (written, held) = leave_in_the_log(&tape, session, 7).await;
    // The quorum is gone.
    let unanswered = leader.engine.outcome("app", ME, 7, 0).await.unwrap_err();
    assert!(matches!(unanswered, Error::NotLeader), "{unanswered}");
    assert!(matches!(written.await.unwrap(), Err(Error::OutcomeUnknown)));
    assert_eq!(leader.outcome(ME, 7, 0).await.unwrap(), Outcome::Applied(held));
}

#[tokio::test]
async fn a_void_command_is_not_recorded() {
    let Setup { dirs: _dirs, tape, mut leader, mut follower } = setup().await;
    let first = session_of(&leader, OTHER).await;
    let second = session_of(&leader, ME).await;
    let since = tape.last_index();
    let (missing, held) = leave_in_the_log(&tape, first, 3).await;
    let (void, _) = leave_in_the_log(&tape, second, 7).await;
    tape.blank(held);
    leader.apply_all().await;
    assert!(matches!(void.await.unwrap(), Err(Error::NotLeader)));
    let mut third = session_of(&leader, 3).await;
    write(&mut leader, &mut third, 1).await;
    for (client, mark) in [(ME, 7), (OTHER, 3)] {
        let outcome = leader.outcome(client, mark, since).await.unwrap();
        assert_eq!(outcome, Outcome::NotApplied);
    }
    follower.apply_all().await;
    assert_same_record(&leader, &follower);
    leader.engine.follow().await;
    follower.lead(2).await;
    assert_eq!(follower.outcome(ME, 7, since).await.unwrap(), Outcome::NotApplied);
    assert!(missing.await.is_ok_and(|it| it.is_err()));
}

#[tokio::test]
async fn a_call_without_client_or_mark_is_not_recorded() {
    let Setup { dirs, mut leader, .. } = setup().await;
    let mut session = session_of(&leader, ME).await;
    leader.run(&mut session, &insert(1)).await.unwrap();
    let mut session = session_of(&leader, 0).await;
    write(&mut leader, &mut session, 2).await;
    // The mark is the running call's: one that committed is not the next one's.
    let mut session = session_of(&leader, ME).await;
    write(&mut leader, &mut session, 3).await;
    let recorded = leader.engine.record_of_outcomes("app").unwrap();
    let mut nobody = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut nobody, &insert(4)).await.unwrap();
    assert_eq!(leader.engine.record_of_outcomes("app").unwrap(), recorded);
    assert_eq!(recorded.len(), 16 + 32);
    // No file before there is something to record durably.
    let path = dirs[0].path().join("databases.1/app.outcomes");
    assert!(!path.exists());
    leader.engine.checkpoint().await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn a_transaction_in_parts_is_recorded_with_its_last_one() {
    let Setup { dirs: _dirs, tape, mut leader, mut follower } = setup().await;
    let mut session = session_of(&leader, ME).await;
    let since = tape.last_index();
    session.set_mark(7);
    let sql = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)
        INSERT INTO t SELECT i, hex(randomblob(1000)) FROM s";
    leader.run(&mut session, sql).await.unwrap();
    let last = tape.last_index();
    assert!(last - since > 3, "several parts");
    assert_eq!(leader.outcome(ME, 7, since).await.unwrap(), Outcome::Applied(last));
    follower.apply_to(last - 1).await;
    assert_eq!(follower.engine.record_of_outcomes("app").unwrap().len(), 16);
    follower.apply_all().await;
    assert_same_record(&leader, &follower);
}

#[tokio::test]
async fn the_record_outlives_the_log() {
    let Setup { dirs, tape, mut leader, mut follower } = setup().await;
    let mut mine = session_of(&leader, ME).await;
    let mut others = session_of(&leader, OTHER).await;
    write(&mut leader, &mut mine, 7).await;
    let index = tape.last_index();
    write(&mut leader, &mut others, 8).await;
    follower.apply_all().await;
    assert_eq!(follower.engine.checkpoint().await.unwrap(), tape.last_index());
    let covered = tape.last_index();
    write(&mut leader, &mut others, 9).await;
    follower.apply_all().await;
    follower.engine.close().await.unwrap();
    drop(follower);
    // The log up to the checkpoint is gone: nothing of it is applied again.
    let mut follower = Replica::open_with(dirs[1].path(), &tape, Options::default(), covered);
    follower.apply_all().await;
    assert_same_record(&leader, &follower);
    leader.engine.follow().await;
    follower.lead(2).await;
    assert_eq!(follower.outcome(ME, 7, 0).await.unwrap(), Outcome::Applied(index));
    assert_eq!(follower.outcome(OTHER, 9, 0).await.unwrap(), Outcome::Applied(covered + 1));
}

/// A reader holds the checkpoint back, so the file is behind what is applied: so is the record.
#[tokio::test]
async fn the_record_on_disk_goes_as_far_as_the_file() {
    let Setup { dirs, tape, mut leader, mut follower } = setup().await;
    let mut session = session_of(&leader, ME).await;
    write(&mut leader, &mut session, 1).await;
    let mut reader = leader.engine.open_session("app").await.unwrap();
    leader.run(&mut reader, "BEGIN").await.unwrap();
    assert_eq!(query(&mut reader, "SELECT count(*) FROM t").await.unwrap(), ["1"]);
    let covered = tape.last_index();
    write(&mut leader, &mut session, 2).await;
    let mut others = session_of(&leader, OTHER).await;
    write(&mut leader, &mut others, 3).await;
    assert_eq!(leader.engine.checkpoint().await.unwrap(), covered);
    drop((reader, session, others));
    leader.engine.close().await.unwrap();
    drop(leader);
    let mut leader = Replica::open_with(dirs[0].path(), &tape, Options::default(), covered);
    leader.apply_to(covered).await;
    follower.apply_to(covered).await;
    assert_same_record(&leader, &follower);
    leader.apply_all().await;
    follower.apply_all().await;
    assert_same_record(&leader, &follower);
}

#[tokio::test]
async fn a_node_that_starts_from_a_snapshot_knows() {
    let Setup { dirs: _dirs, tape, mut leader, mut follower } = setup().await;
    let mut session = session_of(&leader, ME).await;
    write(&mut leader, &mut session, 7).await;
    let index = tape.last_index();
    let start = leader.engine.checkpoint().await.unwrap();
    assert_eq!(start, index);
    let mut reader = leader.engine.read_snapshot().await.unwrap();
    let mut writer = follower.engine.write_snapshot().await.unwrap();
    let mut others = session_of(&leader, OTHER).await;
    // What is sent is as of the file, which lacks this.
    write(&mut leader, &mut others, 8).await;
    let mut mark = 9;
    while let Some(chunk) = reader.next().await.unwrap() {
        writer.write(chunk).await.unwrap();
        // The record changes under the reader's hands, and goes to the other slot and back.
        write(&mut leader, &mut others, mark).await;
        leader.engine.checkpoint().await.unwrap();
        mark += 1;
    }
    writer.finish().await.unwrap();
    follower.engine.install_snapshot(Position { term: 1, index: start }, writer).await.unwrap();
    follower.skip_to(start);
    follower.apply_all().await;
    assert_same_record(&leader, &follower);
    leader.engine.follow().await;
    follower.lead(2).await;
    assert_eq!(follower.outcome(ME, 7, 0).await.unwrap(), Outcome::Applied(index));
    assert_eq!(follower.outcome(OTHER, mark, 0).await.unwrap(), Outcome::NotApplied);
}

#[tokio::test]
async fn a_snapshot_without_the_record_it_vouches_for_is_refused() {
    let Setup { dirs: _dirs, mut leader, follower, .. } = setup().await;
    let mut session = session_of(&leader, ME).await;
    write(&mut leader, &mut session, 7).await;
    leader.engine.checkpoint().await.unwrap();
    let mut reader = leader.engine.read_snapshot().await.unwrap();
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        chunks.push(chunk.to_vec());
    }
    assert_eq!(chunks.iter().map(|it| it[0]).collect::<Vec<_>>(), [1, 5, 2, 3, 4]);
    let mut damaged = chunks.clone();
    damaged[1][20] ^= 1;
    let picked = |picks: &[usize]| picks.iter().map(|&at| chunks[at].clone()).collect();
    let cases = [
        ("damaged", damaged),
        ("without", picked(&[0, 2, 3, 4])),
        ("late", picked(&[0, 2, 1, 3, 4])),
        ("twice", picked(&[0, 1, 1, 2, 3, 4])),
    ];
    for (what, chunks) in cases {
        let mut writer = follower.engine.write_snapshot().await.unwrap();
        let mut refused = None;
        for chunk in chunks {
            if refused.is_none() {
                refused = writer.write(chunk.into()).await.err();
            }
        }
        let kind = refused.map(|error| error.kind());
        assert_eq!(kind, Some(std::io::ErrorKind::InvalidData), "{what}");
    }
}
