//! What the providers of Terraform send for instances of DCS, and the types in which they read answers: theirs are programs
//! in Go, which refuse an answer with a single value of another type. `opentelekomcloud_dcs_instance_v1` and `_v2`, and
//! `huaweicloud_dcs_instance`.
//!
//! Deliberately not here: the providers themselves, which no registry has that the tests could ask.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::{Answer, Client, Reply, Server};

/// What a field is read as; null and nothing stand for the empty value.
const INSTANCE: &str = "
    text: name engine capacity_minor ip status description instance_id engine_version vpc_id vpc_name created_at
        user_id user_name maintain_begin maintain_end no_password_access access_user publicip_id publicip_address
        service_task_id product_type cpu_type storage_type cache_mode launched_at subnet_id security_group_id backend_addrs
        cloud_service_type_code cloud_resource_type_code security_group_name subnet_name subnet_cidr order_id spec_code
        readonly_domain_name update_at inquery_spec_code support_slow_log_flag
    integer: port max_memory used_memory charging_mode capacity db_number sharding_count
    truth: enable_publicip enable_ssl service_upgrade
    texts: available_zones az_codes
    text: instance_backup_policy.policy.backup_type instance_backup_policy.policy.periodical_backup_plan.begin_at
        instance_backup_policy.policy.periodical_backup_plan.period_type tags[].key tags[].value
    integer: instance_backup_policy.policy.save_days instance_backup_policy.policy.periodical_backup_plan.backup_at[]
";
const INSTANCE_V1: &str = "
    text: resource_spec_code internal_version error_code product_id domainName freeze_scene task_status crr_role ipv6 task
    truth: libos is_free enable_ipv6 support_acl
";
const INSTANCE_V2: &str = "
    text: domain_name sub_status domain_name_info.zone_name instance_backup_policy.backup_policy_id
        instance_backup_policy.created_at instance_backup_policy.updated_at instance_backup_policy.tenant_id
    integer: replica_count bandwidth_info.bandwidth bandwidth_info.begin_time bandwidth_info.current_time
        bandwidth_info.end_time bandwidth_info.expand_count bandwidth_info.expand_effect_time
        bandwidth_info.expand_interval_time bandwidth_info.max_expand_count bandwidth_info.next_expand_time
    truth: transparent_client_ip_enable bandwidth_info.task_running domain_name_info.support_public_resolve
        domain_name_info.is_latest_rules features.support_acl
";
const PRODUCTS: &str = "
    text: products[].product_id products[].spec_code products[].cache_mode products[].product_type products[].cpu_type
        products[].storage_type products[].engine products[].engine_versions products[].spec_details
        products[].spec_details2 products[].charging_type products[].currency products[].prod_type
        products[].cloud_service_type_code products[].cloud_resource_type_code products[].flavors[].capacity
        products[].flavors[].unit products[].billing_factor
    texts: products[].flavors[].available_zones
    number: products[].price products[].details.capacity products[].details.max_memory
    integer: products[].details.max_bandwidth products[].details.max_clients products[].details.max_connections
        products[].details.max_in_bandwidth products[].details.tenant_ip_count products[].details.sharding_num
        products[].details.proxy_num products[].details.db_number
";
const FLAVORS: &str = "
    text: flavors[].spec_code flavors[].cloud_service_type_code flavors[].cloud_resource_type_code flavors[].cache_mode
        flavors[].engine flavors[].engine_version flavors[].product_type flavors[].cpu_type flavors[].storage_type
        flavors[].pricing_type flavors[].attrs[].capacity flavors[].attrs[].name flavors[].attrs[].value
        flavors[].flavors_available_zones[].capacity flavors[].flavors_available_zones[].unit
    texts: flavors[].capacity flavors[].billing_mode flavors[].flavors_available_zones[].available_zones
        flavors[].flavors_available_zones[].az_codes
    integer: flavors[].tenant_ip_count flavors[].replica_count
    truth: flavors[].is_dec
