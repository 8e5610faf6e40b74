//! What an operation takes and answers, field by field: one declaration for the check of requests, for OpenAPI and
//! for readers.
//!
//! Invariants:
//! - The first field that does not fit, in the order of the declaration, decides the error; the same request always
//!   gets the same answer.
//! - `null` counts as left out, and so does `""` for an optional field, as these interfaces' documents have it ("is
//!   left blank", "is not sent or is left empty").
//! - Fields that are not declared are ignored, since clients of later versions send more.
//!
//! Deliberately not here: rules that look at two fields at once. Handlers own those.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::{ErrorCode, Failure};

/// One field of a body, or one parameter of a path or a query.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// What values it has.
    pub kind: Kind,
    /// Whether it may be left out.
    pub need: Need,
    /// The error that answers a missing or malformed value; requests only. Its message names the field.
    pub invalid: Option<&'static ErrorCode>,
    /// What it means, with its unit.
    pub about: &'static str,
}

/// The values that fields leave unsaid: an optional text of any length.
pub const FIELD: Field =
    Field { name: "", kind: Kind::Text(TEXT), need: Need::Optional, invalid: None, about: "" };

/// Whether a field may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Always there, never null.
    Required,
    /// May be left out or null.
    Optional,
    /// Always there, may be null; answers only.
    Nullable,
}

/// The values of a field.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A string.
    Text(Text),
    /// A whole number.
    Integer(Integer),
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// True or false, or the strings `"true"` and `"false"`, since documents and clients send both.
    Flag,
    /// An array.
    List {
        /// What its items are.
        of: &'static Kind,
        /// How many items it has at least.
        min_items: usize,
    },
    /// An object with known fields.
    Object(&'static [Field]),
    /// An object with free names.
    Map(&'static Kind),
}

/// Limits of a string.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The least number of characters.
    pub min_chars: usize,
    /// The greatest number of characters.
    pub max_chars: usize,
    /// Which characters may stand where.
    pub pattern: Option<&'static Pattern>,
    /// The allowed values, if they are enumerated.
    pub one_of: &'static [&'static str],
    /// Whether a number or a truth value does as well, and stands for the text that it is written as.
    pub or_scalar: bool,
}

/// The values that texts leave unsaid: anything, of any length.
pub const TEXT: Text =
    Text { min_chars: 0, max_chars: usize::MAX, pattern: None, one_of: &[], or_scalar: false };

/// Limits of a whole number.
#[derive(Clone, Copy, Debug)]
pub struct Integer {
    /// The least value.
    pub min: i64,
    /// The greatest value.
    pub max: i64,
    /// Whether decimal digits in a string do as well.
    pub or_text: bool,
}

/// The values that integers leave unsaid: any number, as a JSON number.
pub const INTEGER: Integer = Integer { min: i64::MIN, max: i64::MAX, or_text: false };

/// A rule for strings.
pub struct Pattern {
    /// The rule as a regular expression, for readers and for OpenAPI.
    pub expression: &'static str,
    /// The rule as it is applied.
    pub matches: fn(&str) -> bool,
}

/// The JSON object of a request that fits its declaration. Reading a field cannot fail: what was left out, null or
/// blank is `None`.
#[derive(Clone, Copy)]
pub struct Fields<'a>(&'a Map<String, Value>);

