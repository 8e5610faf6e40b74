//! Analyses of keys: big ones, hot ones, those that have expired, and those of backups. There are codes of their own for
//! analyses of big keys, and for results that there are not.

use operation::schema::Field;
use operation::{Method, Operation, Route};

use super::{REFUSED_INSTANCE, id};
use crate::code;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID};
use crate::v2::reference;

pub(super) static OPERATIONS: &[&Operation] = &[
    &CREATE_BIGKEY_SCAN_TASK,
    &LIST_BIGKEY_SCAN_TASKS,
    &SHOW_BIGKEY_SCAN_TASK_DETAILS,
    &DELETE_BIGKEY_SCAN_TASK,
    &SHOW_BIGKEY_AUTOSCAN_CONFIG,
    &UPDATE_BIGKEY_AUTOSCAN_CONFIG,
    &CREATE_HOTKEY_SCAN_TASK,
    &LIST_HOT_KEY_SCAN_TASKS,
    &SHOW_HOTKEY_TASK_DETAILS,
    &DELETE_HOTKEY_SCAN_TASK,
    &SHOW_HOTKEY_AUTOSCAN_CONFIG,
    &UPDATE_HOTKEY_AUTO_SCAN_CONFIG,
    &DOWNLOAD_HOT_KEY,
    &SCAN_EXPIRE_KEY,
    &CREATE_AUTO_EXPIRE_SCAN_TASK,
    &SHOW_EXPIRE_KEY_SCAN_INFO,
    &SHOW_EXPIRE_AUTO_SCAN_CONFIG,
    &UPDATE_EXPIRE_AUTO_SCAN_CONFIG,
    &CREATE_OFFLINE_KEY_ANALYSIS,
    &LIST_OFFLINE_KEY_ANALYSIS_TASK,
    &SHOW_OFFLINE_KEY_ANALYSIS_TASK,
    &DELETE_OFFLINE_KEY_ANALYSIS_TASK,
];

/// What analyses of big keys have in common.
const BIG_KEYS: Operation = Operation {
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::NO_BIG_KEYS]],
    ..REFUSED_INSTANCE
};

/// What is about the result of such an analysis.
const BIG_KEY: Operation = Operation {
    path: &[
        PROJECT_ID,
        INSTANCE_ID,
        Field { invalid: Some(&code::BIG_KEY_ID), ..id("bigkey_id", "The id of the search.") },
    ],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::BIG_KEY_ID]],
    ..REFUSED_INSTANCE
};

/// What is about the result of an analysis of hot keys.
const HOT_KEY: Operation = Operation {
    path: &[PROJECT_ID, INSTANCE_ID, HOT_KEY_ID],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::HOT_KEY_ID]],
    ..REFUSED_INSTANCE
};

const HOT_KEY_ID: Field =
    Field { invalid: Some(&code::HOT_KEY_ID), ..id("hotkey_id", "The id of the search.") };

static CREATE_BIGKEY_SCAN_TASK: Operation = Operation {
    id: "CreateBigkeyScanTask",
    summary: "Looks for big keys.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/bigkey-task",
    },
    source: reference("Creating a Big Key Analysis Task"),
    ..BIG_KEYS
}
.checked();

static LIST_BIGKEY_SCAN_TASKS: Operation = Operation {
    id: "ListBigkeyScanTasks",
    summary: "Lists the searches for big keys.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/bigkey-tasks",
    },
    source: reference("Listing Big Key Analysis Tasks"),
    ..BIG_KEYS
}
.checked();

static SHOW_BIGKEY_SCAN_TASK_DETAILS: Operation = Operation {
    id: "ShowBigkeyScanTaskDetails",
    summary: "Shows what a search for big keys has found.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/bigkey-task/{bigkey_id}",
    },
    source: reference("Querying Big Key Analysis Details"),
    ..BIG_KEY
}
.checked();

static DELETE_BIGKEY_SCAN_TASK: Operation = Operation {
    id: "DeleteBigkeyScanTask",
    summary: "Deletes a search for big keys.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/bigkey-task/{bigkey_id}",
    },
    source: reference("Deleting a Big Key Analysis Task"),
    ..BIG_KEY
}
.checked();

static SHOW_BIGKEY_AUTOSCAN_CONFIG: Operation = Operation {
    id: "ShowBigkeyAutoscanConfig",
    summary: "Shows when big keys are looked for.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/bigkey/autoscan",
    },
    source: reference("Querying the Configurations of Automatic Big Key Analysis"),
    ..BIG_KEYS
}
.checked();

static UPDATE_BIGKEY_AUTOSCAN_CONFIG: Operation = Operation {
    id: "UpdateBigkeyAutoscanConfig",
    summary: "Says when big keys are looked for.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/bigkey/autoscan",
    },
    source: reference("Configuring Automatic Big Key Analysis"),
    ..BIG_KEYS
}
.checked();

static CREATE_HOTKEY_SCAN_TASK: Operation = Operation {
    id: "CreateHotkeyScanTask",
    summary: "Looks for hot keys.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/hotkey-task",
    },
    source: reference("Creating a Hot Key Analysis Task"),
    ..REFUSED_INSTANCE
}
.checked();

