//! What hardly anything takes: bodies, values, and texts of paths and queries.

use serde_json::{Value, json};

/// Bodies that are no JSON objects.
pub(crate) fn no_objects() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "{",
        "}",
        "[]",
        "7",
        "\"x\"",
        "null",
        "{\"a\":1}}",
        "{\"a\":NaN}",
        "{'a':1}",
        "a=b&c=d",
        "<a/>",
    ];
    let mut all: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    all.extend([
        b"\0".to_vec(),
        b"{\"a\":1}\0".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        b"{\"name\":\"\xff\xff\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"name\":\"\\ud800\"}".to_vec(),
        b"{\"name\":1e999}".to_vec(),
        "[".repeat(100_000).into_bytes(),
        format!("{}1{}", "{\"a\":".repeat(20_000), "}".repeat(20_000)).into_bytes(),
    ]);
    all
}

/// Values that hardly any field takes.
pub(crate) fn odd_values() -> Vec<Value> {
    let deep = (0..100).fold(json!(1), |inner, _| json!({ "a": [inner] }));
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!(""),
        json!(" "),
        json!("\0"),
        json!("-1"),
        json!("99999999999999999999999"),
        json!("é😀\u{202e}\n\r\t"),
        json!("x".repeat(70_000)),
        json!([]),
        json!([null, [], {}, 1, "x"]),
        json!(vec!["x"; 3_000]),
        json!({}),
        json!({"": {"": null}}),
        deep,
    ]
}

/// Texts for a path or a query that hardly anything takes, as they are sent.
pub(crate) const ODD_TEXTS: [&str; 16] = [
    "",
    "x",
    "-1",
    "0",
    "99999999999999999999",
    "1e9",
    "%00",
    "%ff%fe",
    "%",
    "%zz",
    "..%2f..%2f",
    "%e2%80%ae",
    "true,false",
    "a%26b%3Dc",
    "%22%27%3C",
    "{}",
];
