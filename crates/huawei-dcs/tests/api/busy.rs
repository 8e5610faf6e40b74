//! What an instance does not do because it has something else to do, is in the wrong state, or cannot be recorded: every
//! operation that asks it to says so by the code of what is going on.

use std::collections::BTreeMap;

use cloud::backup::BackupOrder;
use cloud::configuration::Change;
use cloud::identity::Secret;
use cloud::instance::Access;
use cloud::store::Store;
use cloud::task::Profile;
use serde_json::{Value, json};

use crate::world::{PROJECT, Setup, World, ZONES};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

/// What is going on with an instance.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Nobodys,
    Creating,
    CreateFailed,
    Broken,
    Restarting,
    Flushing,
    Extending,
    Configuring,
    ChangingPassword,
    Freezing,
    Deleting,
    BackingUp,
    Restoring,
    NotSaved,
}

/// Each of them, and what is answered to whoever asks the instance to do something.
const STATES: [(State, (u16, &str)); 14] = [
    (State::Nobodys, (404, "DCS.4022")),
    (State::Creating, (400, "DCS.4118")),
    (State::CreateFailed, (400, "DCS.4026")),
    (State::Broken, (400, "DCS.4026")),
    (State::Restarting, (400, "DCS.4111")),
    (State::Flushing, (400, "DCS.4026")),
    (State::Extending, (400, "DCS.4113")),
    (State::Configuring, (400, "DCS.4114")),
    (State::ChangingPassword, (400, "DCS.4115")),
    (State::Freezing, (400, "DCS.4120")),
    (State::Deleting, (400, "DCS.4017")),
    (State::BackingUp, (400, "DCS.4096")),
    (State::Restoring, (400, "DCS.4097")),
    (State::NotSaved, (500, "DCS.5017")),
];

/// A request that an instance of this kind has no reason to refuse; `{id}`, `{group}`, `{replica}` and `{master}` stand for
/// its ids. Some answer otherwise where their documents have another code.
struct Ask {
    line: &'static str,
    body: fn(&World) -> Value,
    kind: &'static str,
    otherwise: &'static [(State, (u16, &'static str))],
}

const PAIR: &str = "redis.ha.xu1.large.r2.2";
const CLUSTER: &str = "redis.cluster.xu1.large.r2.4";

const BASE: Ask = Ask { line: "", body: |_| Value::Null, kind: PAIR, otherwise: &[] };

/// Deleting is possible where the instance could not be created, and has a code of its own for some states.
const NO_DELETION: &[(State, (u16, &str))] = &[
    (State::Creating, (400, "DCS.4099")),
    (State::Restarting, (400, "DCS.4099")),
    (State::CreateFailed, (204, "")),
    (State::Broken, (204, "")),
];
/// What is only written down is possible where the instance does not run, though it should.
const WRITTEN_DOWN: &[(State, (u16, &str))] = &[(State::Broken, (204, ""))];
const WRITTEN_DOWN_V1: &[(State, (u16, &str))] = &[(State::Broken, (200, ""))];

const WHITELIST: fn(&World) -> Value =
    |_| json!({"enable_whitelist": true, "whitelist": [{"group_name": "office", "ip_list": ["10.0.0.1"]}]});
const TAGS: fn(&World) -> Value = |_| json!({"action": "create", "tags": [{"key": "a", "value": "b"}]});

const CONFIGS: fn(&World) -> Value = |_| json!({"redis_config": [{"param_id": "2", "param_name": "maxmemory-policy", "param_value": "noeviction"}]});
const PASSWORD: fn(&World) -> Value = |_| json!({"old_password": "First_Pw1", "new_password": "Second_Pw2"});
/// Whoever changes parameters while others do is told so.
const CONFIGURING: &[(State, (u16, &str))] = &[(State::Configuring, (500, "DCS.4069"))];

const REMARK: fn(&World) -> Value = |_| json!({"remark": "001"});
const BACKUP: fn(&World) -> Value = |_| json!({"backup_id": "{backup}", "remark": "001"});

const UNSAVED_BACKUP: &[(State, (u16, &str))] = &[(State::NotSaved, (500, "DCS.5090"))];
/// What has never run has no backups.
const UNSAVED_RESTORE: &[(State, (u16, &str))] = &[
    (State::NotSaved, (500, "DCS.5092")),
    (State::Creating, (400, "DCS.4062")),
    (State::CreateFailed, (400, "DCS.4062")),
];

