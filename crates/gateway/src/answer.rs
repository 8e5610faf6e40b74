//! An operation's reply as an HTTP response.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use operation::Reply;
use uuid::Uuid;

/// What every answer has.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A new id for a request: 32 hexadecimal digits.
pub(crate) fn new_request_id() -> HeaderValue {
    let id = Uuid::new_v4().simple().to_string();
    HeaderValue::from_str(&id).expect("digits are a header's value")
}

/// The response with an id of its own, unless it has one.
pub(crate) async fn with_request_id(mut response: Response) -> Response {
    response.headers_mut().entry(REQUEST_ID).or_insert_with(new_request_id);
    response
}

/// The response for `reply`.
pub(crate) fn response(reply: Reply, request_id: HeaderValue) -> Response {
    let Reply { status, headers, body } = reply;
    let has_body = body.is_some();
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id);
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    } else if status != StatusCode::NO_CONTENT {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    response
}
