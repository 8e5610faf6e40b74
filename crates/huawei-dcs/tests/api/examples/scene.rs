//! What there is before the request of an example is sent: the instances that it names or that its answer shows, their numbers,
//! and the time at which the answer says that things happened.

use cloud::data_plane::Statistics;
use cloud::quota::Quota;
use cloud::task::Profile;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::documented;

use super::Example;
use crate::world::{PROJECT, REGION, Setup, World, ZONES, order, order_with};

/// A cloud, and what the names of the example are called in it.
pub(super) struct Scene {
    pub(super) world: World,
    /// What stands in the example, and what it is here: ids, above all.
    pub(super) names: Vec<(String, String)>,
    /// The body of a request that the example does not show.
    pub(super) body: Option<Value>,
    /// Where buckets are, as long as they are needed.
    _buckets: Option<TempDir>,
}

impl Scene {
    async fn new() -> Self {
        Scene::with(Setup::default()).await
    }

    async fn with(setup: Setup) -> Self {
        let world = World::with(setup).await;
        let names = vec![("{project_id}".to_owned(), PROJECT.to_owned())];
        Scene { world, names, body: None, _buckets: None }
    }

    /// One that begins at this time of an answer.
    async fn at(moment: &str) -> Self {
        Scene::with(Setup { now_ms: at(moment), ..Setup::default() }).await
    }

    fn name(&mut self, documented: &str, here: &str) {
        self.names.push((documented.to_owned(), here.to_owned()));
    }

    /// What the example calls so.
    pub(super) fn here(&self, documented: &str) -> &str {
        let found = self.names.iter().find(|(name, _)| name == documented);
        found.map(|(_, here)| here.as_str()).unwrap_or_else(|| panic!("nothing is called {documented}"))
    }

    /// Creates an instance from the usual order with these changes, which is that of the path and the `documented` one.
    async fn instance(&mut self, documented: &str, changes: Value) -> String {
        let id = self.world.create(changes).await;
        self.name("{instance_id}", &id);
        if !documented.is_empty() {
            self.name(documented, &id);
        }
        id
    }

    async fn backup(&mut self, id: &str, documented: &str, remark: Option<&str>) {
        let line = format!("POST /v1.0/{{p}}/instances/{id}/backups");
        let made = self.world.call(&line, &json!({"remark": remark})).await;
        assert_eq!(made.status, 200, "{}", made.body);
        self.name(documented, made.body["backup_id"].as_str().unwrap());
    }

    /// Lets the task that waits go on, and waits for its end.
    async fn step(&self, id: &str) {
        assert!(self.world.cloud.step(&self.world.cloud.tasks(PROJECT).last().unwrap().id));
        self.world.settle(id).await;
    }

    /// Moves the clock to this time.
    fn wait_until(&self, from: &str, to: &str) {
        self.world.clock.advance(at(to) - at(from));
    }

    /// A value of the example as it is here.
    pub(super) fn named(&self, value: Value) -> Value {
        documented::renamed(value, &self.names)
    }
}

/// A time of the documents in ms since 1970.
fn at(moment: &str) -> u64 {
    let moment: jiff::Timestamp = moment.parse().unwrap();
    moment.as_millisecond().try_into().unwrap()
}

/// What an instance of the documents was ordered with, as far as its answer shows.
fn order_of(shown: &Value, product_id: &str) -> Value {
    let mut order = json!({"product_id": product_id, "available_zones": [ZONES[0]]});
    let fields = ["name", "capacity", "engine", "engine_version", "description", "vpc_id", "subnet_id"];
    let more = ["security_group_id", "maintain_begin", "maintain_end", "no_password_access", "tags"];
    for name in fields.into_iter().chain(more) {
        if let Some(value) = shown.get(name) {
            order[name] = value.clone();
        }
    }
    if order["no_password_access"] == "true" {
        order["password"] = "-".into();
    }
    order
}

