//! The tasks that have been at work on instances, and how far they are.

use cloud::Pending;
use cloud::task::{Kind as TaskKind, State, Task};
use operation::schema::{Field, Integer, Kind, Need, joined};
use operation::{Answer, Failure, Operation, Reply};
use serde_json::{Value, json};

use crate::action::{Request, numbered};
use crate::code;
use crate::crs::Crs;
use crate::delivery::PROJECT;
use crate::field::{
    ACTION, COMMON_ERRORS, LIMIT, NUMBERED, OFFSET, action, chapter, integer, list, object, optional, text,
    texts, unsigned,
};
use crate::time;

pub(super) static TASKS: Operation = Operation {
    id: "GetRedisTaskList",
    summary: "Lists tasks, the latest first.",
    route: action("GetRedisTaskList"),
    permission: Some("crs:instance:GetRedisTaskList"),
    reads_only: true,
    query: &[
        LIMIT,
        OFFSET,
        optional("redisId", &code::INVALID_PARAMETER, "The instance that they are for."),
        optional("redisName", &code::INVALID_PARAMETER, "The name of that instance."),
        optional("beginTime", &code::INVALID_PARAMETER, "When they began at the earliest."),
        optional("endTime", &code::INVALID_PARAMETER, "When they began at the latest."),
        Field {
            name: "taskStatus",
            kind: Kind::List { of: &Kind::Integer(Integer { min: -1, max: 3, or_text: true }), min_items: 0 },
            need: Need::Optional,
            invalid: Some(&code::INVALID_PARAMETER),
            about: "Their statuses: 1 executing, 2 succeeded, 3 failed; none here has 0 or -1.",
        },
        texts("taskType", &code::INVALID_PARAMETER, "What they do, such as task_cleanInstance."),
    ],
    answers: &[Answer {
        status: 200,
        about: "The tasks.",
        body: Some(&joined::<5>(
            NUMBERED,
            &[
                integer("totalCount", "How many there are without limit and offset."),
                object(
                    "data",
                    &[list(
                        "redisTaskSet",
                        &Kind::Object(&[
                            text("startTime", "When it began."),
                            text("taskName", "What it does."),
                            text("redisName", "The name of its instance."),
                            text("redisId", "The id of its instance."),
                            integer("projectId", "The project of its instance."),
                            integer("status", "1 executing, 2 succeeded, 3 failed."),
                            integer("progress", "1 if it succeeded, or else 0."),
                        ]),
                        "The tasks.",
                    )],
                    "The tasks.",
                ),
            ],
        )),
    }],
    errors: &[COMMON_ERRORS],
    source: chapter("Query Task List of CRS Instance"),
    ..ACTION
}
.checked();

pub(super) static TASK_INFO: Operation = Operation {
    id: "DescribeTaskInfo",
    summary: "Tells how far a task is.",
    route: action("DescribeTaskInfo"),
    permission: Some("crs:instance:DescribeTaskInfo"),
    reads_only: true,
    query: &[unsigned("requestId", Need::Required, &code::INVALID_PARAMETER, "The id of the task.")],
    answers: &[Answer {
        status: 200,
        about: "How far it is.",
        body: Some(&joined::<4>(
            NUMBERED,
            &[object("data", &[integer("status", "1 executing, 2 succeeded, 3 failed.")], "How far it is.")],
        )),
    }],
    errors: &[COMMON_ERRORS],
    source: chapter("Query CRS Task Result"),
    ..ACTION
}
.checked();

/// What is written before a task's name where its type is asked for.
const TYPE: &str = "task_";

/// The names of tasks. Those of which there are none here are understood all the same.
const NAMES: [&str; 12] = [
    "newInstance",
    "resizeInstance",
    "closeInstance",
    "cleanInstance",
    "startInstance",
    "deleteInstance",
    "setPassword",
    "importRdb",
    "exportBackup",
    "restoreBackup",
    "restoreStream",
    "backupInstance",
];

pub(super) fn tasks<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let span = span(&request)?;
        let types: Vec<&str> = request.parameters.texts("taskType").collect();
        let is_known = |asked: &str| asked.strip_prefix(TYPE).is_some_and(|name| NAMES.contains(&name));
        if !types.iter().all(|asked| is_known(asked)) {
            return Err(code::INVALID_PARAMETER.of("taskType"));
        }
        let statuses: Vec<i64> = request.parameters.integers("taskStatus").collect();
        let (redis_id, redis_name) = (request.text("redisId"), request.text("redisName"));
        let mut found: Vec<Value> = Vec::new();
        for task in crs.cloud.tasks(PROJECT).iter().rev() {
            let Some(name) = name(task.kind) else { continue };
            let lease = crs.ledger.lease(&task.instance_id);
            let instance_name =
                lease.as_ref().map_or(task.instance_name.as_str(), |lease| lease.name.as_str());
            let is_asked = span.contains(&task.created_at_ms)
                && (redis_id.is_empty() || redis_id == task.instance_id)
                && (redis_name.is_empty() || redis_name == instance_name)
                && (statuses.is_empty() || statuses.contains(&status(task)))
                && (types.is_empty() || types.iter().any(|asked| asked.strip_prefix(TYPE) == Some(name)));
            if is_asked {
                found.push(json!({
                    "startTime": time::written(task.created_at_ms),
                    "taskName": name,
                    "redisName": instance_name,
                    "redisId": task.instance_id,
                    "projectId": lease.as_ref().map_or(0, |lease| lease.project_id),
                    "status": status(task),
                    "progress": i32::from(task.state == State::Succeeded),
                }));
            }
        }
        let total = found.len();
        let page = |name| usize::try_from(request.integer(name)).unwrap_or(usize::MAX);
        let items: Vec<Value> = found.into_iter().skip(page("offset")).take(page("limit")).collect();
        Ok(numbered(json!({"totalCount": total, "data": {"redisTaskSet": items}})))
    })
}

pub(super) fn task_info<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let asked = u64::try_from(request.integer("requestId")).unwrap_or(0);
        let tasks = crs.cloud.tasks(PROJECT);
        let task = tasks.iter().find(|task| task.sequence == asked && name(task.kind).is_some());
        let task = task.ok_or_else(|| code::INVALID_PARAMETER.of("requestId"))?;
        Ok(numbered(json!({"data": {"status": status(task)}})))
    })
}

/// The time between `beginTime` and `endTime`, both included, in ms.
pub(super) fn span(request: &Request<'_>) -> Result<std::ops::RangeInclusive<u64>, Failure> {
    let read = |name: &'static str, otherwise| match request.text(name) {
        "" => Ok(otherwise),
        text => time::read(text).ok_or_else(|| code::INVALID_PARAMETER.of(name)),
    };
    // Times are told in whole seconds.
    Ok(read("beginTime", 0)?..=read("endTime", u64::MAX - 999)? + 999)
}

/// A task's name; `None` for what this service does not know of.
fn name(kind: TaskKind) -> Option<&'static str> {
    Some(match kind {
        TaskKind::Create => "newInstance",
        TaskKind::Extend => "resizeInstance",
        TaskKind::Freeze => "closeInstance",
        TaskKind::Flush => "cleanInstance",
        TaskKind::Thaw => "startInstance",
        TaskKind::Delete => "deleteInstance",
        TaskKind::SetAccess => "setPassword",
        TaskKind::Backup => "backupInstance",
        TaskKind::Restore => "restoreBackup",
        TaskKind::Export => "exportBackup",
        _ => return None,
    })
}

fn status(task: &Task) -> i64 {
    match task.state {
        State::Running => 1,
        State::Succeeded => 2,
        State::Failed => 3,
    }
}
