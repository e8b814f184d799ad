//! What stands in `own.txt` of a driver's calls.

use bytes::Bytes;
use dqlite_wire::call::{
    AskBackup, AskOutcome, BackupPiece, BatchLimits, Column, Consistency, Fetch, Fetched,
    OpenSession, Opened, Outcome, ParameterSet, Place, Ran, RowBatch, Run, RunKind, Wait,
};
use dqlite_wire::{Request, Response, Text, Value};

use super::parse::Exchanges;
use super::{check_request, check_response};

const CLIENT: u128 = 0x100f_0e0d_0c0b_0a09_0807_0605_0403_0201;

pub fn sessions(vectors: &mut Exchanges) {
    let open = OpenSession {
        database: "test".into(),
        client: CLIENT,
        place: Place::Leader,
        busy_timeout_ms: 5000,
    };
    let here = OpenSession { client: 0, place: Place::Here, busy_timeout_ms: 0, ..open.clone() };
    check_request(&vectors.request("session"), &Request::Session(open));
    check_request(&vectors.request("session, here"), &Request::Session(here));
    let opened = Response::Session(Opened { node: 1, index: 7 });
    check_response(&vectors.response("session"), &opened);
}

pub fn runs(vectors: &mut Exchanges) {
    let run = Run {
        sql: "SELECT ?,?,?,?,?".into(),
        kind: RunKind::One,
        parameters: vec![ParameterSet::Positional(all_values())],
        begin: true,
        consistency: Consistency::Linearizable,
        mark: 7,
        timeout_ms: 1000,
        limits: BatchLimits::default(),
    };
    check_request(&vectors.request("run, values in order"), &Request::Run(run));
    let one = |n| ParameterSet::Named(vec![("n".into(), Value::Integer(n))]);
    let run = Run {
        sql: "INSERT INTO t VALUES(:n)".into(),
        kind: RunKind::Many,
        parameters: vec![one(1), one(2)],
        consistency: Consistency::AtLeast(12),
        mark: 8,
        ..Run::default()
    };
    check_request(&vectors.request("run, values by name, many"), &Request::Run(run));
    let limits = BatchLimits { rows: 1, bytes: 1 };
    let run = Run {
        sql: "SELECT 1;".into(),
        kind: RunKind::Script,
        consistency: Consistency::Within(u64::MAX),
        limits,
        ..Run::default()
    };
    check_request(&vectors.request("run, script"), &Request::Run(run));
    let run = Run {
        sql: "SELECT 1".into(),
        parameters: vec![ParameterSet::default()],
        consistency: Consistency::Leader,
        limits,
        ..Run::default()
    };
    check_request(&vectors.request("run, as the leader sees it"), &Request::Run(run));
    answers(vectors);
}

fn all_values() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Integer(-2),
        Value::Float(1.5),
        Value::Text("a\0b".into()),
        Value::Blob(Bytes::from_static(b"\0\xff")),
    ]
}

fn answers(vectors: &mut Exchanges) {
    let column = |name: &'static str, declared: Option<&'static str>| Column {
        name: name.into(),
        declared_type: declared.map(Text::from),
    };
    let columns = vec![
        column("a", Some("INT")),
        column("b", None),
        column("c", None),
        column("d", None),
        column("e", None),
    ];
    let rows = b"\x01\0\0\0\x05\0\0\0\
        \0\x01\xfe\xff\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\0\0\xf8\x3f\
        \x03\x03\0\0\0a\0b\x04\x02\0\0\0\0\xff";
    let ran = Ran {
        columns: columns.into(),
        index: 9,
        rows: RowBatch(Bytes::from_static(rows)),
        cursor: Some(3),
        ..Ran::default()
    };
    check_response(&vectors.response("run, values in order"), &Response::Ran(ran));
    let ran = Ran {
        changes: Some(2),
        last_insert_rowid: 2,
        total_changes: 2,
        in_transaction: true,
        index: 12,
        ..Ran::default()
    };
    check_response(&vectors.response("run, values by name, many"), &Response::Ran(ran));

    let fetch = Fetch { cursor: 3, limits: BatchLimits::default() };
    check_request(&vectors.request("fetch"), &Request::Fetch(fetch));
    let five = Bytes::from_static(b"\x01\0\0\0\x01\0\0\0\x01\x05\0\0\0\0\0\0\0");
    let batch = Fetched { rows: RowBatch(five), more: true };
    check_response(&vectors.response("fetch"), &Response::Batch(batch));
    let last = Response::Batch(Fetched::default());
    check_response(&vectors.response("fetch, the last"), &last);
    check_request(&vectors.request("close"), &Request::Close { cursor: 3 });
    check_response(&vectors.response("close"), &Response::Empty);
}

pub fn the_log(vectors: &mut Exchanges) {
    let ask = AskOutcome { database: "test".into(), client: CLIENT, mark: 7, since: 6 };
    check_request(&vectors.request("outcome"), &Request::Outcome(ask));
    let outcomes = [
        ("outcome", Outcome::Applied(9)),
        ("outcome, not applied", Outcome::NotApplied),
        ("outcome, forgotten", Outcome::Forgotten),
    ];
    for (name, outcome) in outcomes {
        check_response(&vectors.response(name), &Response::Outcome(outcome));
    }
    let wait = Wait { index: 9, timeout_ms: 1000 };
    check_request(&vectors.request("wait"), &Request::Wait(wait));
    check_response(&vectors.response("wait"), &Response::Index { index: 10 });
    check_request(&vectors.request("barrier"), &Request::Barrier);
    check_response(&vectors.response("barrier"), &Response::Index { index: 9 });
    let ask = AskBackup { database: "test".into(), offset_bytes: 4096 };
    check_request(&vectors.request("backup"), &Request::Backup(ask));
    let piece = BackupPiece { total_bytes: 8192, content: Bytes::from_static(&[1, 2, 3]) };
    check_response(&vectors.response("backup"), &Response::Piece(piece));
}
