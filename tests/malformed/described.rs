//! The operations that the program describes, and what they may well be sent.

use serde_json::{Map, Value, json};
use testkit::{Rng, Server};

/// One operation of the description.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) queries: Vec<String>,
    pub(crate) body: Option<Value>,
}

/// The operations that the program describes, those that take something away last.
pub(crate) fn operations(server: &Server) -> Vec<Operation> {
    let described = server.ask("GET", "/openapi.json", "", &Value::Null).body;
    let mut all = Vec::new();
    for (path, methods) in described["paths"].as_object().expect("there are paths") {
        for (method, own) in methods.as_object().expect("a path has methods") {
            let parameters = own["parameters"].as_array().cloned().unwrap_or_default();
            let queries = parameters.iter().filter(|parameter| parameter["in"] == "query");
            let names = queries.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
            let schema = &own["requestBody"]["content"]["application/json"]["schema"];
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                queries: names.collect(),
                body: Some(schema.clone()).filter(|schema| !schema.is_null()),
            });
        }
    }
    all.sort_by_key(|operation| operation.method == "DELETE");
    all
}

/// What fields of these names may well be, so that orders get far.
pub(crate) fn known(name: &str, rng: &mut Rng) -> Option<Value> {
    Some(match name {
        "engine" => json!("Redis"),
        "engine_version" => json!("5.0"),
        "spec_code" => json!("redis.single.xu1.large.2"),
        "capacity" | "new_capacity" | "save_days" => json!(2),
        "available_zones" | "az_codes" => json!(["ae04cf9d61544df3806a3feeb401b204"]),
        "name" | "task_name" => json!(format!("dcs-{}", rng.below(1_000_000))),
        "maintain_begin" => json!("22:00:00"),
        "maintain_end" => json!("02:00:00"),
        "backup_type" => json!("auto"),
        "period_type" => json!("weekly"),
        "begin_at" => json!("00:00-01:00"),
        "backup_at" => json!([1, 7]),
        "charging_mode" => json!("postPaid"),
        "password" | "new_password" => json!("Second_Pw2"),
        "no_password_access" => json!(rng.one_in(2)),
        "action" => json!(*rng.pick(&["create", "delete", "restart", "flush"])),
        "rename_commands" => json!({"keys": "keys001"}),
        "product_id" | "port" | "instance_num" | "template_id" | "enable_ssl" | "enable_publicip" => {
            Value::Null
        }
        _ => return None,
    })
}

/// A value that a schema may well take.
pub(crate) fn plausible(schema: &Value, name: &str, id: &str, rng: &mut Rng) -> Value {
    if let Some(value) = known(name, rng) {
        return value;
    }
    if let Some(first) = schema["anyOf"].as_array().and_then(|any| any.first()) {
        return plausible(first, name, id, rng);
    }
    if let Some(one_of) = schema["enum"].as_array() {
        return rng.pick(one_of).clone();
    }
    match schema["type"].as_str().unwrap_or("string") {
        "object" => {
            let mut object = Map::new();
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                object.insert(name.clone(), plausible(field, name, id, rng));
            }
            Value::Object(object)
        }
        "array" => {
            let length = rng.below(3);
            (0..length).map(|_| plausible(&schema["items"], name, id, rng)).collect()
        }
        "integer" | "number" => json!(rng.below(5)),
        "boolean" => json!(rng.one_in(2)),
        _ => {
            let texts = [
                id,
                "dcs-name",
                "2",
                "Redis",
                "5.0",
                "ae04cf9d61544df3806a3feeb401b204",
                "redis.single.xu1.large.2",
            ];
            let named = matches!(name, "id" | "instances" | "instance_id");
            json!(if named { id } else { *rng.pick(&texts) })
        }
    }
}

/// The places of a body's fields, as pointers into it.
pub(crate) fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let own = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                places(value, &own, found);
                found.push(own);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                let own = format!("{at}/{number}");
                places(value, &own, found);
                found.push(own);
            }
        }
        _ => {}
    }
}