/// The query of a request that fits its declaration; blank values count as left out.
pub struct Query(Vec<(&'static str, String)>);

impl Field {
    /// Whether it must be there.
    pub const fn is_required(&self) -> bool {
        matches!(self.need, Need::Required)
    }

    fn refuse(&self) -> Failure {
        let code = self.invalid.expect("a field of a request says which error answers a malformed value");
        code.of(self.name)
    }
}

/// The fields of `first`, then those of `second`: for objects that have all fields of another and more. `N` is the
/// sum of their lengths.
pub const fn joined<const N: usize>(first: &[Field], second: &[Field]) -> [Field; N] {
    assert!(first.len() + second.len() == N, "N is not the sum of the lengths");
    let mut all = [FIELD; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

/// The fields but for one. `N` is one less than their number.
pub const fn without<const N: usize>(fields: &[Field], name: &str) -> [Field; N] {
    let (mut rest, mut at, mut kept) = ([FIELD; N], 0, 0);
    while at < fields.len() {
        if !is_same(fields[at].name, name) {
            rest[kept] = fields[at];
            kept += 1;
        }
        at += 1;
    }
    assert!(kept == N, "there is no such field, or N is not one less than their number");
    rest
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Checks a JSON object against its declaration.
pub fn check<'a>(fields: &'static [Field], object: &'a Map<String, Value>) -> Result<Fields<'a>, Failure> {
    for field in fields {
        let value = object.get(field.name).filter(|value| !is_left_out(field, value));
        match value {
            Some(value) => check_value(field, &field.kind, value)?,
            None if field.is_required() => return Err(field.refuse()),
            None => {}
        }
    }
    Ok(Fields(object))
}

/// Checks the pairs of a query against their declaration. The first of several values of one name counts.
pub fn check_query(
    fields: &'static [Field],
    pairs: impl Iterator<Item = (String, String)>,
) -> Result<Query, Failure> {
    let mut sent: Vec<(&'static Field, String)> = Vec::new();
    for (name, value) in pairs {
        let field = fields.iter().find(|field| field.name == name);
        if let Some(field) = field
            && !value.is_empty()
            && !sent.iter().any(|(have, _)| have.name == name)
        {
            sent.push((field, value));
        }
    }
    for field in fields {
        match sent.iter().find(|(have, _)| have.name == field.name) {
            Some((_, value)) if !fits_as_text(&field.kind, value) => return Err(field.refuse()),
            Some(_) => {}
            None if field.is_required() => return Err(field.refuse()),
            None => {}
        }
    }
    Ok(Query(sent.into_iter().map(|(field, value)| (field.name, value)).collect()))
}

/// Checks the value of one parameter of a path.
pub fn check_parameter(field: &'static Field, value: &str) -> Result<(), Failure> {
    if fits_as_text(&field.kind, value) { Ok(()) } else { Err(field.refuse()) }
}

impl<'a> Fields<'a> {
    /// A string.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A string, also one that stands as a number or a truth value (see [`Text::or_scalar`]).
    pub fn word(&self, name: &str) -> Option<Cow<'a, str>> {
        word_of(self.0.get(name)?).filter(|word| !word.is_empty())
    }

    /// Whether the value is there and is an empty string: for fields that can be emptied.
    pub fn is_blank(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_str).is_some_and(str::is_empty)
    }

    /// A whole number, also from decimal digits in a string.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(integer_of)
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    /// True or false, also as a string.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(boolean_of)
    }

    /// The strings of an array.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.list(name).filter_map(Value::as_str)
    }

    /// The whole numbers of an array.
    pub fn integers(&self, name: &str) -> impl Iterator<Item = i64> {
        self.list(name).filter_map(integer_of)
    }

    /// The objects of an array.
    pub fn objects(&self, name: &str) -> impl Iterator<Item = Fields<'a>> {
        self.list(name).filter_map(|item| item.as_object().map(Fields))
    }

    /// An object.
    pub fn object(&self, name: &str) -> Option<Fields<'a>> {
        self.0.get(name)?.as_object().map(Fields)
    }

    /// The names and strings of an object with free names.
    pub fn pairs(&self, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let map = self.0.get(name).and_then(Value::as_object);
        map.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &'a Value> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten()
    }
}

impl Query {
    /// A string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| *have == name).map(|(_, value)| value.as_str())
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// Whether the value is `true`, in any case; left out and anything else is false.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.expression)
    }
}

/// Whether every one of `fields`, at any depth, says which error refuses it.
pub(crate) const fn all_refusable(fields: &[Field]) -> bool {
    let mut at = 0;
    while at < fields.len() {
        if fields[at].invalid.is_none() {
            return false;
        }
        if let Some(inner) = fields[at].kind.fields()
            && !all_refusable(inner)
        {
            return false;
        }
        at += 1;
    }
    true
}

/// Adds the errors that refuse `fields`, at any depth, to `errors`.
pub(crate) fn gather_errors(fields: &[Field], errors: &mut Vec<&'static ErrorCode>) {
    for field in fields {
        errors.extend(field.invalid);
        gather_errors(field.kind.fields().unwrap_or_default(), errors);
    }
}

fn is_left_out(field: &Field, value: &Value) -> bool {
    value.is_null() || (!field.is_required() && value.as_str().is_some_and(str::is_empty))
}

