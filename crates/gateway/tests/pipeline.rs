//! The way of a request, over a service that does what the tests tell it to.

use std::sync::Arc;

use axum::body::Body;
use cloud::data_plane::DataPlane;
use cloud::fake::{self, FakeClock, FakeDataPlane};
use cloud::identity::{AccessKey, Account, Caller, Directory, Named, Secret, User};
use cloud::policy::{Asked, Decision, Effect, Rights, Statement};
use cloud::service::{Refusal, Service};
use cloud::store::Store;
use cloud::task::Profile;
use cloud::{Cloud, Pending};
use gateway::Gateway;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use operation::openapi::SecurityScheme;
use operation::schema::{FIELD, Field, Need};
use operation::{Access, Answer, BASE, Call, ErrorCode, Failure, Method, Operation, Reply, Route, Source};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const fn error(status: u16, code: &'static str) -> ErrorCode {
    ErrorCode { status, code, message: "{0}", former: None }
}

static REFUSED: ErrorCode = error(400, "refused");
static UNKNOWN: ErrorCode = error(404, "unknown");
static NO_ACTION: ErrorCode = error(400, "no action");
static METHOD: ErrorCode = error(405, "method");
static BODY: ErrorCode = error(400, "body");
static WHO: ErrorCode = error(401, "who");
static DENIED: ErrorCode = error(403, "denied");
static READER: ErrorCode = error(403, "reader");
static BROKEN: ErrorCode = error(500, "broken");
static UNDECLARED: ErrorCode = error(409, "undeclared");

const THINGS: Operation = Operation {
    summary: "Does something with things.",
    access: Access::Caller,
    answers: &[Answer { status: 200, about: "Done.", body: None }],
    errors: &[&[&REFUSED, &BODY, &WHO, &DENIED, &READER, &BROKEN]],
    source: Source { document: "Things", section: "1" },
    ..BASE
};

static SHOW: Operation = Operation {
    id: "Show",
    route: Route::Path { method: Method::Get, template: "/things/{name}" },
    path: &[Field { name: "name", need: Need::Required, invalid: Some(&REFUSED), ..FIELD }],
    permission: Some("things:thing:get"),
    ..THINGS
}
.checked();

static MAKE: Operation = Operation {
    id: "Make",
    route: Route::Path { method: Method::Post, template: "/things" },
    permission: Some("things:thing:make"),
    ..THINGS
}
.checked();

static OPEN: Operation = Operation {
    id: "Open",
    route: Route::Path { method: Method::Get, template: "/open" },
    access: Access::Public,
    ..THINGS
}
.checked();

static ACT: Operation =
    Operation { id: "Act", route: Route::Action { path: "/act", action: "Act" }, ..THINGS }.checked();

/// Callers say in `X-User` who they are. A thing's name says what happens.
struct Things;

impl Service for Things {
    fn operations(&self) -> Vec<&'static Operation> {
        vec![&SHOW, &MAKE, &OPEN, &ACT]
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/"]
    }

    fn authenticate(&self, _: &'static Operation, call: &Call) -> Result<Caller, Failure> {
        let name = call.header("x-user").ok_or(&WHO)?;
        let statement = Statement::of(Effect::Allow, vec!["things:thing:*".to_owned()]);
        let rights = match name {
            "stranger" => Rights::default(),
            "keeper" => {
                let resources = vec!["THINGS:r:*:instance:own".parse().unwrap()];
                Rights { statements: vec![Statement { resources, ..statement }], read_only: false }
            }
            name => Rights { statements: vec![statement], read_only: name == "reader" },
        };
        let named = Named::derived("user", &[name]);
        let account = Account { domain: Named::derived("domain", &["d"]), region: "r".to_owned() };
        let user = User { named, account, password: Secret::new(""), access_keys: Vec::new(), rights };
        Ok(Caller { user: Arc::new(user), project: None })
    }

    fn instances(&self, _: &'static Operation, call: &Call) -> Vec<String> {
        vec![call.parameter("name").to_owned()]
    }

    fn serve<'a>(
        &'a self,
        operation: &'static Operation,
        caller: Option<Caller>,
        call: Call,
    ) -> Pending<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            match call.parameter("name") {
                "refused" => return Err((&REFUSED).into()),
                "undeclared" => return Err((&UNDECLARED).into()),
                "panic" => panic!("as told"),
                _ => {}
            }
            let caller = caller.map(|caller| caller.user.named.name.clone());
            Ok(Reply::ok(json!({"id": operation.id, "caller": caller, "bytes": call.body.len()})))
        })
    }

    fn refuse(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::UnknownPath => (&UNKNOWN).into(),
            Refusal::NoAction => (&NO_ACTION).into(),
            Refusal::WrongMethod => (&METHOD).into(),
            Refusal::BadBody => (&BODY).into(),
            Refusal::Denied { action } => DENIED.of(action),
            Refusal::ReadOnly => (&READER).into(),
            Refusal::Broken => (&BROKEN).into(),
        }
    }

    fn render(&self, failure: &Failure, _: &str) -> Reply {
        Reply::json(failure.status(), json!({"code": failure.code.code, "message": failure.message()}))
    }
}

