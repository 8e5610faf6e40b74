//! The record of an operation.
//!
//! Records are `static`s with named fields over [`BASE`], closed by [`Operation::checked`]:
//!
//! ```
//! use operation::{Access, Answer, BASE, Method, Operation, Route, Source};
//!
//! pub static LIST_WINDOWS: Operation = Operation {
//!     id: "ListMaintenanceWindows",
//!     summary: "Lists the times of day at which maintenance may be done.",
//!     route: Route::Path { method: Method::Get, template: "/v1.0/instances/maintain-windows" },
//!     access: Access::Caller,
//!     answers: &[Answer { status: 200, about: "The windows.", body: None }],
//!     source: Source { document: "DCS API Reference", section: "10.3" },
//!     ..BASE
//! }
//! .checked();
//! ```
//!
//! Invariant: `checked` runs while compiling, so a record that contradicts itself is a compile error.

use crate::error::{ErrorCode, Failure};
use crate::route::{self, Method, Route};
use crate::schema::{self, Field};

/// What is declared about one operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name, unique among all operations; documents and SDKs know it by this name where they have one.
    pub id: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Where it lives.
    pub route: Route,
    /// Who may call it.
    pub access: Access,
    /// The action that a policy must allow, such as `dcs:instance:create`; `None` asks for a known caller only.
    pub permission: Option<&'static str>,
    /// The parameters of its path, each `{name}` of the template once.
    pub path: &'static [Field],
    /// The parameters of its query.
    pub query: &'static [Field],
    /// The fields of its JSON body; `None` takes no body and ignores one.
    pub body: Option<&'static [Field]>,
    /// Whether it changes nothing, though its method lets one think that it does; an action has no method that tells.
    pub reads_only: bool,
    /// Whether the body may be left out.
    pub body_optional: bool,
    /// What it answers when it succeeds.
    pub answers: &'static [Answer],
    /// The errors that it may answer besides those of its fields, in groups that records share.
    pub errors: &'static [&'static [&'static ErrorCode]],
    /// The fields of an error's body.
    pub error_body: &'static [Field],
    /// Where it is documented.
    pub source: Source,
    /// How much of it works.
    pub support: Support,
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Anyone who proves who they are.
    Caller,
    /// A caller whose credentials are for the project that the path names.
    Project,
}

/// One way to succeed.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The HTTP status, from 200 to 399.
    pub status: u16,
    /// When it is answered.
    pub about: &'static str,
    /// The fields of the body, where there is one. A single field without a name is the body itself.
    pub body: Option<&'static [Field]>,
}

/// A place in the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The document's name.
    pub document: &'static str,
    /// The section or chapter in it.
    pub section: &'static str,
}

/// How much of an operation works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// All that its document says.
    Full,
    /// Less than its document says; the text names what is missing.
    Partial(&'static str),
    /// Nothing: it is known, and refused as its document says.
    Refused,
}

/// The values that records leave unsaid.
pub const BASE: Operation = Operation {
    id: "",
    summary: "",
    route: Route::Path { method: Method::Get, template: "/" },
    access: Access::Public,
    permission: None,
    path: &[],
    query: &[],
    body: None,
    reads_only: false,
    body_optional: false,
    answers: &[],
    errors: &[],
    error_body: &[],
    source: Source { document: "", section: "" },
    support: Support::Full,
};

impl Operation {
    /// The record itself; does not compile where the record contradicts itself.
    #[must_use]
    pub const fn checked(self) -> Self {
        let template = self.route.template();
        assert!(!self.id.is_empty(), "an operation has an id");
        assert!(!self.summary.is_empty(), "an operation has a summary");
        assert!(!self.source.document.is_empty(), "an operation has a source");
        assert!(route::well_formed(template), "the path template is malformed");
        assert!(
            self.path.len() == route::parameter_count(template),
            "the template's parameters and the declared path parameters differ in number"
        );
        assert!(schema::all_refusable(self.path), "a path parameter does not say which error refuses it");
        assert!(schema::all_refusable(self.query), "a query parameter does not say which error refuses it");
        if let Some(body) = self.body {
            assert!(schema::all_refusable(body), "a field of the body does not say which error refuses it");
        }
        let mut at = 0;
        while at < self.path.len() {
            assert!(route::has_parameter(template, self.path[at].name), "no such parameter in the template");
            assert!(self.path[at].is_required(), "a path parameter cannot be left out");
            at += 1;
        }
        if let Route::Path { method: Method::Get, .. } = self.route {
            assert!(self.body.is_none(), "a GET takes no body");
        }
        let is_action = matches!(self.route, Route::Action { .. });
        assert!(!is_action || self.path.is_empty(), "the path of an action has no parameters");
        let is_refused = matches!(self.support, Support::Refused);
        assert!(self.answers.is_empty() == is_refused, "an operation can succeed, unless it is refused");
        let mut at = 0;
        while at < self.answers.len() {
            let answer = &self.answers[at];
            assert!(answer.status >= 200 && answer.status < 400, "an answer is a success");
            assert!(answer.status != 204 || answer.body.is_none(), "a 204 has no body");
            at += 1;
        }
        if let Some(permission) = self.permission {
            assert!(!matches!(self.access, Access::Public), "a public operation asks for no permission");
            assert!(three_parts(permission), "a permission is service:resource:action");
        }
        if let Access::Project = self.access {
            assert!(
                route::has_parameter(template, "project_id"),
                "an operation on a project names the project in its path"
            );
        }
        let mut group = 0;
        while group < self.errors.len() {
            let mut at = 0;
            while at < self.errors[group].len() {
                // An action tells of an error in its body alone.
                let status = self.errors[group][at].status;
                assert!(status >= 400 || (is_action && status == 200), "an error is not a success");
                at += 1;
            }
            group += 1;
        }
        self
    }

