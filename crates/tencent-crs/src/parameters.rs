//! The parameters of a request: of its query if it is a GET, of its form if it is a POST, never of both.
//!
//! A parameter whose name ends in a dot and a number is an item of a list. In names an underscore stands for a dot. In a
//! value a plus sign stands for a space, as in forms, whichever way the request came.

use std::borrow::Cow;

use operation::Call;
use operation::schema::{Field, Kind};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

/// The pairs of a request, decoded, in the order sent. Names are as they came.
pub(crate) struct Parameters(Vec<(String, String)>);

/// Names as they are misprinted in examples of the document, and what they stand for.
const MISPRINTS: [(&str, &str); 2] = [("zonedId", "zoneId"), ("vpId", "vpcId")];

impl Parameters {
    pub(crate) fn of(call: &Call) -> Self {
        let sent =
            if call.method == http::Method::POST { call.body.as_ref() } else { call.raw_query.as_bytes() };
        let pairs = sent.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        Parameters(
            pairs
                .map(|pair| {
                    let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
                    (decode(&pair[..at]), decode(pair.get(at + 1..).unwrap_or_default()))
                })
                .collect(),
        )
    }

    /// The first value of this name; `None` if it is not there or blank.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(have, _)| have == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The pairs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The declared parameters as an object: texts, and lists of texts in the order of their numbers. A single value does
    /// for a list of one.
    pub(crate) fn object(&self, fields: &[Field]) -> Map<String, Value> {
        let mut object = Map::new();
        let mut items: Vec<(&str, u32, &str)> = Vec::new();
        let names: Vec<_> = self.iter().map(|(name, value)| (known(name), value)).collect();
        for (name, value) in &names {
            let (list, number) = match name.rsplit_once('.') {
                Some((list, number)) => (list, number.parse().ok()),
                None => (name.as_ref(), Some(0)),
            };
            let Some(number) = number else { continue };
            let Some(field) = fields.iter().find(|field| field.name == list) else { continue };
            match field.kind {
                Kind::List { .. } if !items.iter().any(|item| (item.0, item.1) == (field.name, number)) => {
                    items.push((field.name, number, value));
                }
                // The first of several counts.
                Kind::List { .. } => {}
                _ if list == name.as_ref() && !object.contains_key(field.name) => {
                    object.insert(field.name.to_owned(), (*value).into());
                }
                _ => {}
            }
        }
        items.sort_by_key(|item| (item.0, item.1));
        for (name, _, value) in items {
            let list = object.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(value.into());
            }
        }
        object
    }
}

/// A name as the document has it.
fn known(name: &str) -> Cow<'_, str> {
    let name = if name.contains('_') { Cow::from(name.replace('_', ".")) } else { Cow::from(name) };
    match MISPRINTS.iter().find(|(misprint, _)| *misprint == name) {
        Some((_, meant)) => Cow::from(*meant),
        None => name,
    }
}

fn decode(text: &[u8]) -> String {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use operation::schema::{FIELD, TEXT};
    use serde_json::json;

    use super::*;

    fn call(method: http::Method, query: &str, body: &str) -> Call {
        Call {
            method,
            path: "/v2/index.php".to_owned(),
            raw_query: query.to_owned(),
            parameters: operation::PathParameters::default(),
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
            local: None,
            is_secure: false,
        }
    }

    const FIELDS: &[Field] = &[
        Field { name: "limit", ..FIELD },
        Field { name: "zoneId", ..FIELD },
        Field { name: "dealIds", kind: Kind::List { of: &Kind::Text(TEXT), min_items: 0 }, ..FIELD },
    ];

    #[test]
    fn either_the_query_or_the_form_counts() {
        let get = Parameters::of(&call(http::Method::GET, "a=b+c%2B&bare&=x", "a=other"));
        assert_eq!(get.iter().collect::<Vec<_>>(), [("a", "b c+"), ("bare", ""), ("", "x")]);
        assert_eq!((get.get("a"), get.get("bare")), (Some("b c+"), None));
        let post = Parameters::of(&call(http::Method::POST, "a=other", "a=%E4%B8%AD&&a=2"));
        assert_eq!(post.iter().collect::<Vec<_>>(), [("a", "中"), ("a", "2")]);
        assert_eq!(post.get("a"), Some("中"));
    }

    #[test]
    fn items_are_in_the_order_of_their_numbers() {
        let sent =
            "dealIds.10=c&limit=5&dealIds_2=b&dealIds.0=a&dealIds.0=z&dealIds.x=y&limit.0=7&limit=6&other=1";
        let object = Parameters::of(&call(http::Method::GET, sent, "")).object(FIELDS);
        assert_eq!(Value::Object(object), json!({"limit": "5", "dealIds": ["a", "b", "c"]}));
        let single = Parameters::of(&call(http::Method::GET, "dealIds=a&zonedId=100002", "")).object(FIELDS);
        assert_eq!(Value::Object(single), json!({"zoneId": "100002", "dealIds": ["a"]}));
    }
}