const ASKS: &[Ask] = &[
    Ask { line: "POST /v1.0/{p}/instances/{id}/backups", body: REMARK, otherwise: UNSAVED_BACKUP, ..BASE },
    Ask { line: "POST /v2/{p}/instances/{id}/backups", body: REMARK, otherwise: UNSAVED_BACKUP, ..BASE },
    Ask { line: "POST /v1.0/{p}/instances/{id}/restores", body: BACKUP, otherwise: UNSAVED_RESTORE, ..BASE },
    Ask { line: "POST /v2/{p}/instances/{id}/restores", body: BACKUP, otherwise: UNSAVED_RESTORE, ..BASE },
    Ask { line: "PUT /v1.0/{p}/instances/{id}/configs", body: CONFIGS, otherwise: CONFIGURING, ..BASE },
    Ask { line: "PUT /v2/{p}/instances/{id}/configs", body: CONFIGS, otherwise: CONFIGURING, ..BASE },
    Ask { line: "PUT /v2/{p}/instances/{id}/async-configs", body: CONFIGS, otherwise: CONFIGURING, ..BASE },
    Ask { line: "PUT /v1.0/{p}/instances/{id}/password", body: PASSWORD, ..BASE },
    Ask { line: "PUT /v2/{p}/instances/{id}/password", body: PASSWORD, ..BASE },
    Ask {
        line: "POST /v2/{p}/instances/{id}/password/reset",
        body: |_| json!({"new_password": "Second_Pw2"}),
        ..BASE
    },
    Ask {
        line: "PUT /v2/{p}/instances/{id}",
        body: |_| json!({"name": "dcs-other"}),
        otherwise: WRITTEN_DOWN,
        ..BASE
    },
    Ask {
        line: "PUT /v1.0/{p}/instances/{id}",
        body: |_| json!({"name": "dcs-other"}),
        otherwise: WRITTEN_DOWN,
        ..BASE
    },
    Ask { line: "POST /v2/{p}/dcs/{id}/tags/action", body: TAGS, otherwise: WRITTEN_DOWN, ..BASE },
    Ask { line: "POST /v1.0/{p}/dcs/{id}/tags/action", body: TAGS, otherwise: WRITTEN_DOWN_V1, ..BASE },
    Ask {
        line: "POST /v2/{p}/instances/{id}/resize",
        body: |_| json!({"spec_code": "redis.ha.xu1.large.r2.4", "new_capacity": 4}),
        ..BASE
    },
    Ask {
        line: "POST /v1.0/{p}/instances/{id}/extend",
        body: |_| json!({"spec_code": "redis.ha.xu1.large.r2.4", "new_capacity": 4}),
        ..BASE
    },
    Ask { line: "DELETE /v2/{p}/instances/{id}", otherwise: NO_DELETION, ..BASE },
    Ask { line: "DELETE /v1.0/{p}/instances/{id}", otherwise: NO_DELETION, ..BASE },
    Ask { line: "POST /v2/{p}/instances/{id}/swap", ..BASE },
    Ask { line: "PUT /v2/{p}/instances/{id}/async-swap", ..BASE },
    Ask {
        line: "POST /v2/{p}/instance/{id}/groups/{group}/replications/{replica}/async-switchover",
        kind: CLUSTER,
        ..BASE
    },
    Ask { line: "PUT /v2/{p}/instance/{id}/whitelist", body: WHITELIST, ..BASE },
    Ask { line: "PUT /v2/{p}/instance/{id}/whitelist-async", body: WHITELIST, ..BASE },
    Ask { line: "POST /v2/{p}/instances/{id}/clients", body: |_| json!({"node_id": "{master}"}), ..BASE },
    Ask {
        line: "POST /v2/{p}/instances/{id}/clients/kill-all",
        body: |_| json!({"kill_all_nodes": true}),
        ..BASE
    },
];

/// The state in which an instance is shown.
async fn status(world: &World, id: &str) -> Value {
    world.show(id).await["status"].clone()
}

