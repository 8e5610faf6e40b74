//! All that the public SDK of v2 can ask for: each operation is there under the SDK's name and route, and what is not
//! supported is refused as such.

use std::collections::BTreeSet;

use operation::{Found, Operation, Route, Support};
use serde_json::{Value, json};

use crate::world::{PROJECT, World};

/// The operations of the SDK: name, method, path.
fn sdk() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    include_str!("../data/v2-operations.tsv").lines().map(|line| {
        let mut cells = line.split('\t');
        (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap())
    })
}

/// Those that nobody has written a record for yet. It may only shrink.
const MISSING: &[&str] = &[];

fn v2() -> Vec<&'static Operation> {
    let groups = huawei_dcs::operations();
    groups.into_iter().find(|(name, _)| *name == "DCS v2").unwrap().1
}

#[test]
fn every_operation_of_the_sdk_is_known_by_its_name_and_route() {
    let routes: BTreeSet<_> =
        v2().iter().map(|operation| (operation.id, operation.route.to_string())).collect();
    let missing: Vec<_> = sdk()
        .filter(|(name, method, path)| !routes.contains(&(*name, format!("{method} {path}"))))
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(missing, MISSING, "operations without a record");
}

#[tokio::test]
async fn what_is_not_supported_is_refused_where_the_instance_exists() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    let nobodys = "00000000-0000-4000-8000-000000000000";
    for operation in v2().iter().filter(|operation| operation.support == Support::Refused) {
        let Route::Path { method, template } = operation.route else { panic!("{}", operation.id) };
        let fill = |id: &str| {
            let path = template.replace("{project_id}", PROJECT).replace("{instance_id}", id);
            let parts: Vec<_> =
                path.split('/').map(|part| if part.starts_with('{') { "some-id" } else { part }).collect();
            format!("{method} {}", parts.join("/"))
        };
        let line = fill(&id);
        let (method, path) = line.split_once(' ').unwrap();
        let found = world.router.find(&method.parse().unwrap(), path);
        assert!(
            matches!(found, Found::Operation(found, ..) if found.id == operation.id),
            "{line} goes elsewhere"
        );
        let refused = world.call(&line, &Value::Null).await;
        let code = match template {
            template if template.ends_with("/{bigkey_id}") => "DCS.4942",
            template if template.ends_with("/{hotkey_id}") || template.ends_with("/{task_id}/export") => {
                "DCS.4941"
            }
            template if template.contains("/bigkey") => "DCS.4919",
            _ => "DCS.4027",
        };
        assert_eq!(refused.error_of_v2(), (400, code.to_owned()), "{line}");
        let anybodys = world.ask(&line, &[], "").await;
        assert_eq!(anybodys.error_of_v2(), (401, "DCS.1003".to_owned()), "{line}");
        if template.contains("{instance_id}") {
            let unknown = world.call(&fill(nobodys), &Value::Null).await;
            assert_eq!(unknown.error_of_v2(), (404, "DCS.4022".to_owned()), "{line}");
            let malformed = world.call(&fill("x"), &Value::Null).await;
            assert_eq!(malformed.error_of_v2(), (400, "DCS.4061".to_owned()), "{line}");
        }
    }
}
