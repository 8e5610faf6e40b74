//! The error codes of DCS (DCS API Reference, table 12-2), as far as something here answers them.
//!
//! Most errors have two forms in the table: `DCS.nnnn`, and nine digits, which v1.0 showed first. What only operations
//! of v2 answer may have the former alone. The texts are the table's, letter by letter. Invariant: what stands here is declared by an operation; a test sees to it.

use operation::{ErrorCode, Former};

const fn code(status: u16, code: &'static str, former: &'static str, message: &'static str) -> ErrorCode {
    ErrorCode { status, code, message, former: Some(Former { code: former, message }) }
}

pub(crate) static PROJECT_ID: ErrorCode = code(400, "DCS.4002", "111400002", "Invalid project ID format.");
pub(crate) static EMPTY_BODY: ErrorCode = code(400, "DCS.4004", "111400004", "Empty request body.");
pub(crate) static NOT_JSON: ErrorCode = code(
    400,
    "DCS.4005",
    "111400005",
    "The message body contains invalid characters or is not in JSON format.",
);
pub(crate) static ENGINE: ErrorCode =
    code(400, "DCS.4007", "111400007", "The selected cache engine type is not supported.");
pub(crate) static ENGINE_VERSION: ErrorCode =
    code(400, "DCS.4008", "111400008", "The selected cache engine version is not supported.");
pub(crate) static PRODUCT_ID: ErrorCode =
    code(400, "DCS.4009", "111400009", "Invalid product ID in the request.");
pub(crate) static NAME: ErrorCode = code(
    400,
    "DCS.4010",
    "111400010",
    "Invalid DCS instance name. The name must be 4 to 64 characters in length. Only letters (case-insensitive), \
     digits, underscores (_), and hyphens (-) are allowed.",
);
pub(crate) static DESCRIPTION: ErrorCode =
    code(400, "DCS.4011", "111400011", "DCS instance description cannot exceed 1024 characters.");
pub(crate) static CAPACITY: ErrorCode =
    code(400, "DCS.4012", "111400012", "Invalid capacity parameter in the request.");
pub(crate) static VPC_ID: ErrorCode = code(400, "DCS.4013", "111400013", "Invalid vpc_id in the request.");
pub(crate) static SECURITY_GROUP_ID: ErrorCode =
    code(400, "DCS.4014", "111400014", "Invalid security_group_id in the request.");
pub(crate) static SUBNET_ID: ErrorCode =
    code(400, "DCS.4016", "111400016", "Invalid subnet_id in the request.");
pub(crate) static TASK_RUNNING: ErrorCode =
    code(400, "DCS.4017", "111400017", "This DCS instance job task is still running.");
pub(crate) static WEAK_PASSWORD: ErrorCode =
    code(400, "DCS.4019", "111400019", "The password does not meet complexity requirements.");
pub(crate) static ENGINE_MISMATCH: ErrorCode =
    code(400, "DCS.4022", "111400022", "Engine does not match the product id.");
pub(crate) static WRONG_STATUS: ErrorCode = code(
    400,
    "DCS.4026",
    "111400026",
    "This operation is not allowed when the DCS instance is in the current state.",
);
pub(crate) static NOT_SUPPORTED: ErrorCode =
    code(400, "DCS.4027", "111400027", "This operation is not supported on this node.");
pub(crate) static INSTANCE_QUOTA: ErrorCode =
    code(400, "DCS.4035", "111400035", "DCS instance quota of the tenant is insufficient.");
pub(crate) static MEMORY_QUOTA: ErrorCode =
    code(400, "DCS.4036", "111400036", "Memory quota of the tenant is insufficient.");
pub(crate) static QUOTA_REACHED: ErrorCode =
    code(400, "DCS.4039", "111400039", "The quota limit has been reached.");
pub(crate) static PERIOD_NUMBER: ErrorCode =
    code(400, "DCS.4038", "111400038", "The periodNum parameter in the request must be an integer.");
pub(crate) static PERIOD_KIND: ErrorCode =
    code(400, "DCS.4047", "111400047", "The periodType parameter in the request must be either 2 or 3.");
pub(crate) static AUTO_RENEW: ErrorCode =
    code(400, "DCS.4021", "111400021", "The isAutoRenew parameter in the request must be either 0 or 1.");
pub(crate) static UNKNOWN_ZONE: ErrorCode = code(400, "DCS.4042", "111400042", "This AZ does not exist.");
pub(crate) static NAME_TAKEN: ErrorCode =
    code(400, "DCS.4060", "111400060", "This DCS instance name already exists.");
pub(crate) static INSTANCE_ID: ErrorCode = code(400, "DCS.4061", "111400061", "Invalid instance ID format.");
pub(crate) static PARAMETER: ErrorCode =
    code(400, "DCS.4062", "111400062", "Invalid {0} parameter in the request.");
