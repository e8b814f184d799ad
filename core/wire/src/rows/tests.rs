use bytes::{Bytes, BytesMut};

use super::*;
use crate::error::{DecodeError, EncodeError};
use crate::frame::read_frame;
use crate::limits;
use crate::value::{Value, ValueRef};

fn body_of(mut out: BytesMut) -> Bytes {
    let frame = read_frame(&mut out, limits::BODY_BYTES_MAX).unwrap().unwrap();
    assert_eq!((frame.kind, frame.schema, out.len()), (7, 0, 0));
    frame.body
}

fn body(words: &[u64]) -> Bytes {
    words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>().into()
}

fn read(decoder: &mut RowsDecoder) -> Result<Vec<Vec<Value>>, DecodeError> {
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    while decoder.next_row(&mut values)? {
        rows.push(values.clone());
    }
    assert!(!decoder.next_row(&mut values).unwrap());
    Ok(rows)
}

#[test]
fn headers_take_half_a_byte_a_column() {
    let sizes = [(1, 8), (2, 8), (15, 8), (16, 8), (17, 16), (32, 16), (33, 24), (2000, 1000)];
    for (columns, header_bytes) in sizes {
        let names: Vec<_> = (0..columns).map(|n| format!("c{n}")).collect();
        let mut out = BytesMut::new();
        let mut rows = RowsEncoder::begin(&mut out, &names).unwrap();
        let before = rows.frame_bytes();
        for row in 0..3 {
            rows.begin_row().unwrap();
            for column in 0..columns {
                rows.push(ValueRef::Integer(row * 10_000 + column)).unwrap();
            }
        }
        assert_eq!(rows.frame_bytes() - before, 3 * (header_bytes + 8 * columns as usize));
        rows.finish(RowsEnd::Done).unwrap();
        let mut decoder = RowsDecoder::new(body_of(out)).unwrap();
        assert_eq!(decoder.columns(), names);
        let rows = read(&mut decoder).unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[2][columns as usize - 1], Value::Integer(20_000 + columns - 1));
        assert_eq!(decoder.end(), Some(RowsEnd::Done));
    }
}

#[test]
fn a_frame_that_is_not_finished_leaves_nothing_behind() {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut rows = RowsEncoder::begin(&mut out, &["a", "b"]).unwrap();
    rows.begin_row().unwrap();
    rows.push(ValueRef::Integer(1)).unwrap();
    drop(rows);
    assert_eq!(out, &b"before"[..]);
    let mut rows = RowsEncoder::begin(&mut out, &["a", "b"]).unwrap();
    rows.begin_row().unwrap();
    assert_eq!(rows.finish(RowsEnd::Done), Err(EncodeError::RowShape { columns: 2 }));
    assert_eq!(out, &b"before"[..]);
    let rows = RowsEncoder::begin(&mut out, &["a"]).unwrap();
    assert_eq!(rows.finish(RowsEnd::Part), Err(EncodeError::PartWithoutRows));
    assert_eq!(out, &b"before"[..]);
}

#[test]
fn rows_have_the_shape_of_the_result() {
    let mut out = BytesMut::new();
    let mut rows = RowsEncoder::begin(&mut out, &["a"]).unwrap();
    let shape = Err(EncodeError::RowShape { columns: 1 });
    assert_eq!(rows.push(ValueRef::Null), shape);
    rows.begin_row().unwrap();
    assert_eq!(rows.begin_row(), shape);
    rows.push(ValueRef::Null).unwrap();
    assert_eq!(rows.push(ValueRef::Null), shape);
    drop(rows);
    let names: [&str; 0] = [];
    let mut rows = RowsEncoder::begin(&mut out, &names).unwrap();
    assert_eq!(rows.begin_row(), Err(EncodeError::RowShape { columns: 0 }));
    drop(rows);
    let names = vec!["n"; limits::COLUMNS_MAX + 1];
    assert!(RowsEncoder::begin(&mut out, &names).is_err());
    assert!(out.is_empty());
}

#[test]
fn a_frame_is_full_only_with_a_row_in_it() {
    let mut out = BytesMut::new();
    let mut rows =
        RowsEncoder::begin(&mut out, &["a name that is longer than the target"]).unwrap();
    assert!(!rows.is_full(8));
    rows.begin_row().unwrap();
    rows.push(ValueRef::Blob(&[7; 100])).unwrap();
    assert!(rows.is_full(8));
    assert!(!rows.is_full(limits::ROWS_FRAME_BYTES));
    assert_eq!(rows.row_count(), 1);
    rows.finish(RowsEnd::Part).unwrap();
    let mut decoder = RowsDecoder::new(body_of(out)).unwrap();
    assert_eq!(read(&mut decoder).unwrap(), [[Value::Blob(vec![7; 100].into())]]);
    assert_eq!(decoder.end(), Some(RowsEnd::Part));
}

#[test]
fn what_c_servers_send_is_read() {
    // One column "n" with garbage behind its NUL, a row whose header has garbage behind its type,
    // an empty time, and a marker with something behind it.
    let garbage = 0xffff_ffff_ffff_006e;
    let words = [1, garbage, 0xffff_ffff_ffff_fffa, 0xdead_0000_0000_0000, u64::MAX, 7];
    let mut decoder = RowsDecoder::new(body(&words)).unwrap();
    assert_eq!(decoder.columns(), ["n"]);
    let mut kept = decoder.clone().keep_empty_times();
    assert_eq!(read(&mut decoder).unwrap(), [[Value::Null]]);
    assert_eq!(read(&mut kept).unwrap(), [[Value::Iso8601("".into())]]);
}

#[test]
fn what_is_not_rows_is_refused() {
    let next = |words: &[u64]| {
        let mut decoder = RowsDecoder::new(body(words)).unwrap();
        let first = decoder.next_row(&mut Vec::new());
        assert_eq!(decoder.next_row(&mut Vec::new()), first);
        first
    };
    assert_eq!(next(&[0, 1]), Err(DecodeError::RowsWithoutColumns));
    assert_eq!(next(&[0]), Err(DecodeError::Truncated));
    assert_eq!(next(&[1, 0x6e]), Err(DecodeError::Truncated));
    assert_eq!(next(&[1, 0x6e, 1]), Err(DecodeError::Truncated));
    for code in [0, 6, 8, 12, 14, 15] {
        let unknown = Err(DecodeError::UnknownValueType { code: code as u8 });
        assert_eq!(next(&[1, 0x6e, code, 0]), unknown);
    }
    for columns in [limits::COLUMNS_MAX as u64 + 1, u64::MAX] {
        let many = RowsDecoder::new(body(&[columns])).unwrap_err();
        assert_eq!(many, DecodeError::TooManyColumns { columns });
    }
    assert!(RowsDecoder::new(Bytes::new()).is_err());
}
