//! The OpenAPI 3.1 document of a table of operations.
//!
//! Invariant: it says what the records say and nothing else. Operations that are told apart by an action name are
//! left out, since OpenAPI knows an operation by method and path alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::operation::{Access, Answer, Operation, Support};
use crate::route::Route;
use crate::schema::{Field, Kind, Need};

/// How callers prove who they are: the name of a security scheme and its OpenAPI object.
pub struct SecurityScheme {
    /// Its name in the document.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// The header that carries the proof.
    pub header: &'static str,
}

/// The document of `operations`, any one of `schemes` being enough wherever a caller must be known.
pub fn document(
    title: &str,
    version: &str,
    schemes: &[SecurityScheme],
    operations: impl IntoIterator<Item = &'static Operation>,
) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        if let Route::Path { method, template } = operation.route {
            let method = method.name().to_ascii_lowercase();
            paths.entry(template).or_default().insert(method, describe(operation, schemes));
        }
    }
    let security: Map<_, _> = schemes
        .iter()
        .map(|scheme| {
            let about =
                json!({"type": "apiKey", "in": "header", "name": scheme.header, "description": scheme.about});
            (scheme.name.to_owned(), about)
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"securitySchemes": security},
    })
}

fn describe(operation: &Operation, schemes: &[SecurityScheme]) -> Value {
    let mut about = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": description(operation),
        "responses": responses(operation),
    });
    let in_path = operation.path.iter().map(|field| parameter(field, "path"));
    let in_query = operation.query.iter().map(|field| parameter(field, "query"));
    let parameters: Vec<_> = in_path.chain(in_query).collect();
    if !parameters.is_empty() {
        about["parameters"] = parameters.into();
    }
    if let Some(fields) = operation.body {
        let content = json!({"application/json": {"schema": object(fields)}});
        about["requestBody"] = json!({"required": !operation.body_optional, "content": content});
    }
    about["security"] = match operation.access {
        Access::Public => json!([]),
        Access::Caller | Access::Project => {
            schemes.iter().map(|scheme| json!({scheme.name: []})).collect::<Vec<_>>().into()
        }
    };
    about
}

fn description(operation: &Operation) -> String {
    let mut text = format!("Source: {}, {}.", operation.source.document, operation.source.section);
    if let Some(permission) = operation.permission {
        text += &format!(" Permission: `{permission}`.");
    }
    match operation.support {
        Support::Full => {}
        Support::Partial(missing) => text += &format!(" Missing: {missing}."),
        Support::Refused => text += " Not supported.",
    }
    text
}

fn parameter(field: &Field, place: &str) -> Value {
    json!({
        "name": field.name,
        "in": place,
        "required": field.is_required(),
        "description": field.about,
        "schema": schema(&field.kind),
    })
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for Answer { status, about, body } in operation.answers {
        responses.insert(status.to_string(), response(about, *body));
    }
    let mut errors: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for code in operation.declared_errors() {
        errors.entry(code.status).or_default().insert(code.code);
    }
    for (status, codes) in errors {
        let codes = codes.into_iter().collect::<Vec<_>>().join(", ");
        responses.insert(status.to_string(), response(&codes, Some(operation.error_body)));
    }
    responses.into()
}

fn response(about: &str, body: Option<&'static [Field]>) -> Value {
    match body {
        Some(fields) => json!({
            "description": about,
            "content": {"application/json": {"schema": body_schema(fields)}},
        }),
        None => json!({"description": about}),
    }
}

/// The schema of an answer's body, which a field without a name is itself.
fn body_schema(fields: &'static [Field]) -> Value {
    match fields {
        [Field { name: "", kind, .. }] => schema(kind),
        fields => object(fields),
    }
}

