//! More time for an instance, bought or by itself.

use cloud::Pending;
use operation::schema::Need;
use operation::{Answer, Failure, Operation, Reply};
use serde_json::json;

use super::create::DEALT;
use super::purchase::{PERIOD, period};
use crate::account;
use crate::action::{Request, texted};
use crate::catalogue;
use crate::code;
use crate::crs::Crs;
use crate::deal::{Deal, Goods, State};
use crate::delivery::PROJECT;
use crate::field::{ACTION, COMMON_ERRORS, REDIS_IDS, TEXTED, action, chapter, number, redis_id};
use crate::lease::{Lease, Renewal, Standing};
use crate::ledger::Edit;
use crate::time;

pub(super) static RENEW: Operation = Operation {
    id: "RenewRedis",
    summary: "Buys more time for an instance; one that is isolated serves again.",
    route: action("RenewRedis"),
    permission: Some("crs:instance:RenewRedis"),
    query: &[redis_id(&code::PARAMETER), PERIOD],
    answers: DEALT,
    errors: &[
        COMMON_ERRORS,
        &[
            &code::NO_INSTANCE,
            &code::RECLAIMED,
            &code::LOCKED_BY_PROCESS,
            &code::PERIOD_EXCEEDS,
            &code::PERIOD_TOO_SHORT,
            &code::BALANCE,
        ],
    ],
    source: chapter("Renew CRS Instance"),
    ..ACTION
}
.checked();

pub(super) fn renew<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let id = request.text("redisId");
        let now_ms = crs.cloud.clock().now_ms();
        let deal_id = crs.ledger.write(|book| {
            let lease = book.leases.get(id).ok_or(&code::NO_INSTANCE)?;
            if lease.standing == Standing::Released {
                return Err((&code::RECLAIMED).into());
            }
            let instance = crs.cloud.instance(PROJECT, id);
            if instance.is_none_or(|instance| instance.task.is_some()) {
                return Err((&code::LOCKED_BY_PROCESS).into());
            }
            let months = period(&request)?;
            let offer = catalogue::offer(lease.zone_id, lease.kind).ok_or(&code::BROKEN)?;
            let price_fen = offer.price_fen(lease.mem_mb, 1, months);
            if price_fen > book.balance_fen() {
                return Err((&code::BALANCE).into());
            }
            let deal = Deal {
                id: book.next_deal(),
                zone_id: lease.zone_id,
                num: 1,
                creator: account::uin(&request.caller.user),
                created_at_ms: now_ms,
                ended_at_ms: Some(now_ms),
                state: State::Delivered,
                price_fen,
                goods: Goods::Renewal { mem_mb: lease.mem_mb, months, deadline_ms: lease.deadline_ms },
                redis_ids: vec![id.to_owned()],
            };
            // Time that has passed without service is not paid for.
            let from_ms = lease.deadline_ms.max(now_ms);
            let lease = Lease {
                deadline_ms: time::months_later(from_ms, months),
                standing: Standing::Active,
                ..Lease::clone(lease)
            };
            let deal_id = deal.id;
            Ok((
                Edit { leases: vec![lease], deals: vec![deal], paid_fen: price_fen, ..Edit::default() },
                deal_id,
            ))
        });
        let deal_id = deal_id.await?;
        crs.follow(id).await;
        Ok(texted(json!({"data": {"dealId": deal_id.to_string()}})))
    })
}

pub(super) static AUTO_RENEW: Operation = Operation {
    id: "SetRedisAutoRenew",
    summary: "Says what happens to instances when their time is over.",
    route: action("SetRedisAutoRenew"),
    permission: Some("crs:instance:SetRedisAutoRenew"),
    query: &[
        REDIS_IDS,
        number(
            "isAutoRenew",
            Need::Required,
            &code::INVALID_PARAMETER,
            "0 and 2 for isolating, 1 for renewing them by a month.",
        ),
    ],
    answers: &[Answer { status: 200, about: "It will be done.", body: Some(TEXTED) }],
    errors: &[COMMON_ERRORS, &[&code::NO_INSTANCE, &code::DELETED, &code::ISOLATED, &code::AUTO_RENEW]],
    source: chapter("Set CRS Auto-Renewal"),
    ..ACTION
}
.checked();

pub(super) fn auto_renew<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let renewal = Renewal::of(request.integer("isAutoRenew")).ok_or(&code::AUTO_RENEW)?;
        let changed = crs.ledger.write(|book| {
            let mut edit = Edit::default();
            for id in request.parameters.texts("redisIds") {
                let lease = book.leases.get(id).ok_or(&code::NO_INSTANCE)?;
                match lease.standing {
                    Standing::Released => return Err((&code::DELETED).into()),
                    Standing::Isolated { .. } => return Err((&code::ISOLATED).into()),
                    Standing::Active => edit.leases.push(Lease { renewal, ..Lease::clone(lease) }),
                }
            }
            Ok((edit, ()))
        });
        changed.await?;
        Ok(texted(json!({})))
    })
}
