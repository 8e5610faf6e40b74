//! Instances over v2: created as the documents' examples have it, shown, listed, changed and deleted.

use crate::world::{Answered, Setup, World, ZONES};
use cloud::quota::Quota;
use serde_json::{Value, json};

/// A request that nothing is wrong with, with these fields changed, and those that are `"-"` left out.
fn order(changes: Value) -> Value {
    let mut order = json!({
        "name": "dcs-v2",
        "engine": "Redis",
        "engine_version": "5.0",
        "capacity": 1,
        "spec_code": "redis.ha.xu1.large.r2.1",
        "az_codes": ["my-kualalumpur-1a", "my-kualalumpur-1b"],
        "vpc_id": "27d99e17-42f2-4751-818f-5c8c6c03ff15",
        "subnet_id": "ec2f34b9-20eb-4872-85bd-bea9fc943128",
        "password": "First_Pw1",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value.as_str() {
            Some("-") => _ = order.as_object_mut().unwrap().remove(name),
            _ => order[name] = value.clone(),
        }
    }
    order
}

async fn create(world: &World, order: &Value) -> Answered {
    world.call("POST /v2/{p}/instances", order).await
}

async fn created(world: &World, changes: Value) -> String {
    let answered = create(world, &order(changes)).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body["instances"][0]["instance_id"].as_str().unwrap().to_owned()
}

async fn show(world: &World, id: &str) -> Value {
    let answered = world.call(&format!("GET /v2/{{p}}/instances/{id}"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body
}

/// The first example of the page, with zones of this region and a password.
fn first_example() -> Value {
    json!({
        "name": "dcs-APITest",
        "description": "Test",
        "engine": "Redis",
        "engine_version": 3.0,
        "enterprise_project_id": 0,
        "enterprise_project_name": "default",
        "vpc_id": "0402ea19-5457-4032-9d1b-eb48b98f6c66",
        "security_group_id": "4b95a790-5cfc-463d-8de5-42199e55371c",
        "enable_ssl": false,
        "private_ip": "",
        "az_codes": ["my-kualalumpur-1a"],
        "capacity": 2,
        "access_user": "",
        "instance_num": 1,
        "maintain_begin": "02:00:00",
        "maintain_end\"": "06:00:00",
        "password": "First_Pw1",
        "enable_publicip": false,
        "spec_code": "dcs.single_node",
        "subnet_id": "a3bd29e4-d5bc-414c-a79a-1f35ee4ead88",
        "no_password_access": false,
    })
}

fn policy() -> Value {
    json!({
        "save_days": 1,
        "backup_type": "auto",
        "periodical_backup_plan": {
            "begin_at": "16:00-17:00",
            "period_type": "weekly",
            "backup_at": [1, 2, 3, 4, 5, 6, 7],
            "timezone_offset": "+0800",
        },
    })
}

/// [`first_example`] with these fields changed.
fn example(changes: Value) -> Value {
    let mut example = first_example();
    for (name, value) in changes.as_object().unwrap() {
        example[name] = value.clone();
    }
    example
}

#[tokio::test]
async fn the_examples_of_the_page_are_taken_as_they_stand() {
    let world = World::new().await;
    let prepaid = json!({
        "charging_mode": "prePaid",
        "is_auto_pay": true,
        "period_type": "month",
        "period_num": 1,
        "is_auto_renew": false,
    });
    let examples = [
        first_example(),
        example(json!({
            "name": "dcs-demo",
            "port": 4040,
            "engine_version": 4.0,
            "spec_code": "redis.ha.au1.large.2",
            "az_codes": ["my-kualalumpur-1a", "my-kualalumpur-1b"],
            "no_password_access": true,
            "rename_commands": {"keys": "keys001", "flushdb": "flushdb001", "flushall": "flushall001"},
            "tags": [{"key": "dcs001", "value": 2}, {"key": "dcs003", "value": 4}],
        })),
        example(json!({
            "name": "dcs-APITest1",
            "publicip_id": "",
            "spec_code": "dcs.master_standy",
            "instance_backup_policy": policy(),
            "bss_param": prepaid,
        })),
        example(json!({
            "name": "dcs-APITest2",
            "capacity": 64,
            "password": "",
            "spec_code": "dcs.cluster",
            "no_password_access": true,
            "instance_backup_policy": policy(),
            "bss_param": prepaid,
        })),
        example(json!({
            "name": "dcs-APITest3",
            "engine": "Memcached",
            "maintain_end\"": "06:00",
            "spec_code": "dcs.memcached.single_node",
            "instance_backup_policy": policy(),
        })),
    ];
    let mut ids = Vec::new();
    for order in &examples {
        let answered = create(&world, order).await;
        assert_eq!(answered.status, 200, "{order}: {}", answered.body);
        let is_ordered = order.get("bss_param").is_some();
        let order_id = answered.body.get("order_id").map(|id| id.as_str().unwrap());
        assert_eq!(order_id.is_some(), is_ordered);
        assert!(order_id.is_none_or(|id| id.starts_with("CS2611220614") && id.len() == 17), "{order_id:?}");
        let [made] = answered.body["instances"].as_array().unwrap().as_slice() else { panic!() };
        assert_eq!(made["instance_name"], order["name"]);
        let id = made["instance_id"].as_str().unwrap();
        let shown = show(&world, id).await;
        assert_eq!(shown["order_id"].as_str(), order_id);
        assert_eq!(shown["charging_mode"], u8::from(is_ordered));
        for field in ["name", "description", "vpc_id", "subnet_id", "security_group_id", "engine", "capacity"]
        {
            assert_eq!(shown[field], order[field], "{field}");
        }
        assert_eq!(
            (&shown["maintain_begin"], &shown["maintain_end"]),
            (&json!("02:00:00"), &json!("06:00:00"))
        );
        assert_eq!(shown["az_codes"], order["az_codes"]);
        assert_eq!(shown["spec_code"], order["spec_code"]);
        assert_eq!(shown["status"], "RUNNING");
        ids.push((id.to_owned(), shown));
    }
    let demo = &ids[1].1;
    assert_eq!((&demo["port"], &demo["engine_version"]), (&json!(4040), &json!("4.0")));
    assert_eq!(demo["tags"], json!([{"key": "dcs001", "value": "2"}, {"key": "dcs003", "value": "4"}]));
    assert_eq!((&demo["no_password_access"], &demo["cpu_type"]), (&json!("true"), &json!("aarch_64")));
    let kept = &ids[2].1["instance_backup_policy"]["policy"];
    assert_eq!(*kept, policy());
    assert_eq!(ids[4].1["instance_backup_policy"], Value::Null);
}

#[tokio::test]
async fn one_instance_shows_every_field_that_clients_read() {
    let world = World::new().await;
    let id = created(&world, json!({"description": "d", "instance_backup_policy": policy()})).await;
    let shown = show(&world, &id).await;
    let user_id = shown["user_id"].clone();
    let expected = json!({
        "instance_id": id,
        "name": "dcs-v2",
        "description": "d",
        "engine": "Redis",
        "engine_version": "5.0",
        "spec_code": "redis.ha.xu1.large.r2.1",
        "status": "RUNNING",
        "sub_status": null,
        "capacity": 1,
        "capacity_minor": null,
        "max_memory": 1024,
        "used_memory": 33,
        "ip": "127.0.0.1",
        "port": 6379,
        "domain_name": "localhost",
        "readonly_domain_name": null,
        "no_password_access": "false",
        "access_user": null,
        "charging_mode": 0,
        "order_id": null,
        "vpc_id": "27d99e17-42f2-4751-818f-5c8c6c03ff15",
        "vpc_name": "vpc-27d9",
        "subnet_id": "ec2f34b9-20eb-4872-85bd-bea9fc943128",
        "subnet_name": "subnet-ec2f",
        "subnet_cidr": "127.0.0.0/24",
        "security_group_id": null,
        "security_group_name": null,
        "user_id": user_id,
        "user_name": "demo",
        "created_at": "2026-11-22T06:14:52.000Z",
        "update_at": "2026-11-22T06:14:52.000Z",
        "launched_at": "2026-11-22T06:14:52.000Z",
        "maintain_begin": "02:00:00",
        "maintain_end": "06:00:00",
        "enable_ssl": false,
        "enable_publicip": false,
        "publicip_id": null,
        "publicip_address": null,
        "service_upgrade": false,
        "service_task_id": null,
        "enterprise_project_id": "0",
        "enterprise_project_name": "default",
        "cpu_type": "x86_64",
        "az_codes": ["my-kualalumpur-1a", "my-kualalumpur-1b"],
        "available_zones": ZONES,
        "tags": [],
        "backend_addrs": null,
        "product_type": "generic",
        "storage_type": "DRAM",
        "cache_mode": "ha",
        "support_slow_log_flag": "yes",
        "db_number": 256,
        "replica_count": 2,
        "sharding_count": 1,
        "cloud_service_type_code": "hws.service.type.dcs",
        "cloud_resource_type_code": "hws.resource.type.dcs",
        "inquery_spec_code": "redis.ha.xu1.large.r2.1",
        "transparent_client_ip_enable": false,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shown["instance_backup_policy"]["tenant_id"], crate::world::PROJECT);
    assert_eq!(shown["features"]["support_acl"], false);
    assert_eq!(shown["bandwidth_info"]["bandwidth"], shown["bandwidth_info"]["assured_bandwidth"]);
}

#[tokio::test]
async fn several_instances_are_made_or_none() {
    let quota = Quota { instances: 4, memory_gb: 100 };
    let world = World::with(Setup { quota, ..Setup::default() }).await;
    let answered = create(&world, &order(json!({"name": "dcs_demo", "instance_num": 2}))).await;
    let names = |body: &Value| -> Vec<String> {
        let instances = body["instances"].as_array().unwrap().iter();
        instances.map(|made| made["instance_name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&answered.body), ["dcs_demo-000", "dcs_demo-001"]);
    let too_many = create(&world, &order(json!({"name": "dcs-more", "instance_num": 3}))).await;
    assert_eq!(too_many.error_of_v2(), (400, "DCS.4035".to_owned()));
    let too_large = json!({"name": "dcs-more", "instance_num": 2, "capacity": 64,
        "spec_code": "redis.ha.xu1.large.r2.64"});
    assert_eq!(create(&world, &order(too_large)).await.error_of_v2(), (400, "DCS.4036".to_owned()));
    created(&world, json!({"name": "dcs_more-001"})).await;
    let taken = create(&world, &order(json!({"name": "dcs_more", "instance_num": 2}))).await;
    assert_eq!(taken.error_of_v2(), (400, "DCS.4060".to_owned()));
    let listed = world.call("GET /v2/{p}/instances", &Value::Null).await;
    assert_eq!(listed.body["instance_num"], 3, "nothing is left of those that were refused");
}

#[tokio::test]
async fn an_order_that_does_not_fit_is_refused_by_its_code() {
    let world = World::new().await;
    let prepaid = |changes: Value| {
        let mut bss = json!({"charging_mode": "prePaid", "period_type": "month", "period_num": 1});
        for (name, value) in changes.as_object().unwrap() {
            bss[name] = value.clone();
        }
        json!({"bss_param": bss})
    };
    let long = "x".repeat(57);
    for (changes, code) in [
        (json!({"name": "abc"}), "DCS.4010"),
        (json!({"name": long, "instance_num": 2}), "DCS.4010"),
        (json!({"engine": "Mongo"}), "DCS.4007"),
        (json!({"engine_version": 6.0}), "DCS.4008"),
        (json!({"engine_version": 3.0}), "DCS.4008"),
        (json!({"capacity": 3}), "DCS.4012"),
        (json!({"spec_code": "-"}), "DCS.4062"),
        (json!({"spec_code": "none"}), "DCS.4062"),
        (json!({"spec_code": "dcs.memcached.single_node", "capacity": 2}), "DCS.4022"),
        (json!({"az_codes": []}), "DCS.4067"),
        (json!({"az_codes": ["cn-north-4a"]}), "DCS.4042"),
        (json!({"instance_num": 0}), "DCS.4062"),
        (json!({"instance_num": 101}), "DCS.4062"),
        (json!({"instance_num": 2, "port": 7000}), "DCS.4062"),
        (json!({"enable_publicip": true}), "DCS.4062"),
        (json!({"enable_ssl": "true"}), "DCS.4062"),
        (json!({"password": "weakling"}), "DCS.4019"),
        (json!({"password": "-"}), "DCS.4845"),
        (json!({"maintain_begin": "02:00:00", "maintain_end\"": "07:00:00"}), "DCS.4106"),
        (json!({"instance_backup_policy": {"save_days": 1}}), "DCS.4073"),
        (json!({"instance_backup_policy": {"backup_type": "auto", "save_days": 1}}), "DCS.4062"),
        (json!({"bss_param": {}}), "DCS.4062"),
        (json!({"spec_param": {"sharding_count": 2}}), "DCS.4062"),
        (json!({"spec_param": {"replica_count": "x"}}), "DCS.4062"),
        (json!({"spec_param": {"cache_mode": "cluster"}}), "DCS.4062"),
        (prepaid(json!({"period_num": 1.5})), "DCS.4038"),
        (prepaid(json!({"period_num": 10})), "DCS.4038"),
        (prepaid(json!({"period_type": "year", "period_num": 4})), "DCS.4038"),
        (prepaid(json!({"period_type": "week"})), "DCS.4047"),
        (prepaid(json!({"period_type": null})), "DCS.4047"),
        (prepaid(json!({"is_auto_renew": "perhaps"})), "DCS.4021"),
    ] {
        let refused = create(&world, &order(changes.clone())).await;
        assert_eq!(refused.error_of_v2(), (400, code.to_owned()), "{changes}");
    }
    let nothing = world.call("GET /v2/{p}/instances?include_failure=true", &Value::Null).await;
    assert_eq!(nothing.body["instance_num"], 0);
}

#[tokio::test]
async fn lists_are_filtered_and_come_in_pages() {
    let world = World::new().await;
    created(&world, json!({"name": "dcs-b", "instance_num": 12, "tags": [{"key": "k", "value": "v"}]})).await;
    let other = created(&world, json!({"name": "dcs-other"})).await;
    world.nodes.be_silent(true);
    created(&world, json!({"name": "dcs-failed"})).await;
    world.nodes.be_silent(false);
    let listed = |query: &str| {
        let line = format!("GET /v2/{{p}}/instances{query}");
        let world = &world;
        async move {
            let answered = world.call(&line, &Value::Null).await;
            assert_eq!(answered.status, 200, "{}", answered.body);
            let page = answered.body["instances"].as_array().unwrap().len();
            (answered.body["instance_num"].as_u64().unwrap(), page)
        }
    };
    for (query, expected) in [
        ("", (13, 10)),
        ("?offset=10", (13, 3)),
        ("?offset=0&limit=1000", (13, 13)),
        ("?offset=99", (13, 0)),
        ("?include_failure=true&limit=20", (14, 14)),
        ("?status=CREATEFAILED", (1, 1)),
        ("?status=RUNNING&name=other", (1, 1)),
        ("?name=dcs&name_equal=true", (0, 0)),
        ("?name=dcs-other&name_equal=true", (1, 1)),
        ("?tags=k%3Dv&limit=2", (12, 2)),
        ("?tags=k%3Dother", (0, 0)),
        ("?ip=192.0.2.1", (0, 0)),
        ("?ip=127.0.0.1&include_delete=true", (13, 10)),
        (&format!("?instance_id={other}"), (1, 1)),
    ] {
        assert_eq!(listed(query).await, expected, "{query}");
    }
    for (query, code) in [
        ("?limit=0", "DCS.4800"),
        ("?limit=1001", "DCS.4800"),
        ("?offset=-1", "DCS.4800"),
        ("?status=NONE", "DCS.4062"),
    ] {
        let refused = world.call(&format!("GET /v2/{{p}}/instances{query}"), &Value::Null).await;
        assert_eq!(refused.error_of_v2(), (400, code.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn an_instance_is_changed_and_tagged_and_goes() {
    let world = World::new().await;
    let id = created(&world, json!({"port": 7000, "rename_commands": {"keys": "keys001"}})).await;
    let line = format!("PUT /v2/{{p}}/instances/{id}");
    let changes = json!({"name": "dcs-new", "description": "d2", "port": 7000,
        "rename_commands": {"keys": "keys001"}, "instance_backup_policy": policy()});
    world.clock.advance(1_000);
    let changed = world.call(&line, &changes).await;
    assert_eq!((changed.status, &changed.body), (204, &Value::Null));
    let shown = show(&world, &id).await;
    assert_eq!((&shown["name"], &shown["description"]), (&json!("dcs-new"), &json!("d2")));
    assert_eq!(shown["update_at"], "2026-11-22T06:14:53.000Z");
    assert_eq!(shown["instance_backup_policy"]["policy"], policy());
    for changes in [json!({"port": 7001}), json!({"rename_commands": {"keys": "other"}})] {
        assert_eq!(
            world.call(&line, &changes).await.error_of_v2(),
            (400, "DCS.4062".to_owned()),
            "{changes}"
        );
    }
    let manual = json!({"instance_backup_policy": {"backup_type": "manual"}});
    assert_eq!(world.call(&line, &manual).await.status, 204);
    assert_eq!(show(&world, &id).await["instance_backup_policy"], Value::Null);

    let tags = json!({"action": "create", "tags": [{"key": "a", "value": "b"}]});
    let tagged = world.call(&format!("POST /v2/{{p}}/dcs/{id}/tags/action"), &tags).await;
    assert_eq!((tagged.status, &tagged.body), (204, &Value::Null));
    let of_one = world.call(&format!("GET /v2/{{p}}/instances/{id}/tags"), &Value::Null).await;
    assert_eq!(of_one.body, json!({"tags": [{"key": "a", "value": "b"}]}));
    let of_all = world.call("GET /v2/{p}/dcs/tags", &Value::Null).await;
    assert_eq!(of_all.body, json!({"tags": [{"key": "a", "values": ["b"]}]}));

    assert_eq!(world.call(&format!("DELETE /v2/{{p}}/instances/{id}"), &Value::Null).await.status, 204);
    let gone = world.call(&format!("GET /v2/{{p}}/instances/{id}"), &Value::Null).await;
    assert_eq!(gone.error_of_v2(), (404, "DCS.4022".to_owned()));
}
