//! The steward: sees that leases end when they are over, that the cloud does what they say, and that deals end.
//!
//! It sleeps until the first lease is due, something is written in the ledger or a task of the cloud ends.
//!
//! Invariant: it does what records say and remembers nothing, so that another process can go on at any time.

use std::sync::Arc;

use cloud::Cloud;
use cloud::instance::Status;

use crate::catalogue;
use crate::deal::{Deal, Goods, State};
use crate::delivery::{Delivery, PROJECT};
use crate::lease::{KEPT_MS, Lease, Renewal, Standing};
use crate::ledger::{Book, Edit, Ledger};
use crate::time;

/// Who made a deal that nobody asked for.
const SYSTEM: &str = "0";

/// Goes on for as long as the service is there.
pub(crate) async fn serve(cloud: Arc<Cloud>, ledger: Arc<Ledger>, delivery: Arc<Delivery>) {
    let mut ended = cloud.ended_tasks();
    delivery.go_on().await;
    loop {
        // What happens from here on is seen.
        let written = ledger.written.notified();
        ended.mark_unchanged();
        delivery.settle_all().await;
        expire(&cloud, &ledger).await;
        enforce(&cloud, &ledger).await;
        let due_ms = ledger.read(|book| book.leases.values().filter_map(|lease| lease.due_ms()).min());
        let clock = cloud.clock();
        let is_due = async {
            match due_ms {
                Some(due_ms) => clock.sleep_until(due_ms).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = written => {}
            _ = ended.changed() => {}
            () = is_due => {}
        }
    }
}

/// Renews, isolates and releases what is due.
async fn expire(cloud: &Cloud, ledger: &Ledger) {
    let now_ms = cloud.clock().now_ms();
    loop {
        // One at a time, since each takes money from the next.
        let is_due = |lease: &&Arc<Lease>| lease.due_ms().is_some_and(|due_ms| due_ms <= now_ms);
        let due = ledger.read(|book| book.leases.values().find(is_due).map(|lease| lease.redis_id.clone()));
        let Some(redis_id) = due else { return };
        let recorded = ledger.write(|book| {
            let lease = book.leases.get(&redis_id).filter(is_due);
            Ok((lease.map_or_else(Edit::default, |lease| next(book, lease, now_ms)), ()))
        });
        if recorded.await.is_err() {
            return;
        }
    }
}

/// What becomes of a lease that is due.
fn next(book: &Book, lease: &Lease, now_ms: u64) -> Edit {
    let mut after = lease.clone();
    match lease.standing {
        Standing::Active => {
            let offer = catalogue::offer(lease.zone_id, lease.kind);
            let price_fen = offer.map(|offer| offer.price_fen(lease.mem_mb, 1, 1));
            let payable = price_fen.filter(|price_fen| *price_fen <= book.balance_fen());
            if let (Renewal::Auto, Some(price_fen)) = (lease.renewal, payable) {
                after.deadline_ms = time::months_later(lease.deadline_ms, 1);
                tracing::info!(redis_id = lease.redis_id, "an instance is renewed by itself");
                let goods =
                    Goods::Renewal { mem_mb: lease.mem_mb, months: 1, deadline_ms: lease.deadline_ms };
                let deal = Deal {
                    id: book.next_deal(),
                    zone_id: lease.zone_id,
                    num: 1,
                    creator: SYSTEM.to_owned(),
                    created_at_ms: now_ms,
                    ended_at_ms: Some(now_ms),
                    state: State::Delivered,
                    price_fen,
                    goods,
                    redis_ids: vec![lease.redis_id.clone()],
                };
                return Edit {
                    leases: vec![after],
                    deals: vec![deal],
                    paid_fen: price_fen,
                    ..Edit::default()
                };
            }
            tracing::info!(redis_id = lease.redis_id, "an instance is isolated: its time is over");
            after.standing = Standing::Isolated { since_ms: lease.deadline_ms };
        }
        Standing::Isolated { since_ms } => {
            debug_assert!(since_ms + KEPT_MS <= now_ms);
            tracing::info!(redis_id = lease.redis_id, "an instance is released: nobody has paid for it");
            after.standing = Standing::Released;
        }
        Standing::Released => {}
    }
    Edit { leases: vec![after], ..Edit::default() }
}

/// Has the cloud do what leases say. What is at work on an instance goes first; its end comes here again.
async fn enforce(cloud: &Arc<Cloud>, ledger: &Ledger) {
    let leases: Vec<_> = ledger.read(|book| book.leases.values().cloned().collect());
    for lease in leases {
        follow(cloud, &lease).await;
    }
}

/// Has the cloud do what a lease says.
pub(crate) async fn follow(cloud: &Arc<Cloud>, lease: &Lease) {
    let id = lease.redis_id.as_str();
    let Some(instance) = cloud.instance(PROJECT, id).filter(|instance| instance.task.is_none()) else {
        return;
    };
    let outcome = match (lease.standing, instance.status) {
        (Standing::Isolated { .. }, Status::Running | Status::Error) => cloud.freeze(PROJECT, id).await,
        (Standing::Active, Status::Frozen) => cloud.thaw(PROJECT, id).await,
        (Standing::Released, _) => cloud.delete(PROJECT, id).await,
        _ => return,
    };
    if let Err(error) = outcome {
        tracing::warn!(id, %error, "an instance does not follow its lease");
    }
}
