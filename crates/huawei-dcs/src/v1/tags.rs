//! The tags of instances: those of one, those of all, and adding and deleting them.
//!
//! A tag that is added under a key that is there takes its place. One that is deleted with a value goes only if it has that
//! value; one that is not there is gone already.

use std::collections::{BTreeMap, BTreeSet};

use cloud::instance::{Order, Tag};
use cloud::{Pending, UpdateError};
use http::StatusCode;
use operation::schema::{FIELD, Field, Fields, Kind, Need, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::V1_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, TAG, list, reference, text};
use crate::refusal::{self, BUSY};

/// The tags of all instances.
pub(crate) const OF_ALL: &[Field] = &[list(
    "tags",
    &Kind::Object(&[
        text("key", "A key."),
        list("values", &Kind::Text(TEXT), "The values that it has in the project's instances."),
    ]),
    "The keys, in the order of their letters.",
)];

/// The tags of one.
pub(crate) const OF_ONE: &[Field] = &[list("tags", &Kind::Object(TAG), "The tags.")];

/// What is to be done with which tags.
pub(crate) const ACTION: &[Field] = &[
    Field {
        name: "action",
        kind: Kind::Text(Text { one_of: &["create", "delete"], ..TEXT }),
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "create or delete.",
    },
    Field {
        name: "tags",
        kind: Kind::List { of: &Kind::Object(TAG_SENT), min_items: 1 },
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "The tags, each key once.",
    },
];

/// A tag in a request.
pub(crate) const TAG_SENT: &[Field] = &[
    Field {
        name: "key",
        kind: Kind::Text(Text { min_chars: 1, max_chars: 36, or_scalar: true, ..TEXT }),
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "The tag's key, in up to 36 characters.",
    },
    Field {
        name: "value",
        kind: Kind::Text(Text { max_chars: 43, or_scalar: true, ..TEXT }),
        invalid: Some(&code::PARAMETER),
        about: "The tag's value, in up to 43 characters; needed to create it, though it may be empty.",
        ..FIELD
    },
];

/// So many tags an instance has at most.
pub(crate) const MOST: usize = 20;

pub(crate) static LIST_ALL: Operation = Operation {
    id: "ListTagsOfTenantV1",
    summary: "Lists the tags of all instances of a project.",
    route: Route::Path { method: Method::Get, template: "/v1.0/{project_id}/dcs/tags" },
    answers: &[Answer { status: 200, about: "The tags.", body: Some(OF_ALL) }],
    source: reference("9.1"),
    ..V1_PROJECT
}
.checked();

pub(crate) static CHANGE: Operation = Operation {
    id: "BatchCreateOrDeleteTagsV1",
    summary: "Adds tags to an instance, or deletes them.",
    route: Route::Path { method: Method::Post, template: "/v1.0/{project_id}/dcs/{instance_id}/tags/action" },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:modify"),
    body: Some(ACTION),
    answers: &[Answer { status: 200, about: "The tags are added or deleted.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY, &code::QUOTA_REACHED], BUSY],
    source: reference("9.2"),
    ..V1_PROJECT
}
.checked();

pub(crate) static LIST_ONE: Operation = Operation {
    id: "ShowTagsV1",
    summary: "Lists the tags of an instance.",
    route: Route::Path { method: Method::Get, template: "/v1.0/{project_id}/instances/{instance_id}/tags" },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:get"),
    answers: &[Answer { status: 200, about: "The tags.", body: Some(OF_ONE) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("9.3"),
    ..V1_PROJECT
}
.checked();

pub(crate) fn list_all<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instances = dcs.cloud.instances(request.project_id());
        let mut tags: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for tag in instances.iter().filter(|instance| instance.counts()).flat_map(|instance| &instance.tags) {
            tags.entry(&tag.key).or_default().insert(&tag.value);
        }
        let tags: Vec<Value> =
            tags.into_iter().map(|(key, values)| json!({"key": key, "values": values})).collect();
        Ok(Reply::ok(json!({"tags": tags})))
    })
}

pub(crate) fn list_one<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        Ok(Reply::ok(json!({"tags": instance.tags})))
    })
}

pub(crate) fn change_v1<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        change(dcs, &request).await?;
        Ok(Reply::empty(StatusCode::OK))
    })
}

/// Adds or deletes the tags of a request.
pub(crate) async fn change(dcs: &Dcs, request: &Request<'_>) -> Result<(), Failure> {
    let creates = request.body.text("action") == Some("create");
    let sent: Vec<(String, Option<String>)> = request.body.objects("tags").map(|tag| sent(&tag)).collect();
    let keys: BTreeSet<_> = sent.iter().map(|(key, _)| key).collect();
    if keys.len() < sent.len() {
        return Err(code::PARAMETER.of("tags"));
    }
    if creates && sent.iter().any(|(_, value)| value.is_none()) {
        return Err(code::PARAMETER.of("value"));
    }
    let apply = |order: &mut Order| {
        for (key, value) in sent {
            match (creates, value) {
                (true, value) => put(&mut order.tags, Tag { key, value: value.unwrap_or_default() }),
                (false, value) => order
                    .tags
                    .retain(|tag| tag.key != key || value.as_ref().is_some_and(|value| *value != tag.value)),
            }
        }
        order.tags.len() <= MOST
    };
    let changed = dcs.cloud.update(request.project_id(), request.instance_id(), apply).await;
    changed.map(|_| ()).map_err(|error| match error {
        UpdateError::Refused => (&code::QUOTA_REACHED).into(),
        error => refusal::of_update(&error).into(),
    })
}

/// Key and value of a tag in a request. A value that is sent empty is one; without any there is none.
pub(crate) fn sent(tag: &Fields<'_>) -> (String, Option<String>) {
    let value = tag.word("value").map(std::borrow::Cow::into_owned);
    let blank = || tag.is_blank("value").then(String::new);
    (tag.word("key").unwrap_or_default().into_owned(), value.or_else(blank))
}

fn put(tags: &mut Vec<Tag>, tag: Tag) {
    match tags.iter_mut().find(|have| have.key == tag.key) {
        Some(have) => *have = tag,
        None => tags.push(tag),
    }
}
