//! The bytes of `tests/vectors/*.txt`, read and written.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "vectors/calls.rs"]
mod calls;
#[path = "vectors/parse.rs"]
mod parse;

use bytes::{Bytes, BytesMut};
use dqlite_wire::{
    ClusterFormat, DatabaseStatus, DumpFile, Frame, ImportChunk, Metric, NodeAddress, NodeInfo,
    NodeStatus, Params, Protocol, Request, RequestError, Response, ResponseContext, Role,
    RowsDecoder, RowsEncoder, RowsEnd, TailPolicy, Value, ValueRef, limits, read_frame,
};
use parse::Exchanges;

fn frame(bytes: &[u8]) -> Frame {
    let mut input = BytesMut::from(bytes);
    let frame = read_frame(&mut input, limits::BODY_BYTES_MAX).unwrap().unwrap();
    assert!(input.is_empty());
    frame
}

fn check_request(bytes: &[u8], request: &Request) {
    assert_eq!(Request::decode(&frame(bytes)).as_ref(), Ok(request));
    let mut out = BytesMut::new();
    request.encode(&mut out).unwrap();
    assert_eq!(out, bytes, "{request:?}");
}

fn check_response_in(context: ResponseContext, bytes: &[u8], response: &Response) {
    assert_eq!(Response::decode(&frame(bytes), context).as_ref(), Ok(response));
    let mut out = BytesMut::new();
    response.encode(&mut out).unwrap();
    assert_eq!(out, bytes, "{response:?}");
}

fn check_response(bytes: &[u8], response: &Response) {
    check_response_in(ResponseContext::default(), bytes, response);
}