";
const CONFIGS: &str = "
    text: status instance_id config_status config_time redis_config[].description redis_config[].param_name
        redis_config[].param_value redis_config[].default_value redis_config[].value_type redis_config[].value_range
";
const ZONES: &str = "
    text: regionId available_zones[].id available_zones[].code available_zones[].name available_zones[].port
        available_zones[].resource_availability available_zones[].resource_availability_dcs2
";
const WINDOWS: &str = "
    integer: maintain_windows[].seq
    text: maintain_windows[].begin maintain_windows[].end
    truth: maintain_windows[].default
";

/// Fails where something in an answer has another type than its reader expects.
fn read(answer: &Value, declared: &[&str]) {
    let words = declared.iter().flat_map(|text| text.split_whitespace());
    let mut kind = "";
    for word in words {
        match word.strip_suffix(':') {
            Some(named) => kind = named,
            None => look(answer, word, word, kind),
        }
    }
}

fn look(value: &Value, path: &str, whole: &str, kind: &str) {
    if value.is_null() {
        return;
    }
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    if let Some(name) = name.strip_suffix("[]") {
        let items = &value[name];
        assert!(items.is_null() || items.is_array(), "{whole} is {items}");
        for item in items.as_array().into_iter().flatten() {
            look_at(item, rest, whole, kind);
        }
    } else {
        look_at(&value[name], rest, whole, kind);
    }
}

fn look_at(value: &Value, rest: &str, whole: &str, kind: &str) {
    if !rest.is_empty() {
        return look(value, rest, whole, kind);
    }
    let is_right = match kind {
        "text" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "truth" => value.is_boolean(),
        "texts" => value.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
        other => panic!("{other}"),
    };
    assert!(is_right || value.is_null(), "{whole} is {value}, no {kind}");
}

/// A provider: a program that knows a token and a project.
struct Provider {
    server: Server,
    token: String,
}

impl Provider {
    fn new() -> Self {
        let server = Server::start(&["--ephemeral"]);
        let token = server.token();
        Provider { server, token }
    }

    /// What is answered, with one of the statuses for which it waits.
    fn ask(&self, request: &str, body: &Value, status: u16) -> Value {
        let Answer { status: own, body: answer, .. } = self.try_to(request, body);
        assert_eq!(own, status, "{request} {body}: {answer}");
        answer
    }

    fn try_to(&self, request: &str, body: &Value) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        self.server.ask(method, &path.replace("{p}", &self.server.project_id), &self.token, body)
    }

    fn get(&self, path: &str, declared: &[&str]) -> Value {
        let answer = self.ask(&format!("GET {path}"), &Value::Null, 200);
        read(&answer, declared);
        answer
    }

    /// Waits as long as the state is among those that it knows.
    fn wait(&self, path: &str, pending: &[&str], target: &str) {
        testkit::until(target, || {
            let answer = self.try_to(&format!("GET {path}"), &Value::Null);
            let state = match answer.status {
                404 => "DELETED".to_owned(),
                _ => answer.body["status"].as_str().unwrap().to_owned(),
            };
            assert!(state == target || pending.contains(&&*state), "{state}");
            state == target
        });
    }

    /// The data that goes before an instance.
    fn look_around(&self) -> String {
        let zones = self.get("/v1.0/availableZones", &[ZONES]);
        let windows = self.get("/v1.0/instances/maintain-windows", &[WINDOWS]);
        assert_eq!(windows["maintain_windows"].as_array().unwrap().len(), 6);
        zones["available_zones"][0]["id"].as_str().unwrap().to_owned()
    }
}

/// The values that a provider writes into its state.
fn state(instance: &Value, names: &[&str]) {
    for name in names {
        assert!(!instance[*name].is_null(), "{name} of {instance}");
    }
}

