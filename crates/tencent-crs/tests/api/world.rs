//! A cloud over a data plane and a clock that tests steer, spoken to through the gateway as a client would.
//!
//! Every answer is held against the declaration of its action: a field that is missing, undeclared or of another kind
//! fails the test, whatever the test is about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud::clock::Clock;
use cloud::fake::{self, FakeClock, FakeDataPlane};
use cloud::identity::{AccessKey, Directory, Named, Secret};
use cloud::policy::Rights;
use cloud::quota::Quota;
use cloud::store::{Contents, Store};
use cloud::task::Profile;
use cloud::{Cloud, Settings};
use gateway::Gateway;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http_body_util::BodyExt;
use operation::{Operation, conform};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha1::Sha1;
use tower::ServiceExt;

use crate::ratchet;

pub(crate) const SECRET_ID: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA";
pub(crate) const SECRET_KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3Cozk1qA";
/// 2016-07-12 21:10:11 in Beijing, when the document's first order was made.
pub(crate) const NOW_MS: u64 = 1_468_329_011_000;
pub(crate) const HOST: &str = "redis.api.qcloud.com";

pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) nodes: Arc<FakeDataPlane>,
    nonce: AtomicU64,
}

/// How a world differs from the usual one.
pub(crate) struct Setup {
    pub(crate) profile: Profile,
    pub(crate) quota: Quota,
    pub(crate) rights: Rights,
    pub(crate) store: (Store, Contents),
    pub(crate) balance_cny: u64,
    /// Whether anyone may call.
    pub(crate) is_open: bool,
    pub(crate) now_ms: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            profile: Profile::Instant,
            quota: Quota::default(),
            rights: Rights::everything(),
            store: Store::nowhere(),
            balance_cny: 1_000_000,
            is_open: false,
            now_ms: NOW_MS,
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        World::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let settings = Settings { quota: setup.quota, ..fake::settings(setup.profile) };
        let (clock, nodes) = (Arc::new(FakeClock::at(setup.now_ms)), Arc::new(FakeDataPlane::default()));
        let cloud = Cloud::open(settings, clock.clone(), nodes.clone(), setup.store).await;
        let directory = Directory { is_open: setup.is_open, ..directory(setup.rights) };
        let crs = tencent_crs::service(&cloud, directory, setup.balance_cny);
        let gateway = Gateway::new(vec![crs], &[], cloud.clone()).unwrap();
        World { gateway, cloud, clock, nodes, nonce: AtomicU64::new(1) }
    }

    /// The answer to a request: its HTTP status and its body.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: String) -> (u16, Value) {
        let parameters = if method == "POST" { body.clone() } else { path.to_owned() };
        let request = Request::builder().method(method).uri(path).header("host", HOST);
        let response = self.gateway.app().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap();
        ratchet::record(&parameters, &body);
        (status, body)
    }

    /// What is fetched from a path, as text.
    pub(crate) async fn fetch(&self, path: &str) -> (u16, String) {
        let request = Request::builder().uri(path).header("host", HOST).body(Body::empty()).unwrap();
        let response = self.gateway.app().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// The common parameters and these, signed for a request of this method.
    pub(crate) fn signed(&self, method: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed).to_string();
        let timestamp = (self.clock.now_ms() / 1000).to_string();
        let common =
            [("Action", action), ("SecretId", SECRET_ID), ("Nonce", &nonce), ("Timestamp", &timestamp)];
        let all: Vec<_> = common.into_iter().chain(parameters.iter().copied()).collect();
        sign(method, &all, SECRET_KEY)
    }

    /// What an action answers.
    pub(crate) async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Value {
        let (status, body) = self
            .ask("GET", &format!("/v2/index.php?{}", self.signed("GET", action, parameters)), String::new())
            .await;
        assert_eq!(status, 200, "{body}");
        check_answer(action, &body);
        body
    }

    /// Buys an instance from [`ORDER`] with these parameters changed, and answers its id.
    pub(crate) async fn create(&self, changes: &[(&str, &str)]) -> String {
        let deal = self.buy("CreateRedis", &with(ORDER, changes)).await;
        deal["goodsDetail"]["redisIds"][0].as_str().unwrap().to_owned()
    }

    /// The deal that an action makes.
    pub(crate) async fn buy(&self, action: &str, parameters: &[(&str, &str)]) -> Value {
        let answer = self.call(action, parameters).await;
        assert_eq!(answer["code"], "0", "{answer}");
        self.deal(answer["data"]["dealId"].as_str().unwrap()).await
    }

    /// A deal.
    pub(crate) async fn deal(&self, id: &str) -> Value {
        self.call("DescribeRedisDealDetail", &[("dealIds.0", id)]).await["dealDetails"][0].clone()
    }

    /// What the list shows of an instance; null if it is not there.
    pub(crate) async fn show(&self, id: &str) -> Value {
        let list = self.call("DescribeRedis", &[("limit", "10"), ("offset", "0"), ("redisId", id)]).await;
        list["data"]["redisSet"][0].clone()
    }

    /// Waits until what the list shows of an instance has this status, or until it is no longer there.
    pub(crate) async fn until(&self, id: &str, status: Option<&str>) -> Value {
        for _ in 0..5_000 {
            let shown = self.show(id).await;
            if shown["status"].as_str() == status {
                return shown;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        panic!("the instance stays {}", self.show(id).await);
    }

    /// The error that an action answers: its common code, its own number, and its name.
    pub(crate) async fn refused(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        error(&self.call(action, parameters).await)
    }
}

/// An order that nothing is wrong with: the document's example.
pub(crate) const ORDER: &[(&str, &str)] = &[
    ("zoneId", "100002"),
    ("typeId", "1"),
    ("memSize", "1024"),
    ("goodsNum", "1"),
    ("period", "2"),
    ("password", "49A2d!e@f12e"),
];

/// Parameters with some of them changed or added, and those that are `-` left out.
pub(crate) fn with<'a>(
    parameters: &[(&'a str, &'a str)],
    changes: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let kept = parameters.iter().filter(|(name, _)| !is_changed(name)).copied();
    kept.chain(changes.iter().filter(|(_, value)| *value != "-").copied()).collect()
}

