//! `SDK-HMAC-SHA256`: requests that are signed with a secret key.
//!
//! The form is that of the public SDKs (`docs/differences.md` names the document gap): a canonical request is hashed
//! into a string to sign, and that is signed with the secret key. The tests hold signed requests with fixed dates.
//!
//! Invariants:
//! - Comparing signatures takes the same time wherever they differ.
//! - The signature covers method, path, query, the headers that it names and the body; the date is among those
//!   headers.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use operation::Call;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};

use crate::time;

/// What a signed request says about its signature.
pub(crate) struct Signed<'a> {
    /// The public half of the key.
    pub(crate) access_key: &'a str,
    signed_headers: Vec<&'a str>,
    signature: Vec<u8>,
    date: &'a str,
}

/// Why a signature does not prove anything. Clients are not told, the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The `Authorization` header has another form.
    Malformed,
    /// The date is missing, unreadable or not among the signed headers.
    NoDate,
    /// The date is too far from now.
    Skewed,
    /// A header that was signed is not there.
    HeaderMissing,
    /// The signature is another one.
    WrongSignature,
}

/// What the `Authorization` header begins with.
pub(crate) const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// How far the date of a request may be from now, either way.
const SKEW_MS: u64 = 15 * 60 * 1000;

const DATE_HEADER: &str = "x-sdk-date";
const BODY_HASH_HEADER: &str = "x-sdk-content-sha256";
const UNSIGNED_BODY: &str = "UNSIGNED-PAYLOAD";

/// What stays as it is in a path or query; everything else is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl<'a> Signed<'a> {
    /// Reads what `call` says about its signature.
    pub(crate) fn read(call: &'a Call) -> Result<Self, Mismatch> {
        let header = call.header("authorization").ok_or(Mismatch::Malformed)?;
        let parts = header.strip_prefix(ALGORITHM).ok_or(Mismatch::Malformed)?;
        let part = |name: &str| {
            let mut pairs = parts.split(',').filter_map(|part| part.trim().split_once('='));
            pairs.find(|(have, _)| *have == name).map(|(_, value)| value)
        };
        let signed_headers: Vec<_> = part("SignedHeaders").ok_or(Mismatch::Malformed)?.split(';').collect();
        if !signed_headers.iter().any(|name| name.eq_ignore_ascii_case(DATE_HEADER)) {
            return Err(Mismatch::NoDate);
        }
        Ok(Signed {
            access_key: part("Access").ok_or(Mismatch::Malformed)?,
            signature: part("Signature")
                .and_then(|signature| hex::decode(signature).ok())
                .ok_or(Mismatch::Malformed)?,
            date: call.header(DATE_HEADER).ok_or(Mismatch::NoDate)?,
            signed_headers,
        })
    }

    /// Checks the signature of `call`, from which this was read, with the secret half of the key.
    pub(crate) fn verify(&self, call: &Call, secret_key: &str, now_ms: u64) -> Result<(), Mismatch> {
        let date_ms = time::from_basic(self.date).ok_or(Mismatch::NoDate)?;
        if date_ms.abs_diff(now_ms) > SKEW_MS {
            return Err(Mismatch::Skewed);
        }
        let mut outcome = Err(Mismatch::WrongSignature);
        for body_hash in body_hashes(call) {
            let request = self.canonical_request(call, &body_hash)?;
            let hash = hex::encode(Sha256::digest(request.as_bytes()));
            let string_to_sign = format!("{ALGORITHM}\n{}\n{hash}", self.date);
            let mut mac = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes()).expect("HMAC takes any key");
            mac.update(string_to_sign.as_bytes());
            outcome = outcome.or(mac.verify_slice(&self.signature).map_err(|_| Mismatch::WrongSignature));
        }
        outcome
    }

    fn canonical_request(&self, call: &Call, body_hash: &str) -> Result<String, Mismatch> {
        let mut request = format!(
            "{}\n{}\n{}\n",
            call.method,
            canonical_path(&call.path),
            canonical_query(&call.raw_query)
        );
        for name in &self.signed_headers {
            let value = call.headers.get(*name).ok_or(Mismatch::HeaderMissing)?;
            let value = String::from_utf8_lossy(value.as_bytes());
            let _ = writeln!(request, "{}:{}", name.to_ascii_lowercase(), value.trim());
        }
        let _ = write!(request, "\n{}\n{body_hash}", self.signed_headers.join(";").to_ascii_lowercase());
        Ok(request)
    }
}

