//! Reports about instances, their logs, and the upkeep of their nodes.

use operation::{Method, Operation, Route};

use super::{REFUSED, REFUSED_INSTANCE, id};
use crate::field::{INSTANCE_ID, PROJECT_ID};
use crate::v2::reference;

pub(super) static OPERATIONS: &[&Operation] = &[
    &CREATE_DIAGNOSIS_TASK,
    &LIST_DIAGNOSIS_TASKS,
    &SHOW_DIAGNOSIS_TASK_DETAILS,
    &DELETE_DIAGNOSIS_TASK,
    &CREATE_REDISLOG,
    &LIST_REDISLOG,
    &CREATE_REDISLOG_DOWNLOAD_LINK,
    &EXPORT_INSTANCES_TASK,
    &EXPORT_EXCEL_JOB,
    &LIST_MONITORED_OBJECTS,
    &LIST_MONITORED_OBJECTS_OF_INSTANCE,
    &UPGRADE_INSTANCE_MINOR_VERSION,
    &CHANGE_NODES_START_STOP_STATUS,
    &UPDATE_SLAVE_PRIORITY,
    &START_INSTANCE_RESIZE_CHECK_JOB,
    &CREATE_RESIZE_ORDER,
];

static CREATE_DIAGNOSIS_TASK: Operation = Operation {
    id: "CreateDiagnosisTask",
    summary: "Diagnoses an instance.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/diagnosis",
    },
    source: reference("Creating an Instance Diagnosis Task"),
    ..REFUSED_INSTANCE
}
.checked();

static LIST_DIAGNOSIS_TASKS: Operation = Operation {
    id: "ListDiagnosisTasks",
    summary: "Lists the diagnoses of an instance.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/diagnosis",
    },
    source: reference("Listing Instance Diagnosis Tasks"),
    ..REFUSED_INSTANCE
}
.checked();

static SHOW_DIAGNOSIS_TASK_DETAILS: Operation = Operation {
    id: "ShowDiagnosisTaskDetails",
    summary: "Shows a diagnosis.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/diagnosis/{report_id}" },
    path: &[PROJECT_ID, id("report_id", "The id of the diagnosis.")],
    source: reference("Querying a Specified Diagnosis Report"),
    ..REFUSED
}
.checked();

static DELETE_DIAGNOSIS_TASK: Operation = Operation {
    id: "DeleteDiagnosisTask",
    summary: "Deletes diagnoses.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/diagnosis",
    },
    source: reference("Deleting Diagnosis Tasks"),
    ..REFUSED_INSTANCE
}
.checked();

static CREATE_REDISLOG: Operation = Operation {
    id: "CreateRedislog",
    summary: "Collects the log of a node.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/redislog",
    },
    source: reference("Collecting Redis Run Logs"),
    ..REFUSED_INSTANCE
}
.checked();

static LIST_REDISLOG: Operation = Operation {
    id: "ListRedislog",
    summary: "Lists the logs that were collected.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/redislog" },
    source: reference("Listing Redis Run Logs"),
    ..REFUSED_INSTANCE
}
.checked();

static CREATE_REDISLOG_DOWNLOAD_LINK: Operation = Operation {
    id: "CreateRedislogDownloadLink",
    summary: "Links to a log.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/redislog/{id}/links",
    },
    path: &[PROJECT_ID, INSTANCE_ID, id("id", "The id of the log.")],
    source: reference("Obtaining the Log Download Link"),
    ..REFUSED_INSTANCE
}
.checked();

static EXPORT_INSTANCES_TASK: Operation = Operation {
    id: "ExportInstancesTask",
    summary: "Writes a sheet of the instances.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/instances/export" },
    source: reference("Exporting the Instance List"),
    ..REFUSED
}
.checked();

static EXPORT_EXCEL_JOB: Operation = Operation {
    id: "ExportExcelJob",
    summary: "Shows how far such a sheet is.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/export-job" },
    source: reference("Querying an Export"),
    ..REFUSED
}
.checked();

static LIST_MONITORED_OBJECTS: Operation = Operation {
    id: "ListMonitoredObjects",
    summary: "Lists what is monitored.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/dims/monitored-objects" },
    source: reference("Listing Monitored Objects on Primary Dimensions"),
    ..REFUSED
}
.checked();

static LIST_MONITORED_OBJECTS_OF_INSTANCE: Operation = Operation {
    id: "ListMonitoredObjectsOfInstance",
    summary: "Lists what is monitored of an instance.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/dims/monitored-objects/{instance_id}",
    },
    source: reference("Listing Monitored Objects on Secondary Dimensions Under a Primary Dimension"),
    ..REFUSED_INSTANCE
}
.checked();

static UPGRADE_INSTANCE_MINOR_VERSION: Operation = Operation {
    id: "UpgradeInstanceMinorVersion",
    summary: "Has an instance run a later version.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/minor-version/upgrade",
    },
    source: reference("Upgrading an Instance's Minor or Proxy Version"),
    ..REFUSED_INSTANCE
}
.checked();

static CHANGE_NODES_START_STOP_STATUS: Operation = Operation {
    id: "ChangeNodesStartStopStatus",
    summary: "Starts or stops single nodes.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/nodes/status",
    },
    source: reference("Starting or Stopping Cluster Nodes"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_SLAVE_PRIORITY: Operation = Operation {
    id: "UpdateSlavePriority",
    summary: "Says how readily a replica takes its master's place.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/groups/{group_id}/replications/{node_id}/slave-priority",
    },
    path: &[
        PROJECT_ID,
        INSTANCE_ID,
        id("group_id", "The id of the shard."),
        id("node_id", "The id of the node."),
    ],
    source: reference("Configuring Replica Priority"),
    ..REFUSED_INSTANCE
}
.checked();

static START_INSTANCE_RESIZE_CHECK_JOB: Operation = Operation {
    id: "StartInstanceResizeCheckJob",
    summary: "Finds out whether an instance can have another specification.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/resize/check-job",
    },
    source: reference("Checking a Specification Change"),
    ..REFUSED_INSTANCE
}
.checked();

static CREATE_RESIZE_ORDER: Operation = Operation {
    id: "CreateResizeOrder",
    summary: "Orders another specification for an instance that is paid for in advance.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/orders/instances/{instance_id}/resize",
    },
    source: reference("Ordering a Specification Change"),
    ..REFUSED_INSTANCE
}
.checked();