pub(crate) static ACTION: ErrorCode = ErrorCode {
    status: 400,
    code: "DCS.4064",
    message: "The action parameter in the request must be restart.",
    former: Some(Former { code: "111400064", message: "The action parameter in the request restart." }),
};
pub(crate) static NO_INSTANCES: ErrorCode = code(
    400,
    "DCS.4065",
    "111400065",
    "The instances parameter in the request cannot be a null value or left unspecified.",
);
pub(crate) static CONFIGURATION: ErrorCode =
    code(400, "DCS.4066", "111400066", "Invalid value of the configure parameter {0}.");
pub(crate) static ZONES: ErrorCode = code(
    400,
    "DCS.4067",
    "111400067",
    "The available_zones parameter in the request must be an array that contains only one AZ ID.",
);
pub(crate) static TASK_ID: ErrorCode = code(400, "DCS.4070", "111400070", "Invalid task ID format.");
pub(crate) static SAVE_DAYS: ErrorCode =
    code(400, "DCS.4072", "111400072", "Invalid saveDays instance backup policy parameter in the request.");
pub(crate) static BACKUP_TYPE: ErrorCode =
    code(400, "DCS.4073", "111400073", "Invalid backupType instance backup policy parameter in the request.");
pub(crate) static PERIOD_TYPE: ErrorCode =
    code(400, "DCS.4074", "111400074", "Invalid periodType instance backup policy parameter in the request.");
pub(crate) static BACKUP_AT: ErrorCode =
    code(400, "DCS.4075", "111400075", "Invalid backupAt instance backup policy parameter in the request.");
pub(crate) static BEGIN_AT: ErrorCode =
    code(400, "DCS.4076", "111400076", "Invalid beginAt instance backup policy parameter in the request.");
pub(crate) static NOT_DELETABLE: ErrorCode = ErrorCode {
    status: 400,
    code: "DCS.4099",
    message: "DCS instances in the Creating , Restarting state cannot be deleted.",
    former: Some(Former {
        code: "111400099",
        message: "DCS instances in the Creating, Restarting state cannot be deleted.",
    }),
};
pub(crate) static RESERVED_MEMORY: ErrorCode = code(
    400,
    "DCS.4105",
    "111400105",
    "The value of reserved-memory cannot be greater than the free memory size of this DCS instance.",
);
pub(crate) static MAINTENANCE: ErrorCode =
    code(400, "DCS.4106", "111400106", "The value of maintain time illegal.");
pub(crate) static TOO_MANY_INSTANCES: ErrorCode =
    code(400, "DCS.4100", "111400100", "The number of instance IDs in an instances array cannot exceed 50.");
pub(crate) static NO_RESIZE: ErrorCode =
    code(400, "DCS.4102", "111400102", "The system is not support resize.");
pub(crate) static NOT_LARGER: ErrorCode =
    code(400, "DCS.4103", "111400103", "The system is not support resize.");
pub(crate) static RESIZE_RUNNING: ErrorCode = code(
    400,
    "DCS.4108",
    "111400108",
    "The Instance exists for processing scale up order. Please try again later.",
);
pub(crate) static OTHER_PASSWORD: ErrorCode =
    code(400, "DCS.4080", "111400080", "Instance password verify failed.");
pub(crate) static BACKUP_NOT_SUCCEEDED: ErrorCode =
    code(400, "DCS.4087", "111400087", "the backup record status is err when restore this instance");
pub(crate) static NO_BACKUPS: ErrorCode =
    code(400, "DCS.4095", "111400095", "the system is not support backup and restore.");
pub(crate) static BACKING_UP: ErrorCode = ErrorCode {
    status: 400,
    code: "DCS.4096",
    message: "the instance is backuping.",
    former: Some(Former { code: "111400096", message: "the instance is backing up." }),
};
pub(crate) static RESTORING: ErrorCode = code(400, "DCS.4097", "111400097", "the instance is restoring.");
pub(crate) static REMARK: ErrorCode = code(
    400,
    "DCS.4098",
    "111400098",
    "The value of the remark parameter must be 0 to 128 characters in length.",
);
pub(crate) static RESTARTING: ErrorCode = code(400, "DCS.4111", "111400111", "the instance is restarting.");
pub(crate) static EXTENDING: ErrorCode = code(400, "DCS.4113", "111400113", "the instance is extending.");
pub(crate) static CONFIGURING: ErrorCode = code(400, "DCS.4114", "111400114", "the instance is configuring.");
pub(crate) static CHANGING_PASSWORD: ErrorCode =
    code(400, "DCS.4115", "111400115", "the instance is changing the password.");
pub(crate) static FREEZING: ErrorCode = code(400, "DCS.4120", "111400120", "the instance is Freezing.");
pub(crate) static CREATING: ErrorCode = code(400, "DCS.4118", "111400118", "the instance is creating.");
pub(crate) static PAGE: ErrorCode = code(400, "DCS.4800", "111400800", "Invalid {0} in the request.");
pub(crate) static NO_PASSWORD_ACCESS: ErrorCode = code(
    400,
    "DCS.4843",
    "111400843",
    "The no_password_access parameter is missing or its value is invalid.",
);
pub(crate) static ACCESS_USER: ErrorCode =
    code(400, "DCS.4844", "111400844", "The access_user parameter is missing or its value is invalid.");