#[test]
fn the_first_version_of_the_resource_lives() {
    let provider = Provider::new();
    let zone = provider.look_around();
    for (engine_version, product_id, capacity) in [
        ("3.0", "OTC_DCS_MS", 2.0),
        ("5.0", "redis.ha.xu1.large.r2.1-h", 1.0),
        ("5.0", "redis.single.xu1.tiny.128-h", 0.125),
    ] {
        let products = provider.get("/v1.0/products", &[PRODUCTS]);
        let sold = products["products"].as_array().unwrap();
        let own = sold.iter().find(|product| product["product_id"] == product_id);
        let spec_code = &own.unwrap_or_else(|| panic!("{product_id} is not sold"))["spec_code"];
        let mut order = json!({
            "name": "dcs-tf", "description": "by terraform", "engine": "Redis", "engine_version": engine_version,
            "spec_code": spec_code, "capacity": capacity, "password": "Hungarian_rapsody", "vpc_id": "v",
            "subnet_id": "s", "available_zones": [zone], "maintain_begin": "02:00:00", "maintain_end": "06:00:00",
            "no_password_access": "false",
            "instance_backup_policy": {
                "save_days": 1, "backup_type": "manual",
                "periodical_backup_plan": {"begin_at": "00:00-01:00", "period_type": "weekly", "backup_at": [4]},
            },
        });
        if engine_version == "3.0" {
            order["security_group_id"] = json!("g");
        }
        let id = provider.ask("POST /v1.0/{p}/instances", &order, 200)["instance_id"].clone();
        let id = id.as_str().unwrap();
        let path = format!("/v1.0/{{p}}/instances/{id}");
        provider.wait(&path, &["CREATING"], "RUNNING");
        let configs =
            json!({"redis_config": [{"param_id": "1", "param_name": "timeout", "param_value": "100"}]});
        provider.ask(&format!("PUT {path}/configs"), &configs, 204);
        testkit::until("it is configured", || {
            let shown =
                provider.get(&format!("{path}/configs"), &[CONFIGS, "integer: redis_config[].param_id"]);
            shown["config_status"] == "SUCCESS"
        });
        let whitelist = format!("/v2/{{p}}/instance/{id}/whitelist");
        if engine_version != "3.0" {
            let groups = json!({
                "enable_whitelist": true,
                "whitelist": [{"group_name": "test-group", "ip_list": ["10.10.10.1", "127.0.0.1"]}],
            });
            provider.ask(&format!("PUT {whitelist}"), &groups, 204);
            let shown = provider.get(&whitelist, &["truth: enable_whitelist text: instance_id"]);
            assert_eq!(shown["whitelist"], groups["whitelist"]);
        }
        // What is read afterwards is what was ordered, or the next plan would want to change it.
        let shown = provider.get(&path, &[INSTANCE, INSTANCE_V1]);
        state(
            &shown,
            &["port", "ip", "created_at", "user_id", "user_name", "vpc_name", "subnet_name", "max_memory"],
        );
        for same in
            ["name", "description", "engine", "engine_version", "vpc_id", "subnet_id", "maintain_begin"]
        {
            assert_eq!(shown[same], order[same], "{same}");
        }
        assert_eq!(shown["available_zones"], order["available_zones"]);
        assert_eq!(shown["no_password_access"], "false");
        let again = sold.iter().find(|product| product["spec_code"] == shown["spec_code"]);
        assert_eq!(again.unwrap()["product_id"], product_id, "it finds what it ordered by its specification");
        let minor = shown["capacity_minor"].as_str().and_then(|minor| minor.parse().ok());
        let shown_capacity = shown["capacity"].as_f64().filter(|gb| *gb > 0.0).or(minor);
        assert_eq!(shown_capacity, Some(capacity));
        let address: SocketAddr = format!("127.0.0.1:{}", shown["port"]).parse().unwrap();
        let mut client = Client::connect(address);
        assert_eq!(client.say("AUTH Hungarian_rapsody"), Reply::Status(b"OK".to_vec()));
        assert_eq!(client.say("SET kept 1"), Reply::Status(b"OK".to_vec()));

        // Whatever changes, an update comes first, with nothing in it if it is something else.
        provider.ask(&format!("PUT {path}"), &json!({"name": "dcs-tf-new", "description": "other"}), 204);
        provider.ask(&format!("PUT {path}"), &json!({}), 204);
        assert_eq!(provider.get(&path, &[INSTANCE, INSTANCE_V1])["name"], "dcs-tf-new");
        if engine_version != "3.0" {
            let off = json!({"enable_whitelist": false, "whitelist": []});
            provider.ask(&format!("PUT {whitelist}"), &off, 204);
            testkit::until("it is open", || provider.get(&whitelist, &[])["enable_whitelist"] == false);
        }
        assert_eq!(client.say("GET kept"), Reply::Bulk(b"1".to_vec()));
        provider.ask(&format!("DELETE {path}"), &Value::Null, 204);
        provider.wait(&path, &["DELETING", "RUNNING"], "DELETED");
    }
}

