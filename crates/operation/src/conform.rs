//! Whether an answer is what its record declares: every field that has to be there, none that is not declared, and each of its
//! kind. For tests; what patterns and bounds say of a request's values is not looked at.

use serde_json::Value;

use crate::schema::{Field, Kind, Need};

/// Sees that a value is an object with these fields.
///
/// # Errors
/// What is wrong, in a sentence that begins with the place.
pub fn check_object(place: &str, fields: &[Field], value: &Value) -> Result<(), String> {
    let object = value.as_object().ok_or_else(|| format!("{place} is no object: {value}"))?;
    if let Some(name) = object.keys().find(|name| !fields.iter().any(|field| field.name == **name)) {
        return Err(format!("{place}.{name} is not declared"));
    }
    for field in fields {
        let place = format!("{place}.{}", field.name);
        match (object.get(field.name), field.need) {
            (None, Need::Optional) | (Some(Value::Null), Need::Nullable) => {}
            (None, _) => return Err(format!("{place} is missing")),
            (Some(value), _) => check_kind(&place, &field.kind, value)?,
        }
    }
    Ok(())
}

/// Sees that a value is of a kind.
///
/// # Errors
/// As of [`check_object`].
pub fn check_kind(place: &str, kind: &Kind, value: &Value) -> Result<(), String> {
    let fits = match kind {
        Kind::Text(_) => value.is_string(),
        Kind::Integer(_) => value.is_i64() || value.is_u64(),
        Kind::Number => value.is_number(),
        Kind::Boolean | Kind::Flag => value.is_boolean(),
        Kind::List { of, .. } => {
            let items = value.as_array().ok_or_else(|| format!("{place} is no list: {value}"))?;
            return items.iter().try_for_each(|item| check_kind(place, of, item));
        }
        Kind::Object(fields) => return check_object(place, fields, value),
        Kind::Map(of) => {
            let map = value.as_object().ok_or_else(|| format!("{place} is no object: {value}"))?;
            return map.values().try_for_each(|item| check_kind(place, of, item));
        }
    };
    if fits { Ok(()) } else { Err(format!("{place} is of another kind: {value}")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{FIELD, TEXT};

    #[test]
    fn what_is_not_declared_missing_or_of_another_kind_is_told() {
        const FIELDS: &[Field] = &[
            Field { name: "name", kind: Kind::Text(TEXT), need: Need::Required, ..FIELD },
            Field { name: "none", kind: Kind::Number, need: Need::Nullable, ..FIELD },
            Field {
                name: "items",
                kind: Kind::List {
                    of: &Kind::Object(&[Field { name: "on", kind: Kind::Boolean, ..FIELD }]),
                    min_items: 0,
                },
                need: Need::Optional,
                ..FIELD
            },
        ];
        let of = |value: Value| check_object("it", FIELDS, &value).err();
        assert_eq!(of(json!({"name": "a", "none": null})), None);
        assert_eq!(of(json!({"name": "a", "none": 1, "items": [{"on": true}]})), None);
        for (value, said) in [
            (json!([]), "it is no object: []"),
            (json!({"none": null}), "it.name is missing"),
            (json!({"name": null, "none": null}), "it.name is of another kind: null"),
            (json!({"name": "a"}), "it.none is missing"),
            (json!({"name": "a", "none": null, "more": 1}), "it.more is not declared"),
            (json!({"name": "a", "none": null, "items": [{"on": 1}]}), "it.items.on is of another kind: 1"),
        ] {
            assert_eq!(of(value).as_deref(), Some(said));
        }
    }
}
