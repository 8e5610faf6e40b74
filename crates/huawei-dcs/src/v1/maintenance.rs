//! Querying the maintenance windows.

use cloud::Pending;
use cloud::maintenance::MaintenanceWindow;
use operation::schema::{Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::V1;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{boolean, integer, list, reference, text};

pub(crate) static WINDOWS: Operation = Operation {
    id: "ListMaintenanceWindowsV1",
    summary: "Lists the times of day at which maintenance may be done.",
    route: Route::Path { method: Method::Get, template: "/v1.0/instances/maintain-windows" },
    answers: &[Answer { status: 200, about: "The windows.", body: Some(&[WINDOW_LIST]) }],
    source: reference("10.3"),
    ..V1
}
.checked();

/// The windows.
pub(crate) const WINDOW_LIST: Field = list(
    "maintain_windows",
    &Kind::Object(&[
        integer("seq", "The number of the window, from 1."),
        text("begin", "The hour at which it begins, in UTC."),
        text("end", "The hour at which it ends, in UTC."),
        boolean("default", "Whether instances have it that asked for none."),
    ]),
    "The windows.",
);

pub(crate) fn windows<'a>(_: &'a Dcs, _: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let windows: Vec<_> = MaintenanceWindow::ALL.into_iter().zip(1..).map(window).collect();
        Ok(Reply::ok(json!({"maintain_windows": windows})))
    })
}

fn window((window, number): (MaintenanceWindow, i32)) -> Value {
    json!({
        "seq": number,
        "begin": format!("{:02}", window.begin_hour()),
        "end": format!("{:02}", window.end_hour()),
        "default": window == MaintenanceWindow::default(),
    })
}
