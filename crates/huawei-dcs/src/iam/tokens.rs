//! Getting a token for a user's name and password.
//!
//! The scope is a project (by id, or by name with or without its domain), the account, or nothing.

use std::sync::Arc;

use cloud::Pending;
use cloud::identity::{Caller, Directory, Named, User};
use http::{HeaderName, HeaderValue, StatusCode};
use operation::schema::{FIELD, Field, Fields, Kind, Need, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route, Source};
use serde_json::{Value, json};

use super::catalog::{self, CATALOG_FIELD};
use super::{ERRORS, IAM, Iam, code};
use crate::endpoint::Request;
use crate::time;
use crate::token;

pub(super) static CREATE_TOKEN: Operation = Operation {
    id: "CreateToken",
    summary: "Gives a token for a user's name and password.",
    route: Route::Path { method: Method::Post, template: "/v3/auth/tokens" },
    query: &[Field {
        name: "nocatalog",
        invalid: Some(&code::MALFORMED),
        about: "Any value leaves the catalog out of the answer.",
        ..FIELD
    }],
    body: Some(BODY),
    answers: &[Answer {
        status: 201,
        about: "The token is in the header X-Subject-Token.",
        body: Some(&[Field {
            name: "token",
            kind: Kind::Object(TOKEN),
            need: Need::Required,
            about: "What the token says.",
            ..FIELD
        }]),
    }],
    errors: &[ERRORS, &[&code::WRONG_CREDENTIALS, &code::UNKNOWN_SCOPE]],
    source: Source { document: "DCS API Reference", section: "3.2" },
    ..IAM
}
.checked();

const BODY: &[Field] = &[required(
    "auth",
    Kind::Object(&[
        required(
            "identity",
            Kind::Object(&[
                required(
                    "methods",
                    Kind::List { of: &Kind::Text(Text { one_of: &["password"], ..TEXT }), min_items: 1 },
                ),
                required(
                    "password",
                    Kind::Object(&[required(
                        "user",
                        Kind::Object(&[
                            optional("id", Kind::Text(TEXT)),
                            optional("name", Kind::Text(TEXT)),
                            optional("domain", Kind::Object(DOMAIN)),
                            required("password", Kind::Text(TEXT)),
                        ]),
                    )]),
                ),
            ]),
        ),
        optional(
            "scope",
            Kind::Object(&[
                optional(
                    "project",
                    Kind::Object(&[
                        optional("id", Kind::Text(TEXT)),
                        optional("name", Kind::Text(TEXT)),
                        optional("domain", Kind::Object(DOMAIN)),
                    ]),
                ),
                optional("domain", Kind::Object(DOMAIN)),
            ]),
        ),
    ]),
)];

const DOMAIN: &[Field] = &[optional("id", Kind::Text(TEXT)), optional("name", Kind::Text(TEXT))];

const NAMED: &[Field] = &[
    Field { name: "id", need: Need::Required, ..FIELD },
    Field { name: "name", need: Need::Required, ..FIELD },
];

const NAMED_IN_DOMAIN: &[Field] = &[
    Field { name: "id", need: Need::Required, ..FIELD },
    Field { name: "name", need: Need::Required, ..FIELD },
    Field { name: "domain", kind: Kind::Object(NAMED), need: Need::Required, ..FIELD },
];

const TOKEN: &[Field] = &[
    Field {
        name: "methods",
        kind: Kind::List { of: &Kind::Text(TEXT), min_items: 1 },
        need: Need::Required,
        ..FIELD
    },
    Field { name: "issued_at", need: Need::Required, ..FIELD },
    Field { name: "expires_at", need: Need::Required, ..FIELD },
    Field { name: "user", kind: Kind::Object(NAMED_IN_DOMAIN), need: Need::Required, ..FIELD },
    Field {
        name: "roles",
        kind: Kind::List { of: &Kind::Object(NAMED), min_items: 0 },
        need: Need::Required,
        ..FIELD
    },
    Field { name: "project", kind: Kind::Object(NAMED_IN_DOMAIN), ..FIELD },
    Field { name: "domain", kind: Kind::Object(NAMED), ..FIELD },
    CATALOG_FIELD,
];

const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");

