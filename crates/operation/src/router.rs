//! The router: a tree of path segments, built from operation records.
//!
//! A literal segment wins over a parameter, so `instances/status` is found beside `instances/{instance_id}`. The
//! template that a path falls on is chosen before the method is looked at: a known path with a method that no
//! operation has there is [`Found::WrongMethod`], never some less specific operation.
//!
//! Invariant: two operations never answer the same route; [`Router::new`] refuses such tables.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::call::PathParameters;
use crate::operation::Operation;
use crate::route::{self, Method, Route};

/// Finds the operation that answers a path; `T` is what the caller wants to know about it besides its record, such
/// as the service that it belongs to.
pub struct Router<T> {
    nodes: Vec<Node>,
    targets: Vec<Target<T>>,
}

/// What stands at a path.
pub enum Found<'r, T> {
    /// An operation.
    Operation(&'static Operation, T, PathParameters),
    /// Operations that the request's `Action` parameter tells apart; [`Actions::get`] finds one.
    Actions(Actions<'r, T>),
    /// The path exists, with these methods only.
    WrongMethod(Vec<Method>),
    /// No template matches.
    UnknownPath,
}

/// The operations of one path that are told apart by an action name.
pub struct Actions<'r, T>(&'r HashMap<&'static str, (&'static Operation, T)>);

/// Two operations with one route.
#[derive(Debug, thiserror::Error)]
#[error("{first} and {second} have the same route, {route}")]
pub struct Conflict {
    first: &'static str,
    second: &'static str,
    route: Route,
}

#[derive(Default)]
struct Node {
    literals: HashMap<&'static str, usize>,
    parameter: Option<usize>,
    target: Option<usize>,
}

struct Target<T> {
    methods: Vec<(Method, &'static Operation, T)>,
    actions: HashMap<&'static str, (&'static Operation, T)>,
}

impl<T: Copy> Router<T> {
    /// A router over `table`.
    pub fn new(table: impl IntoIterator<Item = (&'static Operation, T)>) -> Result<Self, Conflict> {
        let mut router = Router { nodes: vec![Node::default()], targets: Vec::new() };
        for (operation, owner) in table {
            router.insert(operation, owner)?;
        }
        Ok(router)
    }

    /// What answers `method` at `path`, which is still percent-encoded.
    pub fn find(&self, method: &http::Method, path: &str) -> Found<'_, T> {
        if !path.starts_with('/') {
            return Found::UnknownPath;
        }
        let decoded: Vec<_> =
            route::segments(path).map(|segment| percent_decode_str(segment).decode_utf8_lossy()).collect();
        let mut values = Vec::new();
        let Some(target) = self.descend(0, &decoded, &mut values) else {
            return Found::UnknownPath;
        };
        let target = &self.targets[target];
        let wanted = Method::of(method);
        if let Some((_, operation, owner)) = target.methods.iter().find(|(have, ..)| Some(*have) == wanted) {
            let names = route::parameters(operation.route.template());
            let values = values.into_iter().map(str::to_owned);
            return Found::Operation(operation, *owner, names.zip(values).collect());
        }
        if !target.actions.is_empty() && matches!(wanted, Some(Method::Get | Method::Post)) {
            return Found::Actions(Actions(&target.actions));
        }
        Found::WrongMethod(target.allowed())
    }

    fn insert(&mut self, operation: &'static Operation, owner: T) -> Result<(), Conflict> {
        let at = self.node_of(operation.route.template());
        let index = *self.nodes[at].target.get_or_insert_with(|| {
            self.targets.push(Target { methods: Vec::new(), actions: HashMap::new() });
            self.targets.len() - 1
        });
        let target = &mut self.targets[index];
        let first = match operation.route {
            Route::Path { method, .. } => {
                let first = target.methods.iter().find(|(have, ..)| *have == method).map(|found| found.1);
                target.methods.push((method, operation, owner));
                first
            }
            Route::Action { action, .. } => {
                target.actions.insert(action, (operation, owner)).map(|found| found.0)
            }
        };
        match first {
            Some(first) => Err(Conflict { first: first.id, second: operation.id, route: operation.route }),
            None => Ok(()),
        }
    }

