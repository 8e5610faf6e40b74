//! The projects that a caller may use.

use cloud::Pending;
use cloud::identity::Named;
use operation::schema::{FIELD, Field, Kind, Need, TEXT};
use operation::{Access, Answer, Failure, Method, Operation, Reply, Route, Source};
use serde_json::json;

use super::{CALLER_ERRORS, ERRORS, IAM, Iam, code, identity_api};
use crate::endpoint::Request;

pub(super) static PROJECTS: Operation = Operation {
    id: "ListProjects",
    summary: "Lists the projects of the account.",
    route: Route::Path { method: Method::Get, template: "/v3/projects" },
    query: &[Field {
        name: "name",
        invalid: Some(&code::MALFORMED),
        about: "The name of the project.",
        ..FIELD
    }],
    source: Source { document: "DCS API Reference", section: "12.3" },
    ..OWN
}
.checked();

pub(super) static OWN_PROJECTS: Operation = Operation {
    id: "ListOwnProjects",
    summary: "Lists the projects that a token may be asked for.",
    route: Route::Path { method: Method::Get, template: "/v3/auth/projects" },
    ..OWN
}
.checked();

const OWN: Operation = Operation {
    access: Access::Caller,
    answers: &[Answer {
        status: 200,
        about: "The projects.",
        body: Some(&[
            Field {
                name: "projects",
                kind: Kind::List {
                    of: &Kind::Object(&[
                        Field { name: "id", need: Need::Required, ..FIELD },
                        Field { name: "name", need: Need::Required, ..FIELD },
                        Field { name: "domain_id", need: Need::Required, ..FIELD },
                        Field { name: "parent_id", need: Need::Required, ..FIELD },
                        Field { name: "description", need: Need::Required, ..FIELD },
                        Field { name: "is_domain", kind: Kind::Boolean, need: Need::Required, ..FIELD },
                        Field { name: "enabled", kind: Kind::Boolean, need: Need::Required, ..FIELD },
                        LINKS,
                    ]),
                    min_items: 0,
                },
                need: Need::Required,
                ..FIELD
            },
            LINKS,
        ]),
    }],
    errors: &[ERRORS, CALLER_ERRORS],
    source: identity_api("Authentication and token management"),
    ..IAM
};

const LINKS: Field = Field {
    name: "links",
    kind: Kind::Object(&[
        Field { name: "next", need: Need::Nullable, ..FIELD },
        Field { name: "previous", need: Need::Nullable, ..FIELD },
        Field { name: "self", kind: Kind::Text(TEXT), need: Need::Required, ..FIELD },
    ]),
    need: Need::Required,
    ..FIELD
};

pub(super) fn projects<'a>(iam: &'a Iam, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let directory = iam.authority.directory();
        let base_url = request.call.base_url();
        let links = |path: &str| json!({"next": null, "previous": null, "self": format!("{base_url}{path}")});
        let project = |project: &Named| {
            json!({
                "id": project.id,
                "name": project.name,
                "domain_id": directory.domain.id,
                "parent_id": directory.domain.id,
                "description": "",
                "is_domain": false,
                "enabled": true,
                "links": links(&format!("/v3/projects/{}", project.id)),
            })
        };
        let name = request.query.text("name");
        let wanted = directory.projects.iter().filter(|project| name.is_none_or(|name| project.name == name));
        let projects: Vec<_> = wanted.map(project).collect();
        Ok(Reply::ok(json!({"projects": projects, "links": links(request.call.path.as_str())})))
    })
}
