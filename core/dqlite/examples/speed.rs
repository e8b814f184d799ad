//! What a small statement and a large result cost on an embedded node.

use std::hint::black_box;
use std::time::Instant;

use dqlite::{ConnectOptions, blocking::connect};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let connection = connect(&folder.path().to_string_lossy(), ConnectOptions::default())?;
    for _ in 0..3 {
        let begun = Instant::now();
        const COUNT: u32 = 100_000;
        for _ in 0..COUNT {
            let mut cursor = connection.execute("SELECT 1", ())?;
            black_box(cursor.next_batch()?);
        }
        println!("SELECT 1: {:.2} us", begun.elapsed().as_secs_f64() * 1e6 / f64::from(COUNT));
        let begun = Instant::now();
        let sql = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i<100000) \
                   SELECT i, 'name ' || i, i * 1.5 FROM g";
        let mut cursor = connection.execute(sql, ())?;
        let mut rows = 0;
        while let Some(batch) = cursor.next_batch()? {
            rows += batch.row_count();
        }
        println!("{rows} rows: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    }
    connection.close()?;
    Ok(())
}
