//! Creating instances: what is accepted, what becomes of it, and every documented reason to refuse.

use crate::world::{PROJECT, Setup, World, ZONES, order, order_with};
use cloud::data_plane::Port;
use cloud::engine::{Engine, Release};
use cloud::instance::Access;
use cloud::quota::Quota;
use cloud::topology::Topology;
use serde_json::{Value, json};

#[tokio::test]
async fn the_answer_names_the_instance_twice_and_the_instance_runs() {
    let world = World::new().await;
    let answered = world.call("POST /v1.0/{p}/instances", &order()).await;
    let id = answered.body["instance_id"].as_str().unwrap();
    assert_eq!(answered.status, 200);
    assert_eq!(
        answered.body,
        json!({"instances": [{"instance_id": id, "instance_name": "dcs-a11e"}], "instance_id": id})
    );
    assert_eq!(world.show(id).await["status"], "RUNNING");
    let [node] = &world.nodes.nodes()[..] else { panic!("one instance has one node") };
    assert_eq!((node.release, node.topology), (Some(Release::V3_0), Topology::Single));
    assert_eq!((node.memory_limit_bytes, node.databases), (3 << 29, 256));
    assert_eq!(node.port, Port::FirstFreeFrom(6379));
    let Access::Password(password) = &node.access else { panic!("the instance has a password") };
    assert!(password.is("First_Pw1"));
}

/// The backup policy of the examples: every day at midnight.
fn daily() -> Value {
    json!({
        "save_days": 1,
        "backup_type": "auto",
        "periodical_backup_plan": {
            "begin_at": "00:00-01:00",
            "period_type": "weekly",
            "backup_at": [1, 2, 3, 4, 5, 6, 7],
        },
    })
}

