//! Where an operation lives: a method and a path template, or an action name at one path.
//!
//! A template is `/literal/{parameter}/literal`: whole segments only, no trailing slash but for `/` itself. Names
//! of parameters are words of lower-case letters, digits and underscores. [`well_formed`] decides this at compile
//! time.

use std::fmt;

/// The HTTP methods that operations use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads; also answers HEAD.
    Get,
    /// Makes something, or does something that has no better method.
    Post,
    /// Replaces or changes.
    Put,
    /// Removes.
    Delete,
}

/// How a request finds its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// By method and path.
    Path {
        /// The method.
        method: Method,
        /// The path template.
        template: &'static str,
    },
    /// By the value of the `Action` parameter, sent with GET or POST to one path.
    Action {
        /// The path, without parameters.
        path: &'static str,
        /// The action's name, matched exactly.
        action: &'static str,
    },
}

impl Method {
    /// The method's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    /// The method of a request, or `None` where no operation uses such a method. HEAD reads as GET.
    pub fn of(method: &http::Method) -> Option<Method> {
        match *method {
            http::Method::GET | http::Method::HEAD => Some(Method::Get),
            http::Method::POST => Some(Method::Post),
            http::Method::PUT => Some(Method::Put),
            http::Method::DELETE => Some(Method::Delete),
            _ => None,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Route {
    /// The path template, of either form.
    pub const fn template(&self) -> &'static str {
        match self {
            Route::Path { template, .. } => template,
            Route::Action { path, .. } => path,
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Route::Path { method, template } => write!(f, "{method} {template}"),
            Route::Action { path, action } => write!(f, "{path} {action}"),
        }
    }
}

/// The segments of a path or template; `/` has none, and a trailing slash adds none.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').filter(move |_| !path.is_empty())
}

/// The parameter's name, where a template's segment is one.
pub(crate) fn parameter(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The names of a template's parameters, in their order.
pub(crate) fn parameters(template: &'static str) -> impl Iterator<Item = &'static str> {
    segments(template).filter_map(parameter)
}

/// Whether `template` is one, as the head of this file says.
pub(crate) const fn well_formed(template: &str) -> bool {
    let bytes = template.as_bytes();
    if bytes.is_empty() || bytes[0] != b'/' {
        return false;
    }
    if bytes.len() == 1 {
        return true;
    }
    let mut at = 0;
    while at < bytes.len() {
        // `at` stands on the slash before a segment.
        at += 1;
        let start = at;
        while at < bytes.len() && bytes[at] != b'/' {
            at += 1;
        }
        if !segment_well_formed(bytes, start, at) {
            return false;
        }
    }
    true
}

/// How many parameters a well-formed template has.
pub(crate) const fn parameter_count(template: &str) -> usize {
    let bytes = template.as_bytes();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        count += (bytes[at] == b'{') as usize;
        at += 1;
    }
    count
}

/// Whether a well-formed template has the parameter `name`.
pub(crate) const fn has_parameter(template: &str, name: &str) -> bool {
    let (template, name) = (template.as_bytes(), name.as_bytes());
    let mut at = 0;
    while at + name.len() + 1 < template.len() {
        if template[at] == b'{' && template[at + 1 + name.len()] == b'}' {
            let mut same = 0;
            while same < name.len() && template[at + 1 + same] == name[same] {
                same += 1;
            }
            if same == name.len() {
                return true;
            }
        }
        at += 1;
    }
    false
}

const fn segment_well_formed(bytes: &[u8], start: usize, end: usize) -> bool {
    if start == end {
        return false;
    }
    let is_parameter = bytes[start] == b'{';
    if is_parameter && (end - start < 3 || bytes[end - 1] != b'}') {
        return false;
    }
    let (mut at, end) = if is_parameter { (start + 1, end - 1) } else { (start, end) };
    while at < end {
        let byte = bytes[at];
        let allowed = if is_parameter {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
        } else {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
        };
        if !allowed {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_judged() {
        for good in ["/", "/v3", "/v1.0/{project_id}/instances/{instance_id}", "/v2/index.php"] {
            assert!(well_formed(good), "{good}");
        }
        for bad in ["", "v3", "/v3/", "//", "/a//b", "/{}", "/{a", "/a{b}", "/{A}", "/a b", "/{a}b"] {
            assert!(!well_formed(bad), "{bad}");
        }
    }

    #[test]
    fn parameters_are_found() {
        let template = "/v1.0/{project_id}/instances/{id}";
        assert_eq!(parameters(template).collect::<Vec<_>>(), ["project_id", "id"]);
        assert_eq!(parameter_count(template), 2);
        assert!(has_parameter(template, "id"));
        assert!(has_parameter(template, "project_id"));
        assert!(!has_parameter(template, "project"));
        assert!(!has_parameter(template, "instances"));
    }

    #[test]
    fn segments_ignore_one_trailing_slash() {
        assert_eq!(segments("/").count(), 0);
        assert_eq!(segments("/v3/").collect::<Vec<_>>(), ["v3"]);
        assert_eq!(segments("/v3//x").collect::<Vec<_>>(), ["v3", "", "x"]);
    }
}
