//! What instances cost, new ones and more time.

use cloud::Pending;
use operation::schema::{Field, joined};
use operation::{Answer, Failure, Operation, Reply};
use serde_json::json;

use super::purchase::{PURCHASE, PURCHASE_ERRORS, purchase};
use crate::action::{Request, texted};
use crate::crs::Crs;
use crate::field::{ACTION, COMMON_ERRORS, TEXTED, action, chapter, integer, object};

pub(super) static PRICE: Operation = Operation {
    id: "InquiryRedisPrice",
    summary: "Tells what instances cost, new ones or more time.",
    route: action("InquiryRedisPrice"),
    permission: Some("crs:instance:InquiryRedisPrice"),
    reads_only: true,
    query: PURCHASE,
    answers: PRICED,
    errors: &[COMMON_ERRORS, PURCHASE_ERRORS],
    source: chapter("Query Price of CRS Instance"),
    ..ACTION
}
.checked();

/// An answer with a price.
pub(super) const PRICED: &[Answer] = &[Answer { status: 200, about: "The price.", body: Some(&PRICED_BODY) }];

const PRICED_BODY: [Field; 4] =
    joined(TEXTED, &[object("data", &[integer("price", "The price in hundredths of a CNY.")], "The price.")]);

pub(super) fn price<'a>(_: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let bought = purchase(&request)?;
        let price = bought.offer.price_fen(bought.mem_mb, bought.num, bought.months);
        Ok(texted(json!({"data": {"price": price}})))
    })
}
