//! The errors of the identity service. Clients look at the status and show the message.

use operation::ErrorCode;

const fn code(status: u16, code: &'static str, message: &'static str) -> ErrorCode {
    ErrorCode { status, code, message, former: None }
}

pub(super) static MALFORMED: ErrorCode =
    code(400, "Bad Request", "The request lacks a valid value of \"{0}\".");
pub(super) static NOT_JSON: ErrorCode = code(400, "Bad Request", "The request body is not a JSON object.");
pub(super) static WRONG_CREDENTIALS: ErrorCode =
    code(401, "Unauthorized", "The username or password is wrong.");
pub(super) static UNKNOWN_SCOPE: ErrorCode =
    code(401, "Unauthorized", "The scope is none of the account's projects, nor the account.");
pub(super) static UNPROVEN: ErrorCode =
    code(401, "Unauthorized", "The request you have made requires authentication.");
pub(super) static FORBIDDEN: ErrorCode =
    code(403, "Forbidden", "You are not authorized to perform the requested action.");
pub(super) static NOT_FOUND: ErrorCode = code(404, "Not Found", "The requested URL does not exist.");
pub(super) static WRONG_METHOD: ErrorCode =
    code(405, "Method Not Allowed", "This request method is not allowed.");
pub(super) static BROKEN: ErrorCode = code(500, "Internal Server Error", "Internal service error.");