fn object(fields: &'static [Field]) -> Value {
    let properties: Map<_, _> = fields
        .iter()
        .map(|field| {
            let mut about = schema(&field.kind);
            if field.need == Need::Nullable {
                about = json!({"anyOf": [about, {"type": "null"}]});
            }
            if !field.about.is_empty() {
                about["description"] = field.about.into();
            }
            (field.name.to_owned(), about)
        })
        .collect();
    let required: Vec<_> =
        fields.iter().filter(|field| field.need != Need::Optional).map(|field| field.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

fn schema(kind: &Kind) -> Value {
    match kind {
        Kind::Text(text) => {
            let mut schema = json!({"type": "string"});
            if text.min_chars > 0 {
                schema["minLength"] = text.min_chars.into();
            }
            if text.max_chars < usize::MAX {
                schema["maxLength"] = text.max_chars.into();
            }
            if let Some(pattern) = text.pattern {
                schema["pattern"] = pattern.expression.into();
            }
            if !text.one_of.is_empty() {
                schema["enum"] = text.one_of.into();
            }
            if text.or_scalar {
                json!({"anyOf": [schema, {"type": "number"}, {"type": "boolean"}]})
            } else {
                schema
            }
        }
        Kind::Integer(integer) => {
            let mut schema = json!({"type": "integer"});
            if integer.min > i64::MIN {
                schema["minimum"] = integer.min.into();
            }
            if integer.max < i64::MAX {
                schema["maximum"] = integer.max.into();
            }
            if integer.or_text { json!({"anyOf": [schema, {"type": "string"}]}) } else { schema }
        }
        Kind::Number => json!({"type": "number"}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Flag => json!({"anyOf": [{"type": "boolean"}, {"type": "string"}]}),
        Kind::List { of, min_items } => json!({"type": "array", "items": schema(of), "minItems": min_items}),
        Kind::Object(fields) => object(fields),
        Kind::Map(of) => json!({"type": "object", "additionalProperties": schema(of)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::operation::{BASE, Source};
    use crate::route::Method;
    use crate::schema::{FIELD, INTEGER, TEXT, Text};

    static WRONG: ErrorCode = ErrorCode { status: 400, code: "X.1", message: "", former: None };
    static BAD: ErrorCode = ErrorCode { status: 400, code: "X.2", message: "", former: None };

    static MAKE: Operation = Operation {
        id: "Make",
        summary: "Makes a thing.",
        route: Route::Path { method: Method::Post, template: "/v1/{project_id}/things" },
        access: Access::Project,
        permission: Some("things:thing:create"),
        path: &[Field { name: "project_id", need: Need::Required, invalid: Some(&WRONG), ..FIELD }],
        body: Some(&[Field {
            name: "name",
            kind: Kind::Text(Text { min_chars: 4, max_chars: 64, ..TEXT }),
            need: Need::Required,
            invalid: Some(&BAD),
            about: "What it is called.",
        }]),
        answers: &[Answer {
            status: 200,
            about: "Made.",
            body: Some(&[Field {
                name: "size",
                kind: Kind::Integer(INTEGER),
                need: Need::Nullable,
                ..FIELD
            }]),
        }],
        errors: &[&[&WRONG]],
        source: Source { document: "Things", section: "1.2" },
        support: Support::Partial("colours"),
        ..BASE
    }
    .checked();

    static ACT: Operation = Operation {
        id: "Act",
        summary: "Acts.",
        route: Route::Action { path: "/v2/index.php", action: "Act" },
        answers: &[Answer { status: 200, about: "Done.", body: None }],
        source: Source { document: "Things", section: "2" },
        ..BASE
    }
    .checked();

    #[test]
    fn the_document_says_what_the_record_says() {
        let token = SecurityScheme { name: "token", about: "A token.", header: "X-Auth-Token" };
        let document = document("Things", "1", &[token], [&MAKE, &ACT]);
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["paths"].as_object().unwrap().len(), 1);
        let make = &document["paths"]["/v1/{project_id}/things"]["post"];
        assert_eq!(make["operationId"], "Make");
        assert_eq!(
            make["description"],
            "Source: Things, 1.2. Permission: `things:thing:create`. Missing: colours."
        );
        assert_eq!(make["security"], json!([{"token": []}]));
        let body = &make["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(
            body["properties"]["name"],
            json!({"type": "string", "minLength": 4, "maxLength": 64, "description": "What it is called."})
        );
        assert_eq!(body["required"], json!(["name"]));
        let size = &make["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["size"];
        assert_eq!(size, &json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}));
        assert_eq!(make["responses"]["400"]["description"], "X.1, X.2");
    }
}
