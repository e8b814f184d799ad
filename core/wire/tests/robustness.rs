//! Random bytes, and valid messages, which come back as they went, or were cut or bent.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "exercise/calls.rs"]
mod calls;
mod exercise;
#[path = "vectors/parse.rs"]
mod parse;

use bytes::{Bytes, BytesMut};
use dqlite_wire::{
    ClusterFormat, DumpFile, ImportChunk, NodeInfo, Params, Request, Response, ResponseContext,
    Role, RowsEncoder, RowsEnd, TailPolicy, Text, Value, limits, read_frame,
};
use exercise::exercise;
use parse::Exchanges;
use proptest::prelude::*;
use proptest::{collection, sample};

const VECTORS: [&str; 4] = [
    include_str!("vectors/session.txt"),
    include_str!("vectors/cluster.txt"),
    include_str!("vectors/rows.txt"),
    include_str!("vectors/own.txt"),
];

fn vectors() -> Vec<Vec<u8>> {
    VECTORS.iter().flat_map(|text| Exchanges::parse(text).into_frames()).collect()
}

#[test]
fn every_vector_may_end_anywhere_and_have_any_bit_wrong() {
    for frame in vectors() {
        exercise(&frame);
        let end = frame.len().min(256);
        for cut in 0..end {
            exercise(&frame[..cut]);
            exercise(&frame[4..cut.max(4)]);
        }
        for bit in 0..8 * end {
            let mut bent = frame.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            exercise(&bent);
        }
    }
}

/// Where to cut a message, and which bit to turn.
type Harm = (sample::Index, sample::Index);

fn text() -> impl Strategy<Value = Text> {
    collection::vec(any::<char>().prop_filter("no NUL", |c| *c != '\0'), 0..20)
        .prop_map(|chars| Text::from(String::from_iter(chars)))
}

fn blob() -> impl Strategy<Value = Bytes> {
    collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn parameter() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        (-1e9..1e9).prop_map(Value::Float),
        text().prop_map(Value::Text),
        blob().prop_map(Value::Blob),
        Just(Value::Null),
        text().prop_map(Value::Iso8601),
        any::<u64>().prop_map(Value::Boolean),
    ]
}

fn params() -> impl Strategy<Value = Params> {
    let few_or_many = prop_oneof![9 => 0..20usize, 1 => 250..260usize];
    few_or_many.prop_flat_map(|count| collection::vec(parameter(), count)).prop_map(|values| {
        Params::new(&values.iter().map(Value::as_ref).collect::<Vec<_>>()).unwrap()
    })
}

/// Mostly a small count or code.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..4u64, 1 => any::<u64>(), 1 => 0..0x1_0000u64]
}

fn role() -> impl Strategy<Value = Role> {
    sample::select(vec![Role::Voter, Role::Standby, Role::Spare])
}

