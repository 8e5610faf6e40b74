//! Which outcomes an operation can have: for tests that see to it that each of them has been met by its cause.

use crate::error::ErrorCode;
use crate::operation::{Operation, Support};
use crate::schema::{Field, Kind, Need};

/// Whether it can succeed.
pub fn can_succeed(operation: &Operation) -> bool {
    operation.support != Support::Refused
}

/// The errors that some request can be answered: those of its groups, and those of its fields that some value does not fit. Some
/// may be here twice.
pub fn errors(operation: &'static Operation) -> Vec<&'static ErrorCode> {
    let mut errors: Vec<_> = operation.errors.iter().flat_map(|group| group.iter().copied()).collect();
    gather(operation.path, true, &mut errors);
    gather(operation.query, true, &mut errors);
    gather(operation.body.unwrap_or_default(), false, &mut errors);
    errors
}

/// Adds the errors of those fields that some value does not fit. In a path or a query every value is a text.
fn gather(fields: &'static [Field], is_text: bool, errors: &mut Vec<&'static ErrorCode>) {
    for field in fields {
        let takes_all = match field.kind {
            Kind::Text(text) => {
                text.pattern.is_none()
                    && text.one_of.is_empty()
                    && text.min_chars == 0
                    && text.max_chars == usize::MAX
            }
            Kind::Boolean | Kind::Flag => true,
            Kind::List { of: Kind::Text(text), min_items: 0 } => {
                text.pattern.is_none() && text.one_of.is_empty()
            }
            _ => false,
        };
        // Nobody leaves a part of a path out.
        let is_needed = field.need == Need::Required && !field.name.ends_with("_id");
        if !(is_text && takes_all && !is_needed) {
            errors.extend(field.invalid);
        }
        let mut inner = &field.kind;
        while let Kind::List { of, .. } | Kind::Map(of) = inner {
            inner = of;
        }
        if let Kind::Object(fields) = inner {
            gather(fields, false, errors);
        }
    }
}
