//! The document's examples: each request is sent as it stands, and its answer has every field of the documented one, of the
//! same kind and, but for what differs from one account to the next, with the same value.

use serde_json::{Value, json};

use crate::world::{ORDER, World, with};

const ID: &str = "crs-ifmymj41";
const BACKUP: &str = "3a07b27e-f744-11e6-babc-525400082493";

/// Names of what is different in each account.
const OWN: [&str; 14] = [
    "redisId",
    "redisIds",
    "redisName",
    "backupId",
    "dealId",
    "dealName",
    "creator",
    "appid",
    "wanIp",
    "port",
    "intranet",
    "extranet",
    "requestId",
    "sizeUsed",
];

/// Names of points in time, and of a price that depends on them; other tests have the document's times and prices.
const TIMES: [&str; 8] = [
    "createTime",
    "creatTime",
    "deadlineTime",
    "overdueTime",
    "endTime",
    "startTime",
    "curDeadline",
    "price",
];

/// An action, the parameters of its example, and the documented answer without its head.
struct Example {
    action: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    code: Value,
    answer: Value,
}

fn example(
    action: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    code: Value,
    answer: Value,
) -> Example {
    Example { action, parameters, code, answer }
}

/// All of them, in an order in which they can follow each other.
fn examples() -> Vec<Example> {
    let task = || json!({"data": {"requestId": 375_074}});
    vec![
        example(
            "DescribeRedisZones",
            &[],
            json!("0"),
            json!({"data": {"zones": [{"100002": "Guangzhou Zone 2"}, {"200001": "Shanghai Zone 1"}]}}),
        ),
        example(
            "DescribeRedisProduct",
            &[("zonedId", "100002"), ("typeId", "1")],
            json!(0),
            json!({"data": [{
                "zoneId": 100_002,
                "name": "Guangzhou Zone 2",
                "types": {"1": {
                    "type": 1, "typeName": "Cluster", "minMemSize": 1024, "maxMemSize": 204_800, "minBuyNum": 1,
                    "maxBuyNum": 10,
                }},
            }]}),
        ),
        example(
            "InquiryRedisPrice",
            &[
                ("zonedId", "100002"),
                ("typeId", "1"),
                ("memSize", "1024"),
                ("goodsNum", "1"),
                ("period", "2"),
            ],
            json!("0"),
            json!({"data": {"price": 16_000}}),
        ),
        example("CreateRedis", ORDER, json!("0"), json!({"data": {"dealId": "432583"}})),
        example(
            "RenewRedis",
            &[("redisId", ID), ("period", "1")],
            json!("0"),
            json!({"data": {"dealId": "432586"}}),
        ),
        example(
            "UpgradeRedisInquiryPrice",
            &[("redisId", ID), ("memSize", "2048")],
            json!("0"),
            json!({"data": {"price": 24_460}}),
        ),
        example(
            "UpgradeRedis",
            &[("redisId", ID), ("memSize", "2048")],
            json!("0"),
            json!({"data": {"dealId": "432587"}}),
        ),
        example(
            "DescribeRedisDealDetail",
            // The document's further orders have the numbers 432586 and 432587.
            &[("dealIds.0", "432583"), ("dealIds.1", "432584"), ("dealIds.2", "432585")],
            json!(0),
            json!({"dealDetails": [
                {
                    "dealId": "432583", "dealName": "20160712110021", "zoneId": 100_002, "goodsNum": 1,
                    "creator": "3227991405", "createTime": "2016-07-12 21:10:11",
                    "overdueTime": "2016-07-27 21:10:11", "endTime": "2016-07-12 21:11:17", "status": 4,
                    "description": "Delivery succeeded", "price": 16_000,
                    "goodsDetail": {"memSize": 1024, "timeSpan": 2, "timeUnit": "m", "redisIds": [ID]},
                },
                {
                    "dealId": "432586", "dealName": "20160712110027", "zoneId": 100_002, "goodsNum": 1,
                    "creator": "3227991405", "creatTime": "2016-07-12 22:05:43",
                    "overdueTime": "2016-07-27 22:05:43", "endTime": "2016-07-12 22:05:45", "status": 4,
                    "description": "Delivery succeeded", "price": 8000,
                    "goodsDetail": {
                        "curDeadline": "2016-09-12 21:10:13", "memSize": 1024, "timeSpan": 1, "timeUnit": "m",
                        "redisIds": [ID],
                    },
                },
                {
                    "dealId": "432587", "dealName": "20160712110029", "zoneId": 100_002, "goodsNum": 1,
                    "creator": "3227991405", "creatTime": "2016-07-12 22:15:55",
                    "overdueTime": "2016-07-27 22:15:55", "endTime": "2016-07-12 22:16:59", "status": 4,
                    "description": "Delivery succeeded", "price": 24_460,
                    "goodsDetail": {"oldMemSize": 1024, "newMemsize": 2048, "redisIds": [ID]},
                },
            ]}),
        ),
        example("SetRedisAutoRenew", &[("redisIds.0", ID), ("isAutoRenew", "1")], json!("0"), json!({})),
        example(
            "DescribeRedis",
            &[("limit", "10"), ("offset", "0")],
            json!(0),
            json!({"totalCount": 1, "data": {"redisSet": [{
                "redisName": "att_test", "redisId": "crs-ooakfyj3", "appid": "1251966477", "projectId": "0",
                "regionId": "1", "zoneId": "100002", "status": "2", "statusDesc": "Running",
                "wanIp": "10.66.170.224", "port": "6379", "createTime": "2016-05-04 16:59:53", "size": "2048",
                "sizeUsed": "0", "typeId": "1", "typeIdDesc": "Cluster", "autoRenewFlag": 1,
                "deadlineTime": "2016-08-14 16:59:53",
            }]}}),
        ),
        example("ModifyRedisName", &[("redisId", ID), ("redisName", "test_API")], json!(0), json!({})),
        example(
            "ModfiyRedisPassword",
            &[("redisId", ID), ("oldPassword", "49A2d!e@f12e"), ("password", "12D3E@!r5ed")],
            json!(0),
            task(),
        ),
        example("ResetRedisPassword", &[("redisId", ID), ("password", "12D3E@!r5ed")], json!(0), task()),
        example("ModifyRedisProject", &[("redisIds.0", ID), ("projectId", "1004306")], json!(0), json!({})),
        example("ManualBackupInstance", &[("redisId", ID), ("remark", "testAPI")], json!(0), task()),
        example(
            "GetRedisBackupList",
            &[
                ("limit", "10"),
                ("offset", "0"),
                ("redisId", ID),
                ("beginTime", "2016-07-12 16:46:34"),
                ("endTime", "2016-07-12 23:09:26"),
            ],
            json!(0),
            json!({"totalCount": 1, "data": {"redisBackupSet": [{
                "startTime": "2017-02-08 16:46:34", "backupId": "19266626-eddb-11e6-890a-525400394272",
                "backupType": "manualBackupInstance", "status": 2, "remark": "testAPI", "locked": 0,
            }]}}),
        ),
        example("ExportRedisBackup", &[("redisId", ID), ("backupId", BACKUP)], json!(0), task()),
        example(
            "GetBackupDownloadUrl",
            &[("redisId", ID), ("backupId", BACKUP)],
            json!(0),
            json!({"data": {"intranet": "http://10.66.183.31:5500/download/dump.rdb", "extranet": ""}}),
        ),
        example("ClearRedis", &[("redisId", ID), ("password", "12D3E@!r5ed")], json!(0), task()),
        example(
            "RestoreInstance",
            &[("redisId", ID), ("password", "12D3E@!r5ed"), ("backupId", BACKUP)],
            json!(0),
            task(),
        ),
        example(
            "GetRedisTaskList",
            &[
                ("limit", "10"),
                ("offset", "0"),
                ("beginTime", "2015-12-28 00:03:52"),
                ("endTime", "2017-02-11 00:03:52"),
                ("redisId", ID),
                ("redisName", "test_API"),
                ("taskStatus.0", "2"),
                ("taskType.0", "task_restoreBackup"),
                ("taskType.1", "task_backupInstance"),
                ("taskType.2", "task_cleanInstance"),
            ],
            json!(0),
            json!({"totalCount": 3, "data": {"redisTaskSet": [
                {
                    "startTime": "2017-02-10 16:56:18", "taskName": "restoreBackup", "redisName": "for API test",
                    "redisId": "crs-izbob1wh", "status": 2, "progress": 1,
                },
                {"taskName": "cleanInstance", "status": 2, "progress": 1},
                {"taskName": "backupInstance", "status": 2, "progress": 1},
            ]}}),
        ),
        example("DescribeTaskInfo", &[("requestId", "11963")], json!(0), json!({"data": {"status": 2}})),
    ]
}

