//! What the owner of the machine may do: each operation with each of its outcomes.
//!
//! Every answer is held against the record of its operation; outcomes that no test meets are listed in `data/untested.tsv`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use cloud::Cloud;
use cloud::fake::{self, FakeClock, FakeDataPlane};
use cloud::instance::Order;
use cloud::store::Store;
use cloud::task::Profile;
use cloud::topology::Topology;
use gateway::{Gateway, admin_can_answer, admin_operations};
use http::Request;
use http_body_util::BodyExt;
use operation::schema::Field;
use operation::{Found, Operation, Router, conform, outcome};
use serde_json::{Value, json};
use testkit::ratchet;
use tower::ServiceExt;

const NOW_MS: u64 = 1_700_000_000_000;

struct World {
    gateway: Arc<Gateway>,
    cloud: Arc<Cloud>,
    nodes: Arc<FakeDataPlane>,
    router: Router<()>,
}

impl World {
    async fn new(profile: Profile) -> Self {
        let settings = fake::settings(profile);
        let (clock, nodes) = (Arc::new(FakeClock::at(NOW_MS)), Arc::new(FakeDataPlane::default()));
        let cloud = Cloud::open(settings, clock, nodes.clone(), Store::nowhere()).await;
        let gateway = Gateway::new(Vec::new(), &[], cloud.clone()).unwrap();
        let router = Router::new(admin_operations().into_iter().map(|operation| (operation, ()))).unwrap();
        World { gateway, cloud, nodes, router }
    }

    /// The status and the body of an answer, which is as its operation declares.
    async fn ask(&self, line: &str, body: impl Into<Body>) -> (u16, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.gateway.app().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        if let Found::Operation(operation, ..) = self.router.find(&method, &path) {
            check(operation, status, &body);
        }
        (status, body)
    }

    async fn create(&self, topology: Topology) -> String {
        self.cloud.create(order(topology)).await.unwrap().id.clone()
    }
}

/// Holds an answer against the record, and writes down which outcome it is.
fn check(operation: &Operation, status: u16, body: &Value) {
    if status >= 400 {
        let said = body["error"].as_str().unwrap_or_else(|| panic!("{body}"));
        conform::check_object(operation.id, operation.error_body, body).unwrap();
        let declared = operation.declared_errors();
        let own = declared
            .iter()
            .find(|error| error.status == status && (error.message == said || error.message == "{0}"));
        let own = own.unwrap_or_else(|| panic!("{} does not declare {status} {said}", operation.id));
        ratchet::met(&format!("{}\t{status} {}", operation.id, own.code));
        return;
    }
    let answer = operation.answers.iter().find(|answer| answer.status == status).unwrap();
    match answer.body {
        Some([Field { name: "", kind, .. }]) => conform::check_kind(operation.id, kind, body).unwrap(),
        Some(fields) => conform::check_object(operation.id, fields, body).unwrap(),
        None => assert!(body.is_null()),
    }
    ratchet::met(&format!("{}\tsuccess", operation.id));
}

