//! Tasks, as those who started them ask for them: jobs.

use cloud::Pending;
use cloud::task::{self, Task};
use operation::schema::{FIELD, Field, Need};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{V2_PROJECT, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, PROJECT_ID, text, text_or_null};

pub(crate) static JOB: Operation = Operation {
    id: "ShowJobInfo",
    summary: "Shows how far a job is.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/jobs/{job_id}" },
    path: &[
        PROJECT_ID,
        Field {
            name: "job_id",
            need: Need::Required,
            invalid: Some(&code::TASK_ID),
            about: "The id of the job, which is that of its task.",
            ..FIELD
        },
    ],
    permission: Some("dcs:job:get"),
    answers: &[Answer {
        status: 200,
        about: "The job.",
        body: Some(&[
            text("job_id", "The id."),
            text("job_type", "What it does."),
            text("status", "How far it is: RUNNING, SUCCESS or FAIL."),
            text("begin_time", "When it began, in ms since the epoch."),
            text_or_null("end_time", "When it ended, in ms since the epoch."),
            text_or_null("fail_reason", "Why it failed."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS],
    source: reference("Querying the Job Execution Result of a Tenant"),
    ..V2_PROJECT
}
.checked();

pub(super) fn show<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let id = request.call.parameter("job_id");
        let tasks = dcs.cloud.tasks(request.project_id());
        // The table has no other code for a task that there is not.
        let task = tasks.iter().find(|task| task.id == id).ok_or(&code::TASK_ID)?;
        Ok(Reply::ok(json!({
            "job_id": task.id,
            "job_type": kind(task),
            "status": match task.state {
                task::State::Running => "RUNNING",
                task::State::Succeeded => "SUCCESS",
                task::State::Failed => "FAIL",
            },
            "begin_time": task.created_at_ms.to_string(),
            "end_time": task.finished_at_ms.map(|at_ms| at_ms.to_string()),
            "fail_reason": (task.state == task::State::Failed).then_some(FAILED),
        })))
    })
}

/// Why a job has failed; the log says more.
const FAILED: &str = "job execution status failed.";

/// What the documents call a task, or, where they do not name it, what one like it would be called.
fn kind(task: &Task) -> &'static str {
    match task.kind {
        task::Kind::Create => "createDCSInstance",
        task::Kind::Delete => "deleteDCSInstance",
        task::Kind::Swap | task::Kind::Promote => "masterStandbySwapJob",
        task::Kind::Restart => "restartDCSInstance",
        task::Kind::Flush => "flushDCSInstance",
        task::Kind::Extend => "extendDCSInstance",
        task::Kind::Configure => "modifyDCSInstanceConfig",
        task::Kind::SetAccess => "modifyDCSInstancePassword",
        task::Kind::Freeze => "freezeDCSInstance",
        task::Kind::Thaw => "unfreezeDCSInstance",
        task::Kind::Admit => "modifyIpWhitelist",
        task::Kind::Survey => "scanClients",
        task::Kind::Disconnect => "killAllClients",
        #[allow(unreachable_patterns)]
        _ => "dcsInstanceJob",
    }
}
