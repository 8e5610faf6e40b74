//! What real clients sent, sent again: the requests in `data/captures`, byte for byte.

use crate::world::{Answered, PROJECT, World};
use serde_json::json;

/// Sends a captured request; `token` takes the place of the captured one, which another server gave out.
async fn replay(world: &World, capture: &str, token: Option<&str>) -> Answered {
    let (head, body) = capture.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap();
    let headers: Vec<_> = lines
        .map(|header| header.split_once(": ").unwrap())
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
        .map(|(name, value)| match (name, token) {
            ("X-Auth-Token", Some(token)) => (name, token),
            other => (other.0, value),
        })
        .collect();
    assert!(head.contains("Host: 127.0.0.1:18080"));
    world.ask(line, &headers, body.trim_end_matches(['\r', '\n'])).await
}

#[tokio::test]
async fn an_openstack_client_gets_in_and_creates() {
    let world = World::new().await;
    let found = replay(&world, include_str!("../data/captures/otc_discovery.http"), None).await;
    assert_eq!(found.status, 200);
    let token = replay(&world, include_str!("../data/captures/otc_token.http"), None).await;
    assert_eq!(token.status, 201);
    let token = token.headers["x-subject-token"].to_str().unwrap();

    // Its name has one character, and its zone is another server's.
    let capture = include_str!("../data/captures/otc_create.http");
    let refused = replay(&world, capture, Some(token)).await;
    assert_eq!(refused.error(), (400, "DCS.4010".to_owned()));
    let named = capture.replace("\"name\": \"x\"", "\"name\": \"otc-1\"");
    assert_eq!(replay(&world, &named, Some(token)).await.error(), (400, "DCS.4042".to_owned()));
    let placed = named.replace("az-00000000000000000000000000000001", crate::world::ZONES[0]);
    let created = replay(&world, &placed, Some(token)).await;
    assert_eq!(created.status, 200, "{}", created.body);

    let marker = include_str!("../data/captures/otc_list_marker.http");
    let rest = replay(&world, marker, Some(token)).await;
    assert_eq!((rest.status, &rest.body["instances"]), (200, &json!([])));
    let id = created.body["instance_id"].as_str().unwrap();
    let shown = world.show(id).await;
    assert_eq!((&shown["status"], &shown["engine_version"]), (&json!("RUNNING"), &json!("3.0")));
}

#[tokio::test]
async fn a_token_of_another_server_is_invalid() {
    let world = World::new().await;
    let refused = replay(&world, include_str!("../data/captures/otc_create.http"), None).await;
    assert_eq!(refused.error(), (401, "DCS.1001".to_owned()));
}

#[tokio::test]
async fn a_signed_request_for_the_project_is_answered_with_exactly_one() {
    let world = World::new().await;
    let capture = include_str!("../data/captures/huawei_iam_projects.http");
    let found = replay(&world, capture, None).await;
    assert_eq!(found.status, 200, "{}", found.body);
    let projects = found.body["projects"].as_array().unwrap();
    assert_eq!((projects.len(), &projects[0]["id"]), (1, &json!(PROJECT)));

    let forged = capture.replace("Signature=3e52", "Signature=3e53");
    assert_eq!(replay(&world, &forged, None).await.status, 401);
    let other_key = capture.replace("Access=MOCKAK", "Access=OTHER");
    assert_eq!(replay(&world, &other_key, None).await.status, 401);
    world.clock.advance(15 * 60 * 1000 + 1);
    assert_eq!(replay(&world, capture, None).await.status, 401);
}
