//! Who is connected to the nodes of an instance, and ending connections.
//!
//! What is listed is what the node says at that moment: there is no list that would have to be made first.

use std::net::SocketAddr;
use std::sync::Arc;

use cloud::engine::Engine;
use cloud::inspection::{Connection, ServerId};
use cloud::instance::Instance;
use cloud::{Pending, TaskError};
use http::StatusCode;
use operation::schema::{FIELD, Field, Kind, Need, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::server::find;
use super::{JOB, V2_INSTANCE, job, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, OFFSET, PROJECT_ERRORS, integer, limit, list as list_field, page, text, text_or_null,
};
use crate::refusal::{self, BUSY};
use crate::time;

/// What all of them may answer.
const ERRORS: &[&operation::ErrorCode] = &[&code::UNKNOWN_INSTANCE, &code::NOT_SUPPORTED, &code::PARAMETER];

/// What those may answer besides that do nothing but ask.
const ASKING: &[&operation::ErrorCode] = &[&code::NOT_RUNNING];

/// A node whose connections are meant: the proxy where there is one.
const NODE: Field = Field {
    name: "node_id",
    need: Need::Required,
    invalid: Some(&code::PARAMETER),
    about: "The id of the node; of a proxy cluster, that of the proxy.",
    ..FIELD
};

pub(crate) static SCAN: Operation = Operation {
    id: "ScanClients",
    summary: "Asks a node who is connected to it.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/instances/{instance_id}/clients" },
    permission: Some("dcs:clients:list"),
    body: Some(&[
        NODE,
        Field {
            name: "clean_cache",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "Whether it is asked though it has been asked before, which it always is.",
            ..FIELD
        },
    ]),
    answers: &[Answer {
        status: 200,
        about: "The list can be had, or is about to be there.",
        body: Some(JOB),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY, ERRORS, &[&code::EMPTY_BODY, &code::BROKEN]],
    source: reference("Querying Sessions"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static LIST: Operation = Operation {
    id: "ListClients",
    summary: "Lists who is connected to a node.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/clients" },
    permission: Some("dcs:clients:list"),
    query: &[
        NODE,
        OFFSET,
        limit(1_000, "How many connections a page has at most. 10 if left out."),
        Field {
            name: "addr",
            invalid: Some(&code::PARAMETER),
            about: "An address, or a part of it.",
            ..FIELD
        },
        choice(
            "sort",
            &SORTED_BY,
            "The field that they are sorted by; the order is that of the ids if left out.",
        ),
        choice("order", &["asc", "desc"], "The least first, which is meant if left out, or last."),
    ],
    answers: &[Answer {
        status: 200,
        about: "One page of the connections.",
        body: Some(&[
            text("time", "When the node was asked."),
            list_field("clients", &Kind::Object(CLIENT), "The connections of the page."),
            integer("count", "How many there are on all pages."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, ERRORS, ASKING],
    source: reference("Obtaining Session List"),
    ..V2_INSTANCE
}
.checked();

const CLIENT: &[Field] = &[
    text("id", "The number of the connection."),
    text("addr", "Where it comes from: address and port."),
    text("fd", "The number of its socket."),
    text("name", "What the client calls itself."),
    text("cmd", "The command that it sent last."),
    integer("age", "Seconds since it came."),
    integer("idle", "Seconds since it last sent a command."),
    text("db", "The database that it uses."),
    text("flags", "What it does, by letters."),
    integer("sub", "Channels that it listens to."),
    integer("psub", "Patterns that it listens to."),
    integer("multi", "Commands in its transaction, or -1."),
    integer("qbuf", "Bytes of requests that are not run yet."),
    integer("qbuf_free", "Bytes that are free for requests."),
    integer("obl", "Bytes of replies that are not sent yet."),
    integer("oll", "Lists of replies that are not sent yet."),
    integer("omem", "Bytes that replies take which are not sent yet."),
    text("events", "What its socket is watched for."),
    text_or_null("network", "Not used."),
    text("peer", "By which it can be ended: its address and port."),
    text_or_null("user", "The user, from release 6.2 on."),
];

/// The fields by which connections can be sorted.
const SORTED_BY: [&str; CLIENT.len()] = {
    let mut names = [""; CLIENT.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = CLIENT[at].name;
        at += 1;
    }
    names
};

pub(crate) static KILL: Operation = Operation {
    id: "HangUpClients",
    summary: "Ends connections to a node.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/clients/kill",
    },
    permission: Some("dcs:clients:kill"),
    body: Some(&[
        NODE,
        Field {
            name: "client_addrs",
            kind: Kind::List { of: &Kind::Text(TEXT), min_items: 1 },
            need: Need::Required,
            invalid: Some(&code::PARAMETER),
            about: "Addresses and ports, as the list has them. Those that are not connected are passed over.",
        },
    ]),
    answers: &[Answer { status: 204, about: "They have ended.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, ERRORS, ASKING, &[&code::EMPTY_BODY]],
    source: reference("Killing Specified Sessions"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static KILL_ALL: Operation = Operation {
    id: "HangUpKillAllClients",
    summary: "Ends all connections of clients to a node, or to all nodes of an instance.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/clients/kill-all",
    },
    permission: Some("dcs:clients:kill"),
    body: Some(&[
        Field { need: Need::Optional, about: "The id of the node; needed unless all are meant.", ..NODE },
        Field {
            name: "kill_all_nodes",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "Whether those to all nodes are meant.",
            ..FIELD
        },
    ]),
    answers: &[Answer { status: 200, about: "They have ended, or are about to.", body: Some(JOB) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY, ERRORS, ASKING, &[&code::EMPTY_BODY, &code::BROKEN]],
    source: reference("Killing All Sessions of a Specified Node or Instance"),
    ..V2_INSTANCE
}
.checked();

const fn choice(name: &'static str, one_of: &'static [&'static str], about: &'static str) -> Field {
    Field { name, kind: Kind::Text(Text { one_of, ..TEXT }), invalid: Some(&code::PARAMETER), about, ..FIELD }
}

pub(super) fn scan<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        // What keeps it from running is told by whoever would have it do something.
        if !dcs.cloud.servers(&*instance(dcs, &request)?).is_empty() {
            node(dcs, &request, request.body.text("node_id"))?;
        }
        let begun = dcs.cloud.survey(request.project_id(), request.instance_id()).await;
        Ok(job(&begun.map_err(refused)?))
    })
}

pub(super) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let query = &request.query;
        let (instance, server) = node(dcs, &request, query.text("node_id"))?;
        let mut connections = dcs.cloud.connections(&instance, server).ok_or(&code::NOT_RUNNING)?;
        if let Some(wanted) = query.text("addr") {
            connections.retain(|one| one.text("addr").is_some_and(|address| address.contains(wanted)));
        }
        if let Some(field) = query.text("sort") {
            let name = field_of_list(field);
            connections.sort_by(|left, right| {
                let numbers = left.number(name).cmp(&right.number(name));
                numbers.then_with(|| left.text(name).cmp(&right.text(name)))
            });
        }
        if query.text("order") == Some("desc") {
            connections.reverse();
        }
        let count = connections.len();
        let clients: Vec<_> = page(connections, query).map(|one| shown(&one)).collect();
        let time = time::with_millis(dcs.cloud.clock().now_ms());
        Ok(Reply::ok(json!({"time": time, "clients": clients, "count": count})))
    })
}

pub(super) fn kill<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let (instance, server) = node(dcs, &request, request.body.text("node_id"))?;
        let addresses = request.body.texts("client_addrs").map(str::parse::<SocketAddr>);
        let addresses: Vec<_> =
            addresses.collect::<Result<_, _>>().map_err(|_| code::PARAMETER.of("client_addrs"))?;
        dcs.cloud.disconnect(&instance, server, Some(&addresses));
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

pub(super) fn kill_all<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let all = request.body.boolean("kill_all_nodes") == Some(true);
        let server = if all {
            instance(dcs, &request)?;
            None
        } else {
            Some(node(dcs, &request, request.body.text("node_id"))?.1)
        };
        let begun = dcs.cloud.disconnect_all(request.project_id(), request.instance_id(), server).await;
        Ok(job(&begun.map_err(refused)?))
    })
}

/// The instance of a request, whose nodes can tell who is connected.
fn instance(dcs: &Dcs, request: &Request<'_>) -> Result<Arc<Instance>, Failure> {
    let instance = dcs.instance(request)?;
    if instance.engine == Engine::Redis { Ok(instance) } else { Err((&code::NOT_SUPPORTED).into()) }
}

/// The same, and the node of this id.
fn node(dcs: &Dcs, request: &Request<'_>, id: Option<&str>) -> Result<(Arc<Instance>, ServerId), Failure> {
    let instance = instance(dcs, request)?;
    let servers = dcs.cloud.servers(&instance);
    if servers.is_empty() {
        return Err((&code::NOT_RUNNING).into());
    }
    let server = id.and_then(|id| find(&instance, &servers, id)).map(|server| server.id);
    Ok((instance, server.ok_or_else(|| code::PARAMETER.of("node_id"))?))
}

fn refused(error: TaskError) -> &'static operation::ErrorCode {
    match error {
        TaskError::NotSupported => &code::NOT_SUPPORTED,
        error => refusal::of_task(&error),
    }
}

/// What the node's own list calls a field.
fn field_of_list(field: &str) -> &str {
    match field {
        "qbuf_free" => "qbuf-free",
        "peer" => "addr",
        field => field,
    }
}

fn shown(connection: &Connection) -> Value {
    let text = |name: &str| connection.text(name).unwrap_or_default();
    let number = |name: &str| connection.number(name).unwrap_or(0);
    json!({
        "id": text("id"),
        "addr": text("addr"),
        "fd": text("fd"),
        "name": text("name"),
        "cmd": text("cmd"),
        "age": number("age"),
        "idle": number("idle"),
        "db": text("db"),
        "flags": text("flags"),
        "sub": number("sub"),
        "psub": number("psub"),
        "multi": number("multi"),
        "qbuf": number("qbuf"),
        "qbuf_free": number("qbuf-free"),
        "obl": number("obl"),
        "oll": number("oll"),
        "omem": number("omem"),
        "events": text("events"),
        "network": null,
        "peer": text("addr"),
        "user": connection.text("user"),
    })
}
