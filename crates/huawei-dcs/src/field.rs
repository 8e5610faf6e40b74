//! Fields and errors that the records of several operations share, whichever version they belong to.

use operation::schema::{FIELD, Field, INTEGER, Integer, Kind, Need, Pattern, Query, TEXT, Text};
use operation::{ErrorCode, Source};

use crate::code;
use crate::time;

/// What every operation with a known caller may answer.
pub(crate) const CALLER_ERRORS: &[&ErrorCode] =
    &[&code::NO_TOKEN, &code::INVALID_TOKEN, &code::TOKEN_EXPIRED, &code::NOT_JSON, &code::BROKEN];

/// What every operation on a project may answer besides.
pub(crate) const PROJECT_ERRORS: &[&ErrorCode] = &[&code::OTHER_PROJECT, &code::DENIED, &code::READ_ONLY];

/// A section of the DCS API Reference.
pub(crate) const fn reference(section: &'static str) -> Source {
    Source { document: "DCS API Reference", section }
}

pub(crate) const PROJECT_ID: Field = Field {
    name: "project_id",
    kind: Kind::Text(Text { pattern: Some(&PROJECT_ID_FORM), ..TEXT }),
    need: Need::Required,
    invalid: Some(&code::PROJECT_ID),
    about: "The id of the project.",
};

pub(crate) const INSTANCE_ID: Field = Field {
    name: "instance_id",
    kind: Kind::Text(Text { pattern: Some(&UUID), ..TEXT }),
    need: Need::Required,
    invalid: Some(&code::INSTANCE_ID),
    about: "The id of the instance.",
};

/// When the maintenance window of an instance begins.
pub(crate) const MAINTAIN_BEGIN: Field = Field {
    name: "maintain_begin",
    invalid: Some(&code::MAINTENANCE),
    about: "When the maintenance window begins, as hh:mm:ss; together with maintain_end.",
    ..FIELD
};

/// When it ends.
pub(crate) const MAINTAIN_END: Field = Field {
    name: "maintain_end",
    invalid: Some(&code::MAINTENANCE),
    about: "When the maintenance window ends, as hh:mm:ss; together with maintain_begin.",
    ..FIELD
};

/// The backup policy of an instance, which has these fields.
pub(crate) const fn backup_policy_of(fields: &'static [Field]) -> Field {
    Field {
        name: "instance_backup_policy",
        kind: Kind::Object(fields),
        invalid: Some(&code::PARAMETER),
        about: "The backup policy; without effect on a single node.",
        ..FIELD
    }
}

/// A tag of an instance.
pub(crate) const TAG: &[Field] = &[
    Field {
        name: "key",
        kind: Kind::Text(Text { min_chars: 1, max_chars: 36, ..TEXT }),
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "The tag's key, unique within the instance.",
    },
    Field {
        name: "value",
        kind: Kind::Text(Text { max_chars: 43, ..TEXT }),
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "The tag's value, which may be empty.",
    },
];

/// The fields of an answer: always there.
pub(crate) const fn text(name: &'static str, about: &'static str) -> Field {
    Field { name, about, need: Need::Required, ..FIELD }
}

/// The fields of an answer: there, and null where it has nothing to say.
pub(crate) const fn text_or_null(name: &'static str, about: &'static str) -> Field {
    Field { need: Need::Nullable, ..text(name, about) }
}

/// A whole number of an answer.
pub(crate) const fn integer(name: &'static str, about: &'static str) -> Field {
    Field { kind: Kind::Integer(INTEGER), ..text(name, about) }
}

/// A whole number of an answer, or null.
pub(crate) const fn integer_or_null(name: &'static str, about: &'static str) -> Field {
    Field { need: Need::Nullable, ..integer(name, about) }
}

/// A truth value of an answer.
pub(crate) const fn boolean(name: &'static str, about: &'static str) -> Field {
    Field { kind: Kind::Boolean, ..text(name, about) }
}

/// A truth value of an answer, or null.
pub(crate) const fn boolean_or_null(name: &'static str, about: &'static str) -> Field {
    Field { need: Need::Nullable, ..boolean(name, about) }
}

/// An object of an answer.
pub(crate) const fn object(name: &'static str, fields: &'static [Field], about: &'static str) -> Field {
    Field { kind: Kind::Object(fields), ..text(name, about) }
}

/// An array of an answer.
pub(crate) const fn list(name: &'static str, of: &'static Kind, about: &'static str) -> Field {
    Field { kind: Kind::List { of, min_items: 0 }, ..text(name, about) }
}

/// A whole number of a query.
pub(crate) const fn count(name: &'static str, max: i64, about: &'static str) -> Field {
    Field {
        name,
        kind: Kind::Integer(Integer { min: 1, max, or_text: true }),
        need: Need::Optional,
        invalid: Some(&code::PARAMETER),
        about,
    }
}

/// The beginning of a page in a query of v2.
pub(crate) const OFFSET: Field = Field {
    name: "offset",
    kind: Kind::Integer(Integer { min: 0, max: i64::MAX, or_text: true }),
    need: Need::Optional,
    invalid: Some(&code::PAGE),
    about: "How many items stand before the page; 0 if left out.",
};

/// The length of a page in a query of v2.
pub(crate) const fn limit(max: i64, about: &'static str) -> Field {
    Field { invalid: Some(&code::PAGE), ..count("limit", max, about) }
}

/// The items of a page of v2: 10 of them unless the query says otherwise.
pub(crate) fn page<T>(items: Vec<T>, query: &Query) -> impl Iterator<Item = T> {
    let number = |name, otherwise: usize| {
        query.integer(name).map_or(otherwise, |number| usize::try_from(number).unwrap_or(usize::MAX))
    };
    items.into_iter().skip(number("offset", 0)).take(number("limit", 10))
}

/// A time of a query, as yyyyMMddHHmmss.
pub(crate) const fn moment(name: &'static str, about: &'static str) -> Field {
    Field {
        name,
        kind: Kind::Text(Text { pattern: Some(&MOMENT), ..TEXT }),
        invalid: Some(&code::PARAMETER),
        about,
        ..FIELD
    }
}

static MOMENT: Pattern =
    Pattern { expression: "^[0-9]{14}$", matches: |moment| time::from_digits(moment).is_some() };

static PROJECT_ID_FORM: Pattern = Pattern {
    expression: "^[0-9a-z]{32}$",
    matches: |id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
};

static UUID: Pattern = Pattern {
    expression: "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    matches: |id| {
        let parts: Vec<_> = id.split('-').collect();
        parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_forms() {
        assert!((PROJECT_ID_FORM.matches)("0123456789abcdef0123456789abcdef"));
        for bad in ["", "0123456789abcdef0123456789abcde", "0123456789ABCDEF0123456789ABCDEF"] {
            assert!(!(PROJECT_ID_FORM.matches)(bad), "{bad}");
        }
        assert!((UUID.matches)("3c49fd6b-fc7c-419e-9644-b6cce008653f"));
        for bad in ["", "x", "3c49fd6bfc7c419e9644b6cce008653f", "3c49fd6b-fc7c-419e-9644-b6cce008653g"] {
            assert!(!(UUID.matches)(bad), "{bad}");
        }
    }
}
