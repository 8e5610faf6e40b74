//! Replies as clients see them.

use serde_json::{Value, json};
use std::fmt;

/// A reply of either protocol.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reply {
    /// `+`
    Status(Vec<u8>),
    /// `-`
    Error(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `$-1`
    Nil,
    /// `*-1`
    NilArray,
    /// `_`
    Null,
    /// `*`
    Array(Vec<Reply>),
    /// `%`
    Map(Vec<(Reply, Reply)>),
    /// `~`
    Set(Vec<Reply>),
    /// `>`
    Push(Vec<Reply>),
    /// `,`
    Double(Vec<u8>),
    /// `#`
    Boolean(Vec<u8>),
    /// `(`
    BigNumber(Vec<u8>),
    /// `=`
    Verbatim(Vec<u8>),
    /// The connection was closed.
    Closed,
    /// Nothing came in time.
    Timeout,
}

impl Reply {
    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// The bytes of a string, status or error.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Reply::Bulk(bytes) | Reply::Status(bytes) | Reply::Error(bytes) | Reply::Verbatim(bytes) => bytes,
            other => panic!("{other:?} has no bytes"),
        }
    }

    /// The text of a string, status or error.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// An integer's value.
    pub fn integer(&self) -> i64 {
        match self {
            Reply::Integer(value) => *value,
            other => panic!("{other:?} is not an integer"),
        }
    }

    /// The elements of an array, set or push.
    pub fn elements(&self) -> &[Reply] {
        match self {
            Reply::Array(elements) | Reply::Set(elements) | Reply::Push(elements) => elements,
            other => panic!("{other:?} has no elements"),
        }
    }

    /// The reply as the recorded answers spell it: see `tests/golden`.
    pub fn to_json(&self) -> Value {
        let text = |bytes: &[u8]| Value::String(bytes.iter().map(|&byte| char::from(byte)).collect());
        let all = |replies: &[Reply]| Value::Array(replies.iter().map(Reply::to_json).collect());
        match self {
            Reply::Status(bytes) => json!({ "status": text(bytes) }),
            Reply::Error(bytes) => json!({ "error": text(bytes) }),
            Reply::Integer(value) => json!(value),
            Reply::Bulk(bytes) => text(bytes),
            Reply::Nil => Value::Null,
            Reply::NilArray => json!({ "nilarray": true }),
            Reply::Null => json!({ "null": true }),
            Reply::Array(replies) => all(replies),
            Reply::Map(pairs) => {
                json!({ "map": pairs.iter().map(|(key, value)| json!([key.to_json(), value.to_json()])).collect::<Vec<_>>() })
            }
            Reply::Set(replies) => json!({ "set": all(replies) }),
            Reply::Push(replies) => json!({ "push": all(replies) }),
            Reply::Double(bytes) => json!({ "double": text(bytes) }),
            Reply::Boolean(bytes) => json!({ "bool": text(bytes) }),
            Reply::BigNumber(bytes) => json!({ "big": text(bytes) }),
            Reply::Verbatim(bytes) => json!({ "verbatim": text(bytes) }),
            Reply::Closed => json!({ "closed": true }),
            Reply::Timeout => json!({ "timeout": true }),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}
