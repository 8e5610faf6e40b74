//! Who may call, and how often: signatures, nonces, timestamps, rights, and requests that are none of an action.

use cloud::clock::Clock;
use cloud::policy::{Effect, Rights, Statement};
use serde_json::json;

use crate::world::{NOW_MS, SECRET_ID, SECRET_KEY, Setup, World, error, sign};

const ZONES: &str = "DescribeRedisZones";
const UNPROVEN: &str = "4100  Authentication failed";
const REPLAY: &str = "4500  Replay attack error";

impl World {
    /// What is answered to these pairs as they are.
    async fn get(&self, query: &str) -> String {
        let (status, body) = self.ask("GET", &format!("/v2/index.php?{query}"), String::new()).await;
        assert_eq!(status, 200);
        error(&body)
    }
}

fn common<'a>(timestamp: &'a str, nonce: &'a str) -> [(&'a str, &'a str); 4] {
    [("Action", ZONES), ("SecretId", SECRET_ID), ("Timestamp", timestamp), ("Nonce", nonce)]
}

#[tokio::test]
async fn a_signed_request_is_answered_by_get_and_by_post() {
    let world = World::new().await;
    let form = world.signed("POST", ZONES, &[("Region", "gz"), ("RequestClient", "SDK_PYTHON_2.0.15")]);
    let posted = world.ask("POST", "/v2/index.php?Action=Other", form).await;
    let got = world.call(ZONES, &[("Region", "gz"), ("Token", "")]).await;
    assert_eq!(posted, (200, got));
}

#[tokio::test]
async fn who_is_not_proven_is_told_why() {
    let world = World::new().await;
    let now = (NOW_MS / 1000).to_string();
    let signed = sign("GET", &common(&now, "1"), SECRET_KEY);
    assert_eq!(world.get(&signed.replace("Nonce=1", "Nonce=2")).await, UNPROVEN);
    assert_eq!(world.get(&sign("GET", &common(&now, "1"), "other")).await, UNPROVEN);
    assert_eq!(world.get(&sign("POST", &common(&now, "1"), SECRET_KEY)).await, UNPROVEN);
    let unknown = sign("GET", &common(&now, "1"), SECRET_KEY).replace(SECRET_ID, "AKIDother");
    assert_eq!(world.get(&unknown).await, "4104  SecretId does not exist");
    for missing in ["SecretId", "Timestamp", "Nonce", "Signature"] {
        let left: Vec<_> =
            signed.split('&').filter(|pair| !pair.starts_with(&format!("{missing}="))).collect();
        assert_eq!(world.get(&left.join("&")).await, "4000  Invalid request parameters", "{missing}");
    }
    for (timestamp, nonce) in [("now", "1"), ("-5", "1"), (now.as_str(), "x"), (now.as_str(), "-1")] {
        let said = world.get(&sign("GET", &common(timestamp, nonce), SECRET_KEY)).await;
        assert_eq!(said, "4000  Invalid request parameters", "{timestamp} {nonce}");
    }
    assert_eq!(world.get(&signed).await, "\"0\"  Success");
}

#[tokio::test]
async fn a_request_is_taken_once_and_within_two_hours() {
    let world = World::new().await;
    let now_s = NOW_MS / 1000;
    let at = |timestamp_s: u64, nonce| sign("GET", &common(&timestamp_s.to_string(), nonce), SECRET_KEY);
    assert_eq!(world.get(&at(now_s, "7")).await, "\"0\"  Success");
    assert_eq!(world.get(&at(now_s, "7")).await, REPLAY);
    world.clock.advance(1000);
    assert_eq!(world.get(&at(now_s, "7")).await, REPLAY);
    assert_eq!(world.get(&at(now_s + 1, "7")).await, "\"0\"  Success");
    assert_eq!(world.get(&at(now_s + 1 - 7200, "8")).await, "\"0\"  Success");
    assert_eq!(world.get(&at(now_s - 7200, "9")).await, REPLAY);
    assert_eq!(world.get(&at(now_s + 7202, "9")).await, REPLAY);
    // A request that was refused does not use its nonce up.
    let wrong = sign("GET", &common(&(now_s + 1).to_string(), "10"), "other");
    assert_eq!(world.get(&wrong).await, UNPROVEN);
    assert_eq!(world.get(&at(now_s + 1, "10")).await, "\"0\"  Success");
    assert!(world.clock.now_ms() > NOW_MS);
}

#[tokio::test]
async fn what_is_no_action_is_refused_in_the_form_of_the_service() {
    let world = World::new().await;
    let (status, body) = world.ask("GET", "/v2/index.php?Action=DescribeInstances", String::new()).await;
    assert_eq!((status, error(&body).as_str()), (200, "6100  Version not supported"));
    let (status, body) = world.ask("POST", "/v2/index.php?Action=DescribeRedis", "a=b".to_owned()).await;
    assert_eq!((status, body["message"].as_str()), (200, Some("Invalid request parameters: Action")));
    let (status, body) = world.ask("PUT", "/v2/index.php", String::new()).await;
    assert_eq!((status, body["code"].clone()), (405, json!(4000)));
}

#[tokio::test]
async fn a_policy_may_allow_some_actions() {
    let statement = Statement::of(Effect::Allow, vec!["crs:instance:Describe*".to_owned()]);
    let rights = Rights { statements: vec![statement.clone()], read_only: true };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    assert_eq!(world.call(ZONES, &[]).await["code"], "0");
    let rights = Rights { statements: Vec::new(), read_only: false };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    let denied = "4101  Not authorized by the developer to access this API";
    assert_eq!(world.refused(ZONES, &[]).await, denied);

    let resources = vec!["CRS:*:*:instance:crs-own*".parse().unwrap()];
    let own = Statement { resources, ..Statement::of(Effect::Allow, vec!["crs:*:*".to_owned()]) };
    let rights = Rights { statements: vec![own], read_only: false };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    for (action, parameters, is_denied) in [
        ("ClearRedis", &[("redisId", "crs-own1")][..], false),
        ("ClearRedis", &[("redisId", "crs-other")], true),
        ("SetRedisAutoRenew", &[("redisIds.0", "crs-own1"), ("redisIds.1", "crs-own2")], false),
        ("SetRedisAutoRenew", &[("redisIds.0", "crs-own1"), ("redisIds.1", "crs-other")], true),
        (ZONES, &[], true),
    ] {
        assert_eq!(world.refused(action, parameters).await == denied, is_denied, "{action} {parameters:?}");
    }
}

#[tokio::test]
async fn anyone_may_call_where_nobody_has_to_prove_who_they_are() {
    let world = World::with(Setup { is_open: true, ..Setup::default() }).await;
    assert_eq!(world.get("Action=DescribeRedisZones").await, "\"0\"  Success");
    assert_eq!(world.get("Action=DescribeRedisZones&SecretId=x&Signature=y").await, "\"0\"  Success");
}
