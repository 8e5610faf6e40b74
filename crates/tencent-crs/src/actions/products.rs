//! What is sold in which zone.

use cloud::Pending;
use operation::schema::Field;
use operation::schema::{Integer, Kind, Need, joined};
use operation::{Answer, Failure, Operation, Reply};
use serde_json::{Map, Value, json};

use crate::action::{Request, numbered};
use crate::catalogue;
use crate::code;
use crate::crs::Crs;
use crate::field::{ACTION, COMMON_ERRORS, NUMBERED, action, chapter, integer, list, optional, text, texts};

pub(super) static PRODUCTS: Operation = Operation {
    id: "DescribeRedisProduct",
    summary: "Lists what is sold: types of instances, their capacities, and how many at a time.",
    route: action("DescribeRedisProduct"),
    permission: Some("crs:instance:DescribeRedisProduct"),
    reads_only: true,
    query: &[
        texts("zoneIds", &code::INVALID_PARAMETER, "The zones, as zoneIds.0 and so on; all if left out."),
        optional("zoneId", &code::INVALID_PARAMETER, "One zone, as the example has it."),
        Field {
            name: "typeId",
            kind: Kind::Integer(Integer { min: 0, max: 2, or_text: true }),
            need: Need::Optional,
            invalid: Some(&code::INVALID_PARAMETER),
            about: "The type: 1 for clusters, 2 for standalone instances, 0 for both.",
        },
    ],
    answers: &[Answer {
        status: 200,
        about: "What is sold.",
        body: Some(&joined::<4>(
            NUMBERED,
            &[list(
                "data",
                &Kind::Object(&[
                    integer("zoneId", "The id of the zone."),
                    text("name", "The name of the zone."),
                    Field {
                        kind: Kind::Map(&Kind::Object(&[
                            integer("type", "The type."),
                            text("typeName", "The name of the type."),
                            integer("minMemSize", "The least capacity, in MB."),
                            integer("maxMemSize", "The greatest capacity, in MB."),
                            integer("minBuyNum", "How many are sold at a time at least."),
                            integer("maxBuyNum", "How many are sold at a time at most."),
                        ])),
                        ..text("types", "The types, by their numbers.")
                    },
                ]),
                "An item for each zone.",
            )],
        )),
    }],
    errors: &[COMMON_ERRORS],
    source: chapter("Query Sale Specification"),
    ..ACTION
}
.checked();

pub(super) fn products<'a>(_: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let asked = request.parameters.texts("zoneIds").chain(request.parameters.text("zoneId"));
        let asked: Vec<&str> = asked.collect();
        let has_zone = |id: &str| catalogue::offers().iter().any(|offer| offer.zone_id.to_string() == id);
        if !asked.iter().all(|id| has_zone(id)) {
            return Err(code::INVALID_PARAMETER.of("zoneIds"));
        }
        let kind = request.integer("typeId");
        let mut zones: Vec<Value> = Vec::new();
        for offer in catalogue::offers() {
            let id = offer.kind.id();
            let is_asked = asked.is_empty() || asked.contains(&offer.zone_id.to_string().as_str());
            if !is_asked || (kind != 0 && kind != i64::from(id)) {
                continue;
            }
            if zones.last().is_none_or(|zone| zone["zoneId"] != offer.zone_id) {
                zones.push(json!({"zoneId": offer.zone_id, "name": offer.zone_name, "types": Map::new()}));
            }
            let zone = zones.last_mut().expect("one was just put there");
            zone["types"][id.to_string()] = json!({
                "type": id,
                "typeName": offer.kind.name(),
                "minMemSize": offer.min_mem_mb,
                "maxMemSize": offer.max_mem_mb,
                "minBuyNum": offer.min_num,
                "maxBuyNum": offer.max_num,
            });
        }
        Ok(numbered(json!({"data": zones})))
    })
}