/// Checks `value`; an error inside an object is that of the inner field, and one inside a list that of the list.
fn check_value(field: &'static Field, kind: &'static Kind, value: &Value) -> Result<(), Failure> {
    let fits = match (kind, value) {
        (Kind::Object(fields), Value::Object(object)) => return check(fields, object).map(|_| ()),
        (Kind::List { of, min_items }, Value::Array(items)) => {
            for item in items {
                check_value(field, of, item)?;
            }
            items.len() >= *min_items
        }
        (Kind::Map(of), Value::Object(object)) => {
            for item in object.values() {
                check_value(field, of, item)?;
            }
            true
        }
        (Kind::Text(text), Value::String(value)) => text.fits(value),
        (Kind::Text(text), value) if text.or_scalar => word_of(value).is_some_and(|word| text.fits(&word)),
        (Kind::Integer(integer), value) => {
            (integer.or_text || value.is_number())
                && integer_of(value).is_some_and(|number| integer.fits(number))
        }
        (Kind::Number, value) => value.as_f64().is_some_and(f64::is_finite),
        (Kind::Boolean, value) => value.is_boolean(),
        (Kind::Flag, value) => boolean_of(value).is_some(),
        _ => false,
    };
    if fits { Ok(()) } else { Err(field.refuse()) }
}

fn fits_as_text(kind: &Kind, value: &str) -> bool {
    match kind {
        Kind::Text(text) => text.fits(value),
        Kind::Integer(integer) => value.parse().is_ok_and(|number| integer.fits(number)),
        Kind::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
        // Documents say "true: ..., false or others: ...".
        Kind::Boolean | Kind::Flag => true,
        Kind::List { .. } | Kind::Object(_) | Kind::Map(_) => false,
    }
}

fn word_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(value) => Some(value.to_string().into()),
        _ => None,
    }
}

fn integer_of(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

fn boolean_of(value: &Value) -> Option<bool> {
    let text: Cow<'_, str> = match value {
        Value::Bool(value) => return Some(*value),
        Value::String(text) => text.to_ascii_lowercase().into(),
        _ => return None,
    };
    text.parse().ok()
}

impl Kind {
    /// The fields of an object, also of one inside lists and maps.
    const fn fields(&self) -> Option<&'static [Field]> {
        match self {
            Kind::Object(fields) => Some(fields),
            Kind::List { of, .. } | Kind::Map(of) => of.fields(),
            _ => None,
        }
    }
}

impl Text {
    fn fits(&self, value: &str) -> bool {
        let chars = value.chars().count();
        (self.min_chars..=self.max_chars).contains(&chars)
            && self.pattern.is_none_or(|pattern| (pattern.matches)(value))
            && (self.one_of.is_empty() || self.one_of.contains(&value))
    }
}

impl Integer {
    fn fits(&self, value: i64) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static NAME: ErrorCode = ErrorCode { status: 400, code: "X.name", message: "{0}", former: None };
    static OTHER: ErrorCode = ErrorCode { status: 400, code: "X.other", message: "{0}", former: None };
    static INNER: ErrorCode = ErrorCode { status: 400, code: "X.inner", message: "{0}", former: None };

    static LETTERS: Pattern = Pattern {
        expression: "^[a-z]*$",
        matches: |text| text.bytes().all(|byte| byte.is_ascii_lowercase()),
    };

    static FIELDS: [Field; 8] = [
        Field {
            name: "name",
            kind: Kind::Text(Text { min_chars: 2, max_chars: 4, pattern: Some(&LETTERS), ..TEXT }),
            need: Need::Required,
            invalid: Some(&NAME),
            ..FIELD
        },
        Field { name: "capacity", kind: Kind::Number, invalid: Some(&OTHER), ..FIELD },
        Field {
            name: "port",
            kind: Kind::Integer(Integer { min: 1, max: 65_535, or_text: true }),
            invalid: Some(&OTHER),
            ..FIELD
        },
        Field {
            name: "days",
            kind: Kind::List { of: &Kind::Integer(Integer { min: 1, max: 7, or_text: false }), min_items: 1 },
            invalid: Some(&OTHER),
            ..FIELD
        },
        Field { name: "open", kind: Kind::Flag, invalid: Some(&OTHER), ..FIELD },
        Field {
            name: "plan",
            kind: Kind::Object(&[Field {
                name: "at",
                need: Need::Required,
                invalid: Some(&INNER),
                kind: Kind::Text(Text { one_of: &["weekly"], ..TEXT }),
                ..FIELD
            }]),
            invalid: Some(&OTHER),
            ..FIELD
        },
        Field { name: "renames", kind: Kind::Map(&Kind::Text(TEXT)), invalid: Some(&OTHER), ..FIELD },
        Field { name: "note", invalid: Some(&OTHER), ..FIELD },
    ];

    fn said(value: Value) -> String {
        let Value::Object(object) = value else { panic!("not an object") };
        match check(&FIELDS, &object) {
            Ok(_) => "fits".to_owned(),
            Err(failure) => format!("{} {}", failure.code.code, failure.message()),
        }
    }

    fn with(name: &str, value: Value) -> Value {
        let mut object = json!({"name": "abc"});
        object[name] = value;
        object
    }

