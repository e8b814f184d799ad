//! What one node commits, another applies: same content, same file.

mod support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dqlite_env::{FileSystem, OpenMode, RealFiles};
use dqlite_vfs::{Database, PAGE_BYTES, TransactionState, WalError, WalPosition};
use support::*;

fn pair() -> (Node, Node) {
    (Node::new(), Node::new())
}

#[test]
fn opening_a_new_database_writes_nothing() {
    let node = Node::new();
    let mut connection = node.connect();
    assert_eq!(content(&mut connection), "");
    assert_eq!(rows(&mut connection, "PRAGMA journal_mode"), "wal|\n");
    assert_eq!(rows(&mut connection, "PRAGMA synchronous"), "2|\n");
    assert_eq!(rows(&mut connection, "PRAGMA foreign_keys"), "1|\n");
    assert_eq!(rows(&mut connection, "PRAGMA encoding"), "UTF-8|\n");
    assert_eq!(rows(&mut connection, "PRAGMA busy_timeout"), "0|\n");
    drop(connection);
    assert_eq!(node.database.position(), WalPosition::default());
    assert_eq!(node.queue.take(), []);
    assert_eq!(node.bytes(), dqlite_vfs::Database::FIRST_PAGE);
}

#[test]
fn plain_sqlite_reads_the_first_page_and_the_checkpointed_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plain");
    std::fs::write(&path, dqlite_vfs::Database::FIRST_PAGE).unwrap();
    let check = |path: &std::path::Path| -> String {
        let plain = rusqlite::Connection::open(path).unwrap();
        plain.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(check(&path), "ok");

    let node = Node::new();
    exec(&mut node.connect(), &format!("{TABLE}; {}", fill(500, 100)));
    node.checkpoint_all();
    std::fs::write(&path, node.bytes()).unwrap();
    assert_eq!(check(&path), "ok");
    let plain = rusqlite::Connection::open(&path).unwrap();
    let count: i64 = plain.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 500);
}

#[test]
fn a_torn_first_page_is_written_again_and_other_files_are_refused() {
    let open = |content: &[u8]| {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFiles.open(&dir.path().join("db"), OpenMode::New).unwrap();
        file.write_all_at(content, 0).unwrap();
        let opened = Database::open(file.clone(), Arc::new(Queue::default()));
        opened.map(|_| file.len().unwrap()).map_err(|error| error.kind())
    };
    let page = Database::FIRST_PAGE;
    assert_eq!(open(&page[..512]), Ok(4096));
    assert_eq!(open(&[0; PAGE_BYTES]), Ok(4096));
    assert_eq!(open(&page), Ok(4096));
    let changed = |offset: usize, value: u8| {
        let mut page = page;
        page[offset] = value;
        open(&page)
    };
    // Another page size, the rollback journal, no database.
    for (offset, value) in [(16, 2), (18, 1), (19, 1), (0, b'x')] {
        assert_eq!(changed(offset, value), Err(ErrorKind::InvalidData), "offset {offset}");
    }
}

#[test]
fn each_commit_is_one_transaction() {
    let (leader, follower) = pair();
    let mut connection = leader.connect();
    exec(&mut connection, TABLE);
    assert_eq!(follower.follow(&leader), 2);
    exec(&mut connection, "INSERT INTO t VALUES(1, x'01')");
    let transactions = leader.queue.take();
    let [transaction] = &transactions[..] else { panic!("{transactions:?}") };
    assert_eq!(transaction.position(), leader.database.position());
    assert_eq!(transaction.page_count, leader.database.page_count());
    assert!(transaction.pages.iter().all(|(_, image)| image.len() == PAGE_BYTES));
    assert!(transaction.pages.is_sorted_by(|a, b| a.0 < b.0));
    let end = follower.database.apply(&transaction.pages, transaction.page_count).unwrap();
    assert_eq!(end, follower.database.position());
    exec(&mut connection, "BEGIN; INSERT INTO t VALUES(2, x'02'); ROLLBACK");
    assert_eq!(leader.queue.take(), []);
    assert_same(&leader, &follower);
}

#[test]
fn images_are_shared_not_copied() {
    let (leader, follower) = pair();
    exec(&mut leader.connect(), TABLE);
    let transactions = leader.queue.take();
    let image = &transactions[0].pages[0].1;
    assert!(!image.is_unique(), "with the WAL of the leader");
    drop(leader);
    assert!(image.is_unique());
    follower.database.apply(&transactions[0].pages, transactions[0].page_count).unwrap();
    assert!(!image.is_unique(), "with the WAL of the follower");
}

