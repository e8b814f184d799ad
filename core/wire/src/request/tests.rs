use bytes::{Bytes, BytesMut};

use super::*;
use crate::codes;
use crate::error::{DecodeError, EncodeError, RequestError};
use crate::frame::Frame;
use crate::value::ValueRef;

fn frame(kind: u8, schema: u8, words: &[u64]) -> Frame {
    let body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Frame { kind, schema, body: Bytes::from(body) }
}

fn answer(kind: u8, schema: u8, words: &[u64]) -> Option<(u64, &'static str)> {
    Request::decode(&frame(kind, schema, words)).unwrap_err().failure()
}

#[test]
fn types_and_numbers_are_inverse() {
    for number in 0..=255 {
        match RequestType::from_number(number) {
            Some(found) => assert_eq!(found.number(), number),
            None => {
                let unknown = Some((codes::PARSE, "unrecognized request type"));
                assert_eq!(answer(number, 0, &[0]), unknown);
            }
        }
    }
}

#[test]
fn an_unknown_schema_is_answered_by_kind_of_request() {
    for request_type in RequestType::ALL {
        let number = request_type.number();
        let message = "unrecognized schema version";
        match request_type {
            RequestType::Heartbeat | RequestType::Connect => {}
            _ if request_type.is_statement() => {
                assert_eq!(answer(number, 2, &[0]), Some((codes::ERROR, message)));
                assert_eq!(answer(number, 255, &[0]), Some((codes::ERROR, message)));
            }
            _ => assert_eq!(answer(number, 1, &[0]), Some((codes::PARSE, message))),
        }
    }
}

#[test]
fn formats_and_roles_that_do_not_exist_are_answered() {
    let cluster = Some((1005, "unrecognized cluster format"));
    assert_eq!(answer(16, 0, &[2]), cluster);
    for number in [18, 128, 130, 137] {
        assert_eq!(answer(number, 0, &[1]), Some((15, "bad format version")));
    }
    let format = Some((15, "bad format version"));
    assert_eq!(answer(131, 0, &[2]), format);
    assert_eq!(answer(132, 0, &[3]), format);
    assert_eq!(answer(132, 0, &[0, 2]), format);
    assert_eq!(answer(132, 0, &[0, 0, 4, 0]), format);
    assert_eq!(answer(13, 0, &[2, 3]), Some((1, "server role is not valid")));
    assert_eq!(answer(6, 0, &[0, 0x0901, 1]), Some((1, "bind parameters")));
}

#[test]
fn a_body_that_ends_early_closes_the_connection() {
    for request_type in RequestType::ALL {
        let cut = Request::decode(&frame(request_type.number(), 0, &[])).unwrap_err();
        assert_eq!(cut, RequestError::Malformed(DecodeError::Truncated));
        assert_eq!(cut.failure(), None);
    }
    assert_eq!(answer(15, 0, &[u64::MAX]), None);
}

#[test]
fn bytes_behind_the_body_are_ignored() {
    assert_eq!(Request::decode(&frame(0, 0, &[0, 7, 7])), Ok(Request::Leader));
    let removed = Request::decode(&frame(14, 0, &[5, 7]));
    assert_eq!(removed, Ok(Request::Remove { id: 5 }));
}

#[test]
fn promote_is_assign_without_a_role() {
    let promoted = Request::decode(&frame(13, 0, &[2])).unwrap();
    assert_eq!(promoted, Request::Assign { id: 2, role: Role::Voter });
    let spare = Request::decode(&frame(13, 0, &[2, 2])).unwrap();
    assert_eq!(spare, Request::Assign { id: 2, role: Role::Spare });
}

#[test]
fn an_import_ends_where_it_says() {
    let chunk = |offset_bytes, content: &'static [u8]| ImportChunk {
        database: "a".into(),
        total_bytes: 10,
        offset_bytes,
        content: Bytes::from_static(content),
    };
    assert!(!chunk(0, b"12345").is_last());
    assert!(chunk(5, b"12345").is_last());
    assert_eq!(chunk(6, b"12345").end_bytes(), None);
    assert_eq!(chunk(u64::MAX, b"12345").end_bytes(), None);
    let beyond = Request::Import(chunk(6, b"12345"));
    assert_eq!(beyond.encode(&mut BytesMut::new()), Err(EncodeError::ImportOutOfRange));
    let words = [0x61, 4, 0, 5, 0x0505_0505_0505];
    assert_eq!(answer(129, 0, &words), Some((1, "import chunk out of range")));
}

#[test]
fn a_request_that_cannot_be_sent_leaves_nothing_behind() {
    let mut out = BytesMut::from(&b"before"[..]);
    let dump = Request::Dump { name: "a\0b".into() };
    assert_eq!(dump.encode(&mut out), Err(EncodeError::NulInText));
    let seconds = [ValueRef::Integer(1), ValueRef::UnixTime(1)];
    let refused = encode_exec_sql(&mut out, 0, "SELECT ?, ?", &seconds);
    assert_eq!(refused, Err(EncodeError::UnixTimeParameter));
    assert_eq!(out, &b"before"[..]);
}

#[test]
fn the_direct_forms_write_what_the_enum_writes() {
    for count in [0, 1, 255, 256] {
        let values = vec![ValueRef::from("héllo"); count];
        let params = Params::new(&values).unwrap();
        let pair = (BytesMut::new(), BytesMut::new());
        let (mut direct, mut through) = pair;
        encode_exec(&mut direct, 0, 3, &values).unwrap();
        encode_query(&mut direct, 0, 4, &values).unwrap();
        encode_exec_sql(&mut direct, 0, "X", &values).unwrap();
        encode_query_sql(&mut direct, 0, "Y", &values).unwrap();
        for request in [
            Request::Exec { database: 0, statement: 3, params: params.clone() },
            Request::Query { database: 0, statement: 4, params: params.clone() },
            Request::ExecSql { database: 0, sql: "X".into(), params: params.clone() },
            Request::QuerySql { database: 0, sql: "Y".into(), params },
        ] {
            request.encode(&mut through).unwrap();
        }
        assert_eq!(direct, through);
    }
}
