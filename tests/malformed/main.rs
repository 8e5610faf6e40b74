//! Requests that no client of sound mind sends, to every operation of both versions of DCS, of IAM and of CRS: each is answered in the
//! form of its interface, and never as a fault of the program's own.
//!
//! What is sent follows from the description that the program serves; for CRS, which it does not describe, from a list.

mod actions;
mod client;
mod credentials;
mod described;
mod odd;
mod requests;

use crate::client::{Client, check};
use crate::described::{operations, places, plausible};
use crate::odd::{ODD_TEXTS, no_objects, odd_values};
use serde_json::{Value, json};
use testkit::{Rng, Server, number};

/// Instances that there are to begin with: their names, specifications and capacities.
const INSTANCES: [(&str, &str, u32); 3] = [
    ("dcs-single", "redis.single.xu1.large.2", 2),
    ("dcs-pair", "redis.ha.xu1.large.r2.2", 2),
    ("dcs-memcached", "dcs.memcached.single_node", 2),
];

/// A server that takes everybody for its administrator, with instances, and their ids.
fn server() -> (Server, Vec<String>) {
    let server = Server::start(&["--ephemeral", "--auth", "off", "--quota-instances", "8"]);
    let ids = INSTANCES.map(|(name, code, gb)| {
        let is_redis = code.starts_with("redis");
        let order = json!({
            "name": name, "engine": if is_redis { "Redis" } else { "Memcached" }, "capacity": gb, "spec_code": code,
            "engine_version": if is_redis { "5.0" } else { "" }, "no_password_access": true, "vpc_id": "v",
            "subnet_id": "s", "security_group_id": "g", "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
        });
        let created = server.ask("POST", &server.instances(), "", &order);
        assert_eq!(created.status, 200, "{}", created.body);
        created.body["instance_id"].as_str().expect("it has an id").to_owned()
    });
    (server, ids.to_vec())
}

/// A path with these values in its places.
fn fill(template: &str, project: &str, id: &str, other: &str) -> String {
    let path = template.replace("{project_id}", project).replace("{instance_id}", id);
    let parts: Vec<_> =
        path.split('/').map(|part| if part.starts_with('{') { other } else { part }).collect();
    parts.join("/")
}

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

#[test]
fn bodies_that_are_none_are_refused() {
    let (server, ids) = server();
    let mut client = Client::new(&server);
    for operation in operations(&server) {
        let path = fill(&operation.path, &server.project_id, &ids[0], NOBODYS);
        for body in no_objects() {
            let answer = client.ask(&operation.method, &path, &body);
            let what = format!("{} {path} with {:?}", operation.method, String::from_utf8_lossy(&body));
            check(&what, &path, &answer);
        }
    }
    assert_eq!(client.ask("GET", "/healthz", b"").status, 200);
}

#[test]
fn fields_of_any_kind_are_taken_or_refused() {
    let (server, ids) = server();
    let mut client = Client::new(&server);
    let mut rng = Rng::new(number("CARNELIAN_MALFORMED_SEED", 5));
    let odd = odd_values();
    // More of them find more; so many are done in a moment.
    let rounds = number("CARNELIAN_MALFORMED_ROUNDS", 20);
    for operation in operations(&server) {
        let Some(schema) = &operation.body else { continue };
        let id = rng.pick(&ids).clone();
        let path = fill(&operation.path, &server.project_id, &id, NOBODYS);
        let sound = plausible(schema, "", &id, &mut rng);
        let mut all = Vec::new();
        places(&sound, "", &mut all);
        let mut ask = |body: &Value| {
            let body = body.to_string();
            let answer = client.ask(&operation.method, &path, body.as_bytes());
            check(&format!("{} {path} with {body}", operation.method), &path, &answer);
        };
        ask(&sound);
        for place in &all {
            for value in &odd {
                let mut body = sound.clone();
                *body.pointer_mut(place).expect("it was found there") = value.clone();
                ask(&body);
            }
        }
        for _ in 0..rounds {
            let mut body = plausible(schema, "", &id, &mut rng);
            let mut all = Vec::new();
            places(&body, "", &mut all);
            for _ in 0..rng.below(3) {
                let value = rng.pick(&odd).clone();
                // What it stands in may have gone.
                if let Some(place) = all.get(rng.below(all.len().max(1))).and_then(|at| body.pointer_mut(at))
                {
                    *place = value;
                }
            }
            ask(&body);
        }
    }
    assert_eq!(client.ask("GET", "/healthz", b"").status, 200);
}

#[test]
fn paths_and_queries_of_any_form_are_taken_or_refused() {
    let (server, ids) = server();
    let mut client = Client::new(&server);
    for operation in operations(&server) {
        let mut paths = Vec::new();
        let sound = fill(&operation.path, &server.project_id, &ids[1], NOBODYS);
        for odd in ODD_TEXTS {
            for name in ["{project_id}", "{instance_id}", "{"] {
                if operation.path.contains(name) {
                    let pick =
                        |own: &str, value: &str| if own == name { odd.to_owned() } else { value.to_owned() };
                    paths.push(fill(
                        &operation.path,
                        &pick("{project_id}", &server.project_id),
                        &pick("{instance_id}", &ids[1]),
                        &pick("{", NOBODYS),
                    ));
                }
            }
            paths.push(format!("{sound}?{odd}"));
            paths.extend(operation.queries.iter().map(|query| format!("{sound}?{query}={odd}")));
        }
        for query in &operation.queries {
            paths.push(format!("{sound}?{query}=1&{query}=x&{query}[]=1&{query}"));
        }
        paths.push(format!("{sound}?limit={}", "9".repeat(20_000)));
        paths.push(format!("{sound}/{}", "a".repeat(20_000)));
        for path in paths {
            let answer = client.ask(&operation.method, &path, b"{}");
            check(&format!("{} {path}", operation.method), &path, &answer);
        }
    }
    assert_eq!(client.ask("GET", "/healthz", b"").status, 200);
}

#[test]
fn methods_that_a_path_does_not_have_are_refused() {
    let (server, ids) = server();
    let mut client = Client::new(&server);
    let all = operations(&server);
    let index = "/v2/index.php?Action=DescribeRedis".to_owned();
    let paths: Vec<_> = all
        .iter()
        .map(|operation| fill(&operation.path, &server.project_id, &ids[0], NOBODYS))
        .chain([index])
        .collect();
    for path in &paths {
        for method in ["OPTIONS", "PATCH", "TRACE", "PROPFIND", "get", "X"] {
            let answer = client.ask(method, path, b"");
            check(&format!("{method} {path}"), path, &answer);
            assert_eq!(answer.status, 405, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
            assert!(answer.head.contains("\r\nallow: "), "{method} {path}: {}", answer.head);
        }
        let answer = client.ask("HEAD", path, b"");
        assert!(answer.status < 500, "HEAD {path}: {}", answer.head);
    }
    for path in
        ["/", "/v1.0", "/v2", "/v2/", "/v2/index.php", "/nothing", "//", "/v1.0//instances", "/%00", "/v3/x"]
    {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            check(&format!("{method} {path}"), path, &client.ask(method, path, b""));
        }
    }
}
