//! The way of a request: its operation, its body, its caller, its permission, its service.
//!
//! Invariants:
//! - The order is the same for every operation of every service.
//! - A service sees a call only after its caller is proven and the permission given.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use cloud::identity::Caller;
use cloud::policy::{Asked, Decision};
use cloud::service::{Refusal, Service};
use http::header::{ALLOW, CONNECTION};
use http::{HeaderValue, request};
use http_body_util::BodyExt;
use operation::{Access, Call, Failure, Found, Operation, PathParameters, Reply};
use percent_encoding::percent_decode;

use crate::Gateway;
use crate::answer::{new_request_id, response};
use crate::connections::Local;
use crate::stopwatch::Stopwatch;

/// The greatest body: what a signed request may have (DCS API Reference, 3.2).
const MAX_BODY_BYTES: usize = 12 << 20;

/// How much of a longer body is read before its sender is cut off.
const MAX_DRAINED_BYTES: usize = 128 << 20;

/// A request that found its operation.
struct Matched {
    operation: &'static Operation,
    owner: usize,
    parameters: PathParameters,
}

impl Gateway {
    /// The answer to a request that came in at the server's end `local`.
    pub(crate) async fn answer(&self, request: Request, local: Local) -> Response {
        let (took, request_id) = (Stopwatch::start(), new_request_id());
        let (head, body) = request.into_parts();
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        let (operation, reply) = self.reply(head, body, local, &request_id).await;
        let (id, status) = (operation.map(|operation| operation.id), reply.status.as_u16());
        self.metrics.count(id, status, took.elapsed());
        let request_id_text = request_id.to_str().unwrap_or_default();
        let took_us = u64::try_from(took.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(%method, path, operation = id, status, took_us, request_id = request_id_text, "request");
        response(reply, request_id)
    }

    async fn reply(
        &self,
        head: request::Parts,
        body: Body,
        local: Local,
        request_id: &HeaderValue,
    ) -> (Option<&'static Operation>, Reply) {
        let path = head.uri.path().to_owned();
        let nobodys = self.owner_of(&path);
        let refuse = |service: &Arc<dyn Service>, refusal| service.render(&service.refuse(refusal), &path);
        let (matched, body) = match self.router.find(&head.method, &path) {
            Found::Operation(operation, owner, parameters) => {
                (Matched { operation, owner, parameters }, read(body).await)
            }
            Found::Actions(actions) => {
                let body = read(body).await;
                // What is posted stands in the body alone.
                let pairs = match (&head.method, &body) {
                    (&http::Method::POST, Some(body)) => body.as_ref(),
                    (&http::Method::POST, None) => return (None, close(refuse(nobodys, Refusal::BadBody))),
                    _ => head.uri.query().unwrap_or_default().as_bytes(),
                };
                let Some(action) = action(pairs) else {
                    return (None, refuse(nobodys, Refusal::NoAction));
                };
                match actions.get(&action) {
                    Some((operation, owner)) => {
                        (Matched { operation, owner, parameters: PathParameters::default() }, body)
                    }
                    None => return (None, refuse(nobodys, Refusal::UnknownPath)),
                }
            }
            Found::WrongMethod(allowed) => {
                let allowed = allowed.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ");
                let allowed = HeaderValue::from_str(&allowed).expect("names of methods are letters");
                let refused = refuse(nobodys, Refusal::WrongMethod).with_header(ALLOW, allowed);
                return (None, refused);
            }
            Found::UnknownPath => return (None, refuse(nobodys, Refusal::UnknownPath)),
        };
        let Matched { operation, owner, parameters } = matched;
        let service = &self.services[owner];
        let Some(body) = body else {
            return (Some(operation), close(refuse(service, Refusal::BadBody)));
        };
        let call = Call {
            raw_query: head.uri.query().unwrap_or_default().to_owned(),
            method: head.method,
            path: path.clone(),
            parameters,
            headers: head.headers,
            body,
            local: local.address,
            is_secure: local.is_secure,
        };
        let now_ms = self.cloud.clock().now_ms();
        let outcome = admit_and_serve(service, operation, call, now_ms, request_id).await;
        let reply = outcome.unwrap_or_else(|failure| {
            tracing::debug!(%failure, operation = operation.id, "refused");
            service.render(&failure, &path)
        });
        (Some(operation), reply)
    }

    /// The service whose paths `path` is among.
    fn owner_of(&self, path: &str) -> &Arc<dyn Service> {
        let length = |service: &Arc<dyn Service>| {
            let prefixes = service.prefixes().iter().filter(|prefix| is_below(path, prefix));
            prefixes.map(|prefix| prefix.len()).max()
        };
        // The first of those that are as good.
        self.services.iter().rev().max_by_key(|service| length(service)).expect("a gateway has services")
    }
}

/// Who makes the call, if it may be made at this time.
fn admit(
    service: &dyn Service,
    operation: &'static Operation,
    call: &Call,
    now_ms: u64,
) -> Result<Option<Caller>, Failure> {
    if operation.access == Access::Public {
        return Ok(None);
    }
    let caller = service.authenticate(operation, call)?;
    if let Some(action) = operation.permission {
        let rights = &caller.user.rights;
        let instances = if rights.are_scoped() { service.instances(operation, call) } else { Vec::new() };
        let changes = operation.changes();
        match rights.decide(&Asked { caller: &caller, action, changes, instances: &instances, now_ms }) {
            Decision::Allowed => {}
            Decision::Denied => return Err(service.refuse(Refusal::Denied { action })),
            Decision::ReadOnly => return Err(service.refuse(Refusal::ReadOnly)),
        }
    }
    Ok(Some(caller))
}

/// Has the service serve the call if it may be made, on a task of its own: what the service began goes on when the
/// client hangs up, and a panic stays in the task.
async fn admit_and_serve(
    service: &Arc<dyn Service>,
    operation: &'static Operation,
    call: Call,
    now_ms: u64,
    request_id: &HeaderValue,
) -> Result<Reply, Failure> {
    let serving = service.clone();
    let served = tokio::spawn(async move {
        let outcome = match admit(serving.as_ref(), operation, &call, now_ms) {
            Ok(caller) => serving.serve(operation, caller, call).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &outcome {
            debug_assert!(operation.declares(failure), "{} does not declare {failure}", operation.id);
        }
        outcome
    });
    served.await.unwrap_or_else(|error| {
        tracing::error!(%error, operation = operation.id, ?request_id, "an operation panicked");
        Err(service.refuse(Refusal::Broken))
    })
}

/// The whole body; `None` if it is too long or does not come whole. What is too long is still read, for a while,
/// since a client that is cut off while it sends does not see the answer.
async fn read(mut body: Body) -> Option<Bytes> {
    let (mut whole, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            length += data.len();
            if length <= MAX_BODY_BYTES {
                whole.extend_from_slice(&data);
            } else if length > MAX_DRAINED_BYTES {
                break;
            }
        }
    }
    (length <= MAX_BODY_BYTES).then(|| whole.freeze())
}

/// An answer to a request whose body was not read: what is left of it is not the next request.
fn close(refused: Reply) -> Reply {
    refused.with_header(CONNECTION, HeaderValue::from_static("close"))
}

/// The value of `Action` among the pairs of a query or a form.
fn action(pairs: &[u8]) -> Option<String> {
    let value = pairs.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(b"Action="))?;
    percent_decode(value).decode_utf8().ok().map(Into::into)
}

fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lie_below_prefixes_by_whole_segments() {
        for (path, prefix, below) in [
            ("/v3", "/v3", true),
            ("/v3/projects", "/v3", true),
            ("/v30", "/v3", false),
            ("/anything", "/", true),
            ("/", "/", true),
        ] {
            assert_eq!(is_below(path, prefix), below, "{path} {prefix}");
        }
    }

    #[test]
    fn an_action_is_found_among_pairs() {
        assert_eq!(action(b"a=b&Action=DescribeRedis&c=d").as_deref(), Some("DescribeRedis"));
        assert_eq!(action(b"Action=Describe%52edis").as_deref(), Some("DescribeRedis"));
        assert_eq!(action(b"action=x&XAction=y"), None);
        assert_eq!(action(b""), None);
    }
}