static LIST_HOT_KEY_SCAN_TASKS: Operation = Operation {
    id: "ListHotKeyScanTasks",
    summary: "Lists the searches for hot keys.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/hotkey-tasks",
    },
    source: reference("Listing Hot Key Analysis Tasks"),
    ..REFUSED_INSTANCE
}
.checked();

static SHOW_HOTKEY_TASK_DETAILS: Operation = Operation {
    id: "ShowHotkeyTaskDetails",
    summary: "Shows what a search for hot keys has found.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/hotkey-task/{hotkey_id}",
    },
    source: reference("Querying Hot Key Analysis Details"),
    ..HOT_KEY
}
.checked();

static DELETE_HOTKEY_SCAN_TASK: Operation = Operation {
    id: "DeleteHotkeyScanTask",
    summary: "Deletes a search for hot keys.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/hotkey-task/{hotkey_id}",
    },
    source: reference("Deleting a Hot Key Analysis Task"),
    ..HOT_KEY
}
.checked();

static SHOW_HOTKEY_AUTOSCAN_CONFIG: Operation = Operation {
    id: "ShowHotkeyAutoscanConfig",
    summary: "Shows when hot keys are looked for.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/hotkey/autoscan",
    },
    source: reference("Querying the Configurations of Automatic Hot Key Analysis"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_HOTKEY_AUTO_SCAN_CONFIG: Operation = Operation {
    id: "UpdateHotkeyAutoScanConfig",
    summary: "Says when hot keys are looked for.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/hotkey/autoscan",
    },
    source: reference("Configuring Automatic Hot Key Analysis"),
    ..REFUSED_INSTANCE
}
.checked();

static DOWNLOAD_HOT_KEY: Operation = Operation {
    id: "DownloadHotKey",
    summary: "Exports what a search for hot keys has found.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/hotkey/{task_id}/export",
    },
    path: &[PROJECT_ID, INSTANCE_ID, Field { name: "task_id", ..HOT_KEY_ID }],
    source: reference("Exporting a Hot Key Analysis"),
    ..HOT_KEY
}
.checked();

static SCAN_EXPIRE_KEY: Operation = Operation {
    id: "ScanExpireKey",
    summary: "Looks for keys that have expired.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/auto-expire/scan",
    },
    source: reference("Scanning Expired Keys"),
    ..REFUSED_INSTANCE
}
.checked();

static CREATE_AUTO_EXPIRE_SCAN_TASK: Operation = Operation {
    id: "CreateAutoExpireScanTask",
    summary: "Looks for keys that have expired.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/scan-expire-keys-task",
    },
    source: reference("Creating an Expired Key Scan Task"),
    ..REFUSED_INSTANCE
}
.checked();

static SHOW_EXPIRE_KEY_SCAN_INFO: Operation = Operation {
    id: "ShowExpireKeyScanInfo",
    summary: "Lists the searches for keys that have expired.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/auto-expire/histories",
    },
    source: reference("Querying Expired Key Scan Records"),
    ..REFUSED_INSTANCE
}
.checked();

static SHOW_EXPIRE_AUTO_SCAN_CONFIG: Operation = Operation {
    id: "ShowExpireAutoScanConfig",
    summary: "Shows when keys that have expired are looked for.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/scan-expire-keys/autoscan-config",
    },
    source: reference("Querying the Configuration of Automatic Expired Key Scans"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_EXPIRE_AUTO_SCAN_CONFIG: Operation = Operation {
    id: "UpdateExpireAutoScanConfig",
    summary: "Says when keys that have expired are looked for.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/scan-expire-keys/autoscan-config",
    },
    source: reference("Configuring Automatic Expired Key Scans"),
    ..REFUSED_INSTANCE
}
.checked();

static CREATE_OFFLINE_KEY_ANALYSIS: Operation = Operation {
    id: "CreateOfflineKeyAnalysis",
    summary: "Analyses the keys of a backup.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/offline/key-analysis",
    },
    source: reference("Creating an Offline Key Analysis"),
    ..REFUSED_INSTANCE
}
.checked();

static LIST_OFFLINE_KEY_ANALYSIS_TASK: Operation = Operation {
    id: "ListOfflineKeyAnalysisTask",
    summary: "Lists the analyses of backups.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/offline/key-analysis",
    },
    source: reference("Listing Offline Key Analyses"),
    ..REFUSED_INSTANCE
}
.checked();

static SHOW_OFFLINE_KEY_ANALYSIS_TASK: Operation = Operation {
    id: "ShowOfflineKeyAnalysisTask",
    summary: "Shows the analysis of a backup.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/offline/key-analysis/{task_id}",
    },
    path: &[PROJECT_ID, INSTANCE_ID, id("task_id", "The id of the task.")],
    source: reference("Querying an Offline Key Analysis"),
    ..REFUSED_INSTANCE
}
.checked();

static DELETE_OFFLINE_KEY_ANALYSIS_TASK: Operation = Operation {
    id: "DeleteOfflineKeyAnalysisTask",
    summary: "Deletes the analysis of a backup.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/offline/key-analysis/{task_id}",
    },
    path: &[PROJECT_ID, INSTANCE_ID, id("task_id", "The id of the task.")],
    source: reference("Deleting an Offline Key Analysis"),
    ..REFUSED_INSTANCE
}
.checked();