#[test]
fn the_ratchet_holds() {
    let mut all = BTreeSet::new();
    for operation in admin_operations() {
        let errors = outcome::errors(operation);
        let errors = errors.iter().filter(|error| admin_can_answer(operation, error));
        all.extend(errors.map(|error| format!("{}\t{} {}", operation.id, error.status, error.code)));
        all.insert(format!("{}\tsuccess", operation.id));
    }
    ratchet::check(&all, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/untested.tsv"));
}

#[tokio::test]
async fn a_standby_takes_over_and_a_master_fails() {
    let world = World::new(Profile::Instant).await;
    let (pair, single) = (world.create(Topology::MasterStandby).await, world.create(Topology::Single).await);
    for (what, status) in [("failover", 204), ("fail/stop", 202), ("fail/hang", 202)] {
        let of = |id: &str, query: &str| format!("POST /admin/instances/{id}/{what}{query}");
        assert_eq!(world.ask(&of(&pair, ""), "").await, (status, Value::Null));
        assert_eq!(world.ask(&of(&pair, "?shard=0"), "").await.0, status);
        assert_eq!(world.ask(&of(&pair, "?shard="), "").await.0, status, "an empty one is left out");
        let nobody = (404, json!({"error": "the node does not run"}));
        assert_eq!(world.ask(&of("nobody", ""), "").await, nobody);
        let alone = (409, json!({"error": "the node has no standby that is in step with it"}));
        assert_eq!(world.ask(&of(&single, ""), "").await, alone);
        for bad in ["x", "-1", "99999999999999999999"] {
            let answered = world.ask(&of(&pair, &format!("?shard={bad}")), "").await;
            let said = json!({"error": "a shard is told by its number, counted from 0"});
            assert_eq!(answered, (400, said), "{bad}");
        }
    }
    let how = world.ask(&format!("POST /admin/instances/{pair}/fail/politely"), "").await;
    assert_eq!(how, (400, json!({"error": "a master fails by 'stop' or 'hang'"})));
    world.nodes.lag(true);
    let slow = world.ask(&format!("POST /admin/instances/{pair}/failover"), "").await;
    assert_eq!(slow, (409, json!({"error": "the standby did not catch up in time"})));
}

#[tokio::test]
async fn a_clock_is_shown_and_moved() {
    let world = World::new(Profile::Instant).await;
    let shown = world.ask("GET /admin/clock", "").await.1;
    assert_eq!((&shown["now"], &shown["now_ms"]), (&json!("2023-11-14T22:13:20Z"), &json!(NOW_MS)));
    let moved = world.ask("POST /admin/clock", r#"{"advance_ms": 1000}"#).await.1;
    assert_eq!(moved["now_ms"], NOW_MS + 1_000);
    assert_eq!(world.ask("GET /admin/clock", "").await.1, moved);
    for bad in ["", "[]", "{}", r#"{"advance_ms": -1}"#, r#"{"rate": "1"}"#, r#"{"rate": 1, "to": 2}"#] {
        let (status, body) = world.ask("POST /admin/clock", bad).await;
        assert!(
            status == 400 && body["error"].as_str().unwrap().starts_with("a clock takes"),
            "{bad}: {body}"
        );
    }
    let unsteerable = (400, json!({"error": "this clock cannot be steered"}));
    assert_eq!(world.ask("POST /admin/clock", r#"{"rate": 2}"#).await, unsteerable);
}

#[tokio::test]
async fn tasks_are_listed_and_end_their_wait() {
    let world = World::new(Profile::Stepped).await;
    let (first, second) = (world.create(Topology::Single).await, world.create(Topology::Single).await);
    let tasks = world.ask("GET /admin/tasks", "").await.1;
    assert_eq!((&tasks[0]["instance_id"], &tasks[0]["kind"]), (&json!(first), &json!("Create")));
    assert_eq!(tasks[1]["instance_id"], second);
    let step = format!("POST /admin/tasks/{}/step", tasks[0]["id"].as_str().unwrap());
    assert_eq!(world.ask(&step, "").await, (204, Value::Null));
    assert_eq!(world.ask(&step, "").await.0, 404, "it waits no more");
    assert_eq!(world.ask("POST /admin/tasks/step", "").await, (200, json!({"stepped": 1})));
    assert_eq!(world.ask("POST /admin/tasks/step", "").await, (200, json!({"stepped": 0})));
}

#[tokio::test]
async fn what_is_none_of_it_is_refused_in_its_form() {
    let world = World::new(Profile::Instant).await;
    let refused = async |line: &str, status: u16| {
        let (answered, body) = world.ask(line, "").await;
        assert_eq!(answered, status, "{line}: {body}");
        assert_eq!(body.as_object().map(|body| body.len()), Some(1), "{line}: {body}");
        assert!(body["error"].is_string(), "{line}: {body}");
    };
    refused("GET /admin", 404).await;
    refused("GET /admin/nothing", 404).await;
    refused("DELETE /admin/clock", 405).await;
    refused("GET /admin/instances/a/failover", 405).await;
    let long = "x".repeat((12 << 20) + 1);
    for operation in admin_operations() {
        let line = operation.route.to_string();
        let line = line.replace("{id}", "a").replace("{how}", "stop");
        assert_eq!(world.ask(&line, long.clone()).await.0, 400, "{line}");
    }
    // Those who ask what clouds have are not told of it.
    let (_, described) = world.ask("GET /openapi.json", "").await;
    assert_eq!(described["paths"], json!({}));
}

fn order(topology: Topology) -> Order {
    Order { topology, ..fake::order("p", &format!("dcs-{}", uuid::Uuid::new_v4())) }
}
