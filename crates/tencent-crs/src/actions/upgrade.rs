//! More capacity for an instance, and what it costs.

use std::sync::Arc;

use cloud::Pending;
use operation::schema::{Field, Need};
use operation::{ErrorCode, Failure, Operation, Reply};
use serde_json::json;

use super::create::DEALT;
use super::price::PRICED;
use super::purchase::{mem_size, see_that_there_is_room};
use crate::account;
use crate::action::{Request, texted};
use crate::catalogue;
use crate::code;
use crate::crs::Crs;
use crate::deal::{Deal, Goods, State};
use crate::field::{ACTION, COMMON_ERRORS, action, chapter, redis_id, unsigned};
use crate::lease::Lease;
use crate::ledger::{Book, Edit};

const UPGRADED: &[Field] = &[
    redis_id(&code::PARAMETER),
    unsigned(
        "memSize",
        Need::Required,
        &code::PARAMETER,
        "The new capacity in MB, more than the instance has.",
    ),
];

const UPGRADE_ERRORS: &[&ErrorCode] = &[
    &code::NO_INSTANCE,
    &code::INVALID_MEM_SIZE,
    &code::MEM_SIZE_NOT_IN_RANGE,
    &code::STATUS_ABNORMAL,
    &code::REDUCED,
];

pub(super) static UPGRADE_PRICE: Operation = Operation {
    id: "UpgradeRedisInquiryPrice",
    summary: "Tells what more capacity costs for the time that is left.",
    route: action("UpgradeRedisInquiryPrice"),
    permission: Some("crs:instance:UpgradeRedisInquiryPrice"),
    reads_only: true,
    query: UPGRADED,
    answers: PRICED,
    errors: &[COMMON_ERRORS, UPGRADE_ERRORS],
    source: chapter("Query Price of Upgrading CRS Instance"),
    ..ACTION
}
.checked();

pub(super) static UPGRADE: Operation = Operation {
    id: "UpgradeRedis",
    summary: "Buys more capacity for an instance.",
    route: action("UpgradeRedis"),
    permission: Some("crs:instance:UpgradeRedis"),
    query: UPGRADED,
    answers: DEALT,
    errors: &[COMMON_ERRORS, UPGRADE_ERRORS, &[&code::BALANCE, &code::QUOTA]],
    source: chapter("Upgrade CRS Instance"),
    ..ACTION
}
.checked();

pub(super) fn upgrade_price<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let (_, _, price) = crs.ledger.read(|book| upgraded(crs, book, &request))?;
        Ok(texted(json!({"data": {"price": price}})))
    })
}

pub(super) fn upgrade<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let now_ms = crs.cloud.clock().now_ms();
        let deal_id = crs.ledger.write(|book| {
            let (lease, to_mb, price_fen) = upgraded(crs, book, &request)?;
            see_that_there_is_room(crs, 0, u64::from(to_mb - lease.mem_mb))?;
            if price_fen > book.balance_fen() {
                return Err((&code::BALANCE).into());
            }
            let deal = Deal {
                id: book.next_deal(),
                zone_id: lease.zone_id,
                num: 1,
                creator: account::uin(&request.caller.user),
                created_at_ms: now_ms,
                ended_at_ms: None,
                state: State::Delivering,
                price_fen,
                goods: Goods::Upgrade { from_mb: lease.mem_mb, to_mb },
                redis_ids: vec![lease.redis_id.clone()],
            };
            let deal_id = deal.id;
            Ok((Edit { deals: vec![deal], paid_fen: price_fen, ..Edit::default() }, deal_id))
        });
        let deal_id = deal_id.await?;
        crs.delivery.deliver(deal_id).await;
        Ok(texted(json!({"data": {"dealId": deal_id.to_string()}})))
    })
}

/// The instance, the capacity that it is to have, and what that costs now.
fn upgraded(crs: &Crs, book: &Book, request: &Request<'_>) -> Result<(Arc<Lease>, u32, u64), Failure> {
    let lease = book.leases.get(request.text("redisId")).ok_or(&code::NO_INSTANCE)?;
    let offer = catalogue::offer(lease.zone_id, lease.kind).ok_or(&code::BROKEN)?;
    let to_mb = mem_size(request, offer)?;
    if lease.status(crs.instance(lease).as_deref()).0 != 2 || book.is_being_delivered(&lease.redis_id) {
        return Err((&code::STATUS_ABNORMAL).into());
    }
    // The same is no upgrade either.
    if to_mb <= lease.mem_mb {
        return Err((&code::REDUCED).into());
    }
    let left_ms = lease.deadline_ms.saturating_sub(crs.cloud.clock().now_ms());
    Ok((lease.clone(), to_mb, offer.upgrade_fen(lease.mem_mb, to_mb, left_ms)))
}
