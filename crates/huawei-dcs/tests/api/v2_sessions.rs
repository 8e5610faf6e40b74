//! Who is connected, what took long, and from where an instance may be reached.

use cloud::inspection::{Role, ServerId, SlowCommand};
use cloud::store::Store;
use cloud::task::Profile;
use serde_json::{Value, json};

use crate::world::{Answered, NOW_MS, Setup, World};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";
const FIRST: ServerId = ServerId::Copy { shard: 0, copy: 0 };

/// A single node of release 5.0, and the id of its node.
async fn single(world: &World) -> (String, String) {
    let code = "redis.single.xu1.large.2";
    let order =
        json!({"engine_version": "5.0", "product_id": "-", "spec_code": code, "security_group_id": "-"});
    let id = world.create(order).await;
    let nodes = world.call(&format!("GET /v2/{{p}}/instances/{id}/logical-nodes"), &Value::Null).await;
    let node = nodes.body["nodes"][0]["node_id"].as_str().unwrap().to_owned();
    (id, node)
}

fn connect(world: &World, id: &str, peers: &[&str]) {
    peers.iter().for_each(|peer| world.nodes.connect(id, FIRST, peer.parse().unwrap()));
}

async fn clients(world: &World, id: &str, query: &str) -> Answered {
    world.call(&format!("GET /v2/{{p}}/instances/{id}/clients{query}"), &Value::Null).await
}