/// What may stand for the body. The SDK calls a body unsigned by its content type alone; one that is empty it signs
/// all the same.
fn body_hashes(call: &Call) -> Vec<String> {
    let signed = || hex::encode(Sha256::digest(&call.body));
    match call.header(BODY_HASH_HEADER) {
        Some(UNSIGNED_BODY) if call.body.is_empty() => vec![UNSIGNED_BODY.to_owned(), signed()],
        Some(UNSIGNED_BODY) => vec![UNSIGNED_BODY.to_owned()],
        _ => vec![signed()],
    }
}

/// The path with every segment encoded in one way, and a slash at its end.
fn canonical_path(path: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut canonical: Vec<_> = decoded
        .split(|byte| *byte == b'/')
        .map(|segment| percent_encode(segment, ENCODED).to_string())
        .collect();
    if canonical.last().is_some_and(|last| !last.is_empty()) {
        canonical.push(String::new());
    }
    canonical.join("/")
}

/// The pairs of the query encoded in one way, in the order that they have before they are encoded.
fn canonical_query(query: &str) -> String {
    let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let encode = |text: &[u8]| percent_encode(text, ENCODED).to_string();
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect();
    pairs.sort_unstable();
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use operation::PathParameters;
    use serde::Deserialize;

    use super::*;

    #[derive(Clone, Deserialize)]
    struct Vector {
        ak: String,
        sk: String,
        method: String,
        uri: String,
        headers: std::collections::BTreeMap<String, String>,
        body: Option<String>,
        canonical_request: String,
        authorization: String,
    }

    fn vectors() -> Vec<Vector> {
        let all: Vec<Vector> = serde_json::from_str(include_str!("../tests/data/signatures.json")).unwrap();
        assert!(all.len() >= 8);
        all
    }

    fn call(vector: &Vector) -> Call {
        let (path, query) = vector.uri.split_once('?').unwrap_or((&vector.uri, ""));
        let headers: HeaderMap = vector
            .headers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect();
        Call {
            method: http::Method::from_bytes(vector.method.as_bytes()).unwrap(),
            path: path.to_owned(),
            raw_query: query.to_owned(),
            parameters: PathParameters::default(),
            headers,
            body: vector.body.clone().unwrap_or_default().into_bytes().into(),
            local: None,
            is_secure: false,
        }
    }

    /// 2024-01-02T03:04:05Z, the date of the vectors.
    const NOW_MS: u64 = 1_704_164_645_000;

    fn check(call: &Call, secret_key: &str, now_ms: u64) -> Result<(), Mismatch> {
        Signed::read(call)?.verify(call, secret_key, now_ms)
    }

    #[test]
    fn the_vectors_of_the_sdk_are_accepted() {
        for vector in vectors() {
            let call = call(&vector);
            assert_eq!(call.header("authorization"), Some(vector.authorization.as_str()));
            let signed = Signed::read(&call).ok().unwrap();
            assert_eq!(signed.access_key, vector.ak);
            let [body_hash] = &body_hashes(&call)[..] else { panic!("a signed body has one hash") };
            assert_eq!(signed.canonical_request(&call, body_hash).unwrap(), vector.canonical_request);
            assert_eq!(signed.verify(&call, &vector.sk, NOW_MS), Ok(()), "{} {}", vector.method, vector.uri);
        }
    }

    #[test]
    fn whatever_the_signature_covers_cannot_be_changed() {
        for vector in vectors() {
            let sk = vector.sk.as_str();
            let changes: [fn(&mut Call); 6] = [
                |call| call.method = http::Method::PATCH,
                |call| call.path.push_str("/x"),
                |call| call.raw_query.push_str("&x=1"),
                |call| call.body = [&call.body[..], b" "].concat().into(),
                |call| drop(call.headers.insert("user-agent", HeaderValue::from_static("other"))),
                |call| drop(call.headers.insert(DATE_HEADER, HeaderValue::from_static("20240102T030406Z"))),
            ];
            for change in changes {
                let mut changed = call(&vector);
                change(&mut changed);
                assert_eq!(check(&changed, sk, NOW_MS), Err(Mismatch::WrongSignature), "{}", vector.uri);
            }
            assert_eq!(check(&call(&vector), "another key", NOW_MS), Err(Mismatch::WrongSignature));
        }
    }

    #[test]
    fn a_date_is_good_for_a_quarter_of_an_hour_either_way() {
        let vector = &vectors()[0];
        let at = |now_ms| check(&call(vector), &vector.sk, now_ms);
        assert_eq!(at(NOW_MS + SKEW_MS), Ok(()));
        assert_eq!(at(NOW_MS - SKEW_MS), Ok(()));
        assert_eq!(at(NOW_MS + SKEW_MS + 1), Err(Mismatch::Skewed));
        assert_eq!(at(NOW_MS - SKEW_MS - 1), Err(Mismatch::Skewed));
    }

    #[test]
    fn malformed_headers_are_refused() {
        let vector = &vectors()[0];
        let with = |name: &'static str, value: Option<&str>| {
            let mut call = call(vector);
            match value {
                Some(value) => drop(call.headers.insert(name, HeaderValue::from_str(value).unwrap())),
                None => drop(call.headers.remove(name)),
            }
            check(&call, &vector.sk, NOW_MS)
        };
        let without = |part: &str| vector.authorization.replace(part, "X=");
        assert_eq!(with("authorization", None), Err(Mismatch::Malformed));
        assert_eq!(with("authorization", Some("Basic eA==")), Err(Mismatch::Malformed));
        for part in ["Access=", "SignedHeaders=", "Signature="] {
            assert_eq!(with("authorization", Some(&without(part))), Err(Mismatch::Malformed), "{part}");
        }
        let short = format!("{}0", vector.authorization);
        assert_eq!(with("authorization", Some(&short)), Err(Mismatch::Malformed));
        let no_date = vector.authorization.replace(";x-sdk-date", "");
        assert_eq!(with("authorization", Some(&no_date)), Err(Mismatch::NoDate));
        assert_eq!(with("x-sdk-date", None), Err(Mismatch::NoDate));
        assert_eq!(with("x-sdk-date", Some("today")), Err(Mismatch::NoDate));
        assert_eq!(with("user-agent", None), Err(Mismatch::HeaderMissing));
    }

    #[test]
    fn an_unsigned_body_is_said_to_be_so_and_an_empty_one_may_be_signed_nevertheless() {
        let vector = &vectors()[0];
        let mut call = call(vector);
        call.headers.insert(BODY_HASH_HEADER, HeaderValue::from_static(UNSIGNED_BODY));
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(body_hashes(&call), [UNSIGNED_BODY, empty]);
        // That header is not among those that were signed, and the body was empty.
        assert_eq!(check(&call, &vector.sk, NOW_MS), Ok(()));
        call.body = "x".into();
        assert_eq!(body_hashes(&call), [UNSIGNED_BODY]);
        assert_eq!(check(&call, &vector.sk, NOW_MS), Err(Mismatch::WrongSignature));
    }

    #[test]
    fn paths_and_queries_have_one_form() {
        assert_eq!(canonical_path("/v1/a%2Fb%20c"), "/v1/a/b%20c/");
        assert_eq!(canonical_path("/"), "/");
        assert_eq!(canonical_path("/v3/"), "/v3/");
        assert_eq!(canonical_query("z=&a=%7E&a=*&b+c=d e"), "a=%2A&a=~&b%2Bc=d%20e&z=");
        // In order before they are encoded: "{" comes after "b", "%7B" before it.
        assert_eq!(canonical_query("a%7B=1&ab=2"), "ab=2&a%7B=1");
        assert_eq!(canonical_query("name=a%7B&name=a1"), "name=a1&name=a%7B");
    }
}
