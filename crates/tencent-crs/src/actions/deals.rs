//! What became of orders.

use cloud::Pending;
use operation::schema::{Field, Kind, Need, TEXT, joined};
use operation::{Answer, Failure, Operation, Reply};
use serde_json::{Value, json};

use crate::action::{Request, numbered};
use crate::code;
use crate::crs::Crs;
use crate::field::{ACTION, COMMON_ERRORS, NUMBERED, action, chapter, integer, list, text};

pub(super) static DEALS: Operation = Operation {
    id: "DescribeRedisDealDetail",
    summary: "Shows orders and what became of them.",
    route: action("DescribeRedisDealDetail"),
    permission: Some("crs:instance:DescribeRedisDealDetail"),
    reads_only: true,
    query: &[Field {
        name: "dealIds",
        kind: Kind::List { of: &Kind::Text(TEXT), min_items: 1 },
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "The ids of the orders, as dealIds.0, dealIds.1 and so on.",
    }],
    answers: &[Answer {
        status: 200,
        about: "The orders.",
        body: Some(&joined::<4>(
            NUMBERED,
            &[list(
                "dealDetails",
                &Kind::Object(&[
                    text("dealId", "The id."),
                    text("dealName", "The long id."),
                    integer("zoneId", "The zone."),
                    integer("goodsNum", "How many instances it is about."),
                    text("creator", "The number of the user who made it."),
                    text("creatTime", "When it was made."),
                    text("createTime", "The same."),
                    text("overdueTime", "Until when it could be paid."),
                    text("endTime", "When it was delivered; blank before."),
                    integer("status", "3 delivering, 4 delivered, 5 failed."),
                    text("description", "The status in words."),
                    integer("price", "What was paid, in hundredths of a CNY."),
                    Field {
                        kind: Kind::Object(&[
                            Field {
                                need: Need::Optional,
                                ..text("curDeadline", "The end before a renewal.")
                            },
                            Field { need: Need::Optional, ..integer("memSize", "The capacity in MB.") },
                            Field {
                                need: Need::Optional,
                                ..integer("timeSpan", "The time that was bought.")
                            },
                            Field { need: Need::Optional, ..text("timeUnit", "Its unit: m for months.") },
                            Field {
                                need: Need::Optional,
                                ..integer("oldMemSize", "The capacity before an upgrade.")
                            },
                            Field { need: Need::Optional, ..integer("newMemsize", "The capacity after it.") },
                            list("redisIds", &Kind::Text(TEXT), "The ids of the instances."),
                        ]),
                        ..text("goodsDetail", "What was bought.")
                    },
                ]),
                "An item for each order, in the order of the request.",
            )],
        )),
    }],
    errors: &[COMMON_ERRORS, &[&code::NO_DEAL]],
    source: chapter("Query Details of CRS Order"),
    ..ACTION
}
.checked();

pub(super) fn deals<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        crs.delivery.settle_all().await;
        let shown: Result<Vec<Value>, Failure> = crs.ledger.read(|book| {
            let deals = request.parameters.texts("dealIds").map(|id| {
                let deal = id.parse().ok().and_then(|id: u64| book.deals.get(&id));
                deal.map(|deal| deal.shown()).ok_or_else(|| (&code::NO_DEAL).into())
            });
            deals.collect()
        });
        Ok(numbered(json!({"dealDetails": shown?})))
    })
}
