//! A program with a database node inside: `cargo run -p dqlite --example embed`.

use dqlite::{Env, Node, NodeExt, NodeOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A program of yours keeps its folder; this one cleans up after itself.
    let data_dir = tempfile::tempdir()?;
    let options = NodeOptions::new(data_dir.path(), "127.0.0.1:9001");
    let node = Node::start(Env::real(), options).await?;
    node.ready().await?;

    let bank = node.client("bank");
    bank.execute(
        "CREATE TABLE account (name TEXT PRIMARY KEY, balance INTEGER CHECK (balance >= 0))",
        (),
    )
    .await?;
    bank.execute("INSERT INTO account VALUES (?, ?), (?, ?)", ("Ada", 100, "Max", 0)).await?;

    // Both statements are committed together, or neither is. The body runs again if the lead moves.
    bank.transaction(|tx| async move {
        tx.execute("UPDATE account SET balance = balance - ? WHERE name = ?", (30, "Ada")).await?;
        tx.execute("UPDATE account SET balance = balance + ? WHERE name = ?", (30, "Max")).await
    })
    .await?;

    let mut rows = bank.query("SELECT name, balance FROM account ORDER BY name", ()).await?;
    while let Some(row) = rows.next().await? {
        println!("{:<4} {:>4}", row.get::<String>("name")?, row.get::<i64>("balance")?);
    }
    node.stop().await;
    Ok(())
}
