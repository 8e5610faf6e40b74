//! Creating instances: one, or several of one kind. The rules of an order are those of v1.0; this is what v2 has besides.
//!
//! The examples of the documents are taken as they stand: versions that are numbers, truth values that are texts, the key
//! `maintain_end"`, and an account that is the number 0.

use cloud::Pending;
use cloud::backup_policy::BackupKind;
use cloud::instance::{Order, Subscription};
use operation::schema::{self, FIELD, Field, Fields, Integer, Kind, Need, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{V2_PROJECT, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, backup_policy_of, list, text};
use crate::time;
use crate::v1::create::{self, BACKUP_POLICY, Dialect};
use crate::v1::show::cache_mode;

pub(crate) static CREATE: Operation = Operation {
    id: "CreateInstance",
    summary: "Creates an instance, or several that differ in the ends of their names.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/instances" },
    permission: Some("dcs:instance:create"),
    body: Some(&BODY),
    answers: &[Answer {
        status: 200,
        about: "The instances are being created.",
        body: Some(&[
            Field { need: Need::Optional, ..text("order_id", "The order, where they are paid in advance.") },
            list(
                "instances",
                &Kind::Object(&[
                    text("instance_id", "The id of the instance."),
                    text("instance_name", "The name of the instance."),
                ]),
                "The instances.",
            ),
        ]),
    }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[
            &code::EMPTY_BODY,
            &code::ENGINE_MISMATCH,
            &code::QUOTA_REACHED,
            &code::SECURITY_GROUP_ID,
            &code::WEAK_PASSWORD,
            &code::INSTANCE_QUOTA,
            &code::MEMORY_QUOTA,
            &code::UNKNOWN_ZONE,
            &code::NAME_TAKEN,
            &code::MAINTENANCE,
            &code::NOT_SAVED,
        ],
    ],
    source: reference("Creating a DCS Instance"),
    ..V2_PROJECT
}
.checked();

const BODY: [Field; SHARED.len() + MORE.len()] = schema::joined(&SHARED, MORE);

/// What v1.0 has as well.
const SHARED: [Field; create::BODY.len() - 5] = {
    let fields: [Field; create::BODY.len() - 1] = schema::without(create::BODY, "available_zones");
    let fields: [Field; create::BODY.len() - 2] = schema::without(&fields, "product_id");
    let fields: [Field; create::BODY.len() - 3] = schema::without(&fields, "spec_code");
    let fields: [Field; create::BODY.len() - 4] = schema::without(&fields, "engine_version");
    schema::without(&fields, "instance_backup_policy")
};