fn check_rows(bytes: &[u8], columns: &[&str], rows: &[&[ValueRef<'_>]], end: RowsEnd) {
    let mut out = BytesMut::new();
    let mut encoder = RowsEncoder::begin(&mut out, columns).unwrap();
    for row in rows {
        encoder.begin_row().unwrap();
        row.iter().for_each(|value| encoder.push(*value).unwrap());
    }
    encoder.finish(end).unwrap();
    assert_eq!(out, bytes);

    let Ok(Response::Rows(body)) = Response::decode(&frame(bytes), ResponseContext::default())
    else {
        panic!("not rows");
    };
    let mut decoder = RowsDecoder::new(body).unwrap().keep_empty_times();
    assert_eq!(decoder.columns(), columns);
    let mut values = Vec::new();
    for row in rows {
        assert!(decoder.next_row(&mut values).unwrap());
        assert!(values.iter().map(Value::as_ref).eq(row.iter().copied()));
    }
    assert!(!decoder.next_row(&mut values).unwrap());
    assert_eq!(decoder.end(), Some(end));
}

fn failure(code: u64, message: &'static str) -> Response {
    Response::Failure { code, message: message.into() }
}

#[test]
fn session() {
    let mut vectors = Exchanges::parse(include_str!("vectors/session.txt"));
    let requests = [
        ("leader", Request::Leader),
        ("client", Request::Client { id: 42 }),
        ("open", Request::Open { name: "test".into(), flags: 0, vfs: "volatile".into() }),
        ("exec sql", exec_sql("CREATE TABLE t (n INT)")),
        ("prepare", prepare("INSERT INTO t(n) VALUES(?)", TailPolicy::Refuse)),
        ("exec", exec_123()),
        ("finalize", Request::Finalize { database: 0, statement: 0 }),
        ("interrupt", Request::Interrupt { database: 0 }),
        ("prepare, schema 1", prepare("SELECT 1; SELECT 2", TailPolicy::Report)),
        ("prepare with a tail", prepare("SELECT 1; SELECT 2", TailPolicy::Refuse)),
        ("begin", exec_sql("BEGIN")),
        ("rollback without begin", exec_sql("ROLLBACK")),
    ];
    for (name, request) in requests {
        check_request(&vectors.request(name), &request);
    }
    let unknown = Request::decode(&frame(&vectors.request("unknown request type")));
    assert_eq!(unknown, Err(RequestError::UnknownType { kind: 99 }));
    let (code, message) = unknown.unwrap_err().failure().unwrap();
    let statement =
        |params, tail_bytes| Response::Statement { database: 0, id: 0, params, tail_bytes };
    let result = |last_insert_id, rows_affected| Response::Result { last_insert_id, rows_affected };
    let responses = [
        ("leader", Response::Server { id: 1, address: "127.0.0.1:9131".into() }),
        ("no leader known", Response::Server { id: 0, address: "".into() }),
        ("client", Response::Welcome { heartbeat_timeout_ms: 15_000 }),
        ("open", Response::Database { id: 0 }),
        ("exec sql", result(0, 0)),
        ("prepare", statement(1, None)),
        ("exec", result(1, 1)),
        ("finalize", Response::Empty),
        ("interrupt", Response::Empty),
        ("prepare, schema 1", statement(0, Some(9))),
        ("prepare with a tail", failure(1, "nonempty statement tail")),
        ("rollback without begin", failure(1, "cannot rollback - no transaction is active")),
        ("not leader", failure(10250, "not leader")),
        ("unique constraint", failure(1555, "UNIQUE constraint failed: u.x")),
        ("unknown request type", failure(code, message)),
        ("no such statement", failure(12, "no statement with the given id")),
        ("empty statement", failure(0, "empty statement")),
        ("dump of an unknown database", failure(1002, "database does not exists")),
    ];
    for (name, response) in responses {
        check_response(&vectors.response(name), &response);
    }
    let legacy = ResponseContext { protocol: Protocol::Legacy, ..ResponseContext::default() };
    let server = Response::ServerLegacy { address: "127.0.0.1:9131".into() };
    check_response_in(legacy, &vectors.response("leader, legacy"), &server);
    vectors.assert_all_seen();
}

#[test]
fn cluster() {
    let mut vectors = Exchanges::parse(include_str!("vectors/cluster.txt"));
    let requests = [
        ("cluster, format 1", Request::Cluster { format: ClusterFormat::Roles }),
        ("cluster, format 0", Request::Cluster { format: ClusterFormat::Addresses }),
        ("weight", Request::Weight { weight: 7 }),
        ("describe", Request::Describe),
        ("add", Request::Add { id: 2, address: "127.0.0.1:9102".into() }),
        ("assign", Request::Assign { id: 2, role: Role::Voter }),
        ("remove", Request::Remove { id: 2 }),
        ("transfer", Request::Transfer { id: 2 }),
        ("dump", Request::Dump { name: "dmp".into() }),
    ];
    for (name, request) in requests {
        check_request(&vectors.request(name), &request);
    }
    let promote = Request::decode(&frame(&vectors.request("promote")));
    assert_eq!(promote, Ok(Request::Assign { id: 2, role: Role::Voter }));

    for name in ["weight", "add", "assign", "promote", "remove", "transfer"] {
        check_response(&vectors.response(name), &Response::Empty);
    }
    let address = "127.0.0.1:9131";
    let servers = vec![NodeInfo { id: 1, address: address.into(), role: Role::Voter }];
    check_response(&vectors.response("cluster, format 1"), &Response::Servers(servers));
    let plain =
        ResponseContext { cluster_format: ClusterFormat::Addresses, ..ResponseContext::default() };
    let servers = vec![NodeAddress { id: 1, address: address.into() }];
    let format_0 = vectors.response("cluster, format 0");
    check_response_in(plain, &format_0, &Response::ServersPlain(servers));
    let metadata = Response::Metadata { failure_domain: 0, weight: 7 };
    check_response(&vectors.response("describe"), &metadata);
    let mut content = vec![0; 8192];
    content[..16].copy_from_slice(b"SQLite format 3\0");
    let files = vec![
        DumpFile { name: "dmp".into(), content: content.into() },
        DumpFile { name: "dmp-wal".into(), content: Bytes::new() },
    ];
    check_response(&vectors.response("dump"), &Response::Files(files));
    vectors.assert_all_seen();
}

#[test]
fn rows() {
    use ValueRef::{Blob, Boolean, Float, Integer, Iso8601, Null, Text, UnixTime};
    let mut vectors = Exchanges::parse(include_str!("vectors/rows.txt"));
    let time = b"2024-01-02 03:04:05";
    let all = [
        Integer(-2),
        Float(1.5),
        Text("héllo".as_bytes()),
        Blob(&[1, 2, 3]),
        Iso8601(time),
        Boolean(1),
    ];
    check_request(&vectors.request("one integer"), &query_sql("SELECT n FROM t", &[]));
    check_request(&vectors.request("no columns"), &query_sql("INSERT INTO t VALUES(5)", &[]));
    let sql = "SELECT ?,?,?,?,?,?";
    check_request(&vectors.request("all parameter types"), &query_sql(sql, &all));
    check_request(&vectors.request("declared types"), &query_sql("SELECT * FROM y", &[]));
    let long = vectors.request("parameters, schema 1");
    let decoded = Request::decode(&frame(&long)).unwrap();
    let Request::QuerySql { params, .. } = &decoded else { panic!("{decoded:?}") };
    assert!(params.iter().eq([Integer(1), Text(b"x")]));
    check_request(&long, &decoded);

    let done = RowsEnd::Done;
    check_rows(&vectors.response("one integer"), &["n"], &[&[Integer(123)]], done);
    check_rows(&vectors.response("no columns"), &[], &[], done);
    let bound = all.map(ValueRef::bound);
    check_rows(&vectors.response("all parameter types"), &["?"; 6], &[&bound], done);
    let declared = [
        Integer(-2),
        Float(1.5),
        Text(b"h"),
        Blob(&[1, 2, 3]),
        UnixTime(1_700_000_000),
        Iso8601(b"2024-01-02"),
        Iso8601(b""),
        Boolean(1),
        Boolean(0),
    ];
    let columns = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    check_rows(&vectors.response("declared types"), &columns, &[&declared], done);
    let schema_1 = vectors.response("parameters, schema 1");
    check_rows(&schema_1, &["?", "?"], &[&[Integer(1), Text(b"x")]], done);
    check_rows(&vectors.response("plain null"), &["NULL", "f"], &[&[Null, Float(1.5)]], done);
    let row: Vec<_> = (1..=17).map(Integer).collect();
    check_rows(&vectors.response("seventeen columns"), &["c"; 17], &[&row], done);
    check_rows(&vectors.response("two frames"), &["n"], &[&[Integer(1)]], RowsEnd::Part);
    check_rows(&vectors.response("two frames"), &["n"], &[&[Integer(2)]], done);
    vectors.assert_all_seen();
}

#[test]
fn own() {
    let mut vectors = Exchanges::parse(include_str!("vectors/own.txt"));
    check_request(&vectors.request("status"), &Request::Status);
    check_request(&vectors.request("metrics"), &Request::Metrics);
    let chunk = ImportChunk {
        database: "test".into(),
        total_bytes: 4096,
        offset_bytes: 4093,
        content: Bytes::from_static(&[1, 2, 3]),
    };
    assert!(chunk.is_last());
    check_request(&vectors.request("import"), &Request::Import(chunk));
    check_response(&vectors.response("import"), &Response::Empty);
    let database = DatabaseStatus {
        name: "test".into(),
        applied_index: 7,
        checkpoint_index: 5,
        page_count: 2,
    };
    let status = NodeStatus {
        id: 1,
        role: Some(Role::Voter),
        leader_id: 2,
        term: 3,
        last_log_index: 10,
        commit_index: 9,
        applied_index: 8,
        databases: vec![database],
    };
    check_response(&vectors.response("status"), &Response::Status(status));
    let unknown = NodeStatus { id: 1, ..NodeStatus::default() };
    check_response(&vectors.response("status, role unknown"), &Response::Status(unknown));
    let metrics = vec![Metric { name: "commits".into(), value: 42 }];
    check_response(&vectors.response("metrics"), &Response::Metrics(metrics));
    calls::sessions(&mut vectors);
    calls::runs(&mut vectors);
    calls::the_log(&mut vectors);
    vectors.assert_all_seen();
}

fn exec_sql(sql: &'static str) -> Request {
    Request::ExecSql { database: 0, sql: sql.into(), params: Params::none() }
}

fn query_sql(sql: &'static str, params: &[ValueRef<'_>]) -> Request {
    Request::QuerySql { database: 0, sql: sql.into(), params: Params::new(params).unwrap() }
}

fn prepare(sql: &'static str, tail: TailPolicy) -> Request {
    Request::Prepare { database: 0, sql: sql.into(), tail }
}

fn exec_123() -> Request {
    let params = Params::new(&[ValueRef::Integer(123)]).unwrap();
    Request::Exec { database: 0, statement: 0, params }
}