#[test]
fn a_refused_commit_leaves_nothing() {
    let (leader, follower) = pair();
    let mut connection = leader.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, "INSERT INTO t VALUES(1, x'01')");
    let before = content(&mut connection);
    let end = leader.database.position();

    leader.queue.refuses.store(true, Ordering::SeqCst);
    let error = run(&mut connection, "INSERT INTO t VALUES(2, x'02')").unwrap_err();
    assert_eq!(error.primary_code(), libsqlite3_sys::SQLITE_IOERR);
    exec(&mut connection, "BEGIN");
    exec(&mut connection, &fill(20, 3000));
    let error = run(&mut connection, "COMMIT").unwrap_err();
    assert_eq!(error.primary_code(), libsqlite3_sys::SQLITE_IOERR);
    assert!(connection.is_autocommit());
    assert_eq!(connection.transaction_state().unwrap(), TransactionState::None);
    leader.queue.refuses.store(false, Ordering::SeqCst);

    assert_eq!(content(&mut connection), before);
    assert_eq!(content(&mut leader.connect()), before);
    assert_eq!(leader.database.position(), end);
    exec(&mut connection, "INSERT INTO t VALUES(3, x'03')");
    assert_eq!(follower.follow(&leader), 4);
    assert_same(&leader, &follower);
}

#[test]
fn spilled_transactions() {
    let (leader, follower) = pair();
    let mut connection = leader.connect_small();
    exec(&mut connection, TABLE);
    let end = leader.database.position();
    follower.follow(&leader);

    exec(&mut connection, &format!("BEGIN; {}", fill(5000, 100)));
    assert!(leader.database.wal_bytes() > 400_000, "it spills");
    assert_eq!(leader.database.position(), end, "what is spilled is not committed");
    exec(&mut connection, "ROLLBACK");
    assert!(leader.database.wal_bytes() < 100_000, "what was spilled is given back");
    assert_eq!(follower.follow(&leader), 0);

    exec(&mut connection, "INSERT INTO t VALUES(4, x'04')");
    assert_eq!(follower.follow(&leader), 1);
    assert_same(&leader, &follower);

    exec(
        &mut connection,
        &format!(
            "BEGIN; {}; SAVEPOINT x; DELETE FROM t WHERE a % 2 = 0; ROLLBACK TO x;
             UPDATE t SET b = randomblob(50) WHERE a % 3 = 0; COMMIT",
            fill(20_000, 100)
        ),
    );
    assert_eq!(follower.follow(&leader), 1);
    assert_same(&leader, &follower);
    exec(&mut connection, "INSERT INTO t VALUES(5, x'05')");
    follower.follow(&leader);
    assert_same(&leader, &follower);
}

#[test]
fn a_spilled_transaction_that_shrinks_the_database_again() {
    let (leader, follower) = pair();
    let mut connection = leader.connect_small();
    exec(&mut connection, "PRAGMA auto_vacuum = FULL; VACUUM");
    exec(&mut connection, TABLE);
    exec(&mut connection, &format!("BEGIN; {}; DELETE FROM t; COMMIT", fill(5000, 100)));
    let transactions = leader.queue.transactions.lock().unwrap().clone();
    for transaction in &transactions {
        assert!(transaction.pages.iter().all(|(page, _)| *page <= transaction.page_count));
    }
    follower.follow(&leader);
    assert_same(&leader, &follower);
}

#[test]
fn a_large_transaction_and_a_mass_delete_and_vacuum() {
    let (leader, follower) = pair();
    let mut connection = leader.connect();
    exec(&mut connection, TABLE);
    exec(&mut connection, &fill(20_000, 1000));
    assert_eq!(follower.follow(&leader), 3);
    assert!(leader.database.page_count() as usize * PAGE_BYTES > 20 << 20);
    assert_same(&leader, &follower);
    let full = leader.bytes().len();

    exec(&mut connection, "DELETE FROM t WHERE a % 5 <> 0");
    assert_eq!(follower.follow(&leader), 1);
    exec(&mut connection, "VACUUM");
    assert_eq!(follower.follow(&leader), 1);
    assert_same(&leader, &follower);
    assert!(follower.bytes().len() < full / 2, "the file is cut");
}

