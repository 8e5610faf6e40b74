//! What the instances that run have and do.

use cloud::Pending;
use cloud::instance::Status;
use operation::schema::{Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::V1_PROJECT;
use super::show::mb;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{integer, list, reference, text};

/// The numbers of each instance.
pub(crate) const STATISTICS: &[Field] = &[list(
    "statistics",
    &Kind::Object(&[
        integer("keys", "Keys in all databases."),
        text("instance_id", "The id of the instance."),
        integer("used_memory", "The memory that data takes, in MB."),
        integer("max_memory", "The memory that data may take, in MB."),
        integer("cmd_get_count", "GET commands that were run."),
        integer("cmd_set_count", "SET commands that were run."),
        text("used_cpu", "The time that commands took since the last query, in percent of one processor."),
        text("input_kbps", "What clients send, in kbit/s."),
        text("output_kbps", "What is sent to clients, in kbit/s."),
    ]),
    "An item for each instance that runs, in the order of creation.",
)];

pub(crate) static STATISTIC: Operation = Operation {
    id: "ListStatisticsOfRunningInstancesV1",
    summary: "Shows what all instances that run have and do.",
    route: Route::Path { method: Method::Get, template: "/v1.0/{project_id}/instances/statistic" },
    answers: &[Answer { status: 200, about: "The numbers.", body: Some(STATISTICS) }],
    source: reference("5.2"),
    ..V1_PROJECT
}
.checked();

pub(crate) fn statistic<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let mut statistics = Vec::new();
        for instance in dcs.cloud.instances(request.project_id()) {
            // One that has ended meanwhile does not run either.
            let (Status::Running, Some(of)) = (instance.status, dcs.cloud.statistics(&instance)) else {
                continue;
            };
            let Some(keys) = dcs.cloud.keys(&instance).await else { continue };
            statistics.push(json!({
                "keys": keys,
                "instance_id": instance.id,
                "used_memory": mb(of.used_memory_bytes),
                "max_memory": mb(instance.memory_limit_bytes()),
                "cmd_get_count": of.gets,
                "cmd_set_count": of.sets,
                "used_cpu": decimal(dcs.cloud.busy_percent(&instance, &of)),
                "input_kbps": decimal(kbit(of.input_bytes_per_s)),
                "output_kbps": decimal(kbit(of.output_bytes_per_s)),
            }));
        }
        Ok(Reply::ok(json!({"statistics": statistics})))
    })
}

fn kbit(bytes: u64) -> f64 {
    bytes as f64 * 8.0 / 1_000.0
}

/// At most two places, at least one: `0.0`, `1.19`.
fn decimal(number: f64) -> String {
    let rounded = format!("{number:.2}");
    rounded.strip_suffix('0').unwrap_or(&rounded).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_in_the_documents() {
        for (number, shown) in
            [(0.0, "0.0"), (0.03, "0.03"), (1.19, "1.19"), (12.5, "12.5"), (100.0, "100.0")]
        {
            assert_eq!(decimal(number), shown);
        }
        assert_eq!(kbit(125), 1.0);
    }
}
