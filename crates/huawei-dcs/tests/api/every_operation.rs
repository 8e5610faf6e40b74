//! What holds for every operation of DCS alike: who may call it, and in what form.

use cloud::policy::Rights;
use operation::{Access, Operation, Route};
use serde_json::json;

use crate::world::{Answered, PROJECT, Setup, World};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

fn operations() -> Vec<&'static Operation> {
    let groups = huawei_dcs::operations().into_iter().filter(|(name, _)| name.starts_with("DCS"));
    groups.flat_map(|(_, operations)| operations).collect()
}

/// A request for an operation of this project, and of this instance if it is of one.
fn line(operation: &Operation, project: &str, instance: &str) -> String {
    let Route::Path { method, template } = operation.route else { panic!("{}", operation.id) };
    let path = template.replace("{project_id}", project).replace("{instance_id}", instance);
    let parts: Vec<_> =
        path.split('/').map(|part| if part.starts_with('{') { NOBODYS } else { part }).collect();
    format!("{method} {}", parts.join("/"))
}

fn own(operation: &Operation) -> String {
    line(operation, PROJECT, NOBODYS)
}

/// Sees that each of these is refused by this error when it is asked like that.
async fn all(
    operations: impl Iterator<Item = &'static Operation>,
    expected: (u16, &str),
    ask: impl AsyncFn(&'static Operation) -> Answered,
) {
    for operation in operations {
        let answered = ask(operation).await;
        let code = answered.body["error_code"].as_str().unwrap_or("no error");
        assert_eq!((answered.status, code), expected, "{}: {}", operation.id, answered.body);
    }
}

fn of_projects() -> impl Iterator<Item = &'static Operation> {
    operations().into_iter().filter(|operation| operation.access == Access::Project)
}

#[tokio::test]
async fn nobody_calls_it_without_a_token_that_holds() {
    let world = World::new().await;
    let with =
        async |operation, token: &str| world.ask(&own(operation), &[("x-auth-token", token)], "{}").await;
    let none =
        all(operations().into_iter(), (401, "DCS.1003"), async |one| world.ask(&own(one), &[], "{}").await);
    none.await;
    all(operations().into_iter(), (401, "DCS.1001"), async |one| with(one, "made-up").await).await;
    let token = world.new_token(json!({"project": {"id": PROJECT}})).await;
    world.clock.advance(24 * 60 * 60 * 1_000);
    all(operations().into_iter(), (401, "DCS.1002"), async |one| with(one, &token).await).await;
}

#[tokio::test]
async fn nobody_calls_it_for_another_project() {
    let world = World::new().await;
    let headers = [("x-auth-token", &*world.token)];
    let other = "ffffffffffffffffffffffffffffffff";
    let ask =
        async |operation, project: &str| world.ask(&line(operation, project, NOBODYS), &headers, "{}").await;
    all(of_projects(), (401, "DCS.1004"), async |one| ask(one, other).await).await;
    all(of_projects(), (400, "DCS.4002"), async |one| ask(one, "mine").await).await;
}

#[tokio::test]
async fn nobody_calls_it_who_may_not() {
    let asking = || operations().into_iter().filter(|operation| operation.permission.is_some());
    let rights = Rights { statements: Vec::new(), read_only: false };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    let ask = async |world: &World, operation| {
        world.ask(&own(operation), &[("x-auth-token", &world.token)], "{}").await
    };
    all(asking(), (403, "DCS.2007"), async |one| ask(&world, one).await).await;
    let rights = Rights { read_only: true, ..Rights::everything() };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    let changing = asking().filter(|operation| operation.changes());
    all(changing, (403, "DCS.3002"), async |one| ask(&world, one).await).await;
}

#[tokio::test]
async fn ids_and_bodies_have_their_form() {
    let world = World::new().await;
    let headers = [("x-auth-token", &*world.token)];
    let named = |name: &'static str| {
        move |operation: &&'static Operation| operation.path.iter().any(|field| field.name == name)
    };
    let of_instances = of_projects().filter(named("instance_id"));
    all(of_instances, (400, "DCS.4061"), async |one| {
        world.ask(&line(one, PROJECT, "mine"), &headers, "{}").await
    })
    .await;
    let with_body = || operations().into_iter().filter(|operation| operation.body.is_some());
    let ask = async |operation, body: &str| world.ask(&own(operation), &headers, body).await;
    for bad in ["{", "[]", "7", "\"x\""] {
        all(with_body(), (400, "DCS.4005"), async |one| ask(one, bad).await).await;
    }
    let needed = with_body().filter(|operation| !operation.body_optional);
    all(needed, (400, "DCS.4004"), async |one| ask(one, "").await).await;
    let long = "x".repeat((12 << 20) + 1);
    all(operations().into_iter(), (400, "DCS.4005"), async |one| ask(one, &long).await).await;
    for (_, operations) in huawei_dcs::operations().into_iter().filter(|(name, _)| *name == "IAM") {
        for operation in operations {
            assert_eq!(ask(operation, &long).await.status, 400, "{}", operation.id);
        }
    }
}

/// Table 12-2 has two codes for it. That of `start` and its `limit` is the one of all parameters; `offset` and its `limit`,
/// which came with v2, have the later one.
#[test]
fn a_page_is_refused_by_one_code() {
    for operation in operations() {
        let code = |name: &str| {
            let field = operation.query.iter().find(|field| field.name == name);
            field.and_then(|field| field.invalid).map(|error| error.code)
        };
        let expected = match (code("offset"), code("start")) {
            (Some(_), None) => [Some("DCS.4800"), None, Some("DCS.4800")],
            (None, Some(_)) => [None, Some("DCS.4062"), Some("DCS.4062")],
            _ => [None; 3],
        };
        assert_eq!(["offset", "start", "limit"].map(code), expected, "{}", operation.id);
    }
}
