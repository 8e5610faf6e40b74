//! What the records of several actions share: where they live, their common errors, and the fields of their answers.

use operation::schema::{FIELD, Field, INTEGER, Integer, Kind, Need, TEXT};
use operation::{Access, BASE, ErrorCode, Operation, Route, Source};

use crate::code;

/// The path of all actions.
pub(crate) const PATH: &str = "/v2/index.php";

/// What every action may answer besides its own errors.
pub(crate) const COMMON_ERRORS: &[&ErrorCode] =
    &[&code::PARAMETER, &code::UNPROVEN, &code::DENIED, &code::UNKNOWN_ID, &code::REPLAY, &code::BROKEN];

/// What all actions have.
pub(crate) const ACTION: Operation = Operation { access: Access::Caller, error_body: ERROR, ..BASE };

/// The route of an action.
pub(crate) const fn action(action: &'static str) -> Route {
    Route::Action { path: PATH, action }
}

/// A chapter of the document.
pub(crate) const fn chapter(section: &'static str) -> Source {
    Source { document: "Redis API 2017", section }
}

/// The head of an answer whose code is a number.
pub(crate) const NUMBERED: &[Field] =
    &[integer("code", "0."), text("message", "Empty."), text("codeDesc", "Success.")];

/// The head of an answer whose code is a text.
pub(crate) const TEXTED: &[Field] =
    &[text("code", "\"0\"."), text("message", "Empty."), text("codeDesc", "Success.")];

/// The body of an error.
const ERROR: &[Field] = &[
    integer("code", "The common code."),
    text("message", "The action's own code, in parentheses, and what is wrong."),
    text("codeDesc", "The name of the error."),
];

/// The order that an answer names.
pub(crate) const DEAL: Field = object("data", &[text("dealId", "The id of the order.")], "The order.");

/// The task that an answer names.
pub(crate) const TASK: Field = object("data", &[integer("requestId", "The id of the task.")], "The task.");

/// The id of the instance that an action works on.
pub(crate) const fn redis_id(invalid: &'static ErrorCode) -> Field {
    Field {
        name: "redisId",
        kind: Kind::Text(operation::schema::Text { min_chars: 1, ..TEXT }),
        need: Need::Required,
        invalid: Some(invalid),
        about: "The id of the instance.",
    }
}

/// The ids of the instances that an action works on.
pub(crate) const REDIS_IDS: Field = Field {
    name: "redisIds",
    kind: Kind::List { of: &Kind::Text(TEXT), min_items: 1 },
    need: Need::Required,
    invalid: Some(&code::INVALID_PARAMETER),
    about: "The ids of the instances, as redisIds.0, redisIds.1 and so on.",
};

/// How many items of a list are wanted.
pub(crate) const LIMIT: Field = Field {
    name: "limit",
    kind: Kind::Integer(Integer { min: 1, max: i64::MAX, or_text: true }),
    need: Need::Required,
    invalid: Some(&code::INVALID_PARAMETER),
    about: "How many items are wanted.",
};

/// Where in a list they begin.
pub(crate) const OFFSET: Field = Field {
    name: "offset",
    kind: Kind::Integer(Integer { min: 0, max: i64::MAX, or_text: true }),
    need: Need::Required,
    invalid: Some(&code::INVALID_PARAMETER),
    about: "How many items before them are left out.",
};

/// A whole number of a request.
pub(crate) const fn number(
    name: &'static str,
    need: Need,
    invalid: &'static ErrorCode,
    about: &'static str,
) -> Field {
    let kind = Kind::Integer(Integer { or_text: true, ..INTEGER });
    Field { name, kind, need, invalid: Some(invalid), about }
}

/// A whole number of a request that is not negative.
pub(crate) const fn unsigned(
    name: &'static str,
    need: Need,
    invalid: &'static ErrorCode,
    about: &'static str,
) -> Field {
    let kind = Kind::Integer(Integer { min: 0, max: u32::MAX as i64, or_text: true });
    Field { name, kind, need, invalid: Some(invalid), about }
}

/// A text of a request that may be left out.
pub(crate) const fn optional(name: &'static str, invalid: &'static ErrorCode, about: &'static str) -> Field {
    Field { name, invalid: Some(invalid), about, ..FIELD }
}

/// Texts of a request that may be left out.
pub(crate) const fn texts(name: &'static str, invalid: &'static ErrorCode, about: &'static str) -> Field {
    let kind = Kind::List { of: &Kind::Text(TEXT), min_items: 0 };
    Field { name, kind, need: Need::Optional, invalid: Some(invalid), about }
}

/// A text of an answer.
pub(crate) const fn text(name: &'static str, about: &'static str) -> Field {
    Field { name, about, need: Need::Required, ..FIELD }
}

/// A whole number of an answer.
pub(crate) const fn integer(name: &'static str, about: &'static str) -> Field {
    Field { kind: Kind::Integer(INTEGER), ..text(name, about) }
}

/// An object of an answer.
pub(crate) const fn object(name: &'static str, fields: &'static [Field], about: &'static str) -> Field {
    Field { kind: Kind::Object(fields), ..text(name, about) }
}

/// A list of an answer.
pub(crate) const fn list(name: &'static str, of: &'static Kind, about: &'static str) -> Field {
    Field { kind: Kind::List { of, min_items: 0 }, ..text(name, about) }
}
