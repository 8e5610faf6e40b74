//! What v2 tells besides instances: counts, quota, zones, windows, specifications.

use serde_json::{Value, json};

use crate::world::{REGION, World, ZONES};

async fn get(world: &World, path: &str) -> Value {
    let answered = world.call(&format!("GET {path}"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{path}: {}", answered.body);
    answered.body
}

#[tokio::test]
async fn the_states_are_counted_for_each_engine() {
    let world = World::new().await;
    world.create(json!({})).await;
    world.nodes.be_silent(true);
    world.create(json!({"name": "dcs-broken"})).await;
    let counts = get(&world, "/v2/{p}/instances/status").await;
    assert_eq!((&counts["running_count"], &counts["createfailed_count"]), (&json!(1), &json!(0)));
    assert_eq!(
        (&counts["redis"]["running_count"], &counts["memcached"]["running_count"]),
        (&json!(1), &json!(0))
    );
    let counts = get(&world, "/v2/{p}/instances/status?include_failure=true").await;
    assert_eq!(
        (&counts["createfailed_count"], &counts["redis"]["createfailed_count"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn quota_zones_and_windows_are_those_of_v1() {
    let world = World::new().await;
    world.create(json!({})).await;
    let quota = get(&world, "/v2/{p}/quota").await;
    let former = get(&world, "/v1.0/{p}/quota").await;
    assert_eq!(quota, json!({"quotas": {"resources": former["quotas"]["resources"]}}));
    let zones = get(&world, "/v2/available-zones").await;
    assert_eq!((&zones["region_id"], &zones["available_zones"][1]["id"]), (&json!(REGION), &json!(ZONES[1])));
    let windows = get(&world, "/v2/instances/maintain-windows").await;
    assert_eq!(windows, get(&world, "/v1.0/instances/maintain-windows").await);
    for path in ["/v2/available-zones", "/v2/instances/maintain-windows"] {
        let anybodys = world.ask(&format!("GET {path}"), &[], "").await;
        assert_eq!(anybodys.error_of_v2(), (401, "DCS.1003".to_owned()));
    }
}

#[tokio::test]
async fn specifications_are_filtered_by_all_that_they_have() {
    let world = World::new().await;
    let flavors = async |query: &str| {
        let body = get(&world, &format!("/v2/{{p}}/flavors{query}")).await;
        body["flavors"].as_array().unwrap().clone()
    };
    let codes = async |query: &str| {
        let flavors = flavors(query).await;
        flavors.iter().map(|flavor| flavor["spec_code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of_engines = [codes("?engine=Redis").await, codes("?engine=memcached").await];
    assert!(of_engines.iter().all(|codes| !codes.is_empty()));
    assert_eq!(codes("").await.len(), of_engines.concat().len());
    assert_eq!(codes("?spec_code=redis.single.xu1.large.2").await, ["redis.single.xu1.large.2"]);
    assert_eq!(
        codes("?cache_mode=single&engine=Redis&engine_version=5.0&capacity=0.125").await,
        ["redis.single.xu1.tiny.128"]
    );
    assert_eq!(
        codes("?cache_mode=single&engine=Redis&engine_version=3.0&capacity=16").await,
        ["dcs.single_node"]
    );
    for none in ["?cpu_type=aarch64", "?cache_mode=ha_rw_split", "?engine_version=6.0"] {
        assert!(codes(none).await.is_empty(), "{none}");
    }
    let single = &flavors("?cache_mode=single&engine=Redis&engine_version=4.0&capacity=1").await[0];
    // The documented example, on another processor.
    assert_eq!(single["engine_version"], "4.0;5.0");
    assert_eq!((&single["capacity"], &single["tenant_ip_count"]), (&json!(["1"]), &json!(1)));
    for (name, value) in [("max_memory", "1"), ("max_connections", "10000"), ("max_bandwidth", "80")] {
        let attributes = single["attrs"].as_array().unwrap();
        assert!(attributes.contains(&json!({"capacity": "1", "name": name, "value": value})), "{name}");
    }
    let zones = &single["flavors_available_zones"][0];
    assert_eq!(
        (&zones["available_zones"][1], &zones["az_codes"][0]),
        (&json!(ZONES[1]), &json!("my-kualalumpur-1a"))
    );
    for (bad, code) in [
        ("?capacity=much", "DCS.4062"),
        ("?cache_mode=ring", "DCS.4062"),
        ("?instance_id=x", "DCS.4061"),
        ("?instance_id=00000000-0000-4000-8000-000000000000", "DCS.4022"),
    ] {
        let answered = world.call(&format!("GET /v2/{{p}}/flavors{bad}"), &Value::Null).await;
        assert_eq!(answered.error_of_v2().1, code, "{bad}");
    }
}

#[tokio::test]
async fn an_instance_can_become_what_its_release_is_sold_as() {
    let world = World::new().await;
    let order = json!({"engine_version": "5.0", "product_id": "-", "spec_code": "redis.single.xu1.large.2"});
    let id = world.create(order).await;
    let body = get(&world, &format!("/v2/{{p}}/flavors?instance_id={id}")).await;
    let modes: std::collections::BTreeSet<_> = body["flavors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flavor| flavor["cache_mode"].as_str().unwrap())
        .collect();
    assert_eq!(modes.into_iter().collect::<Vec<_>>(), ["ha", "single"]);
    let codes =
        body["flavors"].as_array().unwrap().iter().map(|flavor| flavor["spec_code"].as_str().unwrap());
    assert!(codes.clone().all(|code| code.starts_with("redis.") && code != "redis.single.xu1.large.2"));
}
