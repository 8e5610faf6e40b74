//! Querying what is sold.

use cloud::Pending;
use operation::schema::{FIELD, Field, Kind, Need, TEXT};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::V1;
use crate::catalogue::{self, Specification};
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{integer, list, object, reference, text};

pub(crate) static PRODUCTS: Operation = Operation {
    id: "ListProductsV1",
    summary: "Lists the products that instances can be ordered as.",
    route: Route::Path { method: Method::Get, template: "/v1.0/products" },
    answers: &[Answer {
        status: 200,
        about: "The products.",
        body: Some(&[list("products", &Kind::Object(PRODUCT), "The products.")]),
    }],
    source: reference("10.1"),
    ..V1
}
.checked();

const PRODUCT: &[Field] = &[
    object("details", DETAILS, "The product in its least capacity."),
    text("engine", "The engine."),
    number("price", "Not used."),
    text("currency", "Not used."),
    list(
        "flavors",
        &Kind::Object(&[
            text("capacity", "A capacity."),
            text("unit", "Its unit."),
            list("available_zones", &Kind::Text(TEXT), "The ids of the availability zones that have it."),
        ]),
        "The capacities.",
    ),
    text("product_id", "The id to order it by."),
    text("spec_code", "The specification."),
    text("cache_mode", "The form: single, ha, cluster or proxy."),
    text("product_type", "The edition: generic."),
    text("cpu_type", "The processor."),
    text("storage_type", "The kind of memory."),
    text("engine_versions", "The releases that it is sold with."),
    text("spec_details", "The capacities, as JSON in a text."),
    text("spec_details2", "The product in each capacity, as JSON in a text."),
    text("charging_type", "How it is paid."),
    text("prod_type", "What it is: an instance."),
    text("cloud_service_type_code", "The kind of service."),
    text("cloud_resource_type_code", "The kind of resource."),
];

const DETAILS: &[Field] = &[
    number("capacity", "The capacity in GB."),
    number("max_memory", "The memory that data may take, in GB."),
    integer("max_connections", "Connections by default."),
    integer("max_clients", "Connections at most."),
    integer("max_bandwidth", "Bandwidth in Mbit/s."),
    integer("max_in_bandwidth", "Bandwidth for what comes in, in Mbit/s."),
    integer("tenant_ip_count", "How many addresses it has."),
    integer("sharding_num", "How many shards it has."),
    integer("proxy_num", "How many proxies it has."),
    integer("db_number", "How many databases it has."),
    integer("proc_num", "How many shards it has, as the example of the reference calls it."),
];

pub(super) fn products<'a>(dcs: &'a Dcs, _: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let zones: Vec<_> = dcs.zones.iter().map(|zone| zone.id.as_str()).collect();
        let products = catalogue::specifications().chunk_by(|left, right| left.spec_code == right.spec_code);
        let products: Vec<_> = products.map(|rows| product(rows, &zones)).collect();
        Ok(Reply::ok(json!({"products": products})))
    })
}

/// A product from its rows, one for each capacity.
fn product(rows: &[Specification], zones: &[&str]) -> Value {
    let row = &rows[0];
    let capacities: Vec<_> = rows.iter().map(|row| row.capacity.gb().to_string()).collect();
    let flavors: Vec<_> = capacities
        .iter()
        .map(|capacity| json!({"capacity": capacity, "unit": "GB", "available_zones": zones}))
        .collect();
    let releases: Vec<_> = row.releases.iter().map(|release| release.name()).collect();
    let all_details: Vec<_> = rows.iter().map(details).collect();
    json!({
        "details": details(row),
        "engine": row.engine().name().to_ascii_lowercase(),
        "price": 0.0,
        "currency": "1",
        "flavors": flavors,
        "product_id": row.product_id,
        "spec_code": row.spec_code,
        "cache_mode": row.cache_mode,
        "product_type": "generic",
        "cpu_type": catalogue::cpu_type(row.spec_code),
        "storage_type": "DRAM",
        "engine_versions": releases.join(","),
        "spec_details": json!([{"mem": capacities.join(",")}]).to_string(),
        "spec_details2": Value::from(all_details).to_string(),
        "charging_type": "Hourly",
        "prod_type": "instance",
        "cloud_service_type_code": "hws.service.type.dcs",
        "cloud_resource_type_code": "hws.resource.type.dcs",
    })
}

fn details(row: &Specification) -> Value {
    json!({
        "capacity": gigabytes(row.capacity.gb()),
        "max_memory": gigabytes(gb_of(row.memory_limit_bytes())),
        "max_connections": row.max_connections,
        "max_clients": row.max_clients,
        "max_bandwidth": row.max_bandwidth_mbit,
        "max_in_bandwidth": row.max_in_bandwidth_mbit,
        "tenant_ip_count": row.shards * row.copies,
        "sharding_num": row.shards,
        "proxy_num": row.proxies,
        "db_number": row.databases,
        "proc_num": row.shards,
    })
}

/// A number of gigabytes as the documents write it: without a fraction where it has none.
fn gigabytes(gb: f64) -> Value {
    // Far below what an integer holds.
    #[allow(clippy::cast_possible_truncation)]
    if gb.fract() == 0.0 { json!(gb as i64) } else { json!(gb) }
}

/// Bytes in gigabytes, rounded to thousandths: 3.2 GB is no whole number of bytes.
fn gb_of(bytes: u64) -> f64 {
    let thousandths = (bytes * 1000 + (1 << 29)) >> 30;
    f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 1000.0
}

const fn number(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: Kind::Number, need: Need::Required, about, ..FIELD }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec_code: &str) -> Value {
        let rows = catalogue::specifications();
        let rows: Vec<_> = rows.iter().filter(|row| row.spec_code == spec_code).cloned().collect();
        product(&rows, &["az"])
    }

    #[test]
    fn the_documented_example_comes_out() {
        let cluster = of("dcs.cluster");
        for (name, expected) in [
            ("capacity", json!(64)),
            ("max_memory", json!(64)),
            ("max_connections", json!(20_000)),
            ("max_clients", json!(80_000)),
            ("max_bandwidth", json!(2000)),
            ("max_in_bandwidth", json!(600)),
            ("proc_num", json!(8)),
        ] {
            assert_eq!(cluster["details"][name], expected, "{name}");
        }
        assert_eq!(
            cluster["flavors"][1],
            json!({"capacity": "128", "unit": "GB", "available_zones": ["az"]})
        );
        assert_eq!(cluster["spec_details"], "[{\"mem\":\"64,128,256,512,1024\"}]");
        let all: Vec<Value> = serde_json::from_str(cluster["spec_details2"].as_str().unwrap()).unwrap();
        assert_eq!(
            (all.len(), &all[4]["proc_num"], &all[4]["max_clients"]),
            (5, &json!(128), &json!(160_000))
        );
        assert_eq!(cluster["engine_versions"], "3.0");
    }

    #[test]
    fn memory_is_what_an_instance_gives() {
        assert_eq!(of("dcs.single_node")["details"]["max_memory"], json!(1.5));
        let tiny = of("redis.ha.xu1.tiny.r2.128");
        assert_eq!(
            (&tiny["details"]["max_memory"], &tiny["details"]["capacity"]),
            (&json!(0.125), &json!(0.125))
        );
        assert_eq!(tiny["engine_versions"], "4.0,5.0");
    }
}
