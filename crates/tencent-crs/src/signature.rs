//! Signatures: HMAC over the method, the host, the path and all parameters but the signature itself.
//!
//! Clients differ in what they sign, so several texts are as good: the host is the one of the request, with or without its
//! port, or the service's own, since clients that are pointed elsewhere sign that; names are put in order before or after
//! underscores have become dots; and one client leaves out values that begin with `@`, which once named files.
//!
//! Invariant: comparing takes the same time wherever signatures differ.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ctutils::CtEq;
use hmac::{Hmac, KeyInit, Mac};
use operation::Call;
use sha1::Sha1;
use sha2::Sha256;

use crate::parameters::Parameters;

/// The host that clients sign by default.
const HOST: &str = "redis.api.qcloud.com";

/// Whether the request is signed with this key.
pub(crate) fn is_signed(call: &Call, parameters: &Parameters, secret_key: &str) -> bool {
    // A plus sign that was not encoded has come as a space.
    let signature = parameters.get("Signature").unwrap_or_default().replace(' ', "+");
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let is_sha256 = parameters.get("SignatureMethod") == Some("HmacSHA256");
    texts(call, parameters).iter().fold(false, |found, text| {
        let digest = if is_sha256 { sha256(secret_key, text) } else { sha1(secret_key, text) };
        found | digest.ct_eq(&signature).to_bool()
    })
}

/// What the client may have signed.
fn texts(call: &Call, parameters: &Parameters) -> Vec<String> {
    let pairs: Vec<_> = parameters.iter().filter(|(name, _)| *name != "Signature").collect();
    let mut strings = vec![query(&pairs, true), query(&pairs, false)];
    if call.method == http::Method::POST {
        let without: Vec<_> = pairs.iter().copied().filter(|(_, value)| !value.starts_with('@')).collect();
        strings.extend([query(&without, true), query(&without, false)]);
    }
    strings.sort_unstable();
    strings.dedup();
    let mut hosts = vec![HOST];
    if let Some(host) = call.header("host") {
        hosts.push(host);
        hosts.extend(host.rsplit_once(':').map(|(name, _)| name));
    }
    let text = |host: &str, string: &str| format!("{}{host}{}?{string}", call.method, call.path);
    hosts.iter().flat_map(|host| strings.iter().map(|string| text(host, string))).collect()
}

/// The pairs as they are signed, in the order of their names as they are sent or as they are signed.
fn query(pairs: &[(&str, &str)], in_order_of_signed: bool) -> String {
    let mut pairs: Vec<_> =
        pairs.iter().map(|(name, value)| (*name, name.replace('_', "."), *value)).collect();
    if in_order_of_signed {
        pairs.sort_by(|first, second| first.1.cmp(&second.1));
    } else {
        pairs.sort_by(|first, second| first.0.cmp(second.0));
    }
    let pairs: Vec<_> = pairs.iter().map(|(_, name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn sha1(key: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC takes any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn sha256(key: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use serde::Deserialize;
    use serde_json::{Map, Value};

    use super::*;

    #[derive(Clone, Deserialize)]
    struct Vector {
        host: String,
        method: String,
        secret_key: String,
        params: Map<String, Value>,
        signature: String,
    }

    fn vectors() -> Vec<Vector> {
        let all: Vec<Vector> = serde_json::from_str(include_str!("../tests/data/signatures.json")).unwrap();
        assert_eq!(all.len(), 5);
        all
    }

    fn encoded(text: &str) -> String {
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    }

    fn call(vector: &Vector) -> Call {
        let pairs = vector.params.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{}={}", encoded(name), encoded(&value))
        });
        let sent =
            pairs.chain([format!("Signature={}", encoded(&vector.signature))]).collect::<Vec<_>>().join("&");
        let is_post = vector.method == "POST";
        let (query, body) = if is_post { (String::new(), sent) } else { (sent, String::new()) };
        Call {
            method: http::Method::from_bytes(vector.method.as_bytes()).unwrap(),
            path: "/v2/index.php".to_owned(),
            raw_query: query,
            parameters: operation::PathParameters::default(),
            headers: [(http::header::HOST, vector.host.parse().unwrap())].into_iter().collect(),
            body: body.into(),
            local: None,
            is_secure: false,
        }
    }

    fn check(call: &Call, key: &str) -> bool {
        is_signed(call, &Parameters::of(call), key)
    }

    #[test]
    fn the_vectors_of_the_document_and_of_the_sdk_are_accepted() {
        for vector in vectors() {
            assert!(check(&call(&vector), &vector.secret_key), "{}", vector.signature);
            assert!(!check(&call(&vector), "another key"));
        }
    }

    #[test]
    fn whatever_the_signature_covers_cannot_be_changed() {
        for vector in vectors() {
            let key = vector.secret_key.as_str();
            for name in ["Action", "Nonce", "Timestamp", "SecretId"] {
                let mut changed = vector.clone();
                changed.params[name] = "1x".into();
                assert!(!check(&call(&changed), key), "{name}");
            }
            let mut changed = vector.clone();
            changed.params.insert("more".to_owned(), "x".into());
            assert!(!check(&call(&changed), key));
            let method = if vector.method == "POST" { "GET" } else { "POST" };
            assert!(!check(&call(&Vector { method: method.to_owned(), ..vector.clone() }), key));
            for bad in ["", "x", "!"] {
                assert!(!check(&call(&Vector { signature: bad.to_owned(), ..vector.clone() }), key));
            }
        }
    }

    #[test]
    fn the_host_is_that_of_the_request_or_of_the_service() {
        let signed = |host: &str, sent: &str| {
            let text = format!("GET{host}/v2/index.php?Action=DescribeRedis");
            let vector = Vector {
                host: sent.to_owned(),
                method: "GET".to_owned(),
                secret_key: "k".to_owned(),
                params: [("Action".to_owned(), "DescribeRedis".into())].into_iter().collect(),
                signature: STANDARD.encode(sha1("k", &text)),
            };
            check(&call(&vector), "k")
        };
        for (host, sent) in [
            ("127.0.0.1:8400", "127.0.0.1:8400"),
            ("127.0.0.1", "127.0.0.1:8400"),
            (HOST, "127.0.0.1:8400"),
            (HOST, HOST),
        ] {
            assert!(signed(host, sent), "{host} {sent}");
        }
        assert!(!signed("other", HOST));
    }

    #[test]
    fn names_may_be_in_either_order_and_values_of_files_left_out() {
        let text = |string: &str| format!("POST{HOST}/v2/index.php?{string}");
        let signed = |string: &str| {
            let vector = Vector {
                host: HOST.to_owned(),
                method: "POST".to_owned(),
                secret_key: "k".to_owned(),
                params: [("a_b".to_owned(), "_@".into()), ("aA".to_owned(), "@x".into())]
                    .into_iter()
                    .collect(),
                signature: STANDARD.encode(sha1("k", &text(string))),
            };
            check(&call(&vector), "k")
        };
        // An underscore comes after a capital, a dot before it.
        assert!(signed("a.b=_@&aA=@x") && signed("aA=@x&a.b=_@") && signed("a.b=_@"));
        assert!(!signed("a_b=_@&aA=@x"));
    }

    #[test]
    fn a_plus_sign_of_a_signature_may_come_as_it_is() {
        for vector in vectors().iter().filter(|vector| vector.signature.contains('+')) {
            let mut call = call(vector);
            call.raw_query = call.raw_query.replace("%2B", "+");
            call.body = String::from_utf8(call.body.to_vec()).unwrap().replace("%2B", "+").into();
            assert!(check(&call, &vector.secret_key));
        }
    }
}