    #[test]
    fn what_fits_fits() {
        assert_eq!(said(json!({"name": "abc"})), "fits");
        assert_eq!(said(json!({"name": "abc", "unknown": {"deep": 1}})), "fits");
        let all = json!({"name": "ab", "capacity": 0.125, "port": "4040", "days": [1, 7], "open": "TRUE",
            "plan": {"at": "weekly"}, "renames": {"keys": "k"}, "note": "x"});
        assert_eq!(said(all), "fits");
    }

    #[test]
    fn what_does_not_fit_gets_the_error_of_its_field() {
        for bad in [json!(null), json!(""), json!("a"), json!("abcde"), json!("AB"), json!(3), json!(["ab"])]
        {
            assert_eq!(said(json!({"name": bad})), "X.name name");
        }
        assert_eq!(said(json!({})), "X.name name");
        for bad in [json!("2"), json!({}), json!([2])] {
            assert_eq!(said(with("capacity", bad)), "X.other capacity");
        }
        for bad in [json!(0), json!(65_536), json!("0"), json!("x"), json!(1.5), json!(true)] {
            assert_eq!(said(with("port", bad)), "X.other port");
        }
        for bad in [json!([]), json!([8]), json!(["1"]), json!(1)] {
            assert_eq!(said(with("days", bad)), "X.other days");
        }
        assert_eq!(said(with("open", json!("maybe"))), "X.other open");
        assert_eq!(said(with("open", json!(1))), "X.other open");
        assert_eq!(said(with("plan", json!("x"))), "X.other plan");
        assert_eq!(said(with("plan", json!({}))), "X.inner at");
        assert_eq!(said(with("plan", json!({"at": "daily"}))), "X.inner at");
        assert_eq!(said(with("renames", json!({"keys": 1}))), "X.other renames");
    }

    #[test]
    fn fields_are_joined_in_order() {
        const A: &[Field] = &[Field { name: "a", ..FIELD }];
        const B: &[Field] = &[Field { name: "b", ..FIELD }, Field { name: "c", ..FIELD }];
        const ALL: [Field; 3] = joined(A, B);
        assert_eq!(ALL.map(|field| field.name), ["a", "b", "c"]);
    }

    #[test]
    fn null_and_blank_count_as_left_out() {
        let object =
            json!({"name": "abc", "capacity": null, "port": "", "open": "", "plan": null, "note": ""});
        let fields = check(&FIELDS, object.as_object().unwrap()).ok().unwrap();
        assert_eq!(fields.text("name"), Some("abc"));
        assert_eq!(fields.number("capacity"), None);
        assert_eq!(fields.integer("port"), None);
        assert_eq!(fields.boolean("open"), None);
        assert!(fields.object("plan").is_none());
        assert_eq!(fields.text("note"), None);
    }

    #[test]
    fn fields_are_read_in_either_form() {
        let object = json!({"name": "abc", "port": "4040", "open": "False", "days": [1, 2],
            "renames": {"keys": "k", "flushall": "f"}});
        let fields = check(&FIELDS, object.as_object().unwrap()).ok().unwrap();
        assert_eq!(fields.integer("port"), Some(4040));
        assert_eq!(fields.boolean("open"), Some(false));
        assert_eq!(fields.integers("days").collect::<Vec<_>>(), [1, 2]);
        assert_eq!(fields.pairs("renames").collect::<Vec<_>>(), [("keys", "k"), ("flushall", "f")]);
    }

    #[test]
    fn queries_are_checked_and_blank_means_left_out() {
        static QUERY: [Field; 3] = [
            Field {
                name: "limit",
                kind: Kind::Integer(Integer { min: 1, max: 10, or_text: true }),
                invalid: Some(&OTHER),
                ..FIELD
            },
            Field { name: "name", invalid: Some(&OTHER), ..FIELD },
            Field { name: "all", kind: Kind::Flag, invalid: Some(&OTHER), ..FIELD },
        ];
        let query = |text: &str| {
            let pairs: Vec<_> = text.split('&').filter_map(|pair| pair.split_once('=')).collect();
            check_query(&QUERY, pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())))
        };
        let good = query("limit=5&name=&all=True&limit=7&other=x").ok().unwrap();
        assert_eq!((good.integer("limit"), good.text("name"), good.flag("all")), (Some(5), None, true));
        assert!(!query("all=yes").ok().unwrap().flag("all"));
        for bad in ["limit=0", "limit=11", "limit=x"] {
            assert_eq!(query(bad).err().unwrap().message(), "limit", "{bad}");
        }
    }
}
