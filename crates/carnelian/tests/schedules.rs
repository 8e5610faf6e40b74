//! Schedules of the program that runs, on the clock that its owner moves: backups that come and go by policies, and what a
//! process that is killed leaves of them.

use std::path::Path;

use serde_json::{Value, json};
use testkit::{Server, until};

const HOUR_MS: u64 = 3_600_000;

/// A program that keeps what it has in a directory.
struct Cloud {
    server: Server,
}

impl Cloud {
    fn begin(directory: &Path) -> Self {
        Cloud { server: Server::start(&["--data-dir", directory.to_str().unwrap()]) }
    }

    fn advance(&self, hours: u64) {
        let moved = json!({"advance_ms": hours * HOUR_MS});
        assert_eq!(self.server.ask("POST", "/admin/clock", "", &moved).status, 200);
    }

    /// What time it is, in hours.
    fn hour(&self) -> u64 {
        let clock = self.server.ask("GET", "/admin/clock", "", &Value::Null).body;
        clock["now_ms"].as_u64().unwrap() / HOUR_MS
    }

    /// A token is asked for each time: they end after a day.
    fn ask(&self, method: &str, below: &str, body: &Value) -> Value {
        let path = format!("{}{below}", self.server.instances());
        let answer = self.server.ask(method, &path, &self.server.token(), body);
        assert!(answer.status < 300, "{method} {path}: {}", answer.body);
        answer.body
    }

    /// The states of the instance's backups, the oldest first.
    fn states(&self, id: &str) -> Vec<String> {
        let listed = self.ask("GET", &format!("/{id}/backups"), &Value::Null);
        let all = listed["backup_record_response"].as_array().unwrap();
        let state = |backup: &Value| {
            let word = |name: &str| backup[name].as_str().unwrap().to_owned();
            format!("{} {}", word("backup_type"), word("status"))
        };
        all.iter().rev().map(state).collect()
    }

    fn until(&self, id: &str, states: &[&str]) {
        until("backups are as they should be", || self.states(id) == states);
    }
}

#[test]
fn a_policy_outlives_the_process_and_what_it_made_ends_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::begin(directory.path());
    // Three hours from now it is this hour, which is a slot on all days.
    let slot = (cloud.hour() + 3) % 24;
    let order = json!({
        "name": "dcs-a", "engine": "Redis", "engine_version": "5.0", "capacity": 1, "no_password_access": true,
        "spec_code": "redis.ha.xu1.large.r2.1", "vpc_id": "v", "subnet_id": "s",
        "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
    });
    let id = cloud.ask("POST", "", &order)["instance_id"].as_str().unwrap().to_owned();
    let policy = json!({"instance_backup_policy": {
        "backup_type": "auto", "save_days": 1,
        "periodical_backup_plan": {
            "begin_at": format!("{slot:02}:00-{:02}:00", slot + 1),
            "period_type": "weekly", "backup_at": [1, 2, 3, 4, 5, 6, 7],
        },
    }});
    cloud.ask("PUT", &format!("/{id}"), &policy);
    cloud.ask("POST", &format!("/{id}/backups"), &json!({"remark": "by hand"}));
    cloud.until(&id, &["manual succeed"]);

    cloud.server.signal("KILL");
    drop(cloud);
    let cloud = Cloud::begin(directory.path());
    cloud.advance(1);
    assert_eq!(cloud.states(&id), ["manual succeed"], "it is not time yet");
    cloud.advance(2);
    cloud.until(&id, &["manual succeed", "auto succeed"]);
    cloud.advance(24);
    cloud.until(&id, &["manual succeed", "auto expired", "auto succeed"]);
    // What is over has no files, what somebody asked for has them still.
    let files = std::fs::read_dir(directory.path().join("backups").join(&id)).unwrap();
    assert_eq!(files.count(), 2);

    // What was due while it did not run is passed over. It begins again at this machine's time.
    drop(cloud);
    let cloud = Cloud::begin(directory.path());
    assert_eq!(cloud.states(&id), ["manual succeed", "auto expired", "auto succeed"]);
    cloud.ask(
        "PUT",
        &format!("/{id}"),
        &json!({"instance_backup_policy": {
            "backup_type": "manual", "save_days": 2,
            "periodical_backup_plan": {"begin_at": "00:00-01:00", "period_type": "weekly", "backup_at": [1]},
        }}),
    );
    cloud.advance(72);
    cloud.until(&id, &["manual succeed", "auto expired", "auto expired"]);
}