fn request() -> impl Strategy<Value = Request> {
    let word = any::<u64>;
    let half = any::<u32>;
    prop_oneof![
        word().prop_map(|id| Request::Client { id }),
        (text(), word(), text()).prop_map(|(name, flags, vfs)| Request::Open { name, flags, vfs }),
        (text(), sample::select(vec![TailPolicy::Refuse, TailPolicy::Report]))
            .prop_map(|(sql, tail)| Request::Prepare { database: 0, sql, tail }),
        (half(), half(), params()).prop_map(|(database, statement, params)| Request::Exec {
            database,
            statement,
            params
        }),
        (half(), half(), params()).prop_map(|(database, statement, params)| Request::Query {
            database,
            statement,
            params
        }),
        (half(), half())
            .prop_map(|(database, statement)| Request::Finalize { database, statement }),
        (word(), text(), params()).prop_map(|(database, sql, params)| Request::ExecSql {
            database,
            sql,
            params
        }),
        (word(), text(), params()).prop_map(|(database, sql, params)| Request::QuerySql {
            database,
            sql,
            params
        }),
        (word(), text()).prop_map(|(id, address)| Request::Add { id, address }),
        (word(), role()).prop_map(|(id, role)| Request::Assign { id, role }),
        text().prop_map(|name| Request::Dump { name }),
        Just(Request::Cluster { format: ClusterFormat::Addresses }),
        (text(), 0..u64::MAX / 2, blob()).prop_map(|(database, offset_bytes, content)| {
            let total_bytes = u64::MAX;
            Request::Import(ImportChunk { database, total_bytes, offset_bytes, content })
        }),
        calls::request(),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let word = any::<u64>;
    let server =
        (word(), text(), role()).prop_map(|(id, address, role)| NodeInfo { id, address, role });
    let file = (text(), 0..5usize)
        .prop_map(|(name, words)| DumpFile { name, content: vec![7; 8 * words].into() });
    prop_oneof![
        (word(), text()).prop_map(|(code, message)| Response::Failure { code, message }),
        (word(), text()).prop_map(|(id, address)| Response::Server { id, address }),
        collection::vec(server, 0..9).prop_map(Response::Servers),
        (any::<u32>(), word(), any::<Option<u64>>()).prop_map(|(id, params, tail_bytes)| {
            Response::Statement { database: 0, id, params, tail_bytes }
        }),
        (any::<i64>(), word()).prop_map(|(last_insert_id, rows_affected)| Response::Result {
            last_insert_id,
            rows_affected
        }),
        collection::vec(file, 0..4).prop_map(Response::Files),
        calls::response(),
    ]
}

fn rows() -> impl Strategy<Value = (Vec<Text>, Vec<Vec<Value>>)> {
    (1..40usize).prop_flat_map(|columns| {
        let row = collection::vec(parameter(), columns);
        (collection::vec(text(), columns), collection::vec(row, 1..5))
    })
}

proptest! {
    #[test]
    fn random_bytes(data in collection::vec(any::<u8>(), 0..512)) {
        exercise(&data);
    }

    #[test]
    fn random_words_of_each_type(
        kind in prop_oneof![0..20u8, 128..139u8],
        schema in 0..2u8,
        words in collection::vec(word(), 0..40),
    ) {
        let body = words.iter().flat_map(|word| word.to_le_bytes());
        exercise(&[kind, schema].into_iter().chain(body).collect::<Vec<_>>());
    }

    #[test]
    fn requests_come_back_as_they_went(request in request(), harm in any::<Harm>()) {
        let mut bytes = BytesMut::new();
        request.encode(&mut bytes).unwrap();
        let frame = read_frame(&mut bytes.clone(), limits::BODY_BYTES_MAX).unwrap().unwrap();
        prop_assert_eq!(Request::decode(&frame).unwrap(), request);
        damage(&mut bytes, harm);
    }

    #[test]
    fn responses_come_back_as_they_went(response in response(), harm in any::<Harm>()) {
        let mut bytes = BytesMut::new();
        response.encode(&mut bytes).unwrap();
        let frame = read_frame(&mut bytes.clone(), limits::BODY_BYTES_MAX).unwrap().unwrap();
        prop_assert_eq!(Response::decode(&frame, ResponseContext::default()).unwrap(), response);
        damage(&mut bytes, harm);
    }

    #[test]
    fn rows_come_back_as_they_went((columns, rows) in rows(), harm in any::<Harm>()) {
        let mut bytes = BytesMut::new();
        let mut encoder = RowsEncoder::begin(&mut bytes, &columns).unwrap();
        for row in &rows {
            encoder.begin_row().unwrap();
            row.iter().for_each(|value| encoder.push(value.as_ref()).unwrap());
        }
        encoder.finish(RowsEnd::Part).unwrap();
        let frame = read_frame(&mut bytes.clone(), limits::BODY_BYTES_MAX).unwrap().unwrap();
        let mut decoder = dqlite_wire::RowsDecoder::new(frame.body).unwrap().keep_empty_times();
        prop_assert_eq!(decoder.columns(), &columns[..]);
        let mut values = Vec::new();
        for row in &rows {
            prop_assert!(decoder.next_row(&mut values).unwrap());
            prop_assert_eq!(&values, row);
        }
        prop_assert!(!decoder.next_row(&mut values).unwrap());
        damage(&mut bytes, harm);
    }
}

/// The same message with its end missing, and with one bit wrong.
fn damage(bytes: &mut BytesMut, (cut, bit): Harm) {
    exercise(bytes);
    exercise(&bytes[..cut.index(bytes.len())]);
    exercise(&bytes[4..][..cut.index(bytes.len() - 4)]);
    let bit = bit.index(8 * bytes.len());
    bytes[bit / 8] ^= 1 << (bit % 8);
    exercise(bytes);
}
