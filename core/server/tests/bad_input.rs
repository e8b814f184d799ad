//! What no client should send. The node answers or closes; it never hangs, dies, or keeps a lock.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use raw::{Body, Failure, HELLO, Server, V, ask, exec_sql, frame, query_sql, say};

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_no_frames_close() {
    let server = Server::with(|options| options.frame_bytes_max = 1 << 20).await;
    for header in [
        "00 00 00 00 00 00 00 00", // no body
        "00 00 00 00 08 00 00 00",
        "01 00 02 00 00 00 00 00", // a word more than the limit
        "ff ff ff ff 00 00 00 00", // more than fits a length
    ] {
        let mut wire = server.connect().await;
        wire.send(&raw::hex(header)).await;
        wire.expect_close().await;
    }
    let mut wire = server.session().await;
    let sql = format!("SELECT length('{}')", "x".repeat((1 << 20) - 100));
    assert_eq!(wire.number(&sql).await, (1 << 20) - 100, "just below the limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_frame_closes_without_an_answer() {
    let server = Server::single().await;
    let whole = exec_sql("CREATE TABLE t (n)", &[]);
    for length in [1, 4, 7, 8, 9, 16, whole.len() - 1] {
        let mut wire = server.session().await;
        wire.send(&whole[..length]).await;
        wire.finish().await;
        wire.expect_close().await;
    }
    assert_eq!(server.session().await.rows("SELECT * FROM sqlite_schema").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_end_too_soon_close() {
    let server = Server::single().await;
    let word = Body::new().u64(0);
    let endless = Body::new().u64(0).bytes(b"SELECT 1");
    let not_utf8 = Body::new().u64(0).bytes(b"SELECT \xff");
    let mut cases = Vec::new();
    for kind in [ask::PREPARE, ask::EXEC_SQL, ask::QUERY_SQL, ask::ADD] {
        cases.push((kind, 0, word.clone()));
        cases.push((kind, 0, endless.clone()));
        cases.push((kind, 0, not_utf8.clone().u64(0)));
    }
    cases.push((ask::OPEN, 0, Body::new().text("test")));
    cases.push((ask::OPEN, 0, Body::new().text("test").u64(0)));
    cases.push((ask::DUMP, 0, Body::new().bytes(&[b'x'; 16])));
    cases.push((ask::IMPORT, 0, Body::new().text("x").u64(10).u64(0).u64(u64::MAX)));
    // Tuples that announce more than there is.
    let sql = Body::new().u64(0).text("SELECT 1");
    cases.push((ask::QUERY_SQL, 0, sql.clone().bytes(&[255, 1, 1, 1, 1, 1, 1, 1])));
    cases.push((ask::QUERY_SQL, 0, sql.clone().bytes(&[1, 1, 0, 0, 0, 0, 0, 0])));
    cases.push((
        ask::QUERY_SQL,
        0,
        sql.clone().bytes(&[1, 3, 0, 0, 0, 0, 0, 0]).bytes(b"notended"),
    ));
    cases.push((ask::QUERY_SQL, 0, sql.clone().bytes(&[1, 4, 0, 0, 0, 0, 0, 0]).u64(u64::MAX)));
    cases.push((ask::QUERY_SQL, 1, sql.clone().bytes(&[255, 255, 255, 255, 1, 1, 1, 1])));
    for (kind, schema, body) in cases {
        let mut wire = server.session().await;
        wire.send(&frame(kind, schema, &body)).await;
        wire.expect_close().await;
    }
    server.session().await.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_is_refused_and_the_connection_goes_on() {
    let server = Server::single().await;
    let mut wire = server.session().await;
    for kind in (20..128).chain(139..=255) {
        let refused = Failure::new(1005, "unrecognized request type");
        assert_eq!(wire.ask(kind, [0; 8]).await.failure(), refused, "{kind}");
    }
    assert_eq!(
        wire.ask(ask::HEARTBEAT, [0; 8]).await.failure(),
        Failure::new(1005, "unrecognized request type")
    );
    for kind in [ask::PREPARE, ask::EXEC, ask::QUERY, ask::EXEC_SQL, ask::QUERY_SQL] {
        for schema in [2, 255] {
            let answer = wire.ask_schema(kind, schema, [0; 8]).await;
            assert_eq!(answer.failure(), Failure::new(1, "unrecognized schema version"));
        }
    }
    let simple = [
        ask::LEADER,
        ask::CLIENT,
        ask::OPEN,
        ask::FINALIZE,
        ask::INTERRUPT,
        ask::ADD,
        ask::ASSIGN,
        ask::REMOVE,
        ask::DUMP,
        ask::CLUSTER,
        ask::TRANSFER,
        ask::DESCRIBE,
        ask::WEIGHT,
        ask::STATUS,
        ask::IMPORT,
        ask::METRICS,
    ];
    for kind in simple {
        let answer = wire.ask_schema(kind, 1, [0; 8]).await;
        let refused = Failure::new(1005, "unrecognized schema version");
        assert_eq!(answer.failure(), refused, "{kind}");
    }
    let two = Body::new().u64(2);
    let refused = Failure::new(1005, "unrecognized cluster format");
    assert_eq!(wire.ask(ask::CLUSTER, &two).await.failure(), refused);
    for kind in [ask::DESCRIBE, ask::STATUS, ask::METRICS] {
        let refused = Failure::new(15, "bad format version");
        assert_eq!(wire.ask(kind, &two).await.failure(), refused, "{kind}");
    }
    wire.expect_in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_closes() {
    let server = Server::single().await;
    for schema in [0, 1] {
        let mut wire = server.connect().await;
        let body = Body::new().u64(2).text("127.0.0.1:9002");
        wire.send(&frame(ask::CONNECT, schema, &body)).await;
        wire.expect_close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn extra_bytes_are_ignored() {
    let server = Server::single().await;
    let mut wire = server.connect().await;
    let mut leader = frame(ask::LEADER, 0, Body::new().u64(7).u64(8).as_ref());
    (leader[6], leader[7]) = (0xab, 0xcd);
    wire.send(&leader).await;
    assert_eq!(wire.next().await.kind, say::SERVER);
    let open = Body::new().text("test").u64(0).text("").u64(u64::MAX);
    assert_eq!(wire.ask(ask::OPEN, open).await.kind, say::DB);
    let query = Body::new().u64(0).text("SELECT ?").short_tuple(&[V::Integer(5)]).u64(99);
    wire.send(&frame(ask::QUERY_SQL, 0, &query)).await;
    assert_eq!(wire.table().await.unwrap().rows, [[V::Integer(5)]]);
}

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, count: u64) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// Requests as they should be, to be spoilt.
    fn request(&mut self) -> Vec<u8> {
        let texts = ["test", "", "SELECT ?", "BEGIN", "INSERT INTO t VALUES (?)", "\u{e9}"];
        let text = texts[self.below(6) as usize];
        let params = [V::Integer(self.next() as i64), V::text(text), V::Null];
        let params = &params[..self.below(4) as usize];
        let id = Body::new().u32(0).u32(self.below(3) as u32);
        // Not those that would take the node out of its own cluster.
        match self.below(12) {
            0 => frame(ask::OPEN, 0, &Body::new().text("test").u64(0).text("")),
            1 => frame(ask::PREPARE, self.below(2) as u8, &Body::new().u64(0).text(text)),
            2 => frame(ask::EXEC, 0, &id.params(params)),
            3 => frame(ask::QUERY, 0, &id.params(params)),
            4 => frame(ask::FINALIZE, 0, &id),
            5 => exec_sql(text, params),
            6 => query_sql(text, params),
            7 => raw::interrupt(),
            8 => frame(ask::DUMP, 0, &Body::new().text(text)),
            9 => frame(ask::IMPORT, 0, &Body::new().text("i").u64(8).u64(0).blob(&[1; 8])),
            10 => frame(ask::DESCRIBE, 0, &[0; 8]),
            _ => frame(self.next() as u8 | 32, self.below(3) as u8, &[0; 8]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_neither_kill_nor_block_the_node() {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(std::process::id()),
    };
    println!("SEED={seed}");
    let server = Server::single().await;
    let mut witness = server.session().await;
    witness.run("CREATE TABLE t (n)").await;
    let mut random = Random(seed);
    for _ in 0..400 {
        let mut bytes = HELLO.to_vec();
        for _ in 0..random.below(8) {
            let mut request = random.request();
            match random.below(4) {
                0 => {
                    let at = random.below(request.len() as u64) as usize;
                    request[at] = random.next() as u8;
                }
                1 => request.truncate(random.below(request.len() as u64) as usize),
                _ => {}
            }
            bytes.extend(request);
        }
        if random.below(2) == 0 {
            let length = random.below(200);
            bytes.extend(random.bytes(length));
        }
        let mut wire = server.dial().await;
        // It may have closed already.
        let _ = wire.try_send(&bytes).await;
        wire.finish().await;
        while wire.try_next().await.is_some() {}
        witness.run("INSERT INTO t VALUES (1)").await;
    }
    witness.number("SELECT count(*) FROM t").await;
    server.session().await.run("DROP TABLE t; VACUUM").await;
    assert_eq!(server.leader().await.0, 1);
}