const MORE: &[Field] = &[
    Field {
        name: "engine_version",
        kind: Kind::Text(Text { or_scalar: true, ..TEXT }),
        invalid: Some(&code::ENGINE_VERSION),
        about: "The release of Redis: 3.0, 4.0 or 5.0, as a text or as a number.",
        ..FIELD
    },
    Field {
        name: "spec_code",
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "The specification.",
        ..FIELD
    },
    Field {
        name: "az_codes",
        kind: Kind::List { of: &Kind::Text(TEXT), min_items: 1 },
        need: Need::Required,
        invalid: Some(&code::ZONES),
        about: "The codes of the availability zones; one for a single node.",
    },
    backup_policy_of(POLICY),
    Field {
        name: "maintain_end\"",
        invalid: Some(&code::MAINTENANCE),
        about: "maintain_end as the examples of the documents write it.",
        ..FIELD
    },
    Field {
        name: "instance_num",
        kind: Kind::Integer(Integer { min: 1, max: 100, or_text: true }),
        invalid: Some(&code::PARAMETER),
        about: "How many instances are made: 1 if left out. Names of several end in -000, -001 and so on.",
        ..FIELD
    },
    Field {
        name: "enterprise_project_id",
        kind: Kind::Text(Text { max_chars: 64, or_scalar: true, ..TEXT }),
        invalid: Some(&code::PARAMETER),
        about: "The enterprise project, which is shown as it was sent.",
        ..FIELD
    },
    Field {
        name: "enterprise_project_name",
        kind: Kind::Text(Text { max_chars: 64, ..TEXT }),
        invalid: Some(&code::PARAMETER),
        about: "The name of the enterprise project, which is not kept.",
        ..FIELD
    },
    Field {
        name: "enable_publicip",
        kind: Kind::Flag,
        invalid: Some(&code::PARAMETER),
        about: "Whether the instance gets a public address. There is none: true is refused.",
        ..FIELD
    },
    Field {
        name: "publicip_id",
        kind: Kind::Text(Text { max_chars: 64, ..TEXT }),
        invalid: Some(&code::PARAMETER),
        about: "The id of the public address, of which there is none.",
        ..FIELD
    },
    Field {
        name: "enable_ssl",
        kind: Kind::Flag,
        invalid: Some(&code::PARAMETER),
        about: "Whether clients connect with TLS. They do not: true is refused.",
        ..FIELD
    },
    Field {
        name: "private_ip",
        kind: Kind::Text(Text { max_chars: 64, ..TEXT }),
        invalid: Some(&code::PARAMETER),
        about: "The address that was wanted. Instances have this machine's.",
        ..FIELD
    },
    Field {
        name: "template_id",
        kind: Kind::Text(Text { max_chars: 64, ..TEXT }),
        invalid: Some(&code::PARAMETER),
        about: "The template whose parameters it begins with: one for instances of its kind.",
        ..FIELD
    },
    Field {
        name: "spec_param",
        kind: Kind::Object(&[
            Field {
                name: "sharding_count",
                kind: Kind::Integer(Integer { min: 1, max: 1_024, or_text: true }),
                invalid: Some(&code::PARAMETER),
                about: "How many shards it has.",
                ..FIELD
            },
            Field {
                name: "replica_count",
                kind: Kind::Integer(Integer { min: 1, max: 10, or_text: true }),
                invalid: Some(&code::PARAMETER),
                about: "How often each shard exists.",
                ..FIELD
            },
            Field {
                name: "cache_mode",
                invalid: Some(&code::PARAMETER),
                about: "The form: single, ha, cluster or proxy.",
                ..FIELD
            },
        ]),
        invalid: Some(&code::PARAMETER),
        about: "What the specification must be; there are no others than those of the list.",
        ..FIELD
    },
    Field {
        name: "bss_param",
        kind: Kind::Object(&[
            Field {
                name: "charging_mode",
                kind: Kind::Text(Text { one_of: &["prePaid", "postPaid"], ..TEXT }),
                invalid: Some(&code::PARAMETER),
                about: "prePaid is paid in advance, postPaid by use. postPaid if empty, as Terraform sends it.",
                ..FIELD
            },
            Field {
                name: "period_type",
                kind: Kind::Text(Text { one_of: &["month", "year"], ..TEXT }),
                invalid: Some(&code::PERIOD_KIND),
                about: "What is paid for in advance is counted in: month or year.",
                ..FIELD
            },
            Field {
                name: "period_num",
                kind: Kind::Integer(Integer { min: 1, max: 9, or_text: true }),
                invalid: Some(&code::PERIOD_NUMBER),
                about: "How many of these: 1 to 9 months, or 1 to 3 years.",
                ..FIELD
            },
            Field {
                name: "is_auto_renew",
                kind: Kind::Flag,
                invalid: Some(&code::AUTO_RENEW),
                about: "Whether it is paid again when that is over. False if left out.",
                ..FIELD
            },
            AUTO_PAY,
        ]),
        invalid: Some(&code::PARAMETER),
        about: "How it is paid. By use if left out.",
        ..FIELD
    },
];

/// Part of how an order is paid.
pub(super) const AUTO_PAY: Field = Field {
    name: "is_auto_pay",
    kind: Kind::Flag,
    invalid: Some(&code::PARAMETER),
    about: "Whether it is paid at once. It always is.",
    ..FIELD
};

/// The backup policy in requests of v2: a plan is needed by those that follow one.
pub(crate) const POLICY: &[Field] = &[
    BACKUP_POLICY[0],
    Field { need: Need::Required, ..BACKUP_POLICY[1] },
    Field { need: Need::Optional, ..BACKUP_POLICY[2] },
];

/// The dialect of v2.
pub(crate) static DIALECT: Dialect = Dialect {
    zones: "az_codes",
    zone_name: |zone| &zone.code,
    save_days_with: BackupKind::Auto,
    // An example has a version where the table has none.
    memcached_versions: &["", "3.0"],
};

/// The longest name of several instances, without its number.
const BATCH_NAME_CHARS: usize = 56;