/// The example of section 4.1 with Memcached, its placeholders filled in.
#[tokio::test]
async fn the_documented_example_with_memcached_is_accepted() {
    let world = World::new().await;
    let policy = daily();
    let id = world
        .create(json!({
            "name": "dcs-a11b",
            "description": "Create a instance",
            "engine": "Memcached",
            "engine_version": "",
            "password": "First_Pw1",
            "product_id": "dcs.memcached.master_standby-h",
            "instance_backup_policy": policy,
            "maintain_begin": "22:00:00",
            "maintain_end": "02:00:00",
            "no_password_access": "false",
            "access_user": "",
            "timezone_offset": "",
        }))
        .await;
    let shown = world.show(&id).await;
    let expected = json!({
        "engine": "Memcached", "engine_version": null, "cache_mode": "ha", "max_memory": 2048, "access_user": null,
        "no_password_access": "false", "resource_spec_code": "dcs.memcached.master_standby",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    let [node] = &world.nodes.nodes()[..] else { panic!("one instance has one node") };
    assert_eq!(
        (node.engine, node.release, node.topology),
        (Engine::Memcached, None, Topology::MasterStandby)
    );
}

/// Whoever needs no password gives no name either.
#[tokio::test]
async fn a_user_of_memcached_has_a_password() {
    let world = World::new().await;
    let order = |access: Value| {
        let mut order = json!({
            "engine": "Memcached", "engine_version": "", "product_id": "dcs.memcached.single_node-h",
            "access_user": "somebody",
        });
        order.as_object_mut().unwrap().extend(access.as_object().unwrap().clone());
        order
    };
    for (access, user) in [
        (json!({"name": "dcs-one", "password": "First_Pw1"}), json!("somebody")),
        (json!({"name": "dcs-two", "password": null, "no_password_access": true}), Value::Null),
    ] {
        let id = world.create(order(access)).await;
        assert_eq!(world.show(&id).await["access_user"], user);
    }
    let users: Vec<_> = world.nodes.nodes().into_iter().filter_map(|node| node.access_user).collect();
    assert_eq!(users, ["somebody"]);
}

/// The first example of section 4.1, its placeholders filled in.
#[tokio::test]
async fn the_first_documented_example_is_accepted() {
    let world = World::new().await;
    let policy = daily();
    let id = world
        .create(json!({
            "description": "Create a instance",
            "spec_code": "dcs.master_standby",
            "product_id": "OTC_DCS_MS",
            "available_zones": ZONES,
            "instance_backup_policy": policy,
            "maintain_begin": "22:00:00",
            "maintain_end": "02:00:00",
        }))
        .await;
    let shown = world.show(&id).await;
    let mut expected = policy;
    expected["periodical_backup_plan"]["timezone_offset"] = Value::Null;
    assert_eq!(shown["instance_backup_policy"], expected);
    assert_eq!((&shown["maintain_begin"], &shown["maintain_end"]), (&json!("22:00:00"), &json!("02:00:00")));
    assert_eq!((&shown["cache_mode"], &shown["product_id"]), (&json!("ha"), &json!("OTC_DCS_MS")));
    assert_eq!(shown["available_zones"], json!(ZONES));
}

/// The second example of section 4.1, as it stands.
#[tokio::test]
async fn the_second_documented_example_is_accepted() {
    let world = World::new().await;
    let body = json!({
        "name": "dcs-demo",
        "engine": "Redis",
        "engine_version": "4.0",
        "capacity": 2,
        "spec_code": "redis.ha.au1.large.*",
        "no_password_access": true,
        "vpc_id": "c5cd009b-9ba9-41f2-9a26-2b8c3f3ffd39",
        "subnet_id": "7e95c4d6-d7af-424c-a3cf-2be10968fe81",
        "product_id": "redis.ha.au1.large.*-h",
        "available_zones": ZONES,
        "security_group_id": "d57fad27-e3e9-43b7-9498-0a698ab63b27",
        "port": "4040",
        "rename_commands": {"keys": "keys001", "flushdb": "flushdb001", "flushall": "flushall001"},
        "tags": [{"key": "dcs001", "value": "002"}, {"key": "dcs003", "value": "004"}],
    });
    let answered = world.call("POST /v1.0/{p}/instances", &body).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    let shown = world.show(answered.body["instance_id"].as_str().unwrap()).await;
    for (name, expected) in [
        ("port", json!(4040)),
        ("no_password_access", json!("true")),
        ("resource_spec_code", json!("redis.ha.au1.large.2")),
        ("cpu_type", json!("aarch_64")),
        ("tags", body["tags"].clone()),
        ("engine_version", json!("4.0")),
        ("max_memory", json!(2048)),
    ] {
        assert_eq!(shown[name], expected, "{name}");
    }
    let [node] = &world.nodes.nodes()[..] else { panic!("one instance has one node") };
    assert_eq!((node.port, &node.access), (Port::Exactly(4040), &Access::Open));
    let renamed: Vec<_> =
        node.renamed_commands.iter().map(|(command, name)| (command.as_str(), name.as_str())).collect();
    assert_eq!(renamed, [("flushall", "flushall001"), ("flushdb", "flushdb001"), ("keys", "keys001")]);
}

#[tokio::test]
async fn every_specification_is_sold_with_its_capacity_and_release() {
    let quota = Quota { instances: 1_000, memory_gb: u32::MAX / 1024 };
    let world = World::with(Setup { quota, ..Setup::default() }).await;
    let products = world.call("GET /v1.0/products", &Value::Null).await.body;
    let mut made = 0;
    for product in products["products"].as_array().unwrap() {
        for flavor in product["flavors"].as_array().unwrap() {
            let capacity: f64 = flavor["capacity"].as_str().unwrap().parse().unwrap();
            let release = product["engine_versions"].as_str().unwrap().rsplit(',').next().unwrap();
            made += 1;
            let id = world
                .create(json!({
                    "name": format!("dcs-{made}"),
                    "engine": product["engine"],
                    "engine_version": release,
                    "capacity": capacity,
                    "product_id": product["product_id"],
                    "spec_code": if made % 2 == 0 { product["spec_code"].clone() } else { Value::Null },
                }))
                .await;
            let shown = world.show(&id).await;
            assert_eq!(shown["resource_spec_code"], product["spec_code"]);
            assert_eq!(shown["cache_mode"], product["cache_mode"]);
            let minor = shown["capacity_minor"].as_str().map(|minor| minor.parse().unwrap());
            assert_eq!(minor.unwrap_or_else(|| shown["capacity"].as_f64().unwrap()), capacity);
        }
    }
    assert_eq!(made, 184);
    // 0.125 GB is 0 and "0.125", as clients parse it.
    let tiny = world.call("GET /v1.0/{p}/instances?name=dcs-18&isExactMatchName=true", &Value::Null).await;
    let tiny = &tiny.body["instances"][0];
    assert_eq!((&tiny["capacity"], &tiny["capacity_minor"]), (&json!(0), &json!("0.125")));
}

/// What `openstack dcs instance create` sends unless it is told otherwise.
#[tokio::test]
async fn release_3_0_may_be_named_by_its_version() {
    let world = World::new().await;
    let id = world.create(json!({"engine_version": "3.0.7"})).await;
    assert_eq!(world.show(&id).await["engine_version"], "3.0");
}

#[tokio::test]
async fn what_may_be_left_out_may_be_null_or_blank() {
    let world = World::new().await;
    for (number, blank) in [json!("-"), json!(null), json!("")].into_iter().enumerate() {
        let id = world
            .create(json!({
                "name": format!("dcs-{number}"),
                "engine_version": "5.0",
                "spec_code": "redis.single.xu1.large.2",
                "product_id": blank.clone(),
                "security_group_id": blank,
                "description": blank,
                "maintain_begin": blank,
                "maintain_end": blank,
                "port": blank,
                "access_user": blank,
                "no_password_access": blank,
            }))
            .await;
        let shown = world.show(&id).await;
        assert_eq!(shown["maintain_begin"], "02:00:00");
        assert_eq!((&shown["description"], &shown["security_group_id"]), (&Value::Null, &Value::Null));
        assert_eq!(shown["no_password_access"], "false");
    }
}

#[tokio::test]
async fn a_policy_for_a_single_node_is_checked_and_dropped() {
    let world = World::new().await;
    let plan = json!({"begin_at": "00:00-01:00", "period_type": "weekly", "backup_at": ["1", "7"]});
    let policy = json!({"save_days": 1, "backup_type": "manual", "periodical_backup_plan": plan});
    let id = world.create(json!({"instance_backup_policy": policy})).await;
    assert_eq!(world.show(&id).await["instance_backup_policy"], Value::Null);
}

#[tokio::test]
async fn what_is_sent_twice_counts_once() {
    let world = World::new().await;
    let plan = json!({"begin_at": "23:00-24:00", "period_type": "weekly", "backup_at": [7, 1, "7", 1]});
    let id = world
        .create(json!({
            "product_id": "OTC_DCS_MS",
            "available_zones": [ZONES[1], ZONES[0], ZONES[1]],
            "instance_backup_policy": {"save_days": 1, "periodical_backup_plan": plan},
            "tags": [{"key": "k", "value": ""}],
        }))
        .await;
    let shown = world.show(&id).await;
    let days = &shown["instance_backup_policy"]["periodical_backup_plan"]["backup_at"];
    assert_eq!((days, &shown["available_zones"]), (&json!([7, 1]), &json!([ZONES[1], ZONES[0]])));
    assert_eq!(shown["tags"], json!([{"key": "k", "value": ""}]));
    // A single node lies in one zone, however often it is named.
    world.create(json!({"name": "dcs-single", "available_zones": [ZONES[0], ZONES[0]]})).await;
}

#[tokio::test]
async fn every_documented_reason_to_refuse() {
    let world = World::new().await;
    let long = "x".repeat(1025);
    let plan = |name: &str, value: Value| {
        let mut plan = json!({"begin_at": "00:00-01:00", "period_type": "weekly", "backup_at": [1]});
        plan[name] = value;
        json!({"instance_backup_policy": {"save_days": 1, "periodical_backup_plan": plan}})
    };
    let policy = |name: &str, value: Value| {
        let mut policy = plan("begin_at", json!("00:00-01:00"));
        policy["instance_backup_policy"][name] = value;
        policy
    };
    let release_5 = |name: &str, value: Value| {
        let mut changes = json!({"engine_version": "5.0", "product_id": "redis.single.xu1.large.2-h"});
        changes[name] = value;
        changes
    };
    let cases = [
        ("DCS.4007", json!({"engine": "-"})),
        ("DCS.4007", json!({"engine": 1})),
        ("DCS.4007", json!({"engine": "MySQL"})),
        ("DCS.4022", json!({"engine": "Memcached", "engine_version": ""})),
        ("DCS.4008", json!({"engine": "Memcached", "product_id": "dcs.memcached.single_node-h"})),
        ("DCS.4008", json!({"engine_version": "-"})),
        ("DCS.4008", json!({"engine_version": 3.0})),
        ("DCS.4008", json!({"engine_version": "2.8"})),
        ("DCS.4008", json!({"engine_version": "6.2"})),
        // A specification of another release.
        ("DCS.4008", json!({"engine_version": "5.0"})),
        ("DCS.4008", json!({"product_id": "redis.single.xu1.large.2-h"})),
        ("DCS.4009", json!({"product_id": "-"})),
        ("DCS.4009", json!({"product_id": "OTC_DCS_NONE"})),
        ("DCS.4009", json!({"product_id": 7})),
        ("DCS.4009", json!({"spec_code": "dcs.single_node", "product_id": "OTC_DCS_MS"})),
        ("DCS.4010", json!({"name": "-"})),
        ("DCS.4010", json!({"name": null})),
        ("DCS.4010", json!({"name": ""})),
        ("DCS.4010", json!({"name": "abc"})),
        ("DCS.4010", json!({"name": "x".repeat(65)})),
        ("DCS.4010", json!({"name": "1abc"})),
        ("DCS.4010", json!({"name": "ab cd"})),
        ("DCS.4010", json!({"name": "abcé"})),
        ("DCS.4010", json!({"name": ["abcd"]})),
        ("DCS.4011", json!({"description": long})),
        ("DCS.4011", json!({"description": 5})),
        ("DCS.4012", json!({"capacity": "-"})),
        ("DCS.4012", json!({"capacity": "2"})),
        ("DCS.4012", json!({"capacity": 0})),
        ("DCS.4012", json!({"capacity": -2})),
        ("DCS.4012", json!({"capacity": 3})),
        ("DCS.4012", json!({"capacity": 2.5})),
        ("DCS.4012", json!({"capacity": 1e300})),
        ("DCS.4012", json!({"product_id": "OTC_DCS_CL", "capacity": 2})),
        ("DCS.4013", json!({"vpc_id": "-"})),
        ("DCS.4013", json!({"vpc_id": ""})),
        ("DCS.4013", json!({"vpc_id": 1})),
        ("DCS.4013", json!({"vpc_id": "a b"})),
        ("DCS.4014", json!({"security_group_id": "-"})),
        ("DCS.4014", json!({"security_group_id": {}})),
        ("DCS.4016", json!({"subnet_id": "-"})),
        ("DCS.4016", json!({"subnet_id": []})),
        ("DCS.4019", json!({"password": "short1A"})),
        ("DCS.4019", json!({"password": "alllowercase"})),
        ("DCS.4019", json!({"password": format!("aA1{}", "x".repeat(30))})),
        ("DCS.4019", json!({"password": "aA1_ space"})),
        ("DCS.4042", json!({"available_zones": ["nowhere"]})),
        ("DCS.4067", json!({"available_zones": "-"})),
        ("DCS.4067", json!({"available_zones": []})),
        ("DCS.4067", json!({"available_zones": ZONES[0]})),
        ("DCS.4067", json!({"available_zones": [1]})),
        ("DCS.4067", json!({"available_zones": ZONES})),
        ("DCS.4062", json!({"spec_code": "redis.none"})),
        ("DCS.4062", json!({"spec_code": 1})),
        ("DCS.4062", json!({"tags": "x"})),
        ("DCS.4062", json!({"tags": [{"value": "x"}]})),
        ("DCS.4062", json!({"tags": [{"key": "k".repeat(37), "value": ""}]})),
        ("DCS.4062", json!({"tags": [{"key": "k", "value": "v".repeat(44)}]})),
        ("DCS.4062", json!({"tags": [{"key": "k"}]})),
        ("DCS.4062", json!({"tags": [{"key": "k", "value": null}]})),
        ("DCS.4062", json!({"tags": [{"key": "k", "value": "a"}, {"key": "k", "value": "b"}]})),
        // Release 3.0 takes neither a port nor other names for commands.
        ("DCS.4062", json!({"port": 6380})),
        ("DCS.4062", json!({"rename_commands": {"keys": "k"}})),
        ("DCS.4062", release_5("port", json!(0))),
        ("DCS.4062", release_5("port", json!(65_536))),
        ("DCS.4062", release_5("port", json!("x"))),
        ("DCS.4062", release_5("rename_commands", json!("x"))),
        ("DCS.4062", release_5("rename_commands", json!({"get": "g"}))),
        ("DCS.4062", release_5("rename_commands", json!({"keys": ""}))),
        ("DCS.4062", release_5("rename_commands", json!({"keys": "a b"}))),
        ("DCS.4062", release_5("rename_commands", json!({"keys": "same", "flushdb": "SAME"}))),
        ("DCS.4062", release_5("rename_commands", json!({"keys": "a", "KEYS": "b"}))),
        // The names of commands.
        ("DCS.4062", release_5("rename_commands", json!({"keys": "get"}))),
        ("DCS.4062", release_5("rename_commands", json!({"keys": "FlushDB"}))),
        ("DCS.4062", release_5("rename_commands", json!({"keys": "flushdb", "flushdb": "keys"}))),
        ("DCS.4062", release_5("rename_commands", json!({"keys": "keys001", "hgetall": "keys"}))),
        ("DCS.4062", json!({"instance_backup_policy": "auto"})),
        ("DCS.4062", json!({"instance_backup_policy": {"save_days": 1}})),
        ("DCS.4062", plan("timezone_offset", json!("Berlin"))),
        ("DCS.4062", plan("timezone_offset", json!("GMT+12:59"))),
        ("DCS.4072", policy("save_days", json!(0))),
        ("DCS.4072", policy("save_days", json!(8))),
        ("DCS.4072", policy("save_days", json!(null))),
        ("DCS.4073", policy("backup_type", json!("never"))),
        ("DCS.4074", plan("period_type", json!("daily"))),
        ("DCS.4075", plan("backup_at", json!([]))),
        ("DCS.4075", plan("backup_at", json!([8]))),
        ("DCS.4075", plan("backup_at", json!(null))),
        ("DCS.4076", plan("begin_at", json!("midnight"))),
        ("DCS.4076", plan("begin_at", json!("01:00-00:00"))),
        ("DCS.4076", plan("begin_at", json!("00:00-05:00"))),
        ("DCS.4106", json!({"maintain_begin": "22:00:00"})),
        ("DCS.4106", json!({"maintain_end": "02:00:00"})),
        ("DCS.4106", json!({"maintain_begin": "22:00:00", "maintain_end": "06:00:00"})),
        ("DCS.4106", json!({"maintain_begin": "21:00:00", "maintain_end": "01:00:00"})),
        ("DCS.4106", json!({"maintain_begin": 22, "maintain_end": 2})),
        ("DCS.4843", json!({"no_password_access": "maybe"})),
        ("DCS.4843", json!({"no_password_access": 1})),
        ("DCS.4844", json!({"access_user": "1user"})),
        ("DCS.4844", json!({"access_user": 1})),
        ("DCS.4845", json!({"password": "-"})),
        ("DCS.4845", json!({"password": ""})),
        ("DCS.4845", json!({"password": 12_345_678})),
        ("DCS.4845", json!({"password": "-", "no_password_access": "false"})),
    ];
    for (code, changes) in cases {
        let answered = world.call("POST /v1.0/{p}/instances", &order_with(changes.clone())).await;
        assert_eq!(answered.error(), (400, code.to_owned()), "{changes}");
    }
    assert!(world.cloud.instances(PROJECT).is_empty());
    assert!(world.nodes.nodes().is_empty());
}

/// Values of every kind in every field: each is accepted or refused, and none is too much for the server.
#[tokio::test]
async fn no_value_of_any_field_is_an_error_of_the_server() {
    let world = World::new().await;
    let policy = json!({"save_days": 1, "periodical_backup_plan": {
        "begin_at": "00:00-01:00", "period_type": "weekly", "backup_at": [1], "timezone_offset": "+0800",
    }});
    let full = order_with(json!({
        "engine_version": "5.0", "product_id": "redis.ha.xu1.large.r2.2-h",
        "spec_code": "redis.ha.xu1.large.r2.2", "description": "x", "access_user": "x",
        "no_password_access": false, "instance_backup_policy": policy, "maintain_begin": "02:00:00",
        "maintain_end": "06:00:00", "tags": [{"key": "k", "value": "v"}], "port": 7000,
        "rename_commands": {"keys": "k"},
    }));
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(7.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("é\u{10ffff}"),
        json!("x".repeat(70_000)),
        json!([]),
        json!([[]]),
        json!([null]),
        json!({}),
        json!({"a": {"b": [1]}}),
        json!("*"),
        json!("-h"),
        json!("redis.ha.xu1.large.*"),
    ];
    let mut paths: Vec<String> = full.as_object().unwrap().keys().map(|name| format!("/{name}")).collect();
    paths.extend(
        ["save_days", "backup_type", "periodical_backup_plan"]
            .map(|name| format!("/instance_backup_policy/{name}")),
    );
    let plan = ["begin_at", "period_type", "backup_at", "backup_at/0", "timezone_offset"];
    paths.extend(plan.map(|name| format!("/instance_backup_policy/periodical_backup_plan/{name}")));
    paths.extend(
        ["/tags/0", "/tags/0/key", "/tags/0/value", "/rename_commands/keys", "/available_zones/0"]
            .map(str::to_owned),
    );
    for path in &paths {
        for value in &values {
            let mut body = full.clone();
            match body.pointer_mut(path) {
                Some(place) => *place = value.clone(),
                None => body["instance_backup_policy"]["backup_type"] = value.clone(),
            }
            let answered = world.call("POST /v1.0/{p}/instances", &body).await;
            match answered.status {
                200 => {
                    let id = answered.body["instance_id"].as_str().unwrap();
                    let line = format!("DELETE /v1.0/{{p}}/instances/{id}");
                    assert_eq!(world.call(&line, &Value::Null).await.status, 204);
                }
                status => assert_eq!(status, 400, "{path} {value}"),
            }
        }
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    let world = World::new().await;
    let token = [("x-auth-token", world.token.as_str())];
    let line = format!("POST /v1.0/{PROJECT}/instances");
    for body in ["", "  \n"] {
        assert_eq!(world.ask(&line, &token, body).await.error(), (400, "DCS.4004".to_owned()));
    }
    for body in ["{", "[]", "1", "null", "\"x\"", "name=x", "{\"name\": \"a\u{0}b\"}", "{} {}"] {
        assert_eq!(world.ask(&line, &token, body).await.error(), (400, "DCS.4005".to_owned()), "{body}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(world.ask(&line, &token, &deep).await.error(), (400, "DCS.4005".to_owned()));
}

#[tokio::test]
async fn the_message_names_the_parameter_in_both_forms() {
    let world = World::new().await;
    let answered = world.call("POST /v1.0/{p}/instances", &order_with(json!({"port": 1}))).await;
    let message = "Invalid port parameter in the request.";
    assert_eq!(
        answered.body,
        json!({
            "error": {"code": "111400062", "message": message},
            "error_code": "DCS.4062",
            "error_msg": message,
            "error_ext_msg": null,
        })
    );
}

#[tokio::test]
async fn a_name_is_given_once() {
    let world = World::new().await;
    world.create(json!({})).await;
    let again = world.call("POST /v1.0/{p}/instances", &order()).await;
    assert_eq!(again.error(), (400, "DCS.4060".to_owned()));
    assert_eq!(again.body["error"]["code"], "111400060");
}

#[tokio::test]
async fn quotas_hold() {
    let full = |quota| async move {
        let world = World::with(Setup { quota, ..Setup::default() }).await;
        world.create(json!({"name": "dcs-1"})).await;
        world.call("POST /v1.0/{p}/instances", &order_with(json!({"name": "dcs-2"}))).await.error()
    };
    assert_eq!(full(Quota { instances: 1, memory_gb: 100 }).await, (400, "DCS.4035".to_owned()));
    assert_eq!(full(Quota { instances: 9, memory_gb: 3 }).await, (400, "DCS.4036".to_owned()));
}

#[tokio::test]
async fn a_failed_creation_leaves_a_record_with_its_reason() {
    let world = World::new().await;
    world.nodes.take_port(7000);
    let release_5 = json!({
        "engine_version": "5.0", "product_id": "redis.single.xu1.large.2-h", "port": 7000,
    });
    let id = world.create(release_5).await;
    let shown = world.show(&id).await;
    assert_eq!((&shown["status"], &shown["error_code"]), (&json!("CREATEFAILED"), &json!("dcs.04.0002")));
    assert_eq!((&shown["port"], &shown["launched_at"]), (&Value::Null, &Value::Null));
    world.nodes.be_silent(true);
    let id = world.create(json!({})).await;
    assert_eq!(world.show(&id).await["error_code"], "dcs.04.0003");
    assert!(world.nodes.nodes().is_empty());
}
