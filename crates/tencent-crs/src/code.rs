//! The errors of the document: the common ones, which answer any action, and those of the actions.
//!
//! An error of an action has three parts on the wire: a common code that says what kind of failure it is, the name from
//! the action's table (`codeDesc`), and the table's number and text (`message`). The common code stands here as the
//! former form, which it is: the names came later. Which common code an error of an action has is not documented; it is
//! the one whose description in the common table fits. Texts are the tables', letter by letter; where a parameter is
//! at fault its name follows.
//!
//! Invariant: all are carried by HTTP 200, but for a method that is no way to call an action.

use operation::{ErrorCode, Former};

const fn code(common: &'static str, name: &'static str, message: &'static str) -> ErrorCode {
    ErrorCode { status: 200, code: name, message, former: Some(Former { code: common, message }) }
}

pub(crate) static PARAMETER: ErrorCode =
    code("4000", "Invalid request parameters", "Invalid request parameters: {0}");
pub(crate) static WRONG_METHOD: ErrorCode = ErrorCode {
    status: 405,
    code: "Invalid request parameters",
    message: "Invalid request parameters: the method is GET or POST",
    former: Some(Former { code: "4000", message: "Invalid request parameters: the method is GET or POST" }),
};
pub(crate) static UNPROVEN: ErrorCode = code(
    "4100",
    "Authentication failed",
    "Signature authentication failed. Refer to the authentication section in the document.",
);
pub(crate) static DENIED: ErrorCode = code(
    "4101",
    "Not authorized by the developer to access this API",
    "The sub-user is not authorized to call this API. Please contact the developer for authorization.",
);
pub(crate) static UNKNOWN_ID: ErrorCode = code(
    "4104",
    "SecretId does not exist",
    "Non-existence of SecretId used for signature may also be caused by incorrect private key status. Please make \
     sure the API key is valid and is not disabled.",
);
pub(crate) static TOO_MANY: ErrorCode = code(
    "4400",
    "Quota exceeded",
    "The number of requests exceeded the quota. Refer to the request quota section of the document.",
);
pub(crate) static REPLAY: ErrorCode = code(
    "4500",
    "Replay attack error",
    "Please note that the parameters of Nonce in two requests should not be identical and the time difference between \
     the Timestamp and Tencent CVM should not be greater than 2 hours.",
);
pub(crate) static BROKEN: ErrorCode = code(
    "6000",
    "Server error",
    "A server error occurred. Try again later or contact customer service for help.",
);
pub(crate) static UNKNOWN_ACTION: ErrorCode = code(
    "6100",
    "Version not supported",
    "The API is not supported on this version or is under maintenance.",
);

pub(crate) static INVALID_PARAMETER: ErrorCode =
    code("4000", "InvalidParameter", "(11201) Incorrect business parameter: {0}");

pub(crate) static NO_REDIS_SERVICE: ErrorCode =
    code("5200", "NoRedisService", "(10000) The Redis service is not available in the requested zone");
pub(crate) static NO_TYPE_ID_REDIS_SERVICE: ErrorCode = code(
    "5200",
    "NoTypeIdRedisService",
    "(11062) The Redis service of the requested type is not available in the requested zone",
);
pub(crate) static INVALID_TYPE: ErrorCode = code(
    "4000",
    "InvalidInstanceId",
    "(11053) The type of the instance to purchase is incorrect (TypeId 1: Cluster; 2: Master-Slave (the former \
     Standalone version))",
);
pub(crate) static INVALID_MEM_SIZE: ErrorCode = code(
    "4000",
    "InvalidMemSize",
    "(10703) The requested capacity is not included in the supported specifications (memSize (in MB) should be an \
     integral multiple of 1024)",
);
pub(crate) static MEM_SIZE_NOT_IN_RANGE: ErrorCode = code(
    "4000",
    "MemSizeNotInRange",
    "(11063) The requested capacity is not within the range of supported capacities (please use the API Query \
     Supported Specifications to query the limits on the capacity)",
);
pub(crate) static PERIOD_EXCEEDS: ErrorCode = code(
    "4000",
    "PeriodExceedMaxLimit",
    "(11065) The purchased usage period exceeds the maximum usage period",
);
pub(crate) static PERIOD_TOO_SHORT: ErrorCode = code(
    "4000",
    "PeriodLessThanMinLimit",
    "(11066) The purchased usage period is less than the minimum usage period",
);
pub(crate) static GOODS_NUM_NOT_IN_RANGE: ErrorCode = code(
    "4000",
    "GoodsNumNotInRange",
    "(11064) The number of instances purchased at a time exceeds the maximum number of instances allowed to be \
     purchased (please use the API Query Supported Specifications to query the limits on the number of instances \
     allowed to be purchased)",
);
pub(crate) static ONLY_VPC: ErrorCode = code(
    "5200",
    "OnlyVPCOnSpecZoneId",
    "(11067) Only the Redis service under VPC is available in the requested zone",
);
pub(crate) static INVALID_SUBNET: ErrorCode =
    code("4000", "InvalidSubnetId", "(11054) ID of the subnet under the VPC does not exist");