/// A pair of the older kind.
fn pair() -> Value {
    json!({"product_id": "OTC_DCS_MS"})
}

/// An order of release 5.0.
fn later(spec_code: &str) -> Value {
    json!({"engine_version": "5.0", "product_id": "-", "spec_code": spec_code})
}

pub(super) async fn of(example: &Example) -> Scene {
    match example.name {
        "3.1" | "3.2-1" | "3.2-2" => {
            // When the figure's answer was given.
            let mut scene = Scene::at("2019-02-12T06:52:13.855Z").await;
            for (documented, here) in [
                ("username", "demo"),
                ("domainname", "demo-domain"),
                ("*****", "demo-pass"),
                ("xxxxxxxxxxxxxx", REGION),
                ("xxxxxxx", REGION),
                ("XXXXXX", REGION),
            ] {
                scene.name(documented, here);
            }
            scene
        }
        "3.3" => {
            let mut scene = Scene::new().await;
            scene.world.create(json!({})).await;
            scene.body = Some(order());
            scene
        }
        "4.1-1" | "4.1-2" | "4.1-3" | "create" => Scene::new().await,
        "4.2" => one(json!({})).await,
        "4.3" => {
            let mut scene = Scene::new().await;
            for (name, id) in [
                ("dcs-one", "54602a9d-5e22-4239-9123-77e350df4a34"),
                ("dcs-two", "7166cdea-dbad-4d79-9610-7163e6f8b640"),
            ] {
                scene.instance(id, json!({"name": name})).await;
            }
            scene
        }
        "4.4" | "query" => {
            let shown = &example.answer;
            let product = if example.name == "4.4" { "OTC_DCS_CL" } else { "OTC_DCS_SINGLE" };
            let mut scene = Scene::at(shown["created_at"].as_str().unwrap()).await;
            scene.world.nodes.hold(shown["used_memory"].as_u64().unwrap() << 20);
            scene.instance(shown["instance_id"].as_str().unwrap(), order_of(shown, product)).await;
            scene.name(shown["user_name"].as_str().unwrap(), "demo");
            scene
        }
        "4.5-1" | "4.5-2" => {
            let shown = &example.answer["instances"][0];
            let now_ms = at(shown["created_at"].as_str().unwrap());
            let setup = Setup { now_ms, profile: Profile::Stepped, ..Setup::default() };
            let mut scene = Scene::with(setup).await;
            scene.instance(shown["instance_id"].as_str().unwrap(), order_of(shown, "OTC_DCS_MS")).await;
            scene.name("user", "demo");
            scene.name("bd6b78e2ff9e4e47bc260803ddcc7a21", PROJECT);
            scene
        }
        "4.6-1" | "4.6-2" => one(pair()).await,
        "4.7" => one(later("redis.single.au1.large.2")).await,
        "5.1" => named("2e803f66-fbb0-47ad-b6cb-fb87f5bed4ef", json!({})).await,
        "5.2" => statistics(&example.answer).await,
        "5.3" => counts(&example.answer).await,
        "5.4-1" | "5.4-2" | "6.1" => one(json!({})).await,
        "6.2" => {
            named("c08fdc6e-5c25-4185-ab57-c0a5529b727f", json!({"capacity": 16, "product_id": "OTC_DCS_MS"}))
                .await
        }
        "7.1-1" | "7.1-2" => {
            // The examples send no password of the target.
            let mut target = pair();
            target["no_password_access"] = json!(true);
            target["password"] = Value::Null;
            let mut scene = named("4cd5dbb8-aacd-4603-b817-3e97d48c7a20", target).await;
            let buckets = tempfile::tempdir().unwrap();
            std::fs::create_dir(buckets.path().join("bucket-lmz")).unwrap();
            std::fs::write(buckets.path().join("bucket-lmz/dump.rdb"), "keys").unwrap();
            scene.world.cloud.keep_buckets_in(buckets.path().to_owned());
            scene._buckets = Some(buckets);
            scene
        }
        "8.1" => one(pair()).await,
        "8.2" => {
            let mut scene = Scene::new().await;
            let id = scene.instance("", pair()).await;
            scene.backup(&id, "8ba256cb-e5ac-44f6-a3da-c03d8f0e5029", None).await;
            scene
        }
        "8.3" => backups(&example.answer["backup_record_response"][0]).await,
        "8.4" => restores(&example.answer["restore_record_response"][0]).await,
        "8.5" => {
            let mut scene = Scene::new().await;
            let id = scene.instance("", pair()).await;
            scene.backup(&id, "{backup_id}", None).await;
            scene
        }
        "9.1" | "9.3" => {
            let tags = json!([{"key": "001", "value": "002"}, {"key": "003", "value": "004"}]);
            one(json!({"tags": tags})).await
        }
        "9.2" => one(json!({})).await,
        "9.4" => {
            let mut scene = Scene::new().await;
            for (name, value) in [("dcs-one", "value1"), ("dcs-two", "value2")] {
                let tags = json!([{"key": "1", "value": value}, {"key": "2", "value": value}]);
                scene.instance("", json!({"name": name, "tags": tags})).await;
            }
            scene
        }
        "9.5" => {
            let mut scene = named("01928d55-7020-4500-9c29-774caabe4bc4", json!({})).await;
            scene.name("7dddae81f0e34f62adb9618bc8c8b1fe", PROJECT);
            scene
        }
        "9.6" => one(json!({"tags": [{"key": "1", "value": "a"}, {"key": "2", "value": "b"}]})).await,
        "10.1" | "10.3" => Scene::new().await,
        "10.2" => quota(&example.answer["quotas"]).await,
        "10.4" => {
            let mut scene = Scene::new().await;
            scene.name("XXXXXX", REGION);
            scene
        }
        "12.3" => {
            let mut scene = Scene::new().await;
            let here = "http://127.0.0.1:18080/v3/projects";
            for (documented, here) in [
                ("XXXXX", REGION),
                ("a4a5d4098fb4474fa22cd05f897d6b99", PROJECT),
                ("https://www.example.com/v3/projects", here),
            ] {
                scene.name(documented, here);
            }
            let project = format!("{here}/{PROJECT}");
            scene.name("https://www.example.com/v3/projects/a4a5d4098fb4474fa22cd05f897d6b99", &project);
            scene
        }
        name if name.starts_with("create-v2-") => {
            Scene::with(Setup { region: "cn-north-4", ..Setup::default() }).await
        }
        name => panic!("no scene for {name}"),
    }
}

