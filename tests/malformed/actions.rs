//! The actions of CRS, which the description does not have, with anything as their parameters.

use crate::client::{Client, check};
use crate::odd::{ODD_TEXTS, no_objects};
use crate::server;
use serde_json::Value;

/// The actions of CRS and the parameters that they take.
const ACTIONS: [(&str, &[&str]); 22] = [
    ("DescribeRedisZones", &[]),
    ("DescribeRedisProduct", &["zoneIds.0"]),
    ("InquiryRedisPrice", PURCHASE),
    ("CreateRedis", PURCHASE),
    ("RenewRedis", &["redisId", "period"]),
    ("UpgradeRedisInquiryPrice", &["redisId", "memSize"]),
    ("UpgradeRedis", &["redisId", "memSize"]),
    ("DescribeRedisDealDetail", &["dealIds.0", "dealIds.1"]),
    ("DescribeRedis", LIST),
    ("SetRedisAutoRenew", &["redisIds.0", "redisIds.1", "isAutoRenew"]),
    ("ModifyRedisName", &["redisId", "redisName"]),
    ("ModfiyRedisPassword", &["redisId", "oldPassword", "password"]),
    ("ResetRedisPassword", &["redisId", "password"]),
    ("ClearRedis", &["redisId", "password"]),
    ("ModifyRedisProject", &["redisIds.0", "projectId"]),
    ("ManualBackupInstance", &["redisId", "remark"]),
    ("GetBackupDownloadUrl", &["redisId", "backupId"]),
    ("GetRedisBackupList", &["redisId", "limit", "offset", "beginTime", "endTime"]),
    ("RestoreInstance", &["redisId", "password", "backupId"]),
    ("GetRedisTaskList", &["redisId", "redisName", "limit", "offset", "startTime", "endTime", "taskTypes.0"]),
    ("ExportRedisBackup", &["redisId", "backupId"]),
    ("DescribeTaskInfo", &["requestId"]),
];

const PURCHASE: &[&str] = &[
    "zoneId",
    "typeId",
    "memSize",
    "goodsNum",
    "period",
    "password",
    "vpcId",
    "subnetId",
    "unVpcId",
    "unSubnetId",
    "projectId",
];

const LIST: &[&str] = &[
    "limit",
    "offset",
    "redisId",
    "redisName",
    "orderBy",
    "orderType",
    "projectIds.0",
    "vpcIds.0",
    "subnetIds.0",
    "unVpcIds.0",
];

#[test]
fn actions_with_anything_are_answered() {
    let (server, _) = server();
    let mut client = Client::new(&server);
    let order =
        "Action=CreateRedis&zoneId=100002&typeId=2&memSize=1024&goodsNum=1&period=1&password=abc12345";
    let bought = client.ask("GET", &format!("/v2/index.php?{order}"), b"");
    check(order, "/v2/index.php", &bought);
    let listed = client.ask("GET", "/v2/index.php?Action=DescribeRedis&limit=10&offset=0", b"");
    let listed: Value = serde_json::from_slice(&listed.body).expect("it is JSON");
    let id = listed["data"]["redisSet"][0]["redisId"].as_str().expect("it was bought").to_owned();
    let long = "x".repeat(30_000);
    for (action, parameters) in ACTIONS {
        let sound = |name: &str| match name {
            "redisId" | "redisIds.0" => id.clone(),
            "zoneId" | "zoneIds.0" => "100002".to_owned(),
            "memSize" => "1024".to_owned(),
            "beginTime" | "endTime" | "startTime" => "2026-11-22%2006%3A14%3A52".to_owned(),
            name if name.contains("assword") => "abc12345".to_owned(),
            _ => "1".to_owned(),
        };
        let mut forms = vec![String::new()];
        for odd in
            ODD_TEXTS.iter().copied().chain([long.as_str(), "+", "%f0%9f%98%80", "-9223372036854775809"])
        {
            for name in parameters {
                let pairs = parameters.iter().map(|own| {
                    let value = if own == name { odd.to_owned() } else { sound(own) };
                    format!("{own}={value}")
                });
                forms.push(pairs.collect::<Vec<_>>().join("&"));
            }
            forms.push(format!("{odd}={odd}"));
            forms.push(format!("redisIds.{odd}=a&redisIds.4294967296=b&redisIds.-1=c"));
        }
        for form in forms {
            let form = format!("Action={action}&{form}");
            if form.len() < 10_000 {
                let answer = client.ask("GET", &format!("/v2/index.php?{form}"), b"");
                check(&form, "/v2/index.php", &answer);
            }
            check(&form, "/v2/index.php", &client.ask("POST", "/v2/index.php", form.as_bytes()));
        }
        for body in no_objects() {
            check(action, "/v2/index.php", &client.ask("POST", "/v2/index.php", &body));
            let body = [format!("Action={action}&").as_bytes(), &body].concat();
            check(action, "/v2/index.php", &client.ask("POST", "/v2/index.php", &body));
        }
    }
    assert_eq!(client.ask("GET", "/healthz", b"").status, 200);
}
