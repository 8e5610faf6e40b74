//! From where an instance may be reached: asking, and changing it.

use std::collections::BTreeSet;

use cloud::engine::Release;
use cloud::whitelist::{Group, Network, Whitelist};
use cloud::{Pending, TaskError};
use http::StatusCode;
use operation::schema::{FIELD, Field, Fields, Kind, Need, Pattern, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{JOB, V2_INSTANCE, job, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, boolean, list, text};
use crate::refusal::{self, BUSY};

/// How many groups a list has at most.
const MOST_GROUPS: usize = 4;
/// How many addresses a list has at most, in all groups.
const MOST_ADDRESSES: usize = 20;

pub(crate) static SHOW: Operation = Operation {
    id: "ShowIpWhitelist",
    summary: "Shows from where an instance may be reached.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instance/{instance_id}/whitelist" },
    permission: Some("dcs:instance:get"),
    answers: &[Answer {
        status: 200,
        about: "The list.",
        body: Some(&[
            text("instance_id", "The id of the instance."),
            boolean("enable_whitelist", "Whether it keeps anybody out."),
            list(
                "whitelist",
                &Kind::Object(&[
                    text("group_name", "The name of the group."),
                    list("ip_list", &Kind::Text(TEXT), "Its addresses and networks."),
                ]),
                "The groups.",
            ),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::NOT_SUPPORTED]],
    source: reference("Querying the IP Whitelist of a DCS Instance"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static UPDATE: Operation = Operation {
    id: "UpdateIpWhitelist",
    summary: "Changes from where an instance may be reached; whoever may not any more is cut off.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/instance/{instance_id}/whitelist" },
    permission: Some("dcs:whitelist:modify"),
    body: Some(&[
        Field {
            name: "instance_id",
            invalid: Some(&code::PARAMETER),
            about: "Not used: the path says which.",
            ..FIELD
        },
        Field {
            name: "enable_whitelist",
            kind: Kind::Flag,
            need: Need::Required,
            invalid: Some(&code::PARAMETER),
            about: "Whether it keeps anybody out. A list without addresses does not.",
        },
        Field {
            name: "whitelist",
            kind: Kind::List {
                of: &Kind::Object(&[
                    Field {
                        name: "group_name",
                        kind: Kind::Text(Text { pattern: Some(&GROUP_NAME), ..TEXT }),
                        need: Need::Required,
                        invalid: Some(&code::PARAMETER),
                        about: "The name of the group, unique within the instance.",
                    },
                    Field {
                        name: "ip_list",
                        kind: Kind::List { of: &Kind::Text(TEXT), min_items: 0 },
                        need: Need::Required,
                        invalid: Some(&code::PARAMETER),
                        about: "Addresses and networks, none of them twice; also several in one text, between commas.",
                    },
                ]),
                min_items: 0,
            },
            need: Need::Required,
            invalid: Some(&code::PARAMETER),
            about: "All groups: at most 4, with at most 20 addresses.",
        },
    ]),
    answers: &[Answer { status: 204, about: "It is so, or is about to be.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY, &[&code::EMPTY_BODY, &code::NOT_SUPPORTED, &code::BROKEN]],
    source: reference("Configuring IP Whitelist Groups"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static UPDATE_ASYNC: Operation = Operation {
    id: "UpdateIpWhitelistAsync",
    summary: "The same, as a job that can be asked about.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instance/{instance_id}/whitelist-async",
    },
    answers: &[Answer { status: 200, about: "It is so, or is about to be.", body: Some(JOB) }],
    source: reference("Configuring IP Whitelist Groups Asynchronously"),
    ..UPDATE
}
.checked();

static GROUP_NAME: Pattern = Pattern {
    expression: "^[A-Za-z][A-Za-z0-9_-]{3,63}$",
    matches: |name| {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (4..=64).contains(&name.len())
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(is_known)
    },
};

pub(super) fn show<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        // Others have security groups instead.
        if instance.release <= Some(Release::V3_0) {
            return Err((&code::NOT_SUPPORTED).into());
        }
        let groups = instance.whitelist.groups.iter().map(|group| {
            let addresses: Vec<_> = group.networks.iter().map(Network::text).collect();
            json!({"group_name": group.name, "ip_list": addresses})
        });
        Ok(Reply::ok(json!({
            "instance_id": instance.id,
            "enable_whitelist": instance.whitelist.is_enabled,
            "whitelist": groups.collect::<Vec<_>>(),
        })))
    })
}

pub(super) fn update<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        change(dcs, &request).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

pub(super) fn update_async<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move { Ok(job(&change(dcs, &request).await?)) })
}

/// Changes the list; answers the id of the task that does so.
async fn change(dcs: &Dcs, request: &Request<'_>) -> Result<String, Failure> {
    let whitelist = asked_for(&request.body).ok_or_else(|| code::PARAMETER.of("whitelist"))?;
    let begun = dcs.cloud.set_whitelist(request.project_id(), request.instance_id(), whitelist).await;
    let id = begun.map_err(|error| match error {
        TaskError::NotSupported => &code::NOT_SUPPORTED,
        error => refusal::of_task(&error),
    })?;
    Ok(id)
}

/// The list that a request asks for, unless something in it is there twice, is no address, or is too much.
fn asked_for(body: &Fields<'_>) -> Option<Whitelist> {
    let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    let mut groups = Vec::new();
    for group in body.objects("whitelist") {
        let name = group.text("group_name")?;
        let mut networks = Vec::new();
        for text in group.texts("ip_list").flat_map(|text| text.split(',')).map(str::trim) {
            networks.push(Network::parse(text)?);
            if !addresses.insert(text) {
                return None;
            }
        }
        if !names.insert(name) {
            return None;
        }
        groups.push(Group { name: name.to_owned(), networks });
    }
    let fits = groups.len() <= MOST_GROUPS && addresses.len() <= MOST_ADDRESSES;
    fits.then(|| Whitelist { is_enabled: body.boolean("enable_whitelist") == Some(true), groups })
}