/// One instance.
async fn one(changes: Value) -> Scene {
    named("{instance_id}", changes).await
}

/// One instance, which the example calls so.
async fn named(documented: &str, changes: Value) -> Scene {
    let mut scene = Scene::new().await;
    scene.instance(documented, changes).await;
    scene
}

/// Section 5.2: four instances, one of which has traffic.
async fn statistics(answer: &Value) -> Scene {
    let mut scene = Scene::new().await;
    for (at, shown) in answer["statistics"].as_array().unwrap().iter().enumerate() {
        let capacity = if shown["max_memory"] == 6963 { 8 } else { 2 };
        let documented = shown["instance_id"].as_str().unwrap();
        let changes = json!({"name": format!("dcs-{at}"), "capacity": capacity});
        let id = scene.instance(documented, changes).await;
        let bytes_per_s = |name: &str| {
            let kbps: f64 = shown[name].as_str().unwrap().parse().unwrap();
            (kbps * 125.0).round() as u64
        };
        let statistics = Statistics {
            input_bytes_per_s: bytes_per_s("input_kbps"),
            output_bytes_per_s: bytes_per_s("output_kbps"),
            ..Statistics::default()
        };
        scene.world.nodes.report(&id, statistics, 0);
    }
    scene
}

/// Section 5.3: instances that run, and others that could not be created.
async fn counts(answer: &Value) -> Scene {
    let scene = Scene::new().await;
    let number = |name: &str| answer[name].as_u64().unwrap();
    scene.world.nodes.take_port(7000);
    let failing = json!({"engine_version": "5.0", "product_id": "redis.single.xu1.large.2-h", "port": 7000});
    for _ in 0..number("createfailed_count") {
        scene.world.create(failing.clone()).await;
    }
    for at in 0..number("running_count") {
        scene.world.create(json!({"name": format!("dcs-{at}")})).await;
    }
    scene
}

