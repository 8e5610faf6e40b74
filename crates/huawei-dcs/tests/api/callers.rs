//! Who may call: tokens, signatures, projects and permissions, and the identity service that clients ask first.

use crate::world::{PROJECT, REGION, Setup, World, order, token_request};
use cloud::policy::{Effect, Rights, Statement};
use serde_json::{Value, json};

/// The operations that need a caller, each in a form that would succeed but for the caller.
fn lines() -> Vec<String> {
    ["instances", "quota"]
        .iter()
        .map(|what| format!("GET /v1.0/{PROJECT}/{what}"))
        .chain(
            ["products", "availableZones", "instances/maintain-windows"]
                .map(|what| format!("GET /v1.0/{what}")),
        )
        .collect()
}

#[tokio::test]
async fn nobody_gets_in_without_a_proof() {
    let world = World::new().await;
    for line in lines() {
        for (headers, code) in [
            (&[][..], "DCS.1003"),
            (&[("x-auth-token", "")], "DCS.1003"),
            (&[("authorization", "Basic eDp5")], "DCS.1003"),
            (&[("x-auth-token", "nonsense")], "DCS.1001"),
            (&[("authorization", "SDK-HMAC-SHA256 Access=X")], "DCS.1001"),
        ] {
            assert_eq!(
                world.ask(&line, headers, "").await.error(),
                (401, code.to_owned()),
                "{line} {headers:?}"
            );
        }
        assert_eq!(world.ask(&line, &[("x-auth-token", &world.token)], "").await.status, 200, "{line}");
    }
    // The caller comes before the project, the instance and the body.
    let line = "POST /v1.0/no-project/instances";
    assert_eq!(world.ask(line, &[], "").await.error(), (401, "DCS.1003".to_owned()));
    for line in ["GET /v3/projects", "GET /v3/auth/projects", "GET /v3/auth/catalog"] {
        let answered = world.ask(line, &[], "").await;
        assert_eq!((answered.status, &answered.body["error"]["code"]), (401, &json!(401)), "{line}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_24_hours_of_the_clouds_clock() {
    let world = World::new().await;
    let ask = || async { world.call("GET /v1.0/{p}/quota", &Value::Null).await };
    world.clock.advance(24 * 60 * 60 * 1000 - 1);
    assert_eq!(ask().await.status, 200);
    world.clock.advance(1);
    assert_eq!(ask().await.error(), (401, "DCS.1002".to_owned()));
}

#[tokio::test]
async fn a_project_must_be_one_and_the_callers() {
    let world = World::new().await;
    let ask = |project: &str| {
        let line = format!("GET /v1.0/{project}/instances");
        let world = &world;
        async move { world.call(&line, &Value::Null).await.error() }
    };
    for malformed in ["x", "my-kualalumpur-1", &PROJECT[1..], "0123456789ABCDEF0123456789ABCDEF"] {
        assert_eq!(ask(malformed).await, (400, "DCS.4002".to_owned()), "{malformed}");
    }
    let other = "f".repeat(32);
    assert_eq!(ask(&other).await, (401, "DCS.1004".to_owned()));
    for scope in [json!({"domain": {"name": "demo-domain"}}), Value::Null] {
        let token = world.new_token(scope).await;
        let line = format!("GET /v1.0/{PROJECT}/instances");
        let answered = world.ask(&line, &[("x-auth-token", &token)], "").await;
        assert_eq!(answered.error(), (401, "DCS.1004".to_owned()));
        for path in ["products", "availableZones", "instances/maintain-windows"] {
            let answered = world.ask(&format!("GET /v1.0/{path}"), &[("x-auth-token", &token)], "").await;
            assert_eq!(answered.error(), (401, "DCS.1001".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn policies_and_read_only_tenants_are_heeded() {
    let only_list = Statement::of(Effect::Allow, vec!["dcs:instance:list".to_owned()]);
    let rights = Rights { statements: vec![only_list], read_only: false };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    assert_eq!(world.call("GET /v1.0/{p}/instances", &Value::Null).await.status, 200);
    let denied = world.call("POST /v1.0/{p}/instances", &order()).await;
    assert_eq!(denied.error(), (403, "DCS.2007".to_owned()));
    assert_eq!(denied.body["error_msg"], "Policy does not allow dcs:instance:create to be performed.");
    assert_eq!(denied.body["error"]["code"], "111403003");
    // What asks for no permission needs none.
    assert_eq!(world.call("GET /v1.0/products", &Value::Null).await.status, 200);

    let rights = Rights { read_only: true, ..Rights::everything() };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    assert_eq!(world.call("GET /v1.0/{p}/instances", &Value::Null).await.status, 200);
    let refused = world.call("POST /v1.0/{p}/instances", &order()).await;
    assert_eq!(refused.error(), (403, "DCS.3002".to_owned()));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_the_form_of_their_service() {
    let world = World::new().await;
    for line in ["GET /nothing", "GET /v1.0", "GET /v1.0/{p}", "GET /v1.0/{p}/instances/a/b", "POST /v9/x"] {
        assert_eq!(world.call(line, &Value::Null).await.error(), (404, "DCS.4001".to_owned()), "{line}");
    }
    for line in ["PUT /v1.0/{p}/instances", "POST /v1.0/products", "PATCH /v1.0/{p}/quota"] {
        let answered = world.call(line, &Value::Null).await;
        assert_eq!(answered.error(), (405, "DCS.5001".to_owned()), "{line}");
        assert!(answered.headers.contains_key("allow"), "{line}");
    }
    let v2 = world.call("GET /v2/{p}/nothing", &Value::Null).await.body;
    assert_eq!(v2["error_code"], "DCS.4001");
    assert_eq!(v2.as_object().unwrap().len(), 3, "{v2}");
    let iam = world.call("GET /v3/nothing", &Value::Null).await;
    assert_eq!((iam.status, &iam.body["error"]["title"]), (404, &json!("Not Found")));
    assert_eq!(world.call("DELETE /v3/auth/tokens", &Value::Null).await.status, 405);
}

#[tokio::test]
async fn a_client_finds_the_identity_service() {
    let world = World::new().await;
    for path in ["/v3", "/v3/"] {
        let version = world.ask(&format!("GET {path}"), &[], "").await;
        assert_eq!(version.status, 200);
        assert_eq!(version.body["version"]["links"][0]["href"], "http://127.0.0.1:18080/v3/");
    }
    let versions = world.ask("GET /", &[], "").await.body;
    assert_eq!(versions["versions"]["values"][0]["id"], "v3.14");
}

#[tokio::test]
async fn a_token_says_what_it_is_for_and_where_dcs_is() {
    let world = World::new().await;
    let request = token_request(json!({"project": {"id": PROJECT}})).to_string();
    let answered = world.ask("POST /v3/auth/tokens", &[], &request).await;
    assert_eq!(answered.status, 201);
    let token = &answered.body["token"];
    assert_eq!(token["issued_at"], "2026-11-22T06:14:52.000000Z");
    assert_eq!(token["expires_at"], "2026-11-23T06:14:52.000000Z");
    assert_eq!((&token["project"]["id"], &token["project"]["name"]), (&json!(PROJECT), &json!(REGION)));
    assert_eq!(
        (&token["user"]["name"], &token["user"]["domain"]["name"]),
        (&json!("demo"), &json!("demo-domain"))
    );
    let services = token["catalog"].as_array().unwrap();
    let dcs = services.iter().find(|service| service["type"] == "dcs").unwrap();
    assert_eq!(dcs["endpoints"][0]["url"], format!("http://127.0.0.1:18080/v1.0/{PROJECT}"));
    assert_eq!(
        (&dcs["endpoints"][0]["region"], &dcs["endpoints"][0]["interface"]),
        (&json!(REGION), &json!("public"))
    );

    let catalog = world.call("GET /v3/auth/catalog", &Value::Null).await.body;
    assert_eq!(catalog["catalog"], token["catalog"]);
    let without = world.ask("POST /v3/auth/tokens?nocatalog=true", &[], &request).await.body;
    assert!(without["token"].get("catalog").is_none());
}

#[tokio::test]
async fn a_token_is_scoped_as_asked_or_refused() {
    let world = World::new().await;
    let domain_id = {
        let request = token_request(json!({"domain": {"name": "demo-domain"}})).to_string();
        let token = world.ask("POST /v3/auth/tokens", &[], &request).await.body["token"].clone();
        assert!(token.get("project").is_none());
        token["domain"]["id"].as_str().unwrap().to_owned()
    };
    for (scope, status) in [
        (json!({"project": {"id": PROJECT}}), 201),
        (json!({"project": {"name": REGION}}), 201),
        (json!({"project": {"name": REGION, "domain": {"name": "demo-domain"}}}), 201),
        (json!({"project": {"name": REGION, "domain": {"id": domain_id}}}), 201),
        (json!({"domain": {"id": domain_id}}), 201),
        (Value::Null, 201),
        (json!({"project": {"name": "elsewhere"}}), 401),
        (json!({"project": {"name": REGION, "domain": {"name": "other"}}}), 401),
        (json!({"project": {"id": "f".repeat(32)}}), 401),
        (json!({"project": {}}), 401),
        (json!({"domain": {"name": "other"}}), 401),
        (json!({"domain": {}}), 401),
        (json!({}), 401),
        (json!({"project": "x"}), 400),
        (json!("unscoped"), 400),
    ] {
        let request = token_request(scope.clone()).to_string();
        let answered = world.ask("POST /v3/auth/tokens", &[], &request).await;
        assert_eq!(answered.status, status, "{scope}");
        assert_eq!(answered.headers.contains_key("x-subject-token"), status == 201);
    }
}

#[tokio::test]
async fn only_the_right_name_and_password_get_a_token() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut request = token_request(Value::Null);
        request["auth"]["identity"]["password"]["user"][name] = value;
        request
    };
    let methods = |methods: Value| {
        let mut request = token_request(Value::Null);
        request["auth"]["identity"]["methods"] = methods;
        request
    };
    for (request, status) in [
        (with("domain", Value::Null), 201),
        (with("password", json!("wrong")), 401),
        (with("name", json!("nobody")), 401),
        (with("name", Value::Null), 401),
        (with("id", json!("nobody")), 401),
        (with("domain", json!({"name": "other"})), 401),
        (with("password", Value::Null), 400),
        (with("password", json!(7)), 400),
        (methods(json!([])), 400),
        (methods(json!(["token"])), 400),
        (json!({}), 400),
        (json!({"auth": {}}), 400),
    ] {
        let answered = world.ask("POST /v3/auth/tokens", &[], &request.to_string()).await;
        assert_eq!(answered.status, status, "{request}");
    }
    for body in ["", "x", "[]"] {
        let answered = world.ask("POST /v3/auth/tokens", &[], body).await;
        assert_eq!(
            (answered.status, &answered.body["error"]["title"]),
            (400, &json!("Bad Request")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn projects_are_found_by_name() {
    let world = World::new().await;
    let of = |line: &str| {
        let line = line.to_owned();
        let world = &world;
        async move { world.call(&line, &Value::Null).await.body["projects"].clone() }
    };
    let found = of(&format!("GET /v3/projects?name={REGION}")).await;
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["id"], &found[0]["name"]), (&json!(PROJECT), &json!(REGION)));
    assert_eq!(found[0]["links"]["self"], format!("http://127.0.0.1:18080/v3/projects/{PROJECT}"));
    assert_eq!(of("GET /v3/projects?name=elsewhere").await, json!([]));
    assert_eq!(of("GET /v3/auth/projects").await.as_array().unwrap().len(), 1);
}
