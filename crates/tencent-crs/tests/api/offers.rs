//! What is sold where, and for how much.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn zones_are_those_of_the_example() {
    let world = World::new().await;
    let expected = json!({
        "code": "0",
        "message": "",
        "codeDesc": "Success",
        "data": {"zones": [
            {"100002": "Guangzhou Zone 2"},
            {"200001": "Shanghai Zone 1"},
            {"300001": "Hong Kong Zone 1"},
            {"400001": "North America Zone 1"},
        ]},
    });
    assert_eq!(world.call("DescribeRedisZones", &[]).await, expected);
}

#[tokio::test]
async fn products_are_those_of_the_examples() {
    let world = World::new().await;
    let kind = |kind, name, max| json!({"type": kind, "typeName": name, "minMemSize": 1024, "maxMemSize": max, "minBuyNum": 1, "maxBuyNum": 10});
    let cluster = kind(1, "Cluster", 204_800);
    let gz = json!({
        "zoneId": 100_002,
        "name": "Guangzhou Zone 2",
        "types": {"1": cluster, "2": kind(2, "Standalone", 512_000)},
    });
    let all = world.call("DescribeRedisProduct", &[]).await;
    let expected = json!([
        gz,
        {"zoneId": 200_001, "name": "Shanghai Zone 1", "types": {"1": cluster, "2": kind(2, "Standalone", 204_800)}},
        {"zoneId": 300_001, "name": "Hong Kong Zone 1", "types": {"2": kind(2, "Standalone", 40_960)}},
        {"zoneId": 400_001, "name": "North America Zone 1", "types": {"2": kind(2, "Standalone", 204_800)}},
    ]);
    assert_eq!(all, json!({"code": 0, "message": "", "codeDesc": "Success", "data": expected}));

    let one = json!([{"zoneId": 100_002, "name": "Guangzhou Zone 2", "types": {"1": cluster}}]);
    for zone in ["zonedId", "zoneId", "zoneIds.0"] {
        let answer = world.call("DescribeRedisProduct", &[(zone, "100002"), ("typeId", "1")]).await;
        assert_eq!(answer, json!({"code": 0, "message": "", "codeDesc": "Success", "data": one}), "{zone}");
    }
    let both = world.call("DescribeRedisProduct", &[("zoneIds.0", "300001"), ("typeId", "1")]).await;
    assert_eq!(both["data"], json!([]));
    assert_eq!(world.call("DescribeRedisProduct", &[("typeId", "0")]).await, all);
    for (name, value) in [("zoneIds.0", "1"), ("typeId", "3"), ("typeId", "x")] {
        let refused = world.refused("DescribeRedisProduct", &[(name, value)]).await;
        assert_eq!(refused, "4000 11201 InvalidParameter", "{name} {value}");
    }
}
