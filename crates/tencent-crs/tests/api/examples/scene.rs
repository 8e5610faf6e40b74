//! What there is before the request of an example is sent: instances, orders, backups and tasks, at the times that its answer
//! shows.

use std::time::Duration;

use cloud::backup::State;
use cloud::clock::Clock;
use cloud::data_plane::Statistics;
use serde_json::Value;
use testkit::documented;

use super::Example;
use crate::world::{ORDER, Setup, World, with};

/// The instance of most examples.
const ID: &str = "crs-ifmymj41";
/// The password that it was ordered with.
const PASSWORD: &str = "49A2d!e@f12e";

/// A cloud, and what the names of the example are called in it.
pub(super) struct Scene {
    pub(super) world: World,
    names: Vec<(String, String)>,
}

impl Scene {
    /// At the time of the document's first order.
    async fn new() -> Self {
        Scene { world: World::new().await, names: Vec::new() }
    }

    /// At this time in Beijing.
    async fn at(moment: &str) -> Self {
        let setup = Setup { now_ms: at(moment), ..Setup::default() };
        Scene { world: World::with(setup).await, names: Vec::new() }
    }

    /// One with an instance.
    async fn with_instance(documented: &str) -> Self {
        let mut scene = Scene::new().await;
        scene.instance(documented, &[]).await;
        scene
    }

    fn name(&mut self, documented: &str, here: &str) {
        self.names.push((documented.to_owned(), here.to_owned()));
    }

    /// What the example calls so.
    fn here(&self, documented: &str) -> &str {
        let found = self.names.iter().find(|(name, _)| name == documented);
        found.map(|(_, here)| here.as_str()).unwrap_or_else(|| panic!("nothing is called {documented}"))
    }

    /// Orders an instance, with these changes of the document's order.
    async fn instance(&mut self, documented: &str, changes: &[(&str, &str)]) {
        let id = self.world.create(changes).await;
        self.name(documented, &id);
    }

    /// Makes an order, and names it.
    async fn deal(&mut self, documented: &str, action: &str, parameters: &[(&str, &str)]) -> Value {
        let deal = self.world.buy(action, parameters).await;
        self.name(documented, deal["dealId"].as_str().unwrap());
        deal
    }

    /// Does something that is a task, and answers its number.
    async fn task(&self, action: &str, id: &str, parameters: &[(&str, &str)]) -> u64 {
        let parameters = with(parameters, &[("redisId", id)]);
        let answered = self.world.call(action, &parameters).await;
        assert_eq!(answered["codeDesc"], "Success", "{action} {answered}");
        answered["data"]["requestId"].as_u64().unwrap()
    }

    async fn backup(&self, id: &str, remark: &str) {
        self.task("ManualBackupInstance", id, &[("remark", remark)]).await;
    }

    /// The latest backup of an instance.
    async fn latest(&self, id: &str) -> String {
        let parameters = [("limit", "10"), ("offset", "0"), ("redisId", id)];
        let answered = self.world.call("GetRedisBackupList", &parameters).await;
        let backups = answered["data"]["redisBackupSet"].as_array().unwrap();
        backups.last().unwrap()["backupId"].as_str().unwrap().to_owned()
    }

    /// Moves the clock on to this time in Beijing.
    fn wait_until(&self, moment: &str) {
        self.world.clock.advance(at(moment) - self.world.clock.now_ms());
    }

