//! What can be asked besides instances: products, quota, maintenance windows, zones.

use crate::world::{PROJECT, REGION, Setup, World, ZONES};
use cloud::quota::Quota;
use serde_json::{Value, json};

#[tokio::test]
async fn products_are_the_documented_table() {
    let world = World::new().await;
    let answered = world.call("GET /v1.0/products", &Value::Null).await;
    let products = answered.body["products"].as_array().unwrap().clone();
    assert_eq!(products.len(), 160);
    let of = |code: &str| products.iter().find(|product| product["spec_code"] == code).unwrap().clone();
    assert_eq!(of("dcs.single_node")["product_id"], "OTC_DCS_SINGLE");
    let cluster = of("redis.cluster.xu1.large.r3.512");
    assert_eq!(
        (&cluster["cache_mode"], &cluster["details"]["sharding_num"]),
        (&json!("cluster"), &json!(64))
    );
    assert_eq!(cluster["flavors"][0]["available_zones"][0], ZONES[0]);
}

#[tokio::test]
async fn maintenance_windows_are_the_documented_example() {
    let world = World::new().await;
    let windows = [("22", "02"), ("02", "06"), ("06", "10"), ("10", "14"), ("14", "18"), ("18", "22")];
    let windows: Vec<_> = windows
        .iter()
        .zip(1..)
        .map(|((begin, end), seq)| json!({"seq": seq, "begin": begin, "end": end, "default": seq == 2}))
        .collect();
    let answered = world.call("GET /v1.0/instances/maintain-windows", &Value::Null).await;
    assert_eq!(answered.body, json!({"maintain_windows": windows}));
}

#[tokio::test]
async fn zones_lie_in_the_region() {
    let world = World::new().await;
    let body = world.call("GET /v1.0/availableZones", &Value::Null).await.body;
    assert_eq!(body["regionId"], REGION);
    assert_eq!(
        body["available_zones"][1],
        json!({
            "id": ZONES[1],
            "code": "my-kualalumpur-1b",
            "name": "my-kualalumpur-1b",
            "port": "8002",
            "resource_availability": "true",
            "resource_availability_dcs2": "true",
        })
    );
}

#[tokio::test]
async fn the_quota_counts_what_there_is() {
    let quota = Quota { instances: 10, memory_gb: 800 };
    let world = World::with(Setup { quota, ..Setup::default() }).await;
    world.create(json!({"name": "dcs-1", "capacity": 16})).await;
    world.create(json!({"name": "dcs-2", "capacity": 4})).await;
    let tiny = json!({
        "name": "dcs-3", "capacity": 0.125,
        "engine_version": "5.0", "product_id": "redis.single.xu1.tiny.128-h",
    });
    world.create(tiny).await;
    let answered = world.call("GET /v1.0/{p}/quota", &Value::Null).await;
    assert_eq!(
        answered.body,
        json!({"quotas": {
            "resources": [
                {"quota": 10, "used": 3, "type": "instance", "min": 1, "max": 10, "unit": null},
                {"quota": 800, "used": 21, "type": "ram", "min": 1, "max": 800, "unit": "GB"},
            ],
            "resource_user": {"tenant_id": PROJECT, "tenant_name": REGION},
        }})
    );
}
