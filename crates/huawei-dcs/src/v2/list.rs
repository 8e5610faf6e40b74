//! Querying a project's instances: filters and pages.
//!
//! The order is that of creation, so a page stays the same page while instances are added. Instances that were deleted are
//! not remembered, whoever asks for them.

use cloud::Pending;
use cloud::instance::Status;
use operation::schema::{self, FIELD, Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde::Serialize;

use super::show::{SUMMARY, Summary, summary, updated_at};
use super::{V2_PROJECT, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{OFFSET, integer, limit, list as list_field, page, text};
use crate::v1::list::{Filter, IP, NAME, STATUS, TAGS};

pub(crate) static LIST: Operation = Operation {
    id: "ListInstances",
    summary: "Lists the instances of a project.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances" },
    permission: Some("dcs:instance:list"),
    query: &[
        OFFSET,
        limit(1000, "How many instances a page has at most. 10 if left out."),
        Field { name: "instance_id", invalid: Some(&code::PARAMETER), about: "The id.", ..FIELD },
        NAME,
        Field {
            name: "name_equal",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "Whether the name must be the whole name.",
            ..FIELD
        },
        STATUS,
        Field {
            name: "include_failure",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "Whether instances that could not be created are listed.",
            ..FIELD
        },
        Field {
            name: "include_delete",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "Whether instances that were deleted are listed. There are none.",
            ..FIELD
        },
        IP,
        TAGS,
    ],
    answers: &[Answer {
        status: 200,
        about: "One page of the instances.",
        body: Some(&[
            list_field("instances", &Kind::Object(LISTED), "The instances of the page."),
            integer("instance_num", "How many instances the filters let through, on all pages."),
        ]),
    }],
    source: reference("Querying All Instances"),
    ..V2_PROJECT
}
.checked();

const LISTED: &[Field] = &schema::joined::<{ SUMMARY.len() + 1 }>(
    SUMMARY,
    &[text("updated_at", "When it was changed last, in UTC.")],
);

/// One page.
#[derive(Serialize)]
struct Page<'a> {
    instances: Vec<Listed<'a>>,
    instance_num: usize,
}

#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    updated_at: String,
}

pub(super) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let (query, host) = (&request.query, dcs.cloud.host_for(request.call.local));
        let filter = Filter {
            name: query.text("name"),
            whole_name: query.flag("name_equal"),
            id: query.text("instance_id"),
            status: query.text("status"),
            failed_too: query.flag("include_failure")
                || query.text("status") == Some(Status::CreateFailed.name()),
            tags: Filter::tags(query),
        };
        // Every instance has the same host, for one client.
        let here = query.text("ip").is_none_or(|ip| ip == host);
        let mut found = dcs.cloud.instances(request.project_id());
        found.retain(|instance| here && filter.admits(instance));
        let instance_num = found.len();
        let page = page(found.iter().collect(), query);
        let listed =
            |instance| Listed { summary: summary(dcs, instance, &host), updated_at: updated_at(instance) };
        let instances = page.map(|instance| listed(instance)).collect();
        Ok(Reply::ok(Page { instances, instance_num }))
    })
}
