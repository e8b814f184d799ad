//! Any call of a driver, and any answer to one.

use bytes::Bytes;
use dqlite_wire::call::{
    AskBackup, AskOutcome, BackupPiece, BatchLimits, Column, Consistency, Fetch, Fetched,
    OpenSession, Opened, Outcome, ParameterSet, Place, Ran, RowBatch, Run, RunKind, Wait,
};
use dqlite_wire::{Request, Response, Text, Value};
use proptest::prelude::*;
use proptest::{collection, sample};

use super::{blob, text};

/// A text as RUN carries it, with or without a NUL.
fn any_text() -> impl Strategy<Value = Text> {
    any::<String>().prop_map(Text::from)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        (-1e9..1e9).prop_map(Value::Float),
        any_text().prop_map(Value::Text),
        blob().prop_map(Value::Blob),
        Just(Value::Null),
    ]
}

fn parameters() -> impl Strategy<Value = Vec<ParameterSet>> {
    let set = prop_oneof![
        collection::vec(value(), 0..9).prop_map(ParameterSet::Positional),
        collection::vec((any_text(), value()), 0..9).prop_map(ParameterSet::Named),
    ];
    collection::vec(set, 0..4)
}

fn consistency() -> impl Strategy<Value = Consistency> {
    prop_oneof![
        Just(Consistency::Linearizable),
        Just(Consistency::Leader),
        any::<u64>().prop_map(Consistency::AtLeast),
        any::<u64>().prop_map(Consistency::Within),
    ]
}

fn limits() -> impl Strategy<Value = BatchLimits> {
    any::<(u32, u32)>().prop_map(|(rows, bytes)| BatchLimits { rows, bytes })
}

fn run() -> impl Strategy<Value = Run> {
    let kind = sample::select(vec![RunKind::One, RunKind::Many, RunKind::Script]);
    let numbers = any::<(bool, u64, u64)>();
    (any_text(), kind, parameters(), consistency(), limits(), numbers).prop_map(
        |(sql, kind, parameters, consistency, limits, (begin, mark, timeout_ms))| Run {
            sql,
            kind,
            parameters,
            begin,
            consistency,
            mark,
            timeout_ms,
            limits,
        },
    )
}

pub fn request() -> impl Strategy<Value = Request> {
    let place = sample::select(vec![Place::Leader, Place::Here]);
    let open = (text(), any::<u128>(), place, any::<u64>()).prop_map(
        |(database, client, place, busy_timeout_ms)| OpenSession {
            database,
            client,
            place,
            busy_timeout_ms,
        },
    );
    let ask = (text(), any::<u128>(), any::<(u64, u64)>())
        .prop_map(|(database, client, (mark, since))| AskOutcome { database, client, mark, since });
    prop_oneof![
        open.prop_map(Request::Session),
        run().prop_map(Request::Run),
        (any::<u32>(), limits())
            .prop_map(|(cursor, limits)| Request::Fetch(Fetch { cursor, limits })),
        any::<u32>().prop_map(|cursor| Request::Close { cursor }),
        ask.prop_map(Request::Outcome),
        any::<(u64, u64)>()
            .prop_map(|(index, timeout_ms)| Request::Wait(Wait { index, timeout_ms })),
        Just(Request::Barrier),
        (text(), any::<u64>()).prop_map(|(database, offset_bytes)| {
            Request::Backup(AskBackup { database, offset_bytes })
        }),
    ]
}

fn column() -> impl Strategy<Value = Column> {
    let declared_type = prop_oneof![
        Just(None),
        text().prop_map(|name| Some(name).filter(|name| !name.is_empty())),
    ];
    (text(), declared_type).prop_map(|(name, declared_type)| Column { name, declared_type })
}

fn ran() -> impl Strategy<Value = Ran> {
    let numbers = any::<(Option<u64>, i64, u64, bool, u64, Option<u32>)>();
    (collection::vec(column(), 0..9), blob(), numbers).prop_map(|(columns, rows, numbers)| {
        let (changes, last_insert_rowid, total_changes, in_transaction, index, cursor) = numbers;
        Ran {
            columns: columns.into(),
            changes,
            last_insert_rowid,
            total_changes,
            in_transaction,
            index,
            rows: RowBatch(rows),
            cursor,
        }
    })
}

pub fn response() -> impl Strategy<Value = Response> {
    let outcome = prop_oneof![
        Just(Outcome::NotApplied),
        any::<u64>().prop_map(Outcome::Applied),
        Just(Outcome::Forgotten),
    ];
    prop_oneof![
        any::<(u64, u64)>().prop_map(|(node, index)| Response::Session(Opened { node, index })),
        ran().prop_map(Response::Ran),
        (blob(), any::<bool>())
            .prop_map(|(rows, more)| Response::Batch(Fetched { rows: RowBatch(rows), more })),
        outcome.prop_map(Response::Outcome),
        any::<u64>().prop_map(|index| Response::Index { index }),
        (any::<u64>(), blob()).prop_map(|(total_bytes, content): (u64, Bytes)| {
            Response::Piece(BackupPiece { total_bytes, content })
        }),
    ]
}