/// Owns the paths below `/other` and has no operations.
struct Other;

impl Service for Other {
    fn operations(&self) -> Vec<&'static Operation> {
        Vec::new()
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/other"]
    }

    fn authenticate(&self, _: &'static Operation, _: &Call) -> Result<Caller, Failure> {
        Err((&WHO).into())
    }

    fn instances(&self, _: &'static Operation, _: &Call) -> Vec<String> {
        Vec::new()
    }

    fn serve<'a>(
        &'a self,
        _: &'static Operation,
        _: Option<Caller>,
        _: Call,
    ) -> Pending<'a, Result<Reply, Failure>> {
        Box::pin(async { Err((&BROKEN).into()) })
    }

    fn refuse(&self, _: Refusal) -> Failure {
        (&UNKNOWN).into()
    }

    fn render(&self, failure: &Failure, _: &str) -> Reply {
        Reply::json(failure.status(), json!({"other": failure.code.code}))
    }
}

static SCHEMES: [SecurityScheme; 1] = [SecurityScheme { name: "user", about: "A user.", header: "X-User" }];

async fn gateway() -> Arc<Gateway> {
    let settings = fake::settings(Profile::Instant);
    let nodes: Arc<dyn DataPlane> = Arc::new(FakeDataPlane::default());
    let cloud = Cloud::open(settings, Arc::new(FakeClock::at(0)), nodes, Store::nowhere()).await;
    Gateway::new(vec![Arc::new(Things), Arc::new(Other)], &SCHEMES, cloud).unwrap()
}

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

async fn ask(gateway: &Arc<Gateway>, line: &str, user: Option<&str>, body: impl Into<Body>) -> Answered {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if let Some(user) = user {
        request = request.header("x-user", user);
    }
    let response = gateway.app().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answered { status: head.status.as_u16(), headers: head.headers, body }
}

#[tokio::test]
async fn a_call_reaches_its_operation_with_its_caller() {
    let gateway = gateway().await;
    let shown = ask(&gateway, "GET /things/a", Some("anna"), "").await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.body, json!({"id": "Show", "caller": "anna", "bytes": 0}));
    assert_eq!(shown.headers["content-type"], "application/json");
    let made = ask(&gateway, "POST /things", Some("anna"), "12345").await;
    assert_eq!(made.body, json!({"id": "Make", "caller": "anna", "bytes": 5}));
    let open = ask(&gateway, "GET /open", None, "").await;
    assert_eq!(open.body["caller"], Value::Null);
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let gateway = gateway().await;
    let mut ids = Vec::new();
    let lines = [
        "GET /open",
        "GET /open",
        "GET /nothing",
        "PUT /things",
        "GET /things/panic",
        "GET /healthz",
        "POST /healthz",
        "GET /metrics",
        "GET /openapi.json",
    ];
    for line in lines {
        let answered = ask(&gateway, line, Some("anna"), "").await;
        ids.push(answered.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    assert!(ids.iter().all(|id| id.len() == 32));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), lines.len());
}

#[tokio::test]
async fn what_is_refused_is_refused_in_order() {
    let gateway = gateway().await;
    for (line, user, status, code) in [
        ("GET /nothing", None, 404, "unknown"),
        ("PUT /things", None, 405, "method"),
        ("TRACE /things", None, 405, "method"),
        ("GET /things/a", None, 401, "who"),
        ("GET /things/a", Some("stranger"), 403, "denied"),
        ("POST /things", Some("reader"), 403, "reader"),
        ("GET /things/a", Some("reader"), 200, ""),
        ("GET /things/refused", Some("anna"), 400, "refused"),
    ] {
        let answered = ask(&gateway, line, user, "").await;
        assert_eq!(answered.status, status, "{line}");
        if status != 200 {
            assert_eq!(answered.body["code"], code, "{line}");
        }
    }
    let denied = ask(&gateway, "GET /things/a", Some("stranger"), "").await;
    assert_eq!(denied.body["message"], "things:thing:get");
    assert_eq!(ask(&gateway, "PUT /things", None, "").await.headers["allow"], "POST");
}

