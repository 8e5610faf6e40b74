//! Querying the commands that took the nodes of an instance long.

use cloud::Pending;
use cloud::engine::Engine;
use cloud::inspection::{ServerId, SlowCommand};
use cloud::topology::Topology;
use operation::schema::{FIELD, Field, Integer, Kind, Need, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::server::{group_name, role_name};
use super::{V2_INSTANCE, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, OFFSET, PROJECT_ERRORS, integer, integer_or_null, limit, list, page, text, text_or_null,
};
use crate::time;

pub(crate) static SLOW_LOG: Operation = Operation {
    id: "ListSlowlog",
    summary: "Lists the commands that took the nodes of an instance long.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/slowlog" },
    permission: Some("dcs:instance:get"),
    query: &[
        OFFSET,
        limit(1_000, "How many commands a page has at most. 10 if left out."),
        choice("sort_key", &["start_time", "duration"], "By what they are sorted; start_time if left out."),
        choice("sort_dir", &["desc", "asc"], "The greatest first, which is meant if left out, or last."),
        at("start_time", "The earliest that are shown, in ms since the epoch."),
        at("end_time", "The latest that are shown, in ms since the epoch."),
        choice("role", &["master", "slave", "proxy"], "What the nodes do whose commands are shown."),
    ],
    answers: &[Answer {
        status: 200,
        about: "One page of the commands, as far as the nodes remember them.",
        body: Some(&[
            integer("total_num", "How many there are on all pages."),
            integer("count", "The same."),
            list("slowlogs", &Kind::Object(SLOW), "The commands of the page."),
        ]),
    }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[&code::UNKNOWN_INSTANCE, &code::NOT_SUPPORTED, &code::NOT_RUNNING],
    ],
    source: reference("Querying the Slow Log"),
    ..V2_INSTANCE
}
.checked();

const SLOW: &[Field] = &[
    integer("id", "The number, unique within the instance."),
    text("command", "The command and its arguments, shortened."),
    text("start_time", "When it was run, in UTC."),
    text("duration", "How long it took, in ms."),
    text_or_null("shard_name", "The shard that ran it, in a cluster."),
    integer_or_null("database_id", "Not used."),
    text_or_null("username", "Not used."),
    text("node_role", "What the node does that ran it."),
    text("client_ip", "The address of the client."),
];

const fn choice(name: &'static str, one_of: &'static [&'static str], about: &'static str) -> Field {
    Field { name, kind: Kind::Text(Text { one_of, ..TEXT }), invalid: Some(&code::PARAMETER), about, ..FIELD }
}

const fn at(name: &'static str, about: &'static str) -> Field {
    Field {
        name,
        kind: Kind::Integer(Integer { min: 0, max: i64::MAX, or_text: true }),
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about,
    }
}

pub(super) fn slow_log<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let query = &request.query;
        let instance = dcs.instance(&request)?;
        if instance.engine != Engine::Redis {
            return Err((&code::NOT_SUPPORTED).into());
        }
        if dcs.cloud.servers(&instance).is_empty() {
            return Err((&code::NOT_RUNNING).into());
        }
        let time = |name| query.integer(name).and_then(|at_ms| u64::try_from(at_ms).ok()).unwrap_or(0);
        // The nodes tell seconds: one that began within the second of the start is shown.
        let (from_ms, to_ms) = (time("start_time") / 1_000 * 1_000, time("end_time"));
        let mut slow = dcs.cloud.slow_commands(&instance);
        slow.retain(|slow| (from_ms..=to_ms).contains(&slow.at_ms));
        slow.retain(|slow| query.text("role").is_none_or(|role| role_name(slow.role) == role));
        let by_duration = query.text("sort_key") == Some("duration");
        let key = |slow: &SlowCommand| {
            let own = if by_duration { slow.took_us } else { slow.at_ms };
            (own, slow.server, slow.number)
        };
        slow.sort_by_key(key);
        if query.text("sort_dir") != Some("asc") {
            slow.reverse();
        }
        let total = slow.len();
        let is_cluster = instance.topology == Topology::Cluster;
        let shown: Vec<_> = page(slow, query).map(|slow| shown(&slow, is_cluster)).collect();
        Ok(Reply::ok(json!({"total_num": total, "count": total, "slowlogs": shown})))
    })
}

fn shown(slow: &SlowCommand, is_cluster: bool) -> Value {
    let shard = match slow.server {
        ServerId::Copy { shard, .. } if is_cluster => Some(group_name(shard)),
        _ => None,
    };
    json!({
        "id": number(slow),
        "command": slow.command,
        "start_time": time::with_seconds(slow.at_ms),
        "duration": milliseconds(slow.took_us),
        "shard_name": shard,
        "database_id": null,
        "username": null,
        "node_role": role_name(slow.role),
        "client_ip": slow.peer.ip().to_canonical().to_string(),
    })
}

/// A number that no other command of the instance has: nodes count for themselves.
fn number(slow: &SlowCommand) -> i64 {
    let place = match slow.server {
        ServerId::Proxy => 0,
        ServerId::Copy { shard, copy } => i64::from(shard) << 8 | i64::from(copy),
    };
    (place << 32) + slow.number
}

/// Microseconds as milliseconds, with as many places as it takes: `12`, `12.5`, `0.013`.
fn milliseconds(us: u64) -> String {
    (us as f64 / 1_000.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_milliseconds() {
        for (us, shown) in [(12_000, "12"), (12_500, "12.5"), (13, "0.013"), (0, "0")] {
            assert_eq!(milliseconds(us), shown);
        }
    }
}