    /// Moves the clock on to this time, at which an instance is backed up, and waits for that backup.
    async fn wait_for_night(&self, id: &str, moment: &str) {
        self.wait_until(moment);
        let is_made = || {
            let last = self.world.cloud.backups(id).pop();
            last.is_some_and(|last| last.created_at_ms == at(moment) && last.state == State::Succeeded)
        };
        for _ in 0..5_000 {
            if is_made() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("no backup is made");
    }

    /// A value of the example as it is here.
    pub(super) fn named(&self, value: Value) -> Value {
        documented::renamed(value, &self.names)
    }
}

/// A time of the document, which is Beijing's, in ms since 1970.
fn at(moment: &str) -> u64 {
    let moment: jiff::Timestamp = format!("{moment}+08").parse().unwrap();
    moment.as_millisecond().try_into().unwrap()
}

pub(super) async fn of(example: &Example) -> Scene {
    match example.name {
        "use-1"
        | "use-2"
        | "use-3"
        | "DescribeRedisZones"
        | "DescribeRedisProduct"
        | "InquiryRedisPrice"
        | "CreateRedis" => Scene::new().await,
        "use-4" => {
            let mut scene = Scene::at("2016-07-06 21:10:11").await;
            let deal = scene.deal("432583", "CreateRedis", ORDER).await;
            scene.name(ID, deal["goodsDetail"]["redisIds"][0].as_str().unwrap());
            scene
        }
        "RenewRedis" | "SetRedisAutoRenew" | "ModfiyRedisPassword" | "ClearRedis" => {
            Scene::with_instance(ID).await
        }
        // As before the order of the upgrade in the details of orders.
        "UpgradeRedisInquiryPrice" | "UpgradeRedis" => renewed().await,
        "DescribeRedisDealDetail" => deals().await,
        "DescribeRedis" => {
            let mut scene = Scene::at("2016-05-04 16:59:53").await;
            let network = [("vpcId", "4864"), ("subnetId", "14158")];
            let order = [("memSize", "2048"), ("period", "3")];
            scene.instance("crs-ooakfyj3", &[network, order].concat()).await;
            let id = scene.here("crs-ooakfyj3").to_owned();
            scene.world.nodes.report(&id, Statistics::default(), 0);
            for (action, parameters) in [
                ("ModifyRedisName", [("redisId", id.as_str()), ("redisName", "att_test")]),
                ("SetRedisAutoRenew", [("redisIds.0", &id), ("isAutoRenew", "1")]),
            ] {
                assert_eq!(scene.world.call(action, &parameters).await["codeDesc"], "Success");
            }
            scene
        }
        "ModifyRedisName" | "ResetRedisPassword" | "ModifyRedisProject" | "ManualBackupInstance" => {
            let names = ["redisId", "redisIds.0"].map(|name| example.parameters[name].as_str());
            Scene::with_instance(names.into_iter().flatten().next().unwrap()).await
        }
        "ExportRedisBackup" | "GetBackupDownloadUrl" | "RestoreInstance" => {
            let text = |name: &str| example.parameters[name].as_str().unwrap();
            let mut scene = Scene::new().await;
            let password = example.parameters["password"].as_str().unwrap_or(PASSWORD);
            scene.instance(text("redisId"), &[("password", password)]).await;
            let id = scene.here(text("redisId")).to_owned();
            scene.backup(&id, "").await;
            let backup = scene.latest(&id).await;
            if example.action == "GetBackupDownloadUrl" {
                scene.task("ExportRedisBackup", &id, &[("backupId", &backup)]).await;
            }
            scene.name(text("backupId"), &backup);
            scene
        }
        "GetRedisBackupList" => {
            let mut scene = Scene::at("2017-02-08 16:46:34").await;
            scene.instance("crs-izbob1wh", &[]).await;
            let id = scene.here("crs-izbob1wh").to_owned();
            scene.backup(&id, "testAPI").await;
            scene.wait_for_night(&id, "2017-02-09 03:00:00").await;
            scene
        }
        "GetRedisTaskList" => tasks().await,
        "DescribeTaskInfo" => {
            let mut scene = Scene::with_instance(ID).await;
            let id = scene.here(ID).to_owned();
            let task = scene.task("ClearRedis", &id, &[("password", PASSWORD)]).await;
            scene.name(example.parameters["requestId"].as_str().unwrap(), &task.to_string());
            scene
        }
        name => panic!("no scene for {name}"),
    }
}

/// An order and its renewal, and some minutes more.
async fn renewed() -> Scene {
    let mut scene = Scene::at("2016-07-12 21:10:11").await;
    let deal = scene.deal("432583", "CreateRedis", ORDER).await;
    let id = deal["goodsDetail"]["redisIds"][0].as_str().unwrap().to_owned();
    scene.name(ID, &id);
    scene.wait_until("2016-07-12 22:05:43");
    scene.deal("432586", "RenewRedis", &[("redisId", &id), ("period", "1")]).await;
    scene.wait_until("2016-07-12 22:15:55");
    scene
}

/// An order, a renewal and an upgrade, one after the other.
async fn deals() -> Scene {
    let mut scene = renewed().await;
    let id = scene.here(ID).to_owned();
    scene.deal("432587", "UpgradeRedis", &[("redisId", &id), ("memSize", "2048")]).await;
    scene
}

/// Three days with backups by hand and by night, two restores, and an instance that was cleared.
async fn tasks() -> Scene {
    let mut scene = Scene::at("2017-02-08 15:00:00").await;
    scene.instance("crs-izbob1wh", &[]).await;
    let id = scene.here("crs-izbob1wh").to_owned();
    // The rule for names, which ModifyRedisName is about, allows no blanks.
    scene.name("for API test", "for-API-test");
    let name = [("redisId", id.as_str()), ("redisName", "for-API-test")];
    assert_eq!(scene.world.call("ModifyRedisName", &name).await["codeDesc"], "Success");
    scene.wait_until("2017-02-08 15:35:25");
    scene.backup(&id, "").await;
    scene.wait_until("2017-02-08 15:38:16");
    scene.task("ClearRedis", &id, &[("password", PASSWORD)]).await;
    for (moment, what) in [
        ("2017-02-08 16:46:34", "backup"),
        ("2017-02-08 17:21:32", "restore"),
        ("2017-02-09 03:00:00", "night"),
        ("2017-02-10 03:00:00", "night"),
        ("2017-02-10 14:59:29", "backup"),
        ("2017-02-10 15:02:36", "backup"),
        ("2017-02-10 16:56:18", "restore"),
    ] {
        if what == "night" {
            scene.wait_for_night(&id, moment).await;
            continue;
        }
        scene.wait_until(moment);
        match what {
            "backup" => scene.backup(&id, "").await,
            "restore" => {
                let backup = scene.latest(&id).await;
                let parameters = [("password", PASSWORD), ("backupId", backup.as_str())];
                scene.task("RestoreInstance", &id, &parameters).await;
            }
            other => panic!("{other}"),
        }
    }
    scene
}
