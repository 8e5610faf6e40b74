//! Buying instances.

use cloud::Pending;
use cloud::identity::Secret;
use operation::schema::{FIELD, Field, Need, joined};
use operation::{Answer, Failure, Operation, Reply};
use rand::seq::IndexedRandom;
use serde_json::json;

use super::purchase::{PURCHASE, PURCHASE_ERRORS, purchase, see_that_there_is_room};
use crate::account;
use crate::action::{Request, texted};
use crate::code;
use crate::crs::Crs;
use crate::deal::{Deal, Goods, State};
use crate::delivery::PROJECT;
use crate::field::{ACTION, COMMON_ERRORS, DEAL, TEXTED, action, chapter, optional, unsigned};
use crate::lease::{Lease, Place, Renewal, Standing};
use crate::ledger::Edit;
use crate::password;
use crate::time;

pub(super) static CREATE: Operation = Operation {
    id: "CreateRedis",
    summary: "Buys instances.",
    route: action("CreateRedis"),
    permission: Some("crs:instance:CreateRedis"),
    query: &joined::<11>(
        PURCHASE,
        &[
            Field {
                name: "password",
                invalid: Some(&code::PASSWORD_EMPTY),
                about: "The password: 8 to 16 characters of at least two kinds.",
                ..FIELD
            },
            unsigned(
                "vpcId",
                Need::Optional,
                &code::PARAMETER,
                "The number of the private cloud; 0 for the basic network.",
            ),
            optional("unVpcId", &code::PARAMETER, "The id of the private cloud."),
            unsigned("subnetId", Need::Optional, &code::PARAMETER, "The number of the subnet."),
            optional("unSubnetId", &code::PARAMETER, "The id of the subnet."),
            unsigned("projectId", Need::Optional, &code::PARAMETER, "The project; 0 for the default one."),
        ],
    ),
    answers: DEALT,
    errors: &[
        COMMON_ERRORS,
        PURCHASE_ERRORS,
        &[
            &code::ONLY_VPC,
            &code::INVALID_SUBNET,
            &code::PASSWORD_EMPTY,
            &code::PASSWORD_RULE,
            &code::BALANCE,
            &code::QUOTA,
        ],
    ],
    source: chapter("Create CRS Instance"),
    ..ACTION
}
.checked();

/// An answer with an order.
pub(super) const DEALT: &[Answer] =
    &[Answer { status: 200, about: "The order has been paid.", body: Some(&DEALT_BODY) }];

const DEALT_BODY: [Field; 4] = joined(TEXTED, &[DEAL]);

pub(super) fn create<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let bought = purchase(&request)?;
        let place = place(&request, bought.offer.vpc_only)?;
        let password = match request.text("password") {
            "" => return Err((&code::PASSWORD_EMPTY).into()),
            password if !password::is_good(password) => return Err((&code::PASSWORD_RULE).into()),
            password => Secret::new(password),
        };
        let memory_mb = u64::from(bought.mem_mb) * u64::from(bought.num);
        see_that_there_is_room(crs, bought.num, memory_mb)?;
        let user = &request.caller.user;
        let price_fen = bought.offer.price_fen(bought.mem_mb, bought.num, bought.months);
        let now_ms = crs.cloud.clock().now_ms();
        let id = crs
            .ledger
            .write(|book| {
                if price_fen > book.balance_fen() {
                    return Err((&code::BALANCE).into());
                }
                let mut redis_ids: Vec<String> = Vec::new();
                while redis_ids.len() < usize::try_from(bought.num).unwrap_or(0) {
                    let id = new_id();
                    let is_used = book.leases.contains_key(&id) || crs.cloud.instance(PROJECT, &id).is_some();
                    if !is_used && !redis_ids.contains(&id) {
                        redis_ids.push(id);
                    }
                }
                let lease = |redis_id: &String| Lease {
                    redis_id: redis_id.clone(),
                    name: redis_id.clone(),
                    project_id: u32::try_from(request.integer("projectId")).unwrap_or(0),
                    zone_id: bought.offer.zone_id,
                    kind: bought.offer.kind,
                    mem_mb: bought.mem_mb,
                    place: place.clone(),
                    created_at_ms: now_ms,
                    deadline_ms: time::months_later(now_ms, bought.months),
                    renewal: Renewal::Notify,
                    standing: Standing::Active,
                };
                let deal = Deal {
                    id: book.next_deal(),
                    zone_id: bought.offer.zone_id,
                    num: bought.num,
                    creator: account::uin(user),
                    created_at_ms: now_ms,
                    ended_at_ms: None,
                    state: State::Delivering,
                    price_fen,
                    goods: Goods::New {
                        mem_mb: bought.mem_mb,
                        months: bought.months,
                        password,
                        owner: (user.named.id.clone(), user.named.name.clone()),
                    },
                    redis_ids,
                };
                let id = deal.id;
                let leases = deal.redis_ids.iter().map(lease).collect();
                Ok((Edit { leases, deals: vec![deal], paid_fen: price_fen, ..Edit::default() }, id))
            })
            .await?;
        crs.delivery.deliver(id).await;
        Ok(texted(json!({"data": {"dealId": id.to_string()}})))
    })
}

/// Where the instances are to lie.
fn place(request: &Request<'_>, vpc_only: bool) -> Result<Place, Failure> {
    let part = |number, id| (u32::try_from(request.integer(number)).unwrap_or(0), request.text(id));
    let (vpc, subnet) = (part("vpcId", "unVpcId"), part("subnetId", "unSubnetId"));
    match (vpc, subnet) {
        ((0, ""), _) if vpc_only => Err((&code::ONLY_VPC).into()),
        ((0, ""), _) => Ok(Place::default()),
        (_, (0, "")) => Err((&code::INVALID_SUBNET).into()),
        (vpc, subnet) => Ok(account::place(vpc, subnet)),
    }
}

/// An id for an instance.
fn new_id() -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    let letters = (0..8).filter_map(|_| LETTERS.choose(&mut rng)).map(|letter| char::from(*letter));
    format!("crs-{}", letters.collect::<String>())
}