#[test]
fn the_second_version_of_the_resource_lives() {
    let provider = Provider::new();
    provider.look_around();
    // Fields that have no value come along where its language cannot leave them out.
    let order = json!({
        "name": "dcs_tf", "engine": "Redis", "engine_version": "5.0", "capacity": 0.125, "instance_num": 1,
        "spec_code": "redis.ha.xu1.tiny.r2.128", "az_codes": ["my-kualalumpur-1a", "my-kualalumpur-1b"], "vpc_id": "v",
        "subnet_id": "s", "no_password_access": false, "password": "Hungarian_rapsody", "rename_commands": {},
        "bss_param": {"charging_mode": ""}, "maintain_begin": "22:00:00", "maintain_end": "02:00:00",
        "instance_backup_policy": {
            "backup_type": "auto", "save_days": 3,
            "periodical_backup_plan": {"backup_at": [1, 3, 5, 7], "period_type": "weekly", "begin_at": "02:00-03:00"},
        },
        "tags": [{"key": "environment", "value": "basic"}],
    });
    let created = provider.ask("POST /v2/{p}/instances", &order, 200);
    let id = created["instances"][0]["instance_id"].as_str().unwrap();
    let path = format!("/v2/{{p}}/instances/{id}");
    provider.wait(&path, &["CREATING"], "RUNNING");
    let whitelist = format!("/v2/{{p}}/instance/{id}/whitelist");
    let groups = json!({"enable_whitelist": true, "whitelist": [{"group_name": "test-group", "ip_list": ["127.0.0.1"]}]});
    provider.ask(&format!("PUT {whitelist}"), &groups, 204);
    let configs = json!({"redis_config": [{"param_id": "1", "param_name": "timeout", "param_value": "100"}]});
    provider.ask(&format!("PUT {path}/configs"), &configs, 204);
    let shown = provider.get(&path, &[INSTANCE, INSTANCE_V2]);
    for same in
        ["name", "engine", "engine_version", "spec_code", "az_codes", "vpc_id", "tags", "maintain_begin"]
    {
        assert_eq!(shown[same], order[same], "{same}");
    }
    assert_eq!((&shown["capacity"], &shown["capacity_minor"]), (&json!(0), &json!("0.125")));
    state(
        &shown,
        &["cache_mode", "cpu_type", "replica_count", "sharding_count", "product_type", "launched_at", "ip"],
    );
    let kept = &shown["instance_backup_policy"]["policy"];
    let plan = json!({"backup_at": [1, 3, 5, 7], "period_type": "weekly", "begin_at": "02:00-03:00", "timezone_offset": null});
    assert_eq!(kept, &json!({"backup_type": "auto", "save_days": 3, "periodical_backup_plan": plan}));
    let tags = provider.get(&format!("{path}/tags"), &["text: tags[].key tags[].value"]);
    assert_eq!(tags["tags"], order["tags"]);
    assert_eq!(provider.get(&whitelist, &[])["whitelist"], groups["whitelist"]);
    let configs = provider.get(&format!("{path}/configs"), &[CONFIGS, "text: redis_config[].param_id"]);
    let timeout = configs["redis_config"].as_array().unwrap().iter().find(|own| own["param_id"] == "1");
    assert_eq!(timeout.unwrap()["param_value"], "100");
    let address: SocketAddr = format!("127.0.0.1:{}", shown["port"]).parse().unwrap();
    let mut client = Client::connect(address);
    client.say("AUTH Hungarian_rapsody");
    assert_eq!(client.say("SET kept 1"), Reply::Status(b"OK".to_vec()));

    // All that it knows comes with each change.
    let update = json!({
        "name": "dcs_new", "description": "", "port": shown["port"], "maintain_begin": "06:00:00",
        "maintain_end": "10:00:00", "security_group_id": "", "rename_commands": {},
        "instance_backup_policy": order["instance_backup_policy"],
    });
    provider.ask(&format!("PUT {path}"), &update, 204);
    let passwords = json!({"old_password": "Hungarian_rapsody", "new_password": "Hungarian_dance5"});
    let changed = provider.ask(&format!("PUT {path}/password"), &passwords, 200);
    read(&changed, &["text: lock_time result lock_time_left retry_times_left message"]);
    for spec_code in ["redis.ha.xu1.tiny.r2.128", "redis.ha.xu1.large.r2.2"] {
        let flavors = provider.get(&format!("/v2/{{p}}/flavors?spec_code={spec_code}"), &[FLAVORS]);
        assert_eq!(
            (&flavors["flavors"][0]["cache_mode"], &flavors["flavors"][0]["replica_count"]),
            (&json!("ha"), &json!(2))
        );
    }
    let resize = json!({
        "spec_code": "redis.ha.xu1.large.r2.2", "new_capacity": 2, "bss_param": {}, "execute_immediately": null,
        "change_type": "",
    });
    provider.ask(&format!("POST {path}/resize"), &resize, 204);
    provider.wait(&path, &["EXTENDING", "RESTARTING"], "RUNNING");
    let shown = provider.get(&path, &[INSTANCE, INSTANCE_V2]);
    assert_eq!((&shown["spec_code"], &shown["capacity"]), (&resize["spec_code"], &json!(2)));
    for (action, tags) in
        [("delete", &order["tags"]), ("create", &json!([{"key": "environment", "value": "other"}]))]
    {
        let body = json!({"action": action, "tags": tags});
        provider.ask(&format!("POST /v2/{{p}}/dcs/{id}/tags/action"), &body, 204);
    }
    // The other provider changes parameters and passwords in its own way, and asks for analyses that there are not.
    let configs = json!({"redis_config": [{"param_id": "1", "param_name": "timeout", "param_value": "200"}]});
    let job = provider.ask(&format!("PUT {path}/async-configs"), &configs, 200)["job_id"].clone();
    let job = format!("/v2/{{p}}/jobs/{}", job.as_str().unwrap());
    testkit::until("the job is done", || provider.get(&job, &["text: status job_id"])["status"] == "SUCCESS");
    let reset = json!({"new_password": "Hungarian_dance6", "no_password_access": false});
    provider.ask(&format!("POST {path}/password/reset"), &reset, 200);
    for analyses in ["bigkey", "hotkey"] {
        let answer = provider.try_to(&format!("GET {path}/{analyses}/autoscan"), &Value::Null);
        assert!(answer.status == 400 && answer.body["error_code"].is_string(), "{}", answer.body);
    }
    let mut client = Client::connect(address);
    client.say("AUTH Hungarian_dance6");
    assert_eq!(client.say("GET kept"), Reply::Bulk(b"1".to_vec()));
    provider.ask(&format!("DELETE {path}"), &Value::Null, 204);
    provider.wait(&path, &["RUNNING"], "DELETED");
}
