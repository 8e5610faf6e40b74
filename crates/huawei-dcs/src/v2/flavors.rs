//! Querying what is sold, or what an instance can become.

use cloud::Pending;
use cloud::capacity::Capacity;
use cloud::instance::Instance;
use cloud::topology::Topology;
use operation::schema::{FIELD, Field, Kind, Query, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{V2_PROJECT, reference};
use crate::catalogue::{self, Specification};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, boolean, integer, list, text};

pub(crate) static FLAVORS: Operation = Operation {
    id: "ListFlavors",
    summary: "Lists the specifications that instances can be ordered as.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/flavors" },
    query: &[
        Field {
            need: FIELD.need,
            about: "An instance, whose other specifications are asked for.",
            ..INSTANCE_ID
        },
        filter("spec_code", &[], "The specification."),
        filter("cache_mode", &["single", "ha", "cluster", "proxy", "ha_rw_split"], "The form."),
        filter("engine", &["Redis", "redis", "Memcached", "memcached"], "The engine."),
        filter("engine_version", &[], "A release that it is sold with."),
        filter("cpu_type", &["x86_64", "aarch64"], "The processor."),
        Field {
            name: "capacity",
            kind: Kind::Number,
            invalid: Some(&code::PARAMETER),
            about: "The capacity in GB.",
            ..FIELD
        },
    ],
    answers: &[Answer {
        status: 200,
        about: "The specifications that the filters let through.",
        body: Some(&[list("flavors", &Kind::Object(FLAVOR), "The specifications.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying Product Flavors"),
    ..V2_PROJECT
}
.checked();

const fn filter(name: &'static str, one_of: &'static [&'static str], about: &'static str) -> Field {
    Field { name, kind: Kind::Text(Text { one_of, ..TEXT }), invalid: Some(&code::PARAMETER), about, ..FIELD }
}

const FLAVOR: &[Field] = &[
    text("spec_code", "The code to order it by."),
    text("cloud_service_type_code", "The kind of service."),
    text("cloud_resource_type_code", "The kind of resource."),
    text("cache_mode", "The form: single, ha, cluster or proxy."),
    text("engine", "The engine."),
    text("engine_version", "The releases that it is sold with, between semicolons."),
    text("product_type", "The edition: generic."),
    text("cpu_type", "The processor."),
    text("storage_type", "The kind of memory."),
    list("capacity", &Kind::Text(TEXT), "Its capacities in GB."),
    list("billing_mode", &Kind::Text(TEXT), "How it is paid."),
    integer("tenant_ip_count", "How many addresses it has."),
    text("pricing_type", "How its price is made."),
    boolean("is_dec", "Whether it runs on machines of the tenant's own."),
    list(
        "attrs",
        &Kind::Object(&[
            text("capacity", "The capacity that it is true for, in GB."),
            text("name", "What: max_memory, max_connections, sharding_num, ..."),
            text("value", "How much."),
        ]),
        "What it has, for each capacity.",
    ),
    list(
        "flavors_available_zones",
        &Kind::Object(&[
            text("capacity", "A capacity."),
            text("unit", "Its unit."),
            list("available_zones", &Kind::Text(TEXT), "The ids of the zones that have it."),
            list("az_codes", &Kind::Text(TEXT), "The codes of the zones that have it."),
        ]),
        "Where each capacity is to be had.",
    ),
    integer("replica_count", "How often each shard exists."),
];

pub(super) fn flavors<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let query = &request.query;
        let of = match query.text("instance_id") {
            Some(id) => Some(dcs.cloud.instance(request.project_id(), id).ok_or(&code::UNKNOWN_INSTANCE)?),
            None => None,
        };
        let sold = catalogue::specifications().iter();
        let sold: Vec<_> = sold
            .filter(|row| is_asked_for(row, query) && of.as_ref().is_none_or(|of| can_become(of, row)))
            .collect();
        let flavors = sold.chunk_by(|left, right| left.spec_code == right.spec_code);
        let flavors: Vec<_> = flavors.map(|rows| flavor(dcs, rows)).collect();
        Ok(Reply::ok(json!({"flavors": flavors})))
    })
}

fn is_asked_for(row: &Specification, query: &Query) -> bool {
    let is =
        |name: &str, value: &str| query.text(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
    let release = query.text("engine_version");
    let capacity = query.text("capacity").map(|text| text.parse().ok().and_then(Capacity::from_gb));
    is("spec_code", row.spec_code)
        && is("cache_mode", row.cache_mode)
        && is("engine", row.engine().name())
        && is("cpu_type", cpu_type(row))
        && release.is_none_or(|wanted| row.releases.iter().any(|release| release.name() == wanted))
        && capacity.is_none_or(|wanted| wanted == Some(row.capacity))
}

/// Whether an instance can be changed into this: another specification of its release, of the same form or, for a
/// single node, with a standby.
pub(super) fn can_become(instance: &Instance, row: &Specification) -> bool {
    let form = (instance.topology, row.topology());
    row.engine() == instance.engine
        && instance.release.is_none_or(|release| row.releases.contains(&release))
        && (form.0 == form.1 || form == (Topology::Single, Topology::MasterStandby))
        && (row.spec_code != instance.spec_code || row.capacity != instance.capacity)
}

/// The processor, as v2 writes it.
fn cpu_type(row: &Specification) -> &'static str {
    if catalogue::cpu_type(row.spec_code) == "x86_64" { "x86_64" } else { "aarch64" }
}

/// A specification from its rows, one for each capacity.
fn flavor(dcs: &Dcs, rows: &[&Specification]) -> Value {
    let row = rows[0];
    let capacities: Vec<_> = rows.iter().map(|row| row.capacity.gb().to_string()).collect();
    let releases: Vec<_> = row.releases.iter().map(|release| release.name()).collect();
    let (ids, codes): (Vec<_>, Vec<_>) = dcs.zones.iter().map(|zone| (&zone.id, &zone.code)).unzip();
    let zones = capacities.iter().map(
        |capacity| json!({"capacity": capacity, "unit": "GB", "available_zones": ids, "az_codes": codes}),
    );
    json!({
        "spec_code": row.spec_code,
        "cloud_service_type_code": "hws.service.type.dcs",
        "cloud_resource_type_code": "hws.resource.type.dcs",
        "cache_mode": row.cache_mode,
        "engine": row.engine().name().to_ascii_lowercase(),
        "engine_version": releases.join(";"),
        "product_type": "generic",
        "cpu_type": cpu_type(row),
        "storage_type": "DRAM",
        "capacity": capacities,
        "billing_mode": ["Hourly"],
        "tenant_ip_count": row.shards * row.copies,
        "pricing_type": "normal",
        "is_dec": false,
        "attrs": rows.iter().flat_map(|row| attributes(row)).collect::<Vec<_>>(),
        "flavors_available_zones": zones.collect::<Vec<_>>(),
        "replica_count": row.copies,
    })
}

fn attributes(row: &Specification) -> impl Iterator<Item = Value> {
    let capacity = row.capacity.gb().to_string();
    let memory_gb = row.memory_limit_bytes() as f64 / f64::from(1 << 30);
    let attributes = [
        ("max_memory", ((memory_gb * 1000.0).round() / 1000.0).to_string()),
        ("max_connections", row.max_connections.to_string()),
        ("sharding_num", row.shards.to_string()),
        ("proxy_num", row.proxies.to_string()),
        ("db_number", row.databases.to_string()),
        ("max_clients", row.max_clients.to_string()),
        ("max_bandwidth", row.max_bandwidth_mbit.to_string()),
        ("max_in_bandwidth", row.max_in_bandwidth_mbit.to_string()),
    ];
    attributes
        .into_iter()
        .map(move |(name, value)| json!({"capacity": capacity, "name": name, "value": value}))
}
