//! A cloud over a data plane and a clock that tests steer, spoken to through the gateway as a client would.
//!
//! Every answer is held against the declaration of its operation: a field that is missing, undeclared or of another
//! kind fails the test, whatever the test is about.

use std::sync::Arc;

use axum::body::Body;
use cloud::fake::{self, FakeClock, FakeDataPlane};
use cloud::identity::{AccessKey, Directory, Named, Secret};
use cloud::policy::Rights;
use cloud::quota::Quota;
use cloud::store::{Contents, Store};
use cloud::task::Profile;
use cloud::{Cloud, Settings};
use gateway::Gateway;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use operation::schema::Field;
use operation::{Found, Operation, Router, conform};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::ratchet;

pub(crate) const PROJECT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const REGION: &str = "my-kualalumpur-1";
pub(crate) const ZONES: [&str; 2] = ["ae04cf9d61544df3806a3feeb401b204", "d573142f24894ef3bd3664de068b44b0"];

/// 2026-11-22T06:14:52Z, when the captured requests were made.
pub(crate) const NOW_MS: u64 = 1_795_328_092_000;

pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) nodes: Arc<FakeDataPlane>,
    pub(crate) router: Router<()>,
    pub(crate) token: String,
}

pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// How a world differs from the usual one.
pub(crate) struct Setup {
    pub(crate) profile: Profile,
    pub(crate) quota: Quota,
    pub(crate) rights: Rights,
    pub(crate) store: (Store, Contents),
    pub(crate) now_ms: u64,
    pub(crate) region: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            profile: Profile::Instant,
            quota: Quota::default(),
            rights: Rights::everything(),
            store: Store::nowhere(),
            now_ms: NOW_MS,
            region: REGION,
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        World::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let directory = Directory { region: setup.region.to_owned(), ..directory(setup.rights.clone()) };
        World::in_directory(directory, setup).await
    }

    /// A world whose callers are those of this account.
    pub(crate) async fn in_directory(directory: Directory, setup: Setup) -> Self {
        let settings = Settings { quota: setup.quota, ..fake::settings(setup.profile) };
        let (clock, nodes) = (Arc::new(FakeClock::at(setup.now_ms)), Arc::new(FakeDataPlane::default()));
        let cloud = Cloud::open(settings, clock.clone(), nodes.clone(), setup.store).await;
        let services = huawei_dcs::services(&cloud, directory);
        let table = services.iter().flat_map(|service| service.operations()).map(|operation| (operation, ()));
        let router = Router::new(table).unwrap();
        let gateway = Gateway::new(services, &huawei_dcs::SECURITY_SCHEMES, cloud.clone()).unwrap();
        let mut world = World { gateway, cloud, clock, nodes, router, token: String::new() };
        world.token = world.new_token(json!({"project": {"name": REGION}})).await;
        world
    }

    /// A new token for this scope.
    pub(crate) async fn new_token(&self, scope: Value) -> String {
        let answered = self.ask("POST /v3/auth/tokens", &[], &token_request(scope).to_string()).await;
        assert_eq!(answered.status, 201, "{}", answered.body);
        answered.headers["x-subject-token"].to_str().unwrap().to_owned()
    }

    /// A request with the headers and the body given, and no others.
    pub(crate) async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:18080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (head, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.gateway.app().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        let status = parts.status.as_u16();
        if let Found::Operation(operation, ..) = self.router.find(&head, &path) {
            check_answer(operation, status, &body);
            ratchet::record(operation, status, &body);
        }
        Answered { status, headers: parts.headers, body }
    }

    /// A request with the world's token; `{p}` in the line stands for the project.
    pub(crate) async fn call(&self, line: &str, body: &Value) -> Answered {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(&line.replace("{p}", PROJECT), &[("x-auth-token", &self.token)], &body).await
    }

    /// Creates an instance from [`order`] with these fields changed; answers its id.
    pub(crate) async fn create(&self, changes: Value) -> String {
        let answered = self.call("POST /v1.0/{p}/instances", &order_with(changes)).await;
        assert_eq!(answered.status, 200, "{}", answered.body);
        answered.body["instance_id"].as_str().unwrap().to_owned()
    }

    /// Waits until no task is at work on an instance any more.
    pub(crate) async fn settle(&self, id: &str) {
        while self.cloud.instance(PROJECT, id).is_some_and(|instance| instance.task.is_some()) {
            tokio::task::yield_now().await;
        }
    }

    /// What the query of an instance answers.
    pub(crate) async fn show(&self, id: &str) -> Value {
        let answered = self.call(&format!("GET /v1.0/{{p}}/instances/{id}"), &Value::Null).await;
        assert_eq!(answered.status, 200, "{}", answered.body);
        answered.body
    }
}

