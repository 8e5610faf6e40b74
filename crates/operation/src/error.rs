//! The errors that operations declare, and one occurrence of such an error.
//!
//! An [`ErrorCode`] exists once, as a `static` of its provider's crate; its text is the wire text and stands nowhere
//! else. Deliberately not here: the JSON around it, which differs between providers and versions.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

/// An error of a provider's documents.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The HTTP status that carries it.
    pub status: u16,
    /// Its code in the provider's present form, such as `DCS.4010`.
    pub code: &'static str,
    /// Its message; `{0}` or `{}` stands for the argument of a [`Failure`].
    pub message: &'static str,
    /// The same error in the provider's former form, where it has one.
    pub former: Option<Former>,
}

/// The form that an error had in an earlier version of the interface.
#[derive(Debug, PartialEq, Eq)]
pub struct Former {
    /// The earlier code, such as `111400010`.
    pub code: &'static str,
    /// The earlier message, with the same places for arguments.
    pub message: &'static str,
}

/// One occurrence of an [`ErrorCode`]: what an operation returns when it fails.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which error.
    pub code: &'static ErrorCode,
    /// What the message names, such as the parameter at fault.
    pub argument: Option<Cow<'static, str>>,
}

impl ErrorCode {
    /// The failure of this code whose message names `argument`.
    pub fn of(&'static self, argument: impl Into<Cow<'static, str>>) -> Failure {
        Failure { code: self, argument: Some(argument.into()) }
    }
}

impl From<&'static ErrorCode> for Failure {
    fn from(code: &'static ErrorCode) -> Self {
        Failure { code, argument: None }
    }
}

impl Failure {
    /// The HTTP status that carries it.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The message in the present form, with the argument in its place.
    pub fn message(&self) -> String {
        self.fill(self.code.message)
    }

    /// Code and message in the former form, or in the present one where there is no former form.
    pub fn former(&self) -> (&'static str, String) {
        match &self.code.former {
            Some(former) => (former.code, self.fill(former.message)),
            None => (self.code.code, self.message()),
        }
    }

    fn fill(&self, message: &'static str) -> String {
        let argument = self.argument.as_deref().unwrap_or_default();
        message.replace("{0}", argument).replace("{}", argument)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code.status, self.code.code, self.message())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    static INVALID: ErrorCode = ErrorCode {
        status: 400,
        code: "X.1",
        message: "Invalid {0} parameter.",
        former: Some(Former { code: "1001", message: "Bad {0}." }),
    };
    static PLAIN: ErrorCode =
        ErrorCode { status: 500, code: "X.2", message: "Internal error.", former: None };

    #[test]
    fn the_argument_stands_in_both_forms() {
        let failure = INVALID.of("port");
        assert_eq!(failure.message(), "Invalid port parameter.");
        assert_eq!(failure.former(), ("1001", "Bad port.".to_owned()));
    }

    #[test]
    fn without_a_former_form_the_present_one_serves() {
        let failure = Failure::from(&PLAIN);
        assert_eq!(failure.former(), ("X.2", "Internal error.".to_owned()));
        assert_eq!(failure.to_string(), "500 X.2: Internal error.");
    }
}
