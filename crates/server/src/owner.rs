//! What the owner of a node has it do, whoever may log in.

use crate::Workers;
use crate::hold::hold;
use crate::offload;
use engine::{Client, Node, Session, Worker, execute};
use resp::{Args, OwnedArgs, Reply};
use std::iter;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Has a node run a command, by whichever name clients know it, and gives its reply as it would be sent. It may take as
/// long as it likes: no connection waits for it.
///
/// # Errors
/// The node's error, without its dash; or that clients do not know the command by any name.
pub async fn order(
    node: &Arc<Node>,
    workers: &Workers,
    command: &str,
    arguments: &[&[u8]],
) -> Result<Vec<u8>, String> {
    // Replicas are told what is changed by the name that they know, too.
    let known = node.own_names.iter().find(|(_, entry)| entry.record.name.eq_ignore_ascii_case(command));
    let (name, _) = known.ok_or_else(|| format!("{command} has been taken away from the node"))?;
    let request = OwnedArgs::new(iter::once(&**name).chain(arguments.iter().copied()));
    let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let client = Client::new(0, -1, nobody, nobody, node.host.wall_us().div_euclid(1000));
    let mut session = Session::new(Arc::new(client));
    session.is_own = true;
    let ordered = Arc::clone(node);
    let run = move |worker: &mut Worker, session: &mut Session, args: Args, reply: &mut Reply| {
        worker.begin(&ordered);
        (execute(&ordered, worker, session, args, reply), 0)
    };
    let done = offload::run(Arc::clone(workers.numbers()), session, request, run).await;
    let (_, reply, _) = done.ok_or_else(|| "the command ended unexpectedly".to_owned())?;
    match reply.strip_prefix(b"-") {
        Some(error) => Err(String::from_utf8_lossy(error).trim_end().to_owned()),
        None => Ok(reply),
    }
}

/// How many keys a node holds, in all databases.
pub async fn keys(node: &Node) -> u64 {
    let held = hold(node).await;
    (0..held.dbs()).map(|db| held.stats(db).keys as u64).sum()
}

/// What each database of a node holds that holds anything: its number, its keys, and how many of them expire.
pub async fn databases(node: &Node) -> Vec<(u32, u64, u64)> {
    let held = hold(node).await;
    let databases = (0..held.dbs()).map(|db| (db, held.stats(db)));
    databases.filter(|(_, of)| of.keys > 0).map(|(db, of)| (db, of.keys as u64, of.volatile as u64)).collect()
}
