//! The zones in which instances can be bought.

use cloud::Pending;
use operation::schema::{Kind, TEXT, joined};
use operation::{Answer, Failure, Operation, Reply};
use serde_json::{Value, json};

use crate::action::{Request, texted};
use crate::catalogue;
use crate::crs::Crs;
use crate::field::{ACTION, COMMON_ERRORS, TEXTED, action, chapter, list, object};

pub(super) static ZONES: Operation = Operation {
    id: "DescribeRedisZones",
    summary: "Lists the zones in which instances can be bought.",
    route: action("DescribeRedisZones"),
    permission: Some("crs:instance:DescribeRedisZones"),
    reads_only: true,
    answers: &[Answer {
        status: 200,
        about: "The zones.",
        body: Some(&joined::<4>(
            TEXTED,
            &[object(
                "data",
                &[list(
                    "zones",
                    &Kind::Map(&Kind::Text(TEXT)),
                    "For each zone an object: its id and its name.",
                )],
                "The zones.",
            )],
        )),
    }],
    errors: &[COMMON_ERRORS],
    source: chapter("Query Sale Region"),
    ..ACTION
}
.checked();

pub(super) fn zones<'a>(_: &'a Crs, _: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async {
        let mut zones: Vec<_> =
            catalogue::offers().iter().map(|offer| (offer.zone_id, offer.zone_name)).collect();
        zones.dedup();
        let zones: Vec<Value> = zones.iter().map(|(id, name)| json!({id.to_string(): name})).collect();
        Ok(texted(json!({"data": {"zones": zones}})))
    })
}
