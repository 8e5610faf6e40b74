//! What a client asks first: which versions there are, and where.

use cloud::Pending;
use operation::schema::{FIELD, Field, Kind, Need, TEXT};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{IAM, Iam, identity_api};
use crate::endpoint::Request;

pub(super) static VERSIONS: Operation = Operation {
    id: "ListIdentityVersions",
    summary: "Lists the versions of the identity service.",
    route: Route::Path { method: Method::Get, template: "/" },
    answers: &[Answer {
        status: 200,
        about: "The versions.",
        body: Some(&[Field {
            name: "versions",
            kind: Kind::Object(&[Field {
                name: "values",
                kind: Kind::List { of: &Kind::Object(VERSION_FIELDS), min_items: 1 },
                need: Need::Required,
                ..FIELD
            }]),
            need: Need::Required,
            ..FIELD
        }]),
    }],
    source: identity_api("API versions"),
    ..IAM
}
.checked();

pub(super) static VERSION: Operation = Operation {
    id: "ShowIdentityVersion",
    summary: "Shows version 3 of the identity service.",
    route: Route::Path { method: Method::Get, template: "/v3" },
    answers: &[Answer {
        status: 200,
        about: "The version.",
        body: Some(&[Field {
            name: "version",
            kind: Kind::Object(VERSION_FIELDS),
            need: Need::Required,
            ..FIELD
        }]),
    }],
    source: identity_api("API versions"),
    ..IAM
}
.checked();

const VERSION_FIELDS: &[Field] = &[
    Field { name: "id", need: Need::Required, ..FIELD },
    Field { name: "status", need: Need::Required, ..FIELD },
    Field { name: "updated", need: Need::Required, ..FIELD },
    Field {
        name: "links",
        kind: Kind::List { of: &Kind::Map(&Kind::Text(TEXT)), min_items: 1 },
        need: Need::Required,
        ..FIELD
    },
    Field {
        name: "media-types",
        kind: Kind::List { of: &Kind::Map(&Kind::Text(TEXT)), min_items: 1 },
        need: Need::Required,
        ..FIELD
    },
];

pub(super) fn versions<'a>(_: &'a Iam, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let values = [version_3(&request.call.base_url())];
        Ok(Reply::ok(json!({"versions": {"values": values}})))
    })
}

pub(super) fn version<'a>(_: &'a Iam, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move { Ok(Reply::ok(json!({"version": version_3(&request.call.base_url())}))) })
}

fn version_3(base_url: &str) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": format!("{base_url}/v3/")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    })
}