fn addresses(answered: &Answered) -> Vec<&str> {
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body["clients"].as_array().unwrap().iter().map(|one| one["addr"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn connections_are_listed_filtered_and_sorted() {
    let world = World::new().await;
    let (id, node) = single(&world).await;
    let peers = ["10.0.0.1:1000", "10.0.0.2:2000", "10.1.0.1:3000"];
    connect(&world, &id, &peers);
    let list = async |query: &str| clients(&world, &id, &format!("?node_id={node}{query}")).await;
    let whole = list("").await;
    assert_eq!(addresses(&whole), peers);
    let first = &whole.body["clients"][0];
    assert_eq!(
        (&first["id"], &first["age"], &first["multi"], &first["qbuf_free"]),
        (&json!("3"), &json!(97), &json!(-1), &json!(0))
    );
    assert_eq!(
        (&first["peer"], &first["cmd"], &first["user"]),
        (&json!(peers[0]), &json!("get"), &json!(null))
    );
    assert_eq!((&whole.body["count"], &whole.body["time"]), (&json!(3), &json!("2026-11-22T06:14:52.000Z")));
    assert_eq!(addresses(&list("&addr=10.0.").await), peers[..2]);
    let (rest, back) = (list("&limit=1&offset=1").await, list("&order=desc").await);
    assert_eq!((addresses(&rest), &rest.body["count"]), (vec![peers[1]], &json!(3)));
    assert_eq!(addresses(&back), [peers[2], peers[1], peers[0]]);
    assert_eq!(addresses(&list("&sort=age").await), [peers[2], peers[1], peers[0]]);
    for query in ["&sort=shoe", "&order=up", "&limit=x"] {
        let code = if query == "&limit=x" { "DCS.4800" } else { "DCS.4062" };
        assert_eq!(list(query).await.error_of_v2(), (400, code.to_owned()), "{query}");
    }
    for query in ["", "?node_id=x"] {
        assert_eq!(clients(&world, &id, query).await.error_of_v2(), (400, "DCS.4062".to_owned()), "{query}");
    }
    let body = json!({"node_id": node, "client_addrs": ["10.0.0.1:1"]});
    let nobodys = world.call(&format!("POST /v2/{{p}}/instances/{NOBODYS}/clients/kill"), &body).await;
    assert_eq!(nobodys.error_of_v2(), (404, "DCS.4022".to_owned()));
    let nobodys = clients(&world, NOBODYS, &format!("?node_id={node}")).await;
    assert_eq!(nobodys.error_of_v2(), (404, "DCS.4022".to_owned()));
}

#[tokio::test]
async fn connections_end_one_by_one_or_all_at_once() {
    let world = World::new().await;
    let (id, node) = single(&world).await;
    let post = async |path: &str, body: Value| {
        world.call(&format!("POST /v2/{{p}}/instances/{id}/{path}"), &body).await
    };
    let left = async || addresses(&clients(&world, &id, &format!("?node_id={node}")).await).len();
    connect(&world, &id, &["10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3"]);
    let killed =
        post("clients/kill", json!({"node_id": node, "client_addrs": ["10.0.0.2:2", "10.9.9.9:9"]})).await;
    assert_eq!((killed.status, left().await), (204, 2));
    let scanned = post("clients", json!({"node_id": node, "clean_cache": true})).await;
    assert!(scanned.body["job_id"].is_string(), "{}", scanned.body);
    let all = post("clients/kill-all", json!({"kill_all_nodes": true})).await;
    assert_eq!((all.status, left().await), (200, 0));
    connect(&world, &id, &["10.0.0.1:1"]);
    post("clients/kill-all", json!({"node_id": node})).await;
    assert_eq!(left().await, 0);
    for (path, body) in [
        ("clients/kill", json!({"node_id": "x", "client_addrs": ["10.0.0.1:1"]})),
        ("clients/kill", json!({"node_id": node, "client_addrs": ["everybody"]})),
        ("clients/kill", json!({"node_id": node, "client_addrs": []})),
        ("clients/kill", json!({"client_addrs": ["10.0.0.1:1"]})),
        ("clients/kill-all", json!({"kill_all_nodes": false})),
        ("clients/kill-all", json!({"node_id": "x"})),
        ("clients", json!({"node_id": "x"})),
        ("clients", json!({})),
    ] {
        assert_eq!(
            post(path, body.clone()).await.error_of_v2(),
            (400, "DCS.4062".to_owned()),
            "{path} {body}"
        );
    }
}

#[tokio::test]
async fn what_does_not_run_has_no_connections() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = world.create(json!({})).await;
    let not_running = (400, "DCS.4049".to_owned());
    assert_eq!(clients(&world, &id, "?node_id=x").await.error_of_v2(), not_running);
    let body = json!({"node_id": "x", "client_addrs": ["10.0.0.1:1"]});
    for (path, code) in
        [("clients", "DCS.4118"), ("clients/kill", "DCS.4049"), ("clients/kill-all", "DCS.4049")]
    {
        let answered = world.call(&format!("POST /v2/{{p}}/instances/{id}/{path}"), &body).await;
        assert_eq!(answered.error_of_v2().1, code, "{path}");
    }
    let line = format!("POST /v2/{{p}}/instances/{id}/clients/kill-all");
    let all = world.call(&line, &json!({"kill_all_nodes": true})).await;
    assert_eq!(all.error_of_v2(), (400, "DCS.4118".to_owned()));
    let line = format!("GET /v2/{{p}}/instances/{id}/slowlog?start_time=0&end_time=1");
    assert_eq!(world.call(&line, &Value::Null).await.error_of_v2(), not_running);
}

#[tokio::test]
async fn memcached_tells_none_of_it() {
    let world = World::new().await;
    let order = json!({
        "engine": "Memcached", "engine_version": "-", "product_id": "-", "spec_code": "dcs.memcached.single_node",
        "no_password_access": true, "password": "-",
    });
    let id = world.create(order).await;
    let body = json!({"node_id": "x", "client_addrs": ["10.0.0.1:1"], "kill_all_nodes": true});
    for (line, body) in [
        ("GET /v2/{p}/instances/{id}/clients?node_id=x", Value::Null),
        ("POST /v2/{p}/instances/{id}/clients", body.clone()),
        ("POST /v2/{p}/instances/{id}/clients/kill", body.clone()),
        ("POST /v2/{p}/instances/{id}/clients/kill-all", body),
        ("GET /v2/{p}/instances/{id}/slowlog?start_time=0&end_time=1", Value::Null),
        ("GET /v2/{p}/instance/{id}/whitelist", Value::Null),
        ("PUT /v2/{p}/instance/{id}/whitelist", list_of(&[])),
        ("PUT /v2/{p}/instance/{id}/whitelist-async", list_of(&[])),
    ] {
        let answered = world.call(&line.replace("{id}", &id), &body).await;
        assert_eq!(answered.error_of_v2(), (400, "DCS.4027".to_owned()), "{line}");
    }
}

fn slow(number: i64, after_s: u64, took_us: u64, role: Role) -> SlowCommand {
    let peer = "10.0.0.1:4040".parse().unwrap();
    let command = format!("keys {number}*");
    SlowCommand { server: FIRST, role, number, at_ms: NOW_MS + after_s * 1_000, took_us, command, peer }
}

#[tokio::test]
async fn slow_commands_are_sorted_and_chosen_by_time() {
    let world = World::new().await;
    let (id, _) = single(&world).await;
    world.nodes.be_slow(slow(0, 0, 12_500, Role::Master));
    world.nodes.be_slow(slow(1, 60, 11_000, Role::Master));
    world.nodes.be_slow(slow(2, 120, 30_000, Role::Standby { is_in_step: true }));
    let list = async |query: &str| {
        let times = format!("start_time={NOW_MS}&end_time={}", NOW_MS + 120_000);
        world.call(&format!("GET /v2/{{p}}/instances/{id}/slowlog?{times}{query}"), &Value::Null).await
    };
    let ids = |answered: &Answered| -> Vec<i64> {
        assert_eq!(answered.status, 200, "{}", answered.body);
        answered.body["slowlogs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|slow| slow["id"].as_i64().unwrap())
            .collect()
    };
    let whole = list("").await;
    assert_eq!((ids(&whole), &whole.body["total_num"]), (vec![2, 1, 0], &json!(3)));
    assert_eq!(
        whole.body["slowlogs"][2],
        json!({
            "id": 0, "command": "keys 0*", "start_time": "2026-11-22T06:14:52Z", "duration": "12.5",
            "shard_name": null, "database_id": null, "username": null,
            "node_role": "master", "client_ip": "10.0.0.1",
        })
    );
    assert_eq!(ids(&list("&sort_dir=asc").await), [0, 1, 2]);
    assert_eq!(ids(&list("&sort_key=duration").await), [2, 0, 1]);
    assert_eq!(ids(&list("&role=master").await), [1, 0]);
    let page = list("&limit=1&offset=1").await;
    assert_eq!((ids(&page), &page.body["total_num"]), (vec![1], &json!(3)));
    let path = format!("GET /v2/{{p}}/instances/{id}/slowlog");
    let early = world
        .call(&format!("{path}?start_time={}&end_time={}", NOW_MS + 500, NOW_MS + 60_000), &Value::Null)
        .await;
    assert_eq!(ids(&early), [1, 0], "nodes tell whole seconds");
    for (query, code) in [
        ("", "DCS.4062"),
        ("?start_time=x&end_time=1", "DCS.4062"),
        ("?start_time=0&end_time=1&sort_key=id", "DCS.4062"),
        ("?start_time=0&end_time=1&limit=0", "DCS.4800"),
    ] {
        let answered = world.call(&format!("{path}{query}"), &Value::Null).await;
        assert_eq!(answered.error_of_v2(), (400, code.to_owned()), "{query}");
    }
    let nobodys = format!("GET /v2/{{p}}/instances/{NOBODYS}/slowlog?start_time=0&end_time=1");
    assert_eq!(world.call(&nobodys, &Value::Null).await.error_of_v2(), (404, "DCS.4022".to_owned()));
}

async fn put(world: &World, id: &str, body: &Value) -> Answered {
    world.call(&format!("PUT /v2/{{p}}/instance/{id}/whitelist"), body).await
}

fn list_of(addresses: &[&str]) -> Value {
    json!({"enable_whitelist": true, "whitelist": [{"group_name": "office", "ip_list": addresses}]})
}

#[tokio::test]
async fn a_whitelist_holds_at_once_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = || Store::open(directory.path()).unwrap();
    let world = World::with(Setup { store: store(), ..Setup::default() }).await;
    let (id, node) = single(&world).await;
    let show = format!("GET /v2/{{p}}/instance/{id}/whitelist");
    let empty = json!({"instance_id": id, "enable_whitelist": false, "whitelist": []});
    assert_eq!(world.call(&show, &Value::Null).await.body, empty);
    connect(&world, &id, &["10.0.0.1:1", "192.168.1.9:9"]);
    assert_eq!(put(&world, &id, &list_of(&["10.0.0.0/8,172.16.0.1"])).await.status, 204);
    let shown = json!({
        "instance_id": id, "enable_whitelist": true,
        "whitelist": [{"group_name": "office", "ip_list": ["10.0.0.0/8", "172.16.0.1"]}],
    });
    assert_eq!(world.call(&show, &Value::Null).await.body, shown);
    assert_eq!(addresses(&clients(&world, &id, &format!("?node_id={node}")).await), ["10.0.0.1:1"]);
    world.cloud.close();
    drop(world);
    let world = World::with(Setup { store: store(), ..Setup::default() }).await;
    assert_eq!(world.call(&show, &Value::Null).await.body, shown);
    assert!(world.nodes.whitelist(&id).unwrap().is_enabled, "the node is started with it");
    let off = json!({"enable_whitelist": false, "whitelist": []});
    let line = format!("PUT /v2/{{p}}/instance/{id}/whitelist-async");
    let begun = world.call(&line, &off).await;
    let job = world
        .call(&format!("GET /v2/{{p}}/jobs/{}", begun.body["job_id"].as_str().unwrap()), &Value::Null)
        .await;
    assert_eq!(job.body["status"], "SUCCESS");
    assert_eq!(world.call(&show, &Value::Null).await.body, empty);
    world.cloud.close();
    assert_eq!(put(&world, &id, &list_of(&["10.0.0.1"])).await.error_of_v2(), (500, "DCS.5017".to_owned()));
    assert!(!world.nodes.whitelist(&id).unwrap().is_enabled, "what is not recorded does not hold");
}

#[tokio::test]
async fn a_whitelist_that_breaks_a_rule_is_refused() {
    let world = World::new().await;
    let (id, _) = single(&world).await;
    let group = |name: &str, addresses: Value| json!({"group_name": name, "ip_list": addresses});
    let many: Vec<_> = (1..=21).map(|last| format!("10.0.0.{last}")).collect();
    for groups in [
        json!([group("office", json!(["0.0.0.0"]))]),
        json!([group("office", json!(["0.0.0.0/0"]))]),
        json!([group("office", json!(["10.0.0.256"]))]),
        json!([group("office", json!(["10.0.0.1", "10.0.0.1"]))]),
        json!([group("office", json!(many))]),
        json!([group("off", json!(["10.0.0.1"]))]),
        json!([group("1office", json!(["10.0.0.1"]))]),
        json!([group("office", json!(["10.0.0.1"])), group("office", json!(["10.0.0.2"]))]),
        json!(["aaaa", "bbbb", "cccc", "dddd", "eeee"].map(|name| group(name, json!([])))),
        json!("everybody"),
        json!(null),
    ] {
        let body = json!({"enable_whitelist": true, "whitelist": groups});
        assert_eq!(put(&world, &id, &body).await.error_of_v2(), (400, "DCS.4062".to_owned()), "{body}");
        let line = format!("PUT /v2/{{p}}/instance/{id}/whitelist-async");
        assert_eq!(world.call(&line, &body).await.error_of_v2(), (400, "DCS.4062".to_owned()), "{body}");
    }
    let body = json!({"whitelist": []});
    assert_eq!(put(&world, &id, &body).await.error_of_v2(), (400, "DCS.4062".to_owned()));
    assert_eq!(put(&world, NOBODYS, &list_of(&[])).await.error_of_v2(), (404, "DCS.4022".to_owned()));
    let early = world.create(json!({"name": "dcs-early"})).await;
    assert_eq!(put(&world, &early, &list_of(&[])).await.error_of_v2(), (400, "DCS.4027".to_owned()));
    for (id, code) in [(&*early, "DCS.4027"), (NOBODYS, "DCS.4022")] {
        let answered = world.call(&format!("GET /v2/{{p}}/instance/{id}/whitelist"), &Value::Null).await;
        assert_eq!(answered.error_of_v2().1, code);
    }
}