pub(crate) static PASSWORD: ErrorCode =
    code(400, "DCS.4845", "111400845", "The password parameter is missing or its value is invalid.");

pub(crate) static NO_SWAP: ErrorCode = ErrorCode {
    status: 400,
    code: "DCS.4855",
    message: "Master standby swap is not supported.",
    former: None,
};

/// One of v2.
const fn present(status: u16, code: &'static str, message: &'static str) -> ErrorCode {
    ErrorCode { status, code, message, former: None }
}

pub(crate) static NOT_RUNNING: ErrorCode = present(400, "DCS.4049", "The instance status is not running.");
pub(crate) static NO_BIG_KEYS: ErrorCode = present(400, "DCS.4919", "Does not support bigkey analyze.");
pub(crate) static HOT_KEY_ID: ErrorCode = present(400, "DCS.4941", "The hotkey id does not exist.");
pub(crate) static BIG_KEY_ID: ErrorCode = present(400, "DCS.4942", "The bigkey id does not exist.");
pub(crate) static NODE_LIST: ErrorCode = present(400, "DCS.4930", "The request param node_list is invalid");
pub(crate) static MASTER_NODE: ErrorCode = present(400, "DCS.4936", "The master node cannot be deleted");

pub(crate) static NEEDLESS_PASSWORD: ErrorCode =
    code(400, "DCS.4849", "111400849", "The request parameter new_password should not exist.");
pub(crate) static NO_PASSWORD: ErrorCode = code(
    400,
    "DCS.4850",
    "111400850",
    "This operation is not supported when Password-Free Access is enabled for the instance.",
);

pub(crate) static INVALID_TOKEN: ErrorCode = code(401, "DCS.1001", "111401001", "Invalid token.");
pub(crate) static TOKEN_EXPIRED: ErrorCode = code(401, "DCS.1002", "111401002", "Token expired.");
pub(crate) static NO_TOKEN: ErrorCode = code(401, "DCS.1003", "111401003", "No token in the request.");
pub(crate) static OTHER_PROJECT: ErrorCode =
    code(401, "DCS.1004", "111401004", "Project ID does not match the token.");

pub(crate) static DENIED: ErrorCode = ErrorCode {
    status: 403,
    code: "DCS.2007",
    message: "Policy does not allow {} to be performed.",
    former: Some(Former {
        code: "111403003",
        message: "This role does not have the permission to perform this operation.",
    }),
};
pub(crate) static READ_ONLY: ErrorCode = code(
    403,
    "DCS.3002",
    "111403002",
    "This tenant has read permission only and cannot perform this operation.",
);

pub(crate) static UNKNOWN_URL: ErrorCode =
    code(404, "DCS.4001", "111404001", "The requested URL does not exist.");
pub(crate) static UNKNOWN_INSTANCE: ErrorCode =
    code(404, "DCS.4022", "111404022", "This DCS instance does not exist.");
pub(crate) static WRONG_METHOD: ErrorCode =
    code(405, "DCS.5001", "111405001", "This request method is not allowed.");

pub(crate) static JOB_NOT_DONE: ErrorCode =
    code(500, "DCS.4842", "111400842", "job execution status failed.");
pub(crate) static OTHER_CHANGE: ErrorCode = code(
    500,
    "DCS.4069",
    "111400069",
    "Another user is modifying configuration parameters of the DCS instance. Please try again later.",
);
pub(crate) static JOB_FAILED: ErrorCode = code(500, "DCS.4842", "111400842", "job execution status failed.");
pub(crate) static BACKUP_NOT_DELETED: ErrorCode =
    code(500, "DCS.4101", "111400101", "Delete instance backup file failed.");
pub(crate) static BACKUP_NOT_SAVED: ErrorCode = ErrorCode {
    status: 500,
    code: "DCS.5090",
    message: "Failed to save backup information.",
    former: Some(Former { code: "111500090", message: "Internal service error." }),
};
pub(crate) static RESTORE_NOT_SAVED: ErrorCode = ErrorCode {
    status: 500,
    code: "DCS.5092",
    message: "Failed to save and restore data.",
    former: Some(Former { code: "111500092", message: "Internal service error." }),
};
pub(crate) static BROKEN: ErrorCode = code(500, "DCS.5000", "111500000", "Internal service error.");
pub(crate) static SWAP_FAILED: ErrorCode =
    ErrorCode { status: 500, code: "DCS.5094", message: "Master standby swap failed.", former: None };
pub(crate) static NOT_SAVED: ErrorCode = ErrorCode {
    status: 500,
    code: "DCS.5017",
    message: "Failed to save instance information.",
    former: Some(Former { code: "111500017", message: "Internal service error." }),
};