/// Sees that an answer has all that the documented one has.
fn compare(place: &str, name: &str, documented: &Value, answered: &Value) {
    match (documented, answered) {
        (Value::Object(fields), Value::Object(has)) => {
            for (name, value) in fields {
                let place = format!("{place}.{name}");
                compare(&place, name, value, has.get(name).unwrap_or_else(|| panic!("{place} is missing")));
            }
        }
        (Value::Array(items), Value::Array(has)) => {
            assert!(items.len() <= has.len(), "{place} has too few items");
            for (item, has) in items.iter().zip(has) {
                compare(place, name, item, has);
            }
        }
        (Value::String(_), Value::String(_)) | (Value::Number(_), Value::Number(_)) => {
            let is_own = OWN.contains(&name) || TIMES.contains(&name);
            assert!(is_own || documented == answered, "{place} is {answered}, not {documented}");
        }
        _ => panic!("{place} is {answered}, which is of another kind than {documented}"),
    }
}

#[tokio::test]
async fn every_example_is_answered_as_documented() {
    let world = World::new().await;
    let (mut id, mut backup, mut task) = (String::new(), String::new(), String::new());
    let mut seen = Vec::new();
    for Example { action, parameters, code, answer } in examples() {
        let own =
            [("redisId", id.as_str()), ("redisIds.0", &id), ("backupId", &backup), ("requestId", &task)];
        let changes: Vec<_> =
            own.into_iter().filter(|(name, _)| parameters.iter().any(|(have, _)| have == name)).collect();
        let answered = world.call(action, &with(parameters, &changes)).await;
        assert_eq!((&answered["code"], &answered["message"]), (&code, &json!("")), "{action} {answered}");
        assert_eq!(answered["codeDesc"], "Success", "{action}");
        compare(action, action, &answer, &answered);
        match action {
            "CreateRedis" => {
                let deal = world.deal(answered["data"]["dealId"].as_str().unwrap()).await;
                id = deal["goodsDetail"]["redisIds"][0].as_str().unwrap().to_owned();
            }
            "GetRedisBackupList" => {
                backup = answered["data"]["redisBackupSet"][0]["backupId"].as_str().unwrap().to_owned();
            }
            "ClearRedis" => task = answered["data"]["requestId"].to_string(),
            _ => {}
        }
        seen.push(action);
    }
    let all: Vec<_> = tencent_crs::operations().iter().map(|operation| operation.id).collect();
    assert!(all.iter().all(|action| seen.contains(action)), "{all:?}");
}