/// Section 8.3: a backup that took its time.
async fn backups(shown: &Value) -> Scene {
    let text = |name: &str| shown[name].as_str().unwrap();
    let (begin, end) = (text("created_at"), text("updated_at"));
    let setup = Setup { now_ms: at(begin), profile: Profile::Stepped, ..Setup::default() };
    let mut scene = Scene::with(setup).await;
    let id = scene.instance(text("instance_id"), pair()).await;
    scene.step(&id).await;
    scene.backup(&id, text("backup_id"), Some("001")).await;
    scene.wait_until(begin, end);
    scene.step(&id).await;
    for (documented, here) in [
        ("{start}", "1"),
        ("{limit}", "10"),
        ("{beginTime}", "20190510000000"),
        ("{endTime}", "20190510235959"),
    ] {
        scene.name(documented, here);
    }
    scene
}

/// Section 8.4: the restore of a backup of the night before.
async fn restores(shown: &Value) -> Scene {
    let text = |name: &str| shown[name].as_str().unwrap();
    let night = "2017-07-18T00:00:02.000Z";
    let setup = Setup { now_ms: at(night), profile: Profile::Stepped, ..Setup::default() };
    let mut scene = Scene::with(setup).await;
    let mut order = pair();
    order["name"] = shown["sourceInstanceName"].clone();
    let id = scene.instance(text("sourceInstanceId"), order).await;
    scene.step(&id).await;
    scene.backup(&id, text("backup_id"), None).await;
    scene.step(&id).await;
    scene.wait_until(night, text("created_at"));
    scene.world.token = scene.world.new_token(json!({"project": {"name": REGION}})).await;
    let (_, backup) = scene.names.last().unwrap().clone();
    let line = format!("POST /v1.0/{{p}}/instances/{id}/restores");
    let body = json!({"backup_id": backup, "remark": shown["restore_remark"]});
    let made = scene.world.call(&line, &body).await;
    assert_eq!(made.status, 200, "{}", made.body);
    scene.name(text("restore_id"), made.body["restore_id"].as_str().unwrap());
    scene.wait_until(text("created_at"), text("updated_at"));
    scene.step(&id).await;
    for (documented, here) in [
        ("{start}", "1"),
        ("{limit}", "10"),
        ("{beginTime}", "20170718000000"),
        ("{endTime}", "20170718235959"),
    ] {
        scene.name(documented, here);
    }
    scene
}

/// Section 10.2: three instances of 22 GB.
async fn quota(shown: &Value) -> Scene {
    let number = |at: usize, name: &str| shown["resources"][at][name].as_u64().unwrap();
    let quota = Quota {
        instances: number(0, "quota").try_into().unwrap(),
        memory_gb: number(1, "quota").try_into().unwrap(),
    };
    let mut scene = Scene::with(Setup { quota, ..Setup::default() }).await;
    assert_eq!((number(0, "used"), number(1, "used")), (3, 16 + 4 + 2));
    for gb in [16, 4, 2] {
        let order = order_with(json!({"name": format!("dcs-{gb}"), "capacity": gb}));
        scene.world.create(order).await;
    }
    scene.name("836152f9838a44089f40f3cf6fd432bf", PROJECT);
    scene.name("op_svc_dcs_003", REGION);
    scene
}