impl Answered {
    /// The status and the code of an error of v2.
    pub(crate) fn error_of_v2(&self) -> (u16, String) {
        let code = self.body["error_code"].as_str().unwrap_or_else(|| panic!("no error: {}", self.body));
        assert_eq!(self.body.as_object().map(|body| body.len()), Some(3), "{}", self.body);
        (self.status, code.to_owned())
    }

    /// The status and the code of an error, which both forms of its body tell alike.
    pub(crate) fn error(&self) -> (u16, String) {
        let code = self.body["error_code"].as_str().unwrap_or_else(|| panic!("no error: {}", self.body));
        assert_eq!(self.body["error_msg"].as_str().map(str::is_empty), Some(false));
        assert_eq!(self.body["error_ext_msg"], Value::Null);
        assert!(self.body["error"]["code"].is_string() && self.body["error"]["message"].is_string());
        (self.status, code.to_owned())
    }
}

/// The account of the captured requests.
pub(crate) fn directory(rights: Rights) -> Directory {
    let project = Named { id: PROJECT.to_owned(), name: REGION.to_owned() };
    let key = AccessKey { id: "MOCKAK".to_owned(), secret: Secret::new("MOCKSK") };
    let mut directory =
        Directory::with_administrator("demo-domain", REGION, project, "demo", Secret::new("demo-pass"), key);
    Arc::make_mut(&mut directory.users[0]).rights = rights;
    directory
}

/// A request for a token, with this scope unless it is null.
pub(crate) fn token_request(scope: Value) -> Value {
    let user = json!({"name": "demo", "password": "demo-pass", "domain": {"name": "demo-domain"}});
    json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}})
}

/// A request for a single node of release 3.0 that nothing is wrong with.
pub(crate) fn order() -> Value {
    json!({
        "name": "dcs-a11e",
        "engine": "Redis",
        "engine_version": "3.0",
        "capacity": 2,
        "password": "First_Pw1",
        "vpc_id": "27d99e17-42f2-4751-818f-5c8c6c03ff15",
        "security_group_id": "1477393a-29c9-4de5-843f-18ef51257c7e",
        "subnet_id": "ec2f34b9-20eb-4872-85bd-bea9fc943128",
        "available_zones": [ZONES[0]],
        "product_id": "OTC_DCS_SINGLE",
    })
}

/// [`order`] with these fields changed, and those that are `"-"` left out.
pub(crate) fn order_with(changes: Value) -> Value {
    let mut order = order();
    for (name, value) in changes.as_object().unwrap() {
        if value == "-" {
            order.as_object_mut().unwrap().remove(name);
        } else {
            order[name] = value.clone();
        }
    }
    order
}

/// Holds an answer against the declaration of its operation.
fn check_answer(operation: &Operation, status: u16, body: &Value) {
    let answer = operation.answers.iter().find(|answer| answer.status == status);
    let fields = match answer {
        Some(answer) => answer.body,
        None => {
            let declared = operation.declared_errors().iter().any(|code| code.status == status);
            assert!(declared || status == 400, "{} does not declare {status}: {body}", operation.id);
            Some(operation.error_body)
        }
    };
    let fits = match fields {
        // A field without a name is the body itself.
        Some([Field { name: "", kind, .. }]) => conform::check_kind(operation.id, kind, body),
        Some(fields) => conform::check_object(operation.id, fields, body),
        None if body.is_null() => Ok(()),
        None => Err(format!("{} answers a body: {body}", operation.id)),
    };
    fits.unwrap_or_else(|wrong| panic!("{wrong}"));
}
