//! What must hold for any bytes at all; the fuzz target `frames` runs the same.
//!
//! 1. Nothing panics, and reading rows and parameters ends.
//! 2. What was decoded can be encoded, and then decoded and encoded again to the same bytes.

use bytes::{Bytes, BytesMut};
use dqlite_wire::call::{Fetched, Ran, RowBatch, RowBatchEncoder};
use dqlite_wire::{
    ClusterFormat, Frame, Protocol, Request, Response, ResponseContext, RowsDecoder, RowsEncoder,
    read_frame, read_hello,
};

const BODY_BYTES_MAX: usize = 1 << 20;

/// Takes `data` for a stream, and for the type, schema and body of one message.
pub fn exercise(data: &[u8]) {
    let _ = read_hello(&mut BytesMut::from(data));
    let mut input = BytesMut::from(data);
    while let Ok(Some(frame)) = read_frame(&mut input, BODY_BYTES_MAX) {
        exercise_frame(&frame);
    }
    if let [kind, schema, body @ ..] = data {
        exercise_frame(&Frame { kind: *kind, schema: *schema, body: Bytes::copy_from_slice(body) });
    }
}

fn exercise_frame(frame: &Frame) {
    exercise_request(frame);
    for protocol in [Protocol::Current, Protocol::Legacy] {
        for cluster_format in [ClusterFormat::Addresses, ClusterFormat::Roles] {
            exercise_response(frame, ResponseContext { protocol, cluster_format });
        }
    }
    exercise_rows(frame.body.clone());
    exercise_batch(&RowBatch(frame.body.clone()));
}

fn exercise_request(frame: &Frame) {
    let Ok(request) = Request::decode(frame) else { return };
    if let Request::Exec { params, .. }
    | Request::Query { params, .. }
    | Request::ExecSql { params, .. }
    | Request::QuerySql { params, .. } = &request
    {
        assert_eq!(params.iter().count(), params.len());
    }
    let once = whole(|out| request.encode(out).unwrap());
    let again = Request::decode(&sole_frame(&once)).unwrap();
    if !matches!(request, Request::Run(_)) {
        assert_eq!(again, request); // A NaN in a RUN equals nothing; its bytes are compared below.
    }
    assert_eq!(whole(|out| again.encode(out).unwrap()), once);
}

fn exercise_response(frame: &Frame, context: ResponseContext) {
    let Ok(response) = Response::decode(frame, context) else { return };
    if matches!(&response, Response::Rows(body) if body.is_empty() || body.len() % 8 != 0) {
        return; // Not cut from a stream, where bodies are whole words.
    }
    if let Response::Ran(Ran { rows, .. }) | Response::Batch(Fetched { rows, .. }) = &response {
        exercise_batch(rows);
    }
    let once = whole(|out| response.encode(out).unwrap());
    let again = Response::decode(&sole_frame(&once), context).unwrap();
    assert_eq!(whole(|out| again.encode(out).unwrap()), once);
}

/// Reads a batch and writes it again.
fn exercise_batch(batch: &RowBatch) {
    let Ok(rows) = batch.rows() else { return };
    let Ok(rows) = rows.collect::<Result<Vec<_>, _>>() else { return };
    assert_eq!(rows.len(), batch.row_count() as usize);
    let mut encoder = RowBatchEncoder::new(BytesMut::new());
    encoder.begin(batch.column_count() as usize);
    for row in &rows {
        row.iter().for_each(|value| encoder.push(*value));
        encoder.end_row();
    }
    let (again, _) = encoder.finish();
    if !rows.is_empty() {
        assert_eq!(again, *batch);
    }
}

fn exercise_rows(body: Bytes) {
    let Some(once) = recoded_rows(body) else { return };
    let again = recoded_rows(sole_frame(&once).body).unwrap();
    assert_eq!(again, once);
}

/// Reads rows and writes them again; `None` if they are not rows.
fn recoded_rows(body: Bytes) -> Option<BytesMut> {
    let bytes_max = body.len();
    let mut decoder = RowsDecoder::new(body).ok()?.keep_empty_times();
    let mut out = BytesMut::new();
    let columns = decoder.columns().iter().map(|name| name.as_bytes()).collect::<Vec<_>>();
    let mut encoder = RowsEncoder::begin(&mut out, &columns).unwrap();
    let mut values = Vec::new();
    while decoder.next_row(&mut values).ok()? {
        encoder.begin_row().unwrap();
        values.iter().for_each(|value| encoder.push(value.as_ref()).unwrap());
        assert!(encoder.row_count() <= bytes_max / 16);
    }
    encoder.finish(decoder.end().unwrap()).ok()?;
    Some(out)
}

fn whole(encode: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    encode(&mut out);
    out
}

fn sole_frame(bytes: &BytesMut) -> Frame {
    let mut input = bytes.clone();
    let frame = read_frame(&mut input, 2 * BODY_BYTES_MAX).unwrap().unwrap();
    assert!(input.is_empty());
    frame
}
