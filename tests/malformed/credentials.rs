//! Tokens, signatures and requests for tokens of any form.

use crate::client::{Client, check};
use crate::described::places;
use crate::odd::{ODD_TEXTS, odd_values};
use serde_json::json;
use testkit::Server;

#[test]
fn credentials_of_any_form_are_refused() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let mut client = Client::new(&server);
    let instances = server.instances();
    let flipped = format!("{}A{}", &token[..20], &token[21..]);
    let long = "x".repeat(60_000);
    let signed = |rest: &str| format!("authorization: SDK-HMAC-SHA256 {rest}");
    let key = "Access=carnelian-access-key, SignedHeaders=host;x-sdk-date, Signature=";
    let headers = [
        String::new(),
        "x-auth-token: ".to_owned(),
        "x-auth-token: x".to_owned(),
        format!("x-auth-token: {flipped}"),
        format!("x-auth-token: {}", &token[..token.len() / 2]),
        format!("x-auth-token: {token}{token}"),
        format!("x-auth-token: {long}"),
        "x-auth-token: \u{e9}\u{1f600}".to_owned(),
        "authorization: Basic YTpi".to_owned(),
        "authorization: Bearer".to_owned(),
        signed(""),
        signed(","),
        signed("Access=, SignedHeaders=, Signature="),
        signed(&format!("{key}00\r\nx-sdk-date: yesterday")),
        signed(&format!("{key}{}\r\nx-sdk-date: 20261122T061452Z", "0".repeat(64))),
        signed(&format!("{key}\u{e9}\r\nx-sdk-date: 99999999T999999Z")),
        signed(&format!("Access={long}, SignedHeaders={}, Signature=1", "a;".repeat(20_000))),
    ];
    for path in [instances.clone(), instances.replace("/v1.0/", "/v2/"), "/v3/projects".to_owned()] {
        for header in &headers {
            let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{header}", client.address);
            let end = if header.is_empty() { "\r\n" } else { "\r\n\r\n" };
            let answer = client.send(format!("{head}{end}").as_bytes(), false).expect("it is answered");
            let what = format!("GET {path} with {header}");
            check(&what, &path, &answer);
            assert_eq!(answer.status, 401, "{}", what.chars().take(300).collect::<String>());
        }
    }
    let sound = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "id": "x", "name": "carnelian", "password": "carnelian", "domain": {"id": "x", "name": "carnelian"},
        }}},
        "scope": {"project": {"id": "x", "name": "x", "domain": {"id": "x"}}, "domain": {"id": "x", "name": "x"}},
    }});
    let mut all = Vec::new();
    places(&sound, "", &mut all);
    for place in all {
        for value in odd_values() {
            let mut body = sound.clone();
            *body.pointer_mut(&place).expect("it was found there") = value;
            let answer = client.ask("POST", "/v3/auth/tokens", body.to_string().as_bytes());
            check(&format!("POST /v3/auth/tokens with {body}"), "/v3/auth/tokens", &answer);
            assert!(answer.status >= 400, "{body}");
        }
    }
    let now = "1795328092";
    for odd in ODD_TEXTS {
        for name in ["SecretId", "Timestamp", "Nonce", "Signature", "SignatureMethod", "Token", "Region"] {
            let pairs = [
                ("SecretId", "carnelian-access-key"),
                ("Timestamp", now),
                ("Nonce", "1"),
                ("Signature", "AAAA"),
                ("SignatureMethod", "HmacSHA256"),
            ];
            let pairs = pairs.map(|(own, value)| format!("{own}={}", if own == name { odd } else { value }));
            let form = format!("Action=DescribeRedisZones&{}&{name}={odd}", pairs.join("&"));
            let answer = client.ask("POST", "/v2/index.php", form.as_bytes());
            check(&form, "/v2/index.php", &answer);
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!text.contains("\"Success\""), "{form}: {text}");
        }
    }
    assert_eq!(client.ask("GET", "/healthz", b"").status, 200);
}
