//! The catalog: where the services are, for a project or for the account.

use cloud::Pending;
use cloud::identity::{Caller, Named};
use operation::schema::{FIELD, Field, Kind, Need};
use operation::{Access, Answer, Call, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{CALLER_ERRORS, ERRORS, IAM, Iam, identity_api};
use crate::endpoint::Request;

pub(super) static CATALOG: Operation = Operation {
    id: "ShowCatalog",
    summary: "Shows where the services are that the caller may use.",
    route: Route::Path { method: Method::Get, template: "/v3/auth/catalog" },
    access: Access::Caller,
    answers: &[Answer { status: 200, about: "The catalog.", body: Some(&[CATALOG_FIELD]) }],
    errors: &[ERRORS, CALLER_ERRORS],
    source: identity_api("Authentication and token management"),
    ..IAM
}
.checked();

/// A catalog in an answer.
pub(super) const CATALOG_FIELD: Field = Field {
    name: "catalog",
    kind: Kind::List {
        of: &Kind::Object(&[
            Field { name: "id", need: Need::Required, ..FIELD },
            Field { name: "name", need: Need::Required, ..FIELD },
            Field { name: "type", need: Need::Required, ..FIELD },
            Field {
                name: "endpoints",
                kind: Kind::List {
                    of: &Kind::Object(&[
                        Field { name: "id", need: Need::Required, ..FIELD },
                        Field { name: "interface", need: Need::Required, ..FIELD },
                        Field { name: "region", need: Need::Required, ..FIELD },
                        Field { name: "region_id", need: Need::Required, ..FIELD },
                        Field { name: "url", need: Need::Required, ..FIELD },
                    ]),
                    min_items: 1,
                },
                need: Need::Required,
                ..FIELD
            },
        ]),
        min_items: 0,
    },
    need: Need::Optional,
    invalid: None,
    about: "The services and their addresses.",
};

pub(super) fn catalog<'a>(iam: &'a Iam, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move { Ok(Reply::ok(json!({"catalog": entries(iam, request.caller(), request.call)}))) })
}

/// The services for `caller`, at the address by which `call` came. Without a project there is no DCS.
pub(super) fn entries(iam: &Iam, caller: &Caller, call: &Call) -> Value {
    let (region, base_url) = (&iam.authority.directory().region, call.base_url());
    let service = |name: &str, kind: &str, path: String| {
        let id = |what: &str| Named::derived(what, &[kind]).id;
        json!({
            "id": id("service"),
            "name": name,
            "type": kind,
            "endpoints": [{
                "id": id("endpoint"),
                "interface": "public",
                "region": region,
                "region_id": region,
                "url": format!("{base_url}{path}"),
            }],
        })
    };
    let mut services = vec![service("keystone", "identity", "/v3".to_owned())];
    if let Some(project) = &caller.project {
        services.push(service("dcs", "dcs", format!("/v1.0/{}", project.id)));
    }
    services.into()
}
