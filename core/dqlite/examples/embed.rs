//! A program with a node of its own: start several with different folders and addresses, and name
//! one that runs in the third argument, and they are a cluster.
//!
//! ```sh
//! cargo run --example embed -- data-1 127.0.0.1:9001
//! cargo run --example embed -- data-2 127.0.0.1:9002 127.0.0.1:9001
//! ```

use dqlite::{ConnectOptions, Error, Node, NodeSettings, TransactionMode};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(address)) = (arguments.next(), arguments.next()) else {
        eprintln!("embed FOLDER ADDRESS [ADDRESS OF A MEMBER]");
        return Ok(());
    };
    let mut settings = NodeSettings::new(folder, address);
    settings.join = arguments.collect();
    let node = Node::start(settings).await?;
    node.ready().await?;

    let app = node.connect("app", ConnectOptions::default());
    app.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)", ()).await?;
    app.transaction(TransactionMode::Immediate, |app| async move {
        app.execute("INSERT INTO notes (text) VALUES (?)", ("survives",)).await.map(|_| ())
    })
    .await?;

    let mut rows = app.execute("SELECT id, text FROM notes", ()).await?;
    while let Some(row) = rows.fetch_one().await? {
        println!("{}: {}", row.get::<i64>("id")?, row.get::<String>("text")?);
    }
    app.close().await;
    node.stop().await;
    Ok(())
}