/// A world with an instance of this kind in this state, and the ids by which requests name it and what is inside.
async fn stage(kind: &str, state: State) -> (World, BTreeMap<&'static str, String>) {
    let is_instant = matches!(state, State::Nobodys | State::CreateFailed | State::Broken | State::NotSaved);
    let profile = if is_instant { Profile::Instant } else { Profile::Realistic };
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let world = World::with(Setup { profile, store, ..Setup::default() }).await;
    world.nodes.be_silent(state == State::CreateFailed);
    let gb = if kind == CLUSTER { 4 } else { 2 };
    let order = json!({
        "engine_version": "5.0", "product_id": "-", "spec_code": kind, "security_group_id": "-", "capacity": gb,
        "available_zones": [ZONES[0]],
    });
    let id = world.create(order).await;
    if !is_instant && state != State::Creating {
        world.clock.advance(60_000);
        while status(&world, &id).await != "RUNNING" {
            tokio::task::yield_now().await;
        }
    }
    let get = async |path: &str| world.call(&format!("GET /v2/{{p}}/{path}"), &Value::Null).await.body;
    let groups = get(&format!("instance/{id}/groups")).await;
    let nodes = get(&format!("instances/{id}/logical-nodes")).await;
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let group = &groups["group_list"][0];
    let cloud = &world.cloud;
    let order = BackupOrder::default;
    let mut backup = NOBODYS.to_owned();
    if !matches!(state, State::Creating | State::CreateFailed) {
        backup.clone_from(&cloud.back_up(PROJECT, &id, order()).await.unwrap().id);
        world.clock.advance(30_000);
        while cloud.instance(PROJECT, &id).unwrap().task.is_some() {
            tokio::task::yield_now().await;
        }
    }
    match state {
        State::Nobodys | State::Creating | State::CreateFailed => {}
        State::Broken => {
            world.nodes.be_silent(true);
            cloud.restart(PROJECT, &id).await.unwrap_err();
            assert_eq!(status(&world, &id).await, "ERROR");
        }
        State::Restarting => cloud.restart(PROJECT, &id).await.unwrap(),
        State::Flushing => _ = cloud.clear(PROJECT, &id).await.unwrap(),
        State::Extending => {
            let (code, gb) = match kind {
                PAIR => ("redis.ha.xu1.large.r2.4", 4),
                _ => ("redis.cluster.xu1.large.r2.8", 8),
            };
            let body = json!({"spec_code": code, "new_capacity": gb});
            let begun = world.call(&format!("POST /v1.0/{{p}}/instances/{id}/extend"), &body).await;
            assert_eq!(begun.status, 204, "{}", begun.body);
        }
        State::Configuring => _ = cloud.configure(PROJECT, &id, Change::default()).await.unwrap(),
        State::ChangingPassword => {
            _ = cloud.set_access(PROJECT, &id, Access::Password(Secret::new("Other_Pw2"))).await.unwrap();
        }
        State::Freezing => cloud.freeze(PROJECT, &id).await.unwrap(),
        State::Deleting => cloud.delete(PROJECT, &id).await.unwrap(),
        State::BackingUp => _ = cloud.back_up(PROJECT, &id, order()).await.unwrap(),
        State::Restoring => _ = cloud.restore(PROJECT, &id, &backup, None).await.unwrap(),
        State::NotSaved => cloud.close(),
    }
    let id = if state == State::Nobodys { NOBODYS.to_owned() } else { id };
    let ids = BTreeMap::from([
        ("{id}", id),
        ("{backup}", backup),
        ("{group}", text(&group["group_id"])),
        ("{replica}", text(&group["replication_list"][1]["node_id"])),
        ("{master}", text(&nodes["nodes"][0]["node_id"])),
    ]);
    (world, ids)
}

/// Tries every fourth of the requests, from this one on, while an instance is in each of the states.
async fn try_from(first: usize) {
    for ask in ASKS.iter().skip(first).step_by(4) {
        for (state, usual) in STATES {
            let otherwise = ask.otherwise.iter().find(|(other, _)| *other == state);
            let expected = otherwise.map_or(usual, |(_, code)| *code);
            let (world, ids) = stage(ask.kind, state).await;
            let fill =
                |text: &str| ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id));
            let body = (ask.body)(&world);
            let body =
                if body.is_null() { body } else { serde_json::from_str(&fill(&body.to_string())).unwrap() };
            let answered = world.call(&fill(ask.line), &body).await;
            let code = answered.body["error_code"].as_str().unwrap_or_default();
            assert_eq!((answered.status, code), expected, "{} while {state:?}: {}", ask.line, answered.body);
        }
    }
}

#[tokio::test]
async fn what_is_going_on_is_told_by_its_code() {
    try_from(0).await;
}

#[tokio::test]
async fn what_is_going_on_is_told_by_its_code_2() {
    try_from(1).await;
}

#[tokio::test]
async fn what_is_going_on_is_told_by_its_code_3() {
    try_from(2).await;
}

#[tokio::test]
async fn what_is_going_on_is_told_by_its_code_4() {
    try_from(3).await;
}