    fn node_of(&mut self, template: &'static str) -> usize {
        let mut at = 0;
        for segment in route::segments(template) {
            let fresh = self.nodes.len();
            let node = &mut self.nodes[at];
            at = match route::parameter(segment) {
                Some(_) => *node.parameter.get_or_insert(fresh),
                None => *node.literals.entry(segment).or_insert(fresh),
            };
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        at
    }

    /// The target below node `at`, literals first; `values` gathers what stood in the place of parameters.
    fn descend<'p>(
        &self,
        at: usize,
        segments: &'p [std::borrow::Cow<'_, str>],
        values: &mut Vec<&'p str>,
    ) -> Option<usize> {
        let node = &self.nodes[at];
        let Some((segment, rest)) = segments.split_first() else {
            return node.target;
        };
        if let Some(&next) = node.literals.get(segment.as_ref())
            && let Some(target) = self.descend(next, rest, values)
        {
            return Some(target);
        }
        if segment.is_empty() {
            return None;
        }
        let next = node.parameter?;
        values.push(segment);
        let target = self.descend(next, rest, values);
        if target.is_none() {
            values.pop();
        }
        target
    }
}

impl<T> Target<T> {
    fn allowed(&self) -> Vec<Method> {
        let mut allowed: Vec<_> = self.methods.iter().map(|(method, ..)| *method).collect();
        if !self.actions.is_empty() {
            allowed.extend([Method::Get, Method::Post]);
        }
        allowed.sort_unstable();
        allowed.dedup();
        allowed
    }
}