pub(crate) static PASSWORD_EMPTY: ErrorCode = code("4000", "PasswordEmpty", "(10501) Password is left empty");
pub(crate) static OLD_PASSWORD: ErrorCode =
    code("5100", "OldPasswordError", "(10502) Wrong old password is entered for resetting password");
pub(crate) static PASSWORD_RULE: ErrorCode = code(
    "4000",
    "PasswordRuleError",
    "(11058) Incorrect password rule. The password must be a combination of 8-16 characters comprised of at least two \
     of the following types: letters, numbers and special characters (!, @, #, %, ^, *, ())",
);
pub(crate) static WRONG_PASSWORD: ErrorCode = code("5100", "PasswordError", "(10712) Wrong password");
pub(crate) static BALANCE: ErrorCode = code(
    "5300",
    "OperationConstraints.AccountBalanceNotEnough",
    "(100207) Insufficient account balance. Please top it up.",
);
pub(crate) static QUOTA: ErrorCode = code(
    "5200",
    "Resource purchase failed",
    "Failed to purchase the resource. Possible causes may be instance configuration not supported, insufficient \
     resources and so on.",
);

pub(crate) static NO_INSTANCE: ErrorCode =
    code("5000", "InstanceNotExists", "(10701) No instance can be found for the serialId");
pub(crate) static STATUS_ABNORMAL: ErrorCode = code(
    "5100",
    "InstanceStatusAbnormal",
    "(10702) The operation is impossible due to an abnormal instance status. For example, the instance has a status of \
     \"in process\" or \"isolated\" or \"deleted\"",
);
pub(crate) static LOCKED: ErrorCode =
    code("5100", "InstanceLockedError", "(10707) The operation is impossible because the instance is locked");
pub(crate) static LOCKED_BY_PROCESS: ErrorCode = code(
    "5100",
    "InstanceBeenLocked",
    "(11056) The operation is impossible because the instance is locked by another process",
);
pub(crate) static RECLAIMED: ErrorCode =
    code("5000", "InstanceDeleted", "(11055) The instance has been reclaimed upon expiration");
pub(crate) static DELETED: ErrorCode =
    code("5000", "InstanceDeleted", "(11055) The instance has been deleted upon expiration");
pub(crate) static ISOLATED: ErrorCode =
    code("5100", "InstanceIsolated", "(11061) The instance has been isolated upon expiration");
pub(crate) static REDUCED: ErrorCode = code(
    "5100",
    "ReduceCapacityNotAllowed",
    "(11057) The requested capacity is less than the actual capacity of the instance. Reduction of capacity is not \
     supported currently",
);
pub(crate) static NO_BACKUP: ErrorCode =
    code("5000", "BackupNotExists", "(11213) No instance backup can be found for the backupId");
pub(crate) static BACKUP_STATUS: ErrorCode = code(
    "5100",
    "BackupStatusAbnormal",
    "(10711) The operation is impossible due to an abnormal backup status",
);
pub(crate) static BACKUP_INVALID: ErrorCode = code(
    "5100",
    "BackupStatusInvalid",
    "(10711) Invalid backup status (for a cluster instance, only the backup with status 2 can be exported)",
);
pub(crate) static ONLY_CLUSTERS: ErrorCode = code(
    "5100",
    "OnlyClusterInstanceCanExportBackup",
    "(11214) Only the backup of a cluster instance is allowed to be exported",
);
pub(crate) static BACKUP_LOCKED: ErrorCode = code(
    "5100",
    "BackupLockedError",
    "(10710) The operation is impossible because the instance is locked by another task",
);
pub(crate) static RESTORE_PASSWORD: ErrorCode =
    code("5100", "PasswordError", "(10712) Incorrect instance password");
pub(crate) static NO_DEAL: ErrorCode = code("5000", "DealIdNotFound", "(11059) Order ID does not exist");
pub(crate) static AUTO_RENEW: ErrorCode = code(
    "4000",
    "IsAutoRenewError",
    "(11060) Error with auto renewal flag (0 - Do not set auto renewal; a notification will be given upon expiration of \
     instance; 1 - Set auto renewal; instance will be automatically renewed upon expiration; 2 - Neither renewal nor \
     notification will be made upon the expiration of instance)",
);
pub(crate) static NAME_TOO_LONG: ErrorCode =
    code("4000", "InstanceNameExceedMaxLimit", "(11211) Length of instance name exceeds the limit");
pub(crate) static NAME_RULE: ErrorCode = code(
    "4000",
    "InstanceNameRuleError",
    "(11212) Instance name does not conform to the rule: A length of 1-36 characters comprised of letters, numbers, \
     \"_\", \"-\"",
);
