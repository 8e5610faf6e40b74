//! A request and its answer, as an operation sees them: values without a socket.
//!
//! Invariant: nothing here fails. What a client sent is kept as it came; whoever needs it decoded says what a
//! malformed value means.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method as sent.
    pub method: http::Method,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query string as sent, without its question mark.
    pub raw_query: String,
    /// What stood in the places of the route's parameters, decoded.
    pub parameters: PathParameters,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The server's own address on the client's connection, where there is a connection.
    pub local: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub is_secure: bool,
}

/// Names and values of a path's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathParameters(Vec<(&'static str, String)>);

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// Headers besides those of the body and the transport.
    pub headers: HeaderMap,
    /// The body, where there is one: JSON, already written.
    pub body: Option<Bytes>,
}

impl Call {
    /// The path parameter `name`, or `""` if the route has none of that name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(have, _)| *have == name).map_or("", |(_, value)| value)
    }

    /// The header `name`, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The decoded pairs of the query, in the order sent. A plus sign stays a plus sign, since the clients of these
    /// interfaces encode a space as `%20`.
    pub fn query(&self) -> impl Iterator<Item = (String, String)> {
        self.raw_query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
    }

    /// The address that the client used, as `http://HOST[:PORT]`, or `https`: what links in answers must start with, so that
    /// they work from wherever the client is.
    pub fn base_url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        match (self.header("host"), self.local) {
            (Some(host), _) if !host.is_empty() => format!("{scheme}://{host}"),
            (_, Some(local)) => format!("{scheme}://{local}"),
            _ => format!("{scheme}://localhost"),
        }
    }
}

impl PathParameters {
    /// The pairs, in the order of the template.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl FromIterator<(&'static str, String)> for PathParameters {
    fn from_iter<I: IntoIterator<Item = (&'static str, String)>>(pairs: I) -> Self {
        PathParameters(pairs.into_iter().collect())
    }
}

impl Reply {
    /// A reply with a JSON body.
    pub fn json(status: StatusCode, body: impl Serialize) -> Self {
        let body = serde_json::to_vec(&body).expect("answers have text keys and finite numbers");
        Reply { status, headers: HeaderMap::new(), body: Some(body.into()) }
    }

    /// A 200 with a JSON body.
    pub fn ok(body: impl Serialize) -> Self {
        Reply::json(StatusCode::OK, body)
    }

    /// A reply without a body.
    pub fn empty(status: StatusCode) -> Self {
        Reply { status, headers: HeaderMap::new(), body: None }
    }

    /// The same reply with one more header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(raw_query: &str) -> Call {
        Call {
            method: http::Method::GET,
            path: "/".to_owned(),
            raw_query: raw_query.to_owned(),
            parameters: PathParameters::default(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            local: None,
            is_secure: false,
        }
    }

    #[test]
    fn a_query_is_decoded_pair_by_pair() {
        let call = call("a=b%20c&plus=+&&empty=&bare&tags=k%3Dv%2Ck2=v2");
        let pairs: Vec<_> = call.query().collect();
        let expected = [("a", "b c"), ("plus", "+"), ("empty", ""), ("bare", ""), ("tags", "k=v,k2=v2")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_reply_is_written_as_json() {
        let reply = Reply::ok(serde_json::json!({"b": 1, "a": null}));
        assert_eq!(reply.body.as_deref(), Some(&b"{\"b\":1,\"a\":null}"[..]));
        assert_eq!(Reply::empty(StatusCode::NO_CONTENT).body, None);
    }

    #[test]
    fn links_start_with_the_address_that_the_client_used() {
        let mut call = call("");
        assert_eq!(call.base_url(), "http://localhost");
        call.local = Some("127.0.0.1:8400".parse().unwrap());
        assert_eq!(call.base_url(), "http://127.0.0.1:8400");
        call.headers.insert(http::header::HOST, HeaderValue::from_static("carnelian:8400"));
        assert_eq!(call.base_url(), "http://carnelian:8400");
    }
}