/// The three parts of an error in a line.
pub(crate) fn error(body: &Value) -> String {
    let number = number(body["message"].as_str().unwrap_or_default());
    format!("{} {number} {}", body["code"], body["codeDesc"].as_str().unwrap_or_default())
}

/// The number of an error of an action, with which its message begins; nothing for a common one.
pub(crate) fn number(message: &str) -> &str {
    message.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or("", |(number, _)| number)
}

/// Pairs with their signature, as the query of a GET or the form of a POST.
pub(crate) fn sign(method: &str, pairs: &[(&str, &str)], key: &str) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let text: Vec<_> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = format!("{method}{HOST}/v2/index.php?{}", text.join("&"));
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = pairs.iter().copied().chain([("Signature", signature.as_str())]);
    let pairs: Vec<_> = pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}

fn directory(rights: Rights) -> Directory {
    let project = Named { id: "p".to_owned(), name: "p".to_owned() };
    let key = AccessKey { id: SECRET_ID.to_owned(), secret: Secret::new(SECRET_KEY) };
    let mut directory =
        Directory::with_administrator("demo", "region", project, "demo", Secret::new("pw"), key);
    Arc::make_mut(&mut directory.users[0]).rights = rights;
    directory
}

/// Holds an answer against the declaration of its action.
fn check_answer(action: &str, body: &Value) {
    let operations = tencent_crs::operations();
    let operation: &Operation = operations.iter().find(|operation| operation.id == action).unwrap();
    let fields = match &body["code"] {
        code if *code == json!(0) || *code == "0" => operation.answers[0].body.unwrap(),
        _ => {
            let declared = operation.declared_errors();
            let is_declared = declared.iter().any(|code| code.code == body["codeDesc"]);
            assert!(is_declared, "{action} does not declare {body}");
            operation.error_body
        }
    };
    conform::check_object(action, fields, body).unwrap_or_else(|wrong| panic!("{wrong}"));
}
