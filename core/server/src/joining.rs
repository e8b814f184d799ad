//! stub
use crate::node::Shared;
use crate::options::NodeOptions;
use std::sync::Arc;
pub(crate) fn intend(_: &dqlite_env::Env, _: &NodeOptions) -> std::io::Result<()> {
    Ok(())
}
pub(crate) async fn take_a_place(node: Arc<Shared>) {
    let _ = node.raft.bootstrap().await;
    node.joined.send_replace(true);
}