impl<T: Copy> Actions<'_, T> {
    /// The operation of the action `name`.
    pub fn get(&self, name: &str) -> Option<(&'static Operation, T)> {
        self.0.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Access, BASE};

    const fn at(id: &'static str, method: Method, template: &'static str) -> Operation {
        Operation { id, route: Route::Path { method, template }, access: Access::Caller, ..BASE }
    }

    static LIST: Operation = at("list", Method::Get, "/v1.0/{project_id}/instances");
    static CREATE: Operation = at("create", Method::Post, "/v1.0/{project_id}/instances");
    static SHOW: Operation = at("show", Method::Get, "/v1.0/{project_id}/instances/{instance_id}");
    static MODIFY: Operation = at("modify", Method::Put, "/v1.0/{project_id}/instances/{instance_id}");
    static STATUS: Operation = at("status", Method::Get, "/v1.0/{project_id}/instances/status");
    static STATISTIC: Operation = at("statistic", Method::Get, "/v1.0/{project_id}/instances/statistic");
    static WINDOWS: Operation = at("windows", Method::Get, "/v1.0/instances/maintain-windows");
    static TAGS: Operation = at("tags", Method::Get, "/v2/{project_id}/instances/{instance_id}/tags");
    static WHITELIST: Operation =
        at("whitelist", Method::Get, "/v2/{project_id}/instance/{instance_id}/whitelist");
    static GROUPS: Operation = at("groups", Method::Get, "/v2/{project_id}/instance/{instance_id}/groups");
    static NODES: Operation = at("nodes", Method::Get, "/v2/{project_id}/instances/{instance_id}/nodes");
    static LOGICAL: Operation =
        at("logical-nodes", Method::Get, "/v2/{project_id}/instances/{instance_id}/logical-nodes");
    static EXPORT: Operation = at("export", Method::Post, "/v2/{project_id}/instances/export");
    static EXPORT_JOB: Operation = at("export-job", Method::Get, "/v2/{project_id}/instances/export-job");
    static SHOW_V2: Operation = at("show-v2", Method::Get, "/v2/{project_id}/instances/{instance_id}");
    static ROOT: Operation = at("root", Method::Get, "/");
    static ACTION: Operation =
        Operation { id: "action", route: Route::Action { path: "/v2/index.php", action: "Do" }, ..BASE };

    static ALL: [&Operation; 17] = [
        &LIST,
        &CREATE,
        &SHOW,
        &MODIFY,
        &STATUS,
        &STATISTIC,
        &WINDOWS,
        &TAGS,
        &WHITELIST,
        &GROUPS,
        &NODES,
        &LOGICAL,
        &EXPORT,
        &EXPORT_JOB,
        &SHOW_V2,
        &ROOT,
        &ACTION,
    ];

    fn router() -> Router<()> {
        Router::new(ALL.iter().map(|operation| (*operation, ()))).unwrap()
    }

    fn found(method: &str, path: &str) -> String {
        let method = http::Method::from_bytes(method.as_bytes()).unwrap();
        match router().find(&method, path) {
            Found::Operation(operation, (), parameters) => {
                let values: Vec<_> =
                    parameters.iter().map(|(name, value)| format!(" {name}={value}")).collect();
                format!("{}{}", operation.id, values.concat())
            }
            Found::Actions(actions) => format!("actions {}", actions.get("Do").is_some()),
            Found::WrongMethod(allowed) => {
                format!("405 {}", allowed.iter().map(|method| method.name()).collect::<Vec<_>>().join(" "))
            }
            Found::UnknownPath => "404".to_owned(),
        }
    }

    #[test]
    fn routes_that_collide_are_told_apart() {
        let cases = [
            ("GET", "/v1.0/p/instances", "list project_id=p"),
            ("POST", "/v1.0/p/instances", "create project_id=p"),
            ("GET", "/v1.0/p/instances/i", "show project_id=p instance_id=i"),
            ("GET", "/v1.0/p/instances/status", "status project_id=p"),
            ("GET", "/v1.0/p/instances/statistic", "statistic project_id=p"),
            ("GET", "/v1.0/instances/maintain-windows", "windows"),
            ("GET", "/v1.0/instances/instances", "list project_id=instances"),
            ("GET", "/v2/p/instance/i/whitelist", "whitelist project_id=p instance_id=i"),
            ("GET", "/v2/p/instance/i/groups", "groups project_id=p instance_id=i"),
            ("GET", "/v2/p/instances/i/nodes", "nodes project_id=p instance_id=i"),
            ("GET", "/v2/p/instances/i/logical-nodes", "logical-nodes project_id=p instance_id=i"),
            ("GET", "/v2/p/instances/export-job", "export-job project_id=p"),
            ("POST", "/v2/p/instances/export", "export project_id=p"),
            // `export` as an instance's sub-resource falls back from the literal to the parameter.
            ("GET", "/v2/p/instances/export/tags", "tags project_id=p instance_id=export"),
            ("GET", "/v2/index.php", "actions true"),
            ("POST", "/v2/index.php", "actions true"),
            ("GET", "/", "root"),
            ("HEAD", "/v1.0/p/instances", "list project_id=p"),
        ];
        for (method, path, expected) in cases {
            assert_eq!(found(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_known_path_with_another_method_is_405_and_names_the_methods() {
        assert_eq!(found("PUT", "/v1.0/p/instances"), "405 GET POST");
        assert_eq!(found("PUT", "/v1.0/p/instances/status"), "405 GET");
        assert_eq!(found("GET", "/v2/p/instances/export"), "405 POST");
        assert_eq!(found("DELETE", "/v2/index.php"), "405 GET POST");
        assert_eq!(found("OPTIONS", "/v1.0/p/instances/i"), "405 GET PUT");
    }

    #[test]
    fn unknown_paths_are_404() {
        for path in ["/nothing", "/v1.0", "/v1.0/p/instances/i/nothing", "/v1.0//instances", "*", ""] {
            assert_eq!(found("GET", path), "404", "{path}");
        }
    }

    #[test]
    fn segments_are_decoded_after_splitting() {
        assert_eq!(found("GET", "/v1.0/p/instances/a%2Fb%20c"), "show project_id=p instance_id=a/b c");
        assert_eq!(found("GET", "/v1.0/p/instances/%ff"), "show project_id=p instance_id=\u{fffd}");
    }

    #[test]
    fn one_trailing_slash_is_forgiven() {
        assert_eq!(found("GET", "/v1.0/p/instances/"), "list project_id=p");
        assert_eq!(found("GET", "/v1.0/p/instances//"), "404");
    }

    #[test]
    fn the_same_route_twice_makes_no_router() {
        static AGAIN: Operation = at("again", Method::Get, "/v1.0/{project}/instances");
        let table = [&LIST, &AGAIN].map(|operation| (operation, ()));
        let Err(conflict) = Router::new(table) else { panic!("the conflict was not seen") };
        assert_eq!(conflict.to_string(), "list and again have the same route, GET /v1.0/{project}/instances");
    }
}