#[test]
fn extensions_of_sqlite() {
    let (leader, follower) = pair();
    let mut connection = leader.connect();
    exec(
        &mut connection,
        "CREATE VIRTUAL TABLE words USING fts5(body);
         INSERT INTO words VALUES('the quick brown fox'), ('jumps over the lazy dog');
         INSERT INTO words(words) VALUES('optimize');
         CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1);
         INSERT INTO boxes VALUES(1, 0, 1, 0, 1), (2, 5, 6, 5, 6);
         CREATE TABLE docs(id INTEGER PRIMARY KEY, doc TEXT, n INT AS (doc ->> '$.n') STORED);
         INSERT INTO docs(doc) VALUES('{\"n\": 7}'), (json_object('n', 8));
         CREATE TABLE audit(what TEXT);
         CREATE TRIGGER docs_audit AFTER DELETE ON docs BEGIN
             INSERT INTO audit VALUES('deleted ' || old.n);
         END;
         CREATE TEMP TABLE scratch(x);
         INSERT INTO scratch VALUES(1), (2);
         DELETE FROM docs WHERE n = 7",
    );
    assert_eq!(rows(&mut connection, "INSERT INTO docs(doc) VALUES('{}') RETURNING id"), "3|\n");
    assert_eq!(rows(&mut connection, "SELECT count(*) FROM scratch"), "2|\n");
    follower.follow(&leader);
    let mut reader = follower.connect();
    assert_eq!(
        rows(&mut reader, "SELECT body FROM words WHERE words MATCH 'lazy'"),
        "jumps over the lazy dog|\n"
    );
    assert_eq!(rows(&mut reader, "SELECT id FROM boxes WHERE x0 > 2"), "2|\n");
    assert_eq!(rows(&mut reader, "SELECT what FROM audit"), "deleted 7|\n");
    assert!(run(&mut reader, "SELECT * FROM scratch").is_err(), "temporary is local");
    drop(reader);
    assert_same(&leader, &follower);
}

#[test]
fn temporary_tables_spill_to_temporary_files() {
    let node = Node::new();
    let mut connection = node.connect_small();
    exec(&mut connection, "PRAGMA temp_store = FILE; PRAGMA temp.cache_size = 10");
    exec(&mut connection, &TABLE.replace("TABLE", "TEMP TABLE"));
    exec(&mut connection, &format!("BEGIN; {}", fill(20_000, 200)));
    exec(&mut connection, "SAVEPOINT x; UPDATE t SET b = randomblob(300); ROLLBACK TO x; COMMIT");
    assert_eq!(rows(&mut connection, "SELECT count(*), max(length(b)) FROM t"), "20000|200|\n");
    // A sort that does not fit.
    assert_eq!(
        rows(&mut connection, "SELECT count(*) FROM (SELECT b FROM t ORDER BY b, a)"),
        "20000|\n"
    );
    assert_eq!(node.queue.take(), []);
}

#[test]
fn roles_change() {
    let (one, two) = pair();
    exec(&mut one.connect(), TABLE);
    two.follow(&one);
    for round in 0..6 {
        let (leader, follower) = if round % 2 == 0 { (&two, &one) } else { (&one, &two) };
        let mut connection = leader.connect_small();
        exec(&mut connection, &format!("DELETE FROM t; {}", fill(300 + round, 200)));
        exec(
            &mut connection,
            &format!("BEGIN; {}; ROLLBACK", fill(2000, 200).replace("100 +", "9000 +")),
        );
        exec(&mut connection, &format!("INSERT INTO t VALUES({round}, x'05')"));
        assert_eq!(follower.follow(leader), 3);
        if round % 3 == 0 {
            leader.checkpoint_all();
        }
        assert_eq!(content(&mut connection), content(&mut follower.connect()));
    }
    assert_same(&one, &two);
}

#[test]
fn apply_takes_only_transactions() {
    let node = Node::new();
    let page = bytes::Bytes::from(vec![0; PAGE_BYTES]);
    let refused = |pages: &[(u32, bytes::Bytes)], page_count| {
        let error = node.database.apply(pages, page_count).unwrap_err();
        assert!(matches!(error, WalError::NotATransaction(_)), "{error:?}");
    };
    refused(&[], 1);
    refused(&[(0, page.clone())], 1);
    refused(&[(2, page.clone())], 1);
    refused(&[(1, page.slice(1..))], 1);
    assert_eq!(node.database.last_frame(), 0);
}

#[test]
fn apply_does_not_wait_for_a_local_write_transaction() {
    let (leader, follower) = pair();
    exec(&mut leader.connect(), TABLE);
    let transactions = leader.queue.take();
    let mut writer = follower.connect();
    exec(&mut writer, "BEGIN IMMEDIATE");
    let apply = |index: usize| {
        let transaction = &transactions[index];
        follower.database.apply(&transaction.pages, transaction.page_count)
    };
    assert_eq!(apply(0), Err(WalError::WriterActive));
    exec(&mut writer, "ROLLBACK");
    apply(0).unwrap();
    apply(1).unwrap();
    assert_eq!(content(&mut writer), content(&mut leader.connect()));
}
