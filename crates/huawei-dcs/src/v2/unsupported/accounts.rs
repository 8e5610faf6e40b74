//! Accounts of an instance besides the one that it has, and the console that runs commands in the browser.

use operation::{Method, Operation, Route};

use super::{REFUSED_INSTANCE, id};
use crate::field::{INSTANCE_ID, PROJECT_ID};
use crate::v2::reference;

pub(super) static OPERATIONS: &[&Operation] = &[
    &LIST_ACL_ACCOUNTS,
    &CREATE_ACL_ACCOUNT,
    &DELETE_ACL_ACCOUNT,
    &UPDATE_ACL_ACCOUNT_REMARK,
    &UPDATE_ACL_ACCOUNT_PASS_WORD,
    &RESET_ACL_ACCOUNT_PASS_WORD,
    &UPDATE_ACL_ACCOUNT,
    &LOGIN_WEB_CLI,
    &EXECUTE_COMMAND_MOBILIZATION,
    &LOGOFF_WEB_CLI,
];

static LIST_ACL_ACCOUNTS: Operation = Operation {
    id: "ListAclAccounts",
    summary: "Lists the accounts of an instance.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/accounts" },
    source: reference("Querying ACL Accounts"),
    ..REFUSED_INSTANCE
}
.checked();

static CREATE_ACL_ACCOUNT: Operation = Operation {
    id: "CreateAclAccount",
    summary: "Makes an account.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/accounts",
    },
    source: reference("Creating an ACL Account"),
    ..REFUSED_INSTANCE
}
.checked();

static DELETE_ACL_ACCOUNT: Operation = Operation {
    id: "DeleteAclAccount",
    summary: "Deletes an account.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}",
    },
    path: &[PROJECT_ID, INSTANCE_ID, id("account_id", "The id of the account.")],
    source: reference("Deleting an ACL Account"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_ACL_ACCOUNT_REMARK: Operation = Operation {
    id: "UpdateAclAccountRemark",
    summary: "Changes what is said about an account.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}",
    },
    path: &[PROJECT_ID, INSTANCE_ID, id("account_id", "The id of the account.")],
    source: reference("Changing the Remarks of an ACL Account"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_ACL_ACCOUNT_PASS_WORD: Operation = Operation {
    id: "UpdateAclAccountPassWord",
    summary: "Changes the password of an account.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}/password/modify",
    },
    path: &[PROJECT_ID, INSTANCE_ID, id("account_id", "The id of the account.")],
    source: reference("Changing the Password of an ACL Account"),
    ..REFUSED_INSTANCE
}
.checked();

static RESET_ACL_ACCOUNT_PASS_WORD: Operation = Operation {
    id: "ResetAclAccountPassWord",
    summary: "Gives an account a new password.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}/password/reset",
    },
    path: &[PROJECT_ID, INSTANCE_ID, id("account_id", "The id of the account.")],
    source: reference("Resetting the Password of an ACL Account"),
    ..REFUSED_INSTANCE
}
.checked();

static UPDATE_ACL_ACCOUNT: Operation = Operation {
    id: "UpdateAclAccount",
    summary: "Changes what an account may do.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}/role",
    },
    path: &[PROJECT_ID, INSTANCE_ID, id("account_id", "The id of the account.")],
    source: reference("Changing the Role of an ACL Account"),
    ..REFUSED_INSTANCE
}
.checked();

static LOGIN_WEB_CLI: Operation = Operation {
    id: "LoginWebCli",
    summary: "Logs in to the console.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/webcli/auth",
    },
    permission: Some("dcs:instance:webcli"),
    source: reference("Logging In to Web CLI"),
    ..REFUSED_INSTANCE
}
.checked();

static EXECUTE_COMMAND_MOBILIZATION: Operation = Operation {
    id: "ExecuteCommandMobilization",
    summary: "Has the console run a command.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/webcli/command",
    },
    permission: Some("dcs:instance:webcli"),
    source: reference("Executing a Command"),
    ..REFUSED_INSTANCE
}
.checked();

static LOGOFF_WEB_CLI: Operation = Operation {
    id: "LogoffWebCli",
    summary: "Logs out of the console.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/webcli/logout",
    },
    permission: Some("dcs:instance:webcli"),
    source: reference("Logging Out of Web CLI"),
    ..REFUSED_INSTANCE
}
.checked();
