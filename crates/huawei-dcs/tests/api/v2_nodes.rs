//! The nodes of instances as v2 tells them: servers, shards, replicas, versions, jobs.

use std::collections::BTreeSet;

use cloud::task::Profile;
use serde_json::{Value, json};

use crate::world::{Answered, PROJECT, Setup, World, ZONES};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

async fn get(world: &World, path: &str) -> Value {
    let answered = world.call(&format!("GET /v2/{{p}}/{path}"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{path}: {}", answered.body);
    answered.body
}

async fn refused(world: &World, line: &str) -> (u16, String) {
    world.call(line, &Value::Null).await.error_of_v2()
}

/// An instance of release 5.0 with this specification.
async fn instance(world: &World, name: &str, code: &str, gb: u32) -> String {
    let order = json!({
        "name": name, "engine_version": "5.0", "product_id": "-", "spec_code": code, "security_group_id": "-",
        "capacity": gb, "available_zones": [ZONES[0], ZONES[1]],
    });
    world.create(order).await
}

async fn pair(world: &World) -> String {
    instance(world, "dcs-pair", "redis.ha.xu1.large.r2.2", 2).await
}

async fn cluster(world: &World) -> String {
    instance(world, "dcs-cluster", "redis.cluster.xu1.large.r2.4", 4).await
}

/// The values of a field of the nodes.
fn all<'a>(nodes: &'a Value, field: &str) -> Vec<&'a str> {
    nodes.as_array().unwrap().iter().map(|node| node[field].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn the_nodes_of_a_pair_are_its_master_and_its_standby() {
    let world = World::new().await;
    let id = pair(&world).await;
    let body = get(&world, &format!("instances/{id}/logical-nodes")).await;
    assert_eq!((&body["instance_id"], &body["total"]), (&json!(id), &json!(2)));
    let nodes = &body["nodes"];
    assert_eq!(all(nodes, "node_type"), ["master", "slave"]);
    assert_eq!(all(nodes, "node_port"), ["6379", "-"], "nobody reaches a standby");
    assert_eq!(all(nodes, "az_code"), ["my-kualalumpur-1a", "my-kualalumpur-1b"]);
    assert_eq!(all(nodes, "name"), ["(master)127.0.0.1", "(replica)127.0.0.1"]);
    assert_eq!(all(nodes, "group_name"), ["group-0", "group-0"]);
    for field in ["node_id", "logical_node_id", "replication_id"] {
        let ids: BTreeSet<_> = all(nodes, field).into_iter().collect();
        assert_eq!(ids.len(), 2, "{field} tells nodes apart");
    }
    assert_eq!(get(&world, &format!("instances/{id}/logical-nodes")).await, body, "names stay");
    world.nodes.lag(true);
    let body = get(&world, &format!("instances/{id}/logical-nodes")).await;
    assert_eq!(all(&body["nodes"], "status"), ["Active", "Inactive"]);
}

#[tokio::test]
async fn an_instance_has_as_many_standbys_as_its_specification_says() {
    let world = World::new().await;
    let id = instance(&world, "dcs-many", "redis.ha.xu1.large.r4.2", 2).await;
    let nodes = async || get(&world, &format!("instances/{id}/logical-nodes")).await["nodes"].clone();
    assert_eq!(all(&nodes().await, "node_type"), ["master", "slave", "slave", "slave"]);
    let groups = get(&world, &format!("instance/{id}/groups")).await;
    assert_eq!(groups["group_list"][0]["replication_list"].as_array().map(Vec::len), Some(4), "{groups}");
    let spare = get(&world, &format!("instances/{id}/deletable-replication")).await;
    assert_eq!(spare["replication_list"].as_array().map(Vec::len), Some(3), "{spare}");
    let resize = json!({"spec_code": "redis.ha.xu1.large.r2.2", "new_capacity": 2,
        "change_type": "deleteReplication"});
    let resized = world.call(&format!("POST /v2/{{p}}/instances/{id}/resize"), &resize).await;
    assert_eq!(resized.status, 204, "{}", resized.body);
    assert_eq!(all(&nodes().await, "node_type"), ["master", "slave"]);
    let spare = get(&world, &format!("instances/{id}/deletable-replication")).await;
    assert_eq!((&spare["check_result"], &spare["replication_list"]), (&json!(false), &json!([])));
}

#[tokio::test]
async fn release_3_has_no_nodes_that_the_documents_know_of() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    pair(&world).await;
    let line = |path: &str| format!("GET /v2/{{p}}/{path}");
    for path in [
        format!("instances/{id}/logical-nodes"),
        format!("instance/{id}/groups"),
        format!("instance/{id}/groups/g/group-nodes-state"),
        format!("instances/{id}/deletable-replication"),
    ] {
        assert_eq!(refused(&world, &line(&path)).await, (400, "DCS.4027".to_owned()), "{path}");
        let nobodys = path.replace(&id, NOBODYS);
        assert_eq!(refused(&world, &line(&nobodys)).await, (404, "DCS.4022".to_owned()), "{path}");
        let anybodys = world.ask(&line(&path).replace("{p}", PROJECT), &[], "").await;
        assert_eq!(anybodys.error_of_v2(), (401, "DCS.1003".to_owned()), "{path}");
    }
    let topology = get(&world, &format!("instances/{id}/nodes")).await;
    assert_eq!(all(&topology["master"], "node_type"), ["master"], "{topology}");
    let body = get(&world, "instances-logical-nodes").await;
    assert_eq!((&body["count"], &body["instances"][0]["node_count"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn instances_are_listed_in_pages() {
    let world = World::new().await;
    let ids = [pair(&world).await, cluster(&world).await];
    for (query, expected) in [("?limit=1", &ids[..1]), ("?limit=1&offset=1", &ids[1..]), ("?offset=2", &[])] {
        let body = get(&world, &format!("instances-logical-nodes{query}")).await;
        assert_eq!(body["count"], 2);
        assert_eq!(all(&body["instances"], "instance_id"), expected, "{query}");
    }
    for query in ["?limit=0", "?limit=1001", "?offset=-1", "?offset=x"] {
        let line = format!("GET /v2/{{p}}/instances-logical-nodes{query}");
        assert_eq!(refused(&world, &line).await, (400, "DCS.4800".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn what_is_being_made_or_does_not_run_has_no_nodes() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = pair(&world).await;
    assert_eq!(get(&world, &format!("instances/{id}/logical-nodes")).await["nodes"], json!([]));
    assert_eq!(get(&world, &format!("instance/{id}/groups")).await["group_count"], 0);
    let operations = get(&world, &format!("instances/{id}/operations")).await;
    assert_eq!(operations["operations"][0]["cause_id"], "DCS.4118");
}

#[tokio::test]
async fn the_topology_of_a_cluster_tells_what_its_nodes_do() {
    let world = World::new().await;
    let id = cluster(&world).await;
    let body = get(&world, &format!("instances/{id}/nodes")).await;
    let servers = body["redis_server"].as_array().unwrap();
    assert_eq!(servers.len(), 6, "three shards, each twice");
    let (master, standby) = (&servers[0], &servers[1]);
    assert_eq!((&master["node_type"], &standby["node_type"]), (&json!("master"), &json!("slave")));
    assert_eq!(master["group_id"], standby["group_id"]);
    assert_eq!(
        (&master["qps"], &master["used_memory"], &master["bandwidth"]),
        (&json!("12"), &json!("33"), &json!({"input": "1.60", "output": "0.00"}))
    );
    let keys = json!({"db_idx": "0", "keys": "7", "expires": "2", "avg_ttl": null});
    assert_eq!((&master["dbs"], &master["dims"]["dim_v"]), (&keys, &master["node_id"]));
    assert_eq!(refused(&world, &format!("GET /v2/{{p}}/instances/{NOBODYS}/nodes")).await.1, "DCS.4022");
}

async fn switch_over(world: &World, id: &str, group: &str, node: &str) -> Answered {
    let line = format!("POST /v2/{{p}}/instance/{id}/groups/{group}/replications/{node}/async-switchover");
    world.call(&line, &Value::Null).await
}

#[tokio::test]
async fn a_replica_of_a_shard_takes_its_masters_place() {
    let world = World::new().await;
    let id = cluster(&world).await;
    let groups = get(&world, &format!("instance/{id}/groups")).await;
    assert_eq!(groups["group_count"], 3);
    let second = &groups["group_list"][1];
    assert_eq!(second["group_name"], "group-1");
    let (group, replications) = (second["group_id"].as_str().unwrap(), &second["replication_list"]);
    let (old, new) = (&replications[0]["node_id"], &replications[1]["node_id"]);
    let begun = switch_over(&world, &id, group, new.as_str().unwrap()).await;
    let job = begun.body["job_id"].as_str().unwrap().to_owned();
    let job = get(&world, &format!("jobs/{job}")).await;
    assert_eq!((&job["status"], &job["job_type"]), (&json!("SUCCESS"), &json!("masterStandbySwapJob")));
    assert!(job["end_time"].is_string() && job["fail_reason"].is_null(), "{job}");
    let states = get(&world, &format!("instance/{id}/groups/{group}/group-nodes-state")).await;
    assert_eq!((&states[0]["node_id"], &states[0]["replication_role"]), (new, &json!("master")));
    assert_eq!((&states[1]["node_id"], &states[1]["replication_role"]), (old, &json!("slave")));
    let first = &get(&world, &format!("instance/{id}/groups")).await["group_list"][0];
    assert_eq!(first, &groups["group_list"][0], "the others stay");
}

#[tokio::test]
async fn nothing_else_switches_over() {
    let world = World::new().await;
    let (id, pair) = (cluster(&world).await, pair(&world).await);
    let groups = get(&world, &format!("instance/{id}/groups")).await;
    let group = |at: usize| groups["group_list"][at]["group_id"].as_str().unwrap().to_owned();
    let node = |at: usize, copy: usize| {
        groups["group_list"][at]["replication_list"][copy]["node_id"].as_str().unwrap().to_owned()
    };
    for (id, group, node, status, code) in [
        (&*id, group(0), node(0, 0), 400, "DCS.4855"),
        (&id, group(0), node(1, 1), 400, "DCS.4062"),
        (&id, "x".to_owned(), node(0, 1), 400, "DCS.4062"),
        (&id, group(0), "x".to_owned(), 400, "DCS.4062"),
        (&pair, group(0), node(0, 1), 400, "DCS.4027"),
        (NOBODYS, group(0), node(0, 1), 404, "DCS.4022"),
        ("x", group(0), node(0, 1), 400, "DCS.4061"),
    ] {
        let answered = switch_over(&world, id, &group, &node).await;
        assert_eq!(answered.error_of_v2(), (status, code.to_owned()), "{id} {group} {node}");
    }
    let states = format!("GET /v2/{{p}}/instance/{id}/groups/x/group-nodes-state");
    assert_eq!(refused(&world, &states).await, (400, "DCS.4062".to_owned()));
    world.nodes.lag(true);
    let begun = switch_over(&world, &id, &group(0), &node(0, 1)).await;
    let job = get(&world, &format!("jobs/{}", begun.body["job_id"].as_str().unwrap())).await;
    assert_eq!(
        (&job["status"], &job["fail_reason"]),
        (&json!("FAIL"), &json!("job execution status failed."))
    );
}

#[tokio::test]
async fn an_instance_at_work_does_nothing_else() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = pair(&world).await;
    let line = format!("PUT /v2/{{p}}/instances/{id}/async-swap");
    assert_eq!(refused(&world, &line).await, (400, "DCS.4118".to_owned()));
    let id = cluster(&world).await;
    assert_eq!(switch_over(&world, &id, "g", "n").await.error_of_v2(), (400, "DCS.4118".to_owned()));
}

#[tokio::test]
async fn a_pair_swaps_as_a_job() {
    let world = World::new().await;
    let (id, single) = (pair(&world).await, world.create(json!({})).await);
    let swapped = world.call(&format!("PUT /v2/{{p}}/instances/{id}/async-swap"), &Value::Null).await;
    let job = get(&world, &format!("jobs/{}", swapped.body["job_id"].as_str().unwrap())).await;
    assert_eq!(job["status"], "SUCCESS");
    for (id, code) in [(&*single, "DCS.4855"), (NOBODYS, "DCS.4022")] {
        let line = format!("PUT /v2/{{p}}/instances/{id}/async-swap");
        assert_eq!(refused(&world, &line).await.1, code);
    }
    assert_eq!(refused(&world, "GET /v2/{p}/jobs/x").await, (400, "DCS.4070".to_owned()));
}

#[tokio::test]
async fn replicas_beyond_the_first_could_go() {
    let world = World::new().await;
    let thrice = instance(&world, "dcs-thrice", "redis.cluster.xu1.large.r3.4", 4).await;
    let body = get(&world, &format!("instances/{thrice}/deletable-replication")).await;
    assert_eq!((&body["check_result"], &body["available_zone"]), (&json!(true), &json!(ZONES[1])));
    let spare = body["replication_list"].as_array().unwrap();
    assert_eq!(spare.len(), 6);
    replicas_that_are_to_go_are_looked_at(&world, &thrice, spare).await;
    let twice = cluster(&world).await;
    let body = get(&world, &format!("instances/{twice}/deletable-replication")).await;
    assert_eq!(body, json!({"check_result": false, "available_zone": null, "replication_list": []}));
}

/// Has a cluster of three copies lose one, by the ids of replicas as an SDK sends them.
async fn replicas_that_are_to_go_are_looked_at(world: &World, id: &str, spare: &[Value]) {
    let groups = get(world, &format!("instance/{id}/groups")).await;
    let copies = groups["group_list"][0]["replication_list"].as_array().unwrap();
    let master = &copies.iter().find(|copy| copy["replication_role"] == "master").unwrap()["node_id"];
    for (ids, expected) in [
        (json!(["nobodys"]), Some("DCS.4930")),
        (json!("none"), Some("DCS.4930")),
        (json!([spare[0]["node_id"], master]), Some("DCS.4936")),
        (json!([spare[0]["node_id"]]), None),
    ] {
        let body = json!({
            "spec_code": "redis.cluster.xu1.large.r2.4",
            "new_capacity": 4,
            "change_type": "deleteReplication",
            "node_list": ids,
            "reserved_ip": [],
            "bss_param": {"is_auto_pay": "true"},
        });
        let answered = world.call(&format!("POST /v2/{{p}}/instances/{id}/resize"), &body).await;
        match expected {
            Some(code) => assert_eq!(answered.error_of_v2(), (400, code.to_owned()), "{ids}"),
            None => assert_eq!(answered.status, 204, "{}", answered.body),
        }
    }
}

#[tokio::test]
async fn versions_and_what_can_be_extended_are_told() {
    let world = World::new().await;
    let (id, proxy) = (
        pair(&world).await,
        world.create(json!({"name": "dcs-proxy", "product_id": "OTC_DCS_CL", "capacity": 64})).await,
    );
    let version = get(&world, &format!("instances/{id}/version")).await;
    assert_eq!(
        (&version["engine_minor_version"], &version["proxy_minor_version"]),
        (&json!("5.0.9"), &json!(null))
    );
    assert_eq!(get(&world, &format!("instances/{proxy}/version")).await["proxy_minor_version"], "3.0.9");
    let operations = get(&world, &format!("instances/{id}/operations?operation=extend")).await;
    assert_eq!(
        operations["operations"],
        json!([{"operation": "extend", "is_support": true, "cause_id": null}])
    );
    for (path, code) in [
        (format!("{id}/operations?operation=shrink"), "DCS.4062"),
        (format!("{NOBODYS}/operations"), "DCS.4022"),
        (format!("{NOBODYS}/version"), "DCS.4022"),
    ] {
        assert_eq!(refused(&world, &format!("GET /v2/{{p}}/instances/{path}")).await.1, code, "{path}");
    }
}