#[tokio::test]
async fn what_no_operation_answers_is_refused_by_the_owner_of_the_path() {
    let gateway = gateway().await;
    assert_eq!(ask(&gateway, "GET /other/x", None, "").await.body, json!({"other": "unknown"}));
    assert_eq!(ask(&gateway, "GET /others", None, "").await.body["code"], "unknown");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let gateway = gateway().await;
    let most = vec![b' '; 12 << 20];
    let whole = ask(&gateway, "POST /things", Some("anna"), most.clone()).await;
    assert_eq!((whole.status, &whole.body["bytes"]), (200, &json!(12 << 20)));
    let longer = ask(&gateway, "POST /things", Some("anna"), [&most[..], b"x"].concat()).await;
    assert_eq!((longer.status, &longer.body["code"]), (400, &json!("body")));
    assert_eq!(longer.headers["connection"], "close");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_is_served() {
    let gateway = gateway().await;
    let broken = ask(&gateway, "GET /things/panic", Some("anna"), "").await;
    assert_eq!((broken.status, &broken.body["code"]), (500, &json!("broken")));
    assert_eq!(ask(&gateway, "GET /things/a", Some("anna"), "").await.status, 200);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn an_error_that_is_not_declared_fails_an_assertion() {
    let gateway = gateway().await;
    assert_eq!(ask(&gateway, "GET /things/undeclared", Some("anna"), "").await.status, 500);
}

#[tokio::test]
async fn actions_are_found_in_the_query_and_in_a_form() {
    let gateway = gateway().await;
    for (line, body) in [("GET /act?a=b&Action=Act", ""), ("POST /act", "a=b&Action=Act")] {
        assert_eq!(ask(&gateway, line, Some("anna"), body).await.body["id"], "Act", "{line}");
    }
    for (line, body) in [("GET /act?Action=act", ""), ("POST /act", "Action=Other")] {
        assert_eq!(ask(&gateway, line, Some("anna"), body).await.status, 404, "{line} {body}");
    }
    for (line, body) in [("GET /act", "Action=Act"), ("POST /act?Action=Act", "a=b")] {
        assert_eq!(ask(&gateway, line, Some("anna"), body).await.body["code"], "no action", "{line} {body}");
    }
}

#[tokio::test]
async fn health_metrics_and_openapi_are_there() {
    let gateway = gateway().await;
    assert_eq!(ask(&gateway, "GET /healthz", None, "").await.body, json!({"status": "ok"}));
    ask(&gateway, "GET /things/a", Some("anna"), "").await;
    let response =
        gateway.app().oneshot(Request::get("/metrics").body(Body::empty()).unwrap()).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&text).unwrap();
    assert!(text.contains("carnelian_http_requests_total{operation=\"Show\",status=\"200\"} 1\n"), "{text}");
    let openapi = ask(&gateway, "GET /openapi.json", None, "").await.body;
    assert_eq!(openapi["paths"]["/things"]["post"]["operationId"], "Make");
}

#[tokio::test]
async fn a_server_serves_real_connections_and_stops_when_told() {
    let gateway = gateway().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(gateway.serve(listener, async { drop(stopped.await) }));
    let ask = async |request: &str| {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    };
    assert_eq!(ask("GET /open HTTP/1.1\r\nhost: x\r\n\r\n").await, "HTTP/1.1 200");
    let too_long = format!(
        "POST /things HTTP/1.1\r\nhost: x\r\nx-user: anna\r\ncontent-length: {}\r\n\r\n{}",
        13 << 20,
        " ".repeat(13 << 20)
    );
    assert_eq!(ask(&too_long).await, "HTTP/1.1 400");
    let broken_body = "POST /things HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(ask(broken_body).await, "HTTP/1.1 400");
    assert_eq!(ask("no request at all\r\n\r\n").await, "HTTP/1.1 400");
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[test]
fn an_administrator_may_do_everything() {
    let key = AccessKey { id: "AK".to_owned(), secret: Secret::new("SK") };
    let project = Named::derived("project", &["p"]);
    let directory = Directory::with_administrator("d", "r", project, "user", Secret::new("password"), key);
    let caller = Caller { user: directory.users[0].clone(), project: None };
    let asked =
        Asked { caller: &caller, action: "things:thing:make", changes: true, instances: &[], now_ms: 0 };
    assert_eq!(caller.user.rights.decide(&asked), Decision::Allowed);
}