/// What a token is for.
enum Scope {
    Project(Named),
    Domain,
    Nothing,
}

pub(super) fn create_token<'a>(iam: &'a Iam, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let directory = iam.authority.directory();
        let auth = request.body.object("auth");
        let identity = auth.and_then(|auth| auth.object("identity")?.object("password")?.object("user"));
        let anyone = directory.anyone(None).map(|anyone| anyone.user);
        let user = identity.and_then(|user| authenticated(&user, directory)).or(anyone);
        let user = user.ok_or(&code::WRONG_CREDENTIALS)?;
        let scope = match auth.and_then(|auth| auth.object("scope")) {
            None => Scope::Nothing,
            Some(asked) => {
                // Whatever is asked for where credentials are not looked at, there is a project.
                let any = directory.projects.first().filter(|_| directory.is_open);
                let any = any.map(|project| Scope::Project(project.clone()));
                scope(&asked, directory).or(any).ok_or(&code::UNKNOWN_SCOPE)?
            }
        };
        let project = match &scope {
            Scope::Project(project) => Some(project.clone()),
            Scope::Domain | Scope::Nothing => None,
        };
        let (caller, now_ms) = (Caller { user, project }, iam.authority.now_ms());
        let mut said = describe(&caller, &scope, directory, now_ms);
        if request.query.text("nocatalog").is_none() && !matches!(scope, Scope::Nothing) {
            said["catalog"] = catalog::entries(iam, &caller, request.call);
        }
        let token = token::issue(&caller, now_ms);
        let token = HeaderValue::from_str(&token).expect("a token is made of letters, digits and signs");
        Ok(Reply::json(StatusCode::CREATED, json!({"token": said})).with_header(SUBJECT_TOKEN, token))
    })
}

/// The user whose id or name and whose password were sent. A name needs no domain, as there is but one.
fn authenticated(sent: &Fields<'_>, directory: &Directory) -> Option<Arc<User>> {
    let known = |user: &&Arc<User>| match (sent.text("id"), sent.text("name")) {
        (Some(id), _) => user.named.id == id,
        (None, Some(name)) => user.named.name == name && in_domain(sent, directory),
        (None, None) => false,
    };
    let user = directory.users.iter().find(known)?;
    user.password.is(sent.text("password")?).then(|| user.clone())
}

fn scope(asked: &Fields<'_>, directory: &Directory) -> Option<Scope> {
    if let Some(project) = asked.object("project") {
        let found =
            directory.projects.iter().find(|known| match (project.text("id"), project.text("name")) {
                (Some(id), _) => known.id == id,
                (None, Some(name)) => known.name == name && in_domain(&project, directory),
                (None, None) => false,
            });
        return found.cloned().map(Scope::Project);
    }
    (asked.object("domain").is_some() && in_domain(asked, directory)).then_some(Scope::Domain)
}

/// Whether the `domain` beside a name, if there is one, is the account.
fn in_domain(sent: &Fields<'_>, directory: &Directory) -> bool {
    sent.object("domain").is_none_or(|domain| match (domain.text("id"), domain.text("name")) {
        (Some(id), _) => directory.domain.id == id,
        (None, Some(name)) => directory.domain.name == name,
        (None, None) => false,
    })
}

/// What a token says of itself.
fn describe(caller: &Caller, scope: &Scope, directory: &Directory, now_ms: u64) -> Value {
    let named = |named: &Named| json!({"id": named.id, "name": named.name});
    let in_domain = |it: &Named| json!({"id": it.id, "name": it.name, "domain": named(&directory.domain)});
    let mut said = json!({
        "methods": ["password"],
        "issued_at": time::with_micros(now_ms),
        "expires_at": time::with_micros(now_ms + token::VALIDITY_MS),
        "user": in_domain(&caller.user.named),
        "roles": [{"id": "0", "name": "te_admin"}],
    });
    match scope {
        Scope::Project(project) => said["project"] = in_domain(project),
        Scope::Domain => said["domain"] = named(&directory.domain),
        Scope::Nothing => {}
    }
    said
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, need: Need::Required, invalid: Some(&code::MALFORMED), about: "" }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { need: Need::Optional, ..required(name, kind) }
}