    /// Every declared error once: those of the fields that it takes, and those of its groups.
    pub fn declared_errors(&self) -> Vec<&'static ErrorCode> {
        let mut errors = Vec::new();
        for fields in [self.path, self.query, self.body.unwrap_or_default()] {
            schema::gather_errors(fields, &mut errors);
        }
        errors.extend(self.errors.iter().flat_map(|group| group.iter().copied()));
        let mut seen = std::collections::HashSet::new();
        errors.retain(|code| seen.insert(std::ptr::from_ref::<ErrorCode>(code)));
        errors
    }

    /// Whether the operation declares the error of `failure`.
    pub fn declares(&self, failure: &Failure) -> bool {
        self.declared_errors().iter().any(|code| std::ptr::eq(*code, failure.code))
    }

    /// Whether it changes anything, as far as its method tells, or the record.
    pub fn changes(&self) -> bool {
        !self.reads_only && !matches!(self.route, Route::Path { method: Method::Get, .. })
    }
}

const fn three_parts(permission: &str) -> bool {
    let bytes = permission.as_bytes();
    let (mut at, mut colons, mut since_colon) = (0, 0, 0);
    while at < bytes.len() {
        if bytes[at] == b':' {
            if since_colon == 0 {
                return false;
            }
            colons += 1;
            since_colon = 0;
        } else {
            since_colon += 1;
        }
        at += 1;
    }
    colons == 2 && since_colon > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{FIELD, Kind, Need};

    static GONE: ErrorCode = ErrorCode { status: 404, code: "X.404", message: "Gone.", former: None };
    static INVALID: ErrorCode = ErrorCode { status: 400, code: "X.400", message: "Bad.", former: None };
    static OTHER: ErrorCode = ErrorCode { status: 404, code: "X.404", message: "Gone.", former: None };

    const GOOD: Operation = Operation {
        id: "Show",
        summary: "Shows a thing.",
        route: Route::Path { method: Method::Get, template: "/v1/{project_id}/things/{thing_id}" },
        access: Access::Project,
        permission: Some("things:thing:get"),
        path: &[
            Field { name: "project_id", need: Need::Required, invalid: Some(&INVALID), ..FIELD },
            Field { name: "thing_id", need: Need::Required, invalid: Some(&INVALID), ..FIELD },
        ],
        answers: &[Answer { status: 200, about: "The thing.", body: None }],
        errors: &[&[&GONE]],
        source: Source { document: "Things", section: "1" },
        ..BASE
    };

    fn contradiction(operation: Operation) -> String {
        let caught = std::panic::catch_unwind(move || operation.checked().id).unwrap_err();
        caught.downcast_ref::<&str>().map(|text| (*text).to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_sound_record_passes() {
        static CHECKED: Operation = GOOD.checked();
        assert_eq!(CHECKED.id, "Show");
        assert!(!CHECKED.changes());
    }

    #[test]
    fn contradictions_are_seen() {
        let template = |template| Operation { route: Route::Path { method: Method::Get, template }, ..GOOD };
        let post = Route::Path { method: Method::Post, template: "/v1/{project_id}/things/{thing_id}" };
        let no_content = &[Answer { status: 204, about: "", body: Some(&[]) }];
        const DEEP: Field = Field {
            name: "deep",
            kind: Kind::List { of: &Kind::Object(&[FIELD]), min_items: 0 },
            invalid: Some(&INVALID),
            ..FIELD
        };
        static FINE: ErrorCode = ErrorCode { status: 200, code: "", message: "", former: None };
        static FINE_GROUP: [&ErrorCode; 1] = [&FINE];
        static FINE_GROUPS: [&[&ErrorCode]; 1] = [&FINE_GROUP];
        let cases = [
            (Operation { id: "", ..GOOD }, "id"),
            (template("/v1/{project_id}/things"), "differ in number"),
            (template("/v1/{project_id}/things/{other_id}"), "no such parameter"),
            (template("/v1/{project_id}/things/{thing_id}/"), "malformed"),
            (Operation { body: Some(&[]), ..GOOD }, "GET takes no body"),
            (Operation { query: &[FIELD], ..GOOD }, "which error refuses"),
            (Operation { body: Some(&[DEEP]), route: post, ..GOOD }, "which error refuses"),
            (Operation { answers: &[], ..GOOD }, "can succeed"),
            (Operation { answers: no_content, route: post, ..GOOD }, "204"),
            (Operation { permission: Some("things:get"), ..GOOD }, "service:resource:action"),
            (Operation { permission: Some("things::get"), ..GOOD }, "service:resource:action"),
            (Operation { access: Access::Public, ..GOOD }, "asks for no permission"),
            (
                Operation {
                    route: Route::Path { method: Method::Get, template: "/v1/things" },
                    path: &[],
                    ..GOOD
                },
                "names the project",
            ),
            (Operation { errors: &FINE_GROUPS, ..GOOD }, "not a success"),
        ];
        for (operation, expected) in cases {
            let said = contradiction(operation);
            assert!(said.contains(expected), "{said:?} does not say {expected:?}");
        }
    }

    #[test]
    fn an_error_is_declared_by_identity() {
        assert!(GOOD.declares(&(&GONE).into()));
        assert!(GOOD.declares(&INVALID.of("thing_id")));
        assert_eq!(GOOD.declared_errors().len(), 2);
        assert!(!GOOD.declares(&(&OTHER).into()));
    }
}
