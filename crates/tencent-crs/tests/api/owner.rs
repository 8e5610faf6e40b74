//! The list of instances, and what their owner changes about them.

use serde_json::{Value, json};

use crate::world::World;

const LIST: [(&str, &str); 2] = [("limit", "10"), ("offset", "0")];

impl World {
    async fn ids(&self, more: &[(&str, &str)]) -> Vec<String> {
        let parameters: Vec<_> = more.iter().copied().chain(LIST).collect();
        let list = self.call("DescribeRedis", &parameters).await;
        let set = list["data"]["redisSet"].as_array().unwrap().clone();
        set.iter().map(|item| item["redisId"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn an_instance_is_shown_as_in_the_example() {
    let world = World::new().await;
    let place = [
        ("unVpcId", "vpc-j5yvkvul"),
        ("unSubnetId", "subnet-py2q60ty"),
        ("vpcId", "4864"),
        ("subnetId", "14158"),
    ];
    let id = world.create(&place).await;
    let list = world.call("DescribeRedis", &LIST).await;
    let app_id = list["data"]["redisSet"][0]["appid"].clone();
    assert_eq!(app_id.as_str().map(str::len), Some(10));
    let expected = json!({
        "code": 0,
        "message": "",
        "codeDesc": "Success",
        "totalCount": 1,
        "data": {"redisSet": [{
            "redisName": id,
            "redisId": id,
            "appid": app_id,
            "projectId": "0",
            "regionId": "1",
            "zoneId": "100002",
            "vpcId": 4864,
            "unVpcId": "vpc-j5yvkvul",
            "subnetId": 14158,
            "unSubnetId": "subnet-py2q60ty",
            "status": "2",
            "statusDesc": "Running",
            "wanIp": "127.0.0.1",
            "port": "6379",
            "createTime": "2016-07-12 21:10:11",
            "createtime": "2016-07-12 21:10:11",
            "size": "1024",
            "sizeUsed": "33",
            "typeId": "1",
            "typeIdDesc": "Cluster",
            "autoRenewFlag": 0,
            "deadlineTime": "2016-09-12 21:10:11",
        }]},
    });
    assert_eq!(list, expected);
}

#[tokio::test]
async fn instances_are_found_sorted_and_paged() {
    let world = World::new().await;
    let first = world.create(&[("typeId", "2"), ("projectId", "7")]).await;
    world.clock.advance(1000);
    let second = world.create(&[("typeId", "2"), ("unVpcId", "vpc-a"), ("unSubnetId", "subnet-a")]).await;
    world.clock.advance(1000);
    let third =
        world.create(&[("typeId", "2"), ("vpcId", "12"), ("subnetId", "13"), ("projectId", "8")]).await;
    world.call("ModifyRedisName", &[("redisId", &second), ("redisName", "test_API")]).await;
    let all = [third.clone(), second.clone(), first.clone()];
    assert_eq!(world.ids(&[]).await, all);
    assert_eq!(world.ids(&[("orderBy", "createtime"), ("orderType", "0")]).await[0], first);
    assert_eq!(world.ids(&[("orderBy", "projectId"), ("orderType", "0")]).await[0], second);
    let mut by_id = all.to_vec();
    by_id.sort();
    assert_eq!(world.ids(&[("orderBy", "redisId"), ("orderType", "0")]).await, by_id);
    for (name, value, expected) in [
        ("redisId", first.as_str(), vec![&first]),
        ("redisName", "test_API", vec![&second]),
        ("redisName", "test", vec![]),
        ("projectIds.0", "7", vec![&first]),
        ("vpcIds.0", "12", vec![&third]),
        ("subnetIds.0", "13", vec![&third]),
        ("unVpcIds.0", "vpc-a", vec![&second]),
        ("unSubnetIds.0", "subnet-a", vec![&second]),
        ("vpcIds.0", "0", vec![&first]),
        ("redisId", "crs-00000000", vec![]),
    ] {
        assert_eq!(world.ids(&[(name, value)]).await.iter().collect::<Vec<_>>(), expected, "{name} {value}");
    }
    assert_eq!(world.ids(&[("projectIds.0", "7"), ("projectIds.1", "8")]).await, [third, first]);
    let page = world.call("DescribeRedis", &[("limit", "1"), ("offset", "1")]).await;
    let ids: Vec<&Value> =
        page["data"]["redisSet"].as_array().unwrap().iter().map(|item| &item["redisId"]).collect();
    assert_eq!((page["totalCount"].clone(), ids), (json!(3), vec![&json!(second)]));
    for parameters in [
        &[("limit", "10")][..],
        &[("offset", "0")],
        &[("limit", "0"), ("offset", "0")],
        &[("limit", "10"), ("offset", "-1")],
        &[("limit", "10"), ("offset", "0"), ("orderBy", "size")],
        &[("limit", "10"), ("offset", "0"), ("orderType", "2")],
        &[("limit", "10"), ("offset", "0"), ("projectIds.0", "x")],
    ] {
        assert_eq!(
            world.refused("DescribeRedis", parameters).await,
            "4000 11201 InvalidParameter",
            "{parameters:?}"
        );
    }
}

#[tokio::test]
async fn names_keep_the_rule() {
    let world = World::new().await;
    let id = world.create(&[]).await;
    let answer = world.call("ModifyRedisName", &[("redisId", &id), ("redisName", "test_API")]).await;
    assert_eq!(answer, json!({"code": 0, "message": "", "codeDesc": "Success"}));
    assert_eq!(world.show(&id).await["redisName"], "test_API");
    for (id, name, expected) in [
        (id.as_str(), "a".repeat(37), "4000 11211 InstanceNameExceedMaxLimit"),
        (&id, "a b".to_owned(), "4000 11212 InstanceNameRuleError"),
        (&id, String::new(), "4000 11212 InstanceNameRuleError"),
        ("crs-00000000", "a".to_owned(), "5000 10701 InstanceNotExists"),
        ("", "a".to_owned(), "4000 11201 InvalidParameter"),
    ] {
        let refused = world.refused("ModifyRedisName", &[("redisId", id), ("redisName", &name)]).await;
        assert_eq!(refused, expected, "{id} {name}");
    }
}

#[tokio::test]
async fn instances_change_their_project_together() {
    let world = World::new().await;
    let (first, second) = (world.create(&[]).await, world.create(&[]).await);
    let both = [("redisIds.0", first.as_str()), ("redisIds.1", &second), ("projectId", "1004306")];
    let answer = world.call("ModifyRedisProject", &both).await;
    assert_eq!(answer, json!({"code": 0, "message": "", "codeDesc": "Success"}));
    assert_eq!(world.show(&second).await["projectId"], "1004306");
    let unknown = [("redisIds.0", first.as_str()), ("redisIds.1", "crs-x"), ("projectId", "5")];
    assert_eq!(world.refused("ModifyRedisProject", &unknown).await, "5000 10701 InstanceNotExists");
    assert_eq!(world.show(&first).await["projectId"], "1004306");
    for parameters in [
        &[("redisIds.0", first.as_str())][..],
        &[("projectId", "5")],
        &[("redisIds.0", &first), ("projectId", "-1")],
    ] {
        assert_eq!(world.refused("ModifyRedisProject", parameters).await, "4000 11201 InvalidParameter");
    }
}