pub(super) fn create<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let body = &request.body;
        for flag in ["enable_publicip", "enable_ssl"] {
            if body.boolean(flag) == Some(true) {
                return Err(code::PARAMETER.of(flag));
            }
        }
        plan_is_there(body)?;
        let mut order = create::order(dcs, &request, &DIALECT)?;
        if !is_so(body.object("spec_param"), &order) {
            return Err(code::PARAMETER.of("spec_param"));
        }
        if let Some(id) = body.text("template_id") {
            dcs.templates.apply(id, &mut order)?;
        }
        let now_ms = dcs.cloud.clock().now_ms();
        order.subscription = subscription(body, &order, now_ms)?;
        order.enterprise_project_id = body.word("enterprise_project_id").map(std::borrow::Cow::into_owned);
        let order_id = order.subscription.as_ref().map(|subscription| subscription.order_id.clone());
        let orders = copies(order, body.integer("instance_num").unwrap_or(1))?;
        let made = dcs.cloud.create_all(orders).await.map_err(|error| create::refused(&error))?;
        let instances: Vec<Value> = made
            .iter()
            .map(|instance| json!({"instance_id": instance.id, "instance_name": instance.name}))
            .collect();
        let mut answer = json!({"instances": instances});
        if let Some(order_id) = order_id {
            answer["order_id"] = order_id.into();
        }
        Ok(Reply::ok(answer))
    })
}

/// Backups that start by themselves need a plan.
pub(crate) fn plan_is_there(body: &Fields<'_>) -> Result<(), Failure> {
    let policy = body.object("instance_backup_policy");
    let lacks_it = policy.is_some_and(|policy| {
        policy.text("backup_type") == Some("auto") && policy.object("periodical_backup_plan").is_none()
    });
    if lacks_it { Err(code::PARAMETER.of("periodical_backup_plan")) } else { Ok(()) }
}

/// Whether the specification of an order is what a request says of it besides.
fn is_so(said: Option<Fields<'_>>, order: &Order) -> bool {
    let Some(said) = said else { return true };
    let is = |name: &str, number: u32| said.integer(name).is_none_or(|said| said == i64::from(number));
    is("sharding_count", order.shards)
        && is("replica_count", order.copies)
        && said.text("cache_mode").is_none_or(|said| said == cache_mode(order.topology))
}

/// So many orders that differ in their names; one is as it was.
fn copies(order: Order, number: i64) -> Result<Vec<Order>, Failure> {
    if number == 1 {
        return Ok(vec![order]);
    }
    if order.name.len() > BATCH_NAME_CHARS {
        return Err((&code::NAME).into());
    }
    // Only one could have the port.
    if order.requested_port.is_some() && number > 1 && order.topology.has_one_master() {
        return Err(code::PARAMETER.of("port"));
    }
    let copy = |at| Order { name: format!("{}-{at:03}", order.name), ..order.clone() };
    Ok((0..number).map(copy).collect())
}

fn subscription(body: &Fields<'_>, order: &Order, now_ms: u64) -> Result<Option<Subscription>, Failure> {
    let Some(bss) = body.object("bss_param") else { return Ok(None) };
    match bss.text("charging_mode") {
        Some("prePaid") => {}
        // Terraform sends the parameter with nothing in it.
        None if !bss.is_blank("charging_mode") => return Err(code::PARAMETER.of("charging_mode")),
        _ => return Ok(None),
    }
    let number = bss.integer("period_num").unwrap_or(1);
    let months = match bss.text("period_type") {
        Some("month") => number,
        Some("year") if number <= 3 => 12 * number,
        Some(_) => return Err((&code::PERIOD_NUMBER).into()),
        None => return Err((&code::PERIOD_KIND).into()),
    };
    Ok(Some(Subscription {
        order_id: order_id(order, now_ms),
        months: u32::try_from(months).unwrap_or(1),
        renews: bss.boolean("is_auto_renew").unwrap_or(false),
    }))
}

/// An id as the cloud writes those of orders, such as `CS2005091653L2DAM`: the minute, and what tells it from others.
fn order_id(order: &Order, now_ms: u64) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let digest = Sha256::digest(format!("{} {} {now_ms}", order.project_id, order.name));
    let end = digest.iter().take(5).map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    format!("CS{}{}", time::to_the_minute(now_ms), end.collect::<String>())
}
