//! Querying a project's instances: filters and pages.
//!
//! The order is that of creation, so a page stays the same page while instances are added. OpenStack-style clients
//! send two parameters that the reference does not know: a `marker` begins a page after the place of the instance of
//! that id, also where that one is gone or filtered out, and `exactMatchName` is `isExactMatchName`.

use cloud::Pending;
use cloud::instance::{Instance, Status};
use operation::schema::{FIELD, Field, Kind, Query, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde::Serialize;

use super::V1_PROJECT;
use super::show::{SUMMARY, Summary, summary};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, count, integer, list as list_field, reference};

pub(crate) static LIST: Operation = Operation {
    id: "ListInstancesV1",
    summary: "Lists the instances of a project.",
    route: Route::Path { method: Method::Get, template: "/v1.0/{project_id}/instances" },
    permission: Some("dcs:instance:list"),
    query: &[
        count("start", i64::MAX, "The number of the first instance on the page, from 1."),
        count("limit", 2000, "How many instances a page has at most. 1000 if left out."),
        Field {
            name: "marker",
            invalid: Some(&code::PARAMETER),
            about: "The id of the instance before the page.",
            ..FIELD
        },
        NAME,
        Field { name: "id", invalid: Some(&code::PARAMETER), about: "The id.", ..FIELD },
        STATUS,
        Field {
            name: "includeFailure",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "Whether instances that could not be created are listed.",
            ..FIELD
        },
        Field {
            name: "isExactMatchName",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "Whether the name must be the whole name.",
            ..FIELD
        },
        Field {
            name: "exactMatchName",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "The same, as OpenStack-style clients call it.",
            ..FIELD
        },
        IP,
        TAGS,
    ],
    answers: &[Answer {
        status: 200,
        about: "One page of the instances.",
        body: Some(&[
            list_field("instances", &Kind::Object(SUMMARY), "The instances of the page."),
            integer("instance_num", "How many instances the filters let through, on all pages."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS],
    source: reference("4.5"),
    ..V1_PROJECT
}
.checked();

/// Instances of this name.
pub(crate) const NAME: Field =
    Field { name: "name", invalid: Some(&code::PARAMETER), about: "The name, or a part of it.", ..FIELD };

/// Instances in this state.
pub(crate) const STATUS: Field = Field {
    name: "status",
    kind: Kind::Text(Text { one_of: &STATUSES, ..TEXT }),
    invalid: Some(&code::PARAMETER),
    about: "The state.",
    ..FIELD
};

/// Instances at this address.
pub(crate) const IP: Field =
    Field { name: "ip", invalid: Some(&code::PARAMETER), about: "The address.", ..FIELD };

/// Instances with these tags.
pub(crate) const TAGS: Field = Field {
    name: "tags",
    invalid: Some(&code::PARAMETER),
    about: "Tags that an instance must have, as key=value,key=value.",
    ..FIELD
};

/// The number of instances on a page, unless the request says otherwise.
const PAGE: usize = 1000;

pub(crate) const STATUSES: [&str; Status::ALL.len()] = {
    let mut names = [""; Status::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Status::ALL[at].name();
        at += 1;
    }
    names
};

/// One page.
#[derive(Serialize)]
struct Page<'a> {
    instances: Vec<Summary<'a>>,
    instance_num: usize,
}

pub(super) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let (query, host) = (&request.query, dcs.cloud.host_for(request.call.local));
        let filter = Filter::new(query);
        // Every instance has the same host, for one client.
        let here = query.text("ip").is_none_or(|ip| ip == host);
        let mut found = dcs.cloud.instances(request.project_id());
        found.retain(|instance| here && filter.admits(instance));
        let first = match query.text("marker") {
            Some(marker) => match dcs.cloud.place_of(request.project_id(), marker) {
                Some(place) => found.partition_point(|instance| instance.sequence <= place),
                None => found.len(),
            },
            None => at_least_one(query.integer("start"), 1) - 1,
        };
        let page = found.iter().skip(first).take(at_least_one(query.integer("limit"), PAGE));
        let instances = page.map(|instance| summary(dcs, instance, &host)).collect();
        Ok(Reply::ok(Page { instances, instance_num: found.len() }))
    })
}

pub(crate) fn at_least_one(number: Option<i64>, otherwise: usize) -> usize {
    number.map_or(otherwise, |number| usize::try_from(number).unwrap_or(usize::MAX)).max(1)
}

/// What a request lets through.
pub(crate) struct Filter<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) whole_name: bool,
    pub(crate) id: Option<&'a str>,
    pub(crate) status: Option<&'a str>,
    pub(crate) failed_too: bool,
    pub(crate) tags: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Filter<'a> {
    fn new(query: &'a Query) -> Self {
        Filter {
            name: query.text("name"),
            whole_name: query.flag("isExactMatchName") || query.flag("exactMatchName"),
            id: query.text("id"),
            status: query.text("status"),
            failed_too: query.flag("includeFailure"),
            tags: Filter::tags(query),
        }
    }

    /// The tags that are asked for, with their values where they matter.
    pub(crate) fn tags(query: &'a Query) -> Vec<(&'a str, Option<&'a str>)> {
        let tags = query.text("tags").unwrap_or_default().split(',').filter(|tag| !tag.is_empty());
        tags.map(|tag| match tag.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (tag, None),
        })
        .collect()
    }

    pub(crate) fn admits(&self, instance: &Instance) -> bool {
        let name = |wanted: &str| {
            if self.whole_name { instance.name == wanted } else { instance.name.contains(wanted) }
        };
        let tag = |(key, value): &(&str, Option<&str>)| {
            instance.tags.iter().any(|tag| tag.key == *key && value.is_none_or(|value| tag.value == value))
        };
        self.name.is_none_or(name)
            && self.id.is_none_or(|id| instance.id == id)
            && self.status.is_none_or(|status| instance.status.name() == status)
            && (self.failed_too || instance.status != Status::CreateFailed)
            && self.tags.iter().all(tag)
    }
}
