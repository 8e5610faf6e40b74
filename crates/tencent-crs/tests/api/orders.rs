//! Orders: what they cost, when they are refused, and what becomes of them.

use cloud::quota::Quota;
use cloud::store::Store;
use cloud::task::Profile;
use cloud::topology::Topology;
use serde_json::{Value, json};

use crate::world::{ORDER, Setup, World, with};

/// A price without a password.
const PRICE: &[(&str, &str)] = &[("password", "-")];

#[tokio::test]
async fn prices_are_those_of_the_examples() {
    let world = World::new().await;
    let price = |changes| {
        let (world, order) = (&world, with(&with(ORDER, PRICE), changes));
        async move { world.call("InquiryRedisPrice", &order).await }
    };
    let expected = json!({"code": "0", "message": "", "codeDesc": "Success", "data": {"price": 16000}});
    assert_eq!(price(&[]).await, expected);
    assert_eq!(price(&[("zoneId", "-"), ("zonedId", "100002")]).await, expected, "as it is misprinted");
    assert_eq!(
        price(&[("goodsNum", "3"), ("memSize", "4096"), ("period", "12")]).await["data"]["price"],
        1_152_000
    );
    assert_eq!(price(&[("typeId", "2"), ("period", "1")]).await["data"]["price"], 7000);
}

/// What is refused of a price and of an order, in the order of the document.
const REFUSED: &[(&[(&str, &str)], &str)] = &[
    (&[("zoneId", "1"), ("typeId", "9")], "5200 10000 NoRedisService"),
    (&[("zoneId", "300001")], "5200 11062 NoTypeIdRedisService"),
    (&[("typeId", "3"), ("memSize", "1")], "4000 11053 InvalidInstanceId"),
    (&[("typeId", "0")], "4000 11053 InvalidInstanceId"),
    (&[("memSize", "1025"), ("period", "37")], "4000 10703 InvalidMemSize"),
    (&[("memSize", "0")], "4000 11063 MemSizeNotInRange"),
    (&[("memSize", "205824")], "4000 11063 MemSizeNotInRange"),
    (&[("zoneId", "300001"), ("typeId", "2"), ("memSize", "41984")], "4000 11063 MemSizeNotInRange"),
    (&[("period", "37"), ("goodsNum", "0")], "4000 11065 PeriodExceedMaxLimit"),
    (&[("period", "0")], "4000 11066 PeriodLessThanMinLimit"),
    (&[("period", "-1")], "4000 11066 PeriodLessThanMinLimit"),
    (&[("period", "13")], "4000  Invalid request parameters"),
    (&[("goodsNum", "0")], "4000 11064 GoodsNumNotInRange"),
    (&[("goodsNum", "11")], "4000 11064 GoodsNumNotInRange"),
    (&[("memSize", "-")], "4000  Invalid request parameters"),
    (&[("zoneId", "x")], "4000  Invalid request parameters"),
];

#[tokio::test]
async fn what_is_not_sold_has_no_price_and_cannot_be_bought() {
    let world = World::new().await;
    for (changes, expected) in REFUSED {
        let order = with(ORDER, changes);
        assert_eq!(world.refused("InquiryRedisPrice", &order).await, *expected, "{changes:?}");
        assert_eq!(world.refused("CreateRedis", &order).await, *expected, "{changes:?}");
    }
    for (changes, expected) in [
        (&[("zoneId", "400001"), ("typeId", "2"), ("password", "")][..], "5200 11067 OnlyVPCOnSpecZoneId"),
        (&[("vpcId", "12"), ("password", "")], "4000 11054 InvalidSubnetId"),
        (&[("unVpcId", "vpc-kd7d06of")], "4000 11054 InvalidSubnetId"),
        (&[("password", "")], "4000 10501 PasswordEmpty"),
        (&[("password", "-")], "4000 10501 PasswordEmpty"),
        (&[("password", "abcdefgh")], "4000 11058 PasswordRuleError"),
    ] {
        assert_eq!(world.refused("CreateRedis", &with(ORDER, changes)).await, expected, "{changes:?}");
    }
    assert!(world.nodes.nodes().is_empty());
}

#[tokio::test]
async fn an_order_is_delivered_and_shown_as_in_the_example() {
    let world = World::new().await;
    let answer = world
        .call("CreateRedis", &with(ORDER, &[("zoneId", "-"), ("zonedId", "100002"), ("vpId", "0")]))
        .await;
    let expected = json!({"code": "0", "message": "", "codeDesc": "Success", "data": {"dealId": "432583"}});
    assert_eq!(answer, expected);
    let deals = world.call("DescribeRedisDealDetail", &[("dealIds.0", "432583")]).await;
    let deal = &deals["dealDetails"][0];
    let id = deal["goodsDetail"]["redisIds"][0].as_str().unwrap();
    assert!(id.len() == 12 && id.starts_with("crs-"), "{id}");
    let expected = json!({
        "dealId": "432583",
        "dealName": "20160712432583",
        "zoneId": 100_002,
        "goodsNum": 1,
        "creator": deal["creator"],
        "creatTime": "2016-07-12 21:10:11",
        "createTime": "2016-07-12 21:10:11",
        "overdueTime": "2016-07-27 21:10:11",
        "endTime": "2016-07-12 21:10:11",
        "status": 4,
        "description": "Delivery succeeded",
        "price": 16000,
        "goodsDetail": {"memSize": 1024, "timeSpan": 2, "timeUnit": "m", "redisIds": [id]},
    });
    assert_eq!(*deal, expected);
    let nodes = world.nodes.nodes();
    let node = &nodes[0];
    assert_eq!((node.id.0.as_str(), node.topology, node.memory_limit_bytes), (id, Topology::Proxy, 1 << 30));
}

#[tokio::test]
async fn the_three_deals_of_the_example_come_out() {
    let world = World::new().await;
    let id = world.create(&[]).await;
    world.clock.advance(((55 * 60) + 32) * 1000);
    let renewed = world.buy("RenewRedis", &[("redisId", &id), ("period", "1")]).await;
    world.clock.advance(((10 * 60) + 12) * 1000);
    let asked = [("redisId", id.as_str()), ("memSize", "2048")];
    let price = world.call("UpgradeRedisInquiryPrice", &asked).await;
    let upgraded = world.buy("UpgradeRedis", &asked).await;
    assert_eq!(price, json!({"code": "0", "message": "", "codeDesc": "Success", "data": {"price": 24460}}));
    let facts = |deal: &Value| {
        let status = (deal["price"].as_u64().unwrap(), deal["status"].as_u64().unwrap());
        (status, deal["creatTime"].as_str().unwrap().to_owned(), deal["goodsDetail"].clone())
    };
    let goods = json!({
        "curDeadline": "2016-09-12 21:10:11", "memSize": 1024, "timeSpan": 1, "timeUnit": "m", "redisIds": [id],
    });
    assert_eq!(facts(&renewed), ((8000, 4), "2016-07-12 22:05:43".to_owned(), goods));
    let goods = json!({"oldMemSize": 1024, "newMemsize": 2048, "redisIds": [id]});
    assert_eq!(facts(&upgraded), ((24_460, 4), "2016-07-12 22:15:55".to_owned(), goods));
    let shown = world.show(&id).await;
    assert_eq!(
        (shown["size"].as_str(), shown["deadlineTime"].as_str()),
        (Some("2048"), Some("2016-10-12 21:10:11"))
    );
    let ids = [("dealIds.0", "432583"), ("dealIds.1", "432584"), ("dealIds.10", "432585")];
    let all = world.call("DescribeRedisDealDetail", &ids).await;
    assert_eq!(all["dealDetails"].as_array().unwrap()[1..], [renewed, upgraded]);
    for ids in [&[("dealIds.0", "432583"), ("dealIds.1", "1")][..], &[("dealIds.0", "x")]] {
        assert_eq!(world.refused("DescribeRedisDealDetail", ids).await, "5000 11059 DealIdNotFound");
    }
    assert_eq!(world.refused("DescribeRedisDealDetail", &[]).await, "4000  Invalid request parameters");
}

#[tokio::test]
async fn an_instance_does_not_shrink() {
    let world = World::new().await;
    let id = world.create(&[("memSize", "2048")]).await;
    for action in ["UpgradeRedisInquiryPrice", "UpgradeRedis"] {
        for (id, size, expected) in [
            ("crs-00000000", "4096", "5000 10701 InstanceNotExists"),
            (id.as_str(), "4097", "4000 10703 InvalidMemSize"),
            (&id, "409600", "4000 11063 MemSizeNotInRange"),
            (&id, "1024", "5100 11057 ReduceCapacityNotAllowed"),
            (&id, "2048", "5100 11057 ReduceCapacityNotAllowed"),
            (&id, "x", "4000  Invalid request parameters"),
        ] {
            let refused = world.refused(action, &[("redisId", id), ("memSize", size)]).await;
            assert_eq!(refused, expected, "{action} {size}");
        }
    }
}

#[tokio::test]
async fn money_runs_out() {
    let world = World::with(Setup { balance_cny: 400, ..Setup::default() }).await;
    let id = world.create(&[]).await;
    let short = "5300 100207 OperationConstraints.AccountBalanceNotEnough";
    assert_eq!(world.refused("CreateRedis", &with(ORDER, &[("goodsNum", "2")])).await, short);
    assert_eq!(world.refused("UpgradeRedis", &[("redisId", &id), ("memSize", "204800")]).await, short);
    world.buy("RenewRedis", &[("redisId", &id), ("period", "3")]).await;
    assert_eq!(world.refused("RenewRedis", &[("redisId", &id), ("period", "1")]).await, short);
    assert_eq!(world.refused("CreateRedis", ORDER).await, short);
}

#[tokio::test]
async fn an_order_that_fails_is_paid_back_and_leaves_nothing() {
    let world = World::with(Setup { balance_cny: 320, ..Setup::default() }).await;
    world.nodes.be_silent(true);
    let deal = world.buy("CreateRedis", &with(ORDER, &[("goodsNum", "2")])).await;
    assert_eq!((deal["status"].clone(), deal["goodsDetail"]["redisIds"].clone()), (json!(5), json!([])));
    let list = world.call("DescribeRedis", &[("limit", "10"), ("offset", "0")]).await;
    assert_eq!(list["totalCount"], 0);
    assert!(world.cloud.instances("crs").is_empty());
    world.nodes.be_silent(false);
    let deal = world.buy("CreateRedis", &with(ORDER, &[("goodsNum", "2")])).await;
    assert_eq!(
        deal["goodsDetail"]["redisIds"].as_array().map(Vec::len),
        Some(2),
        "the money was there again"
    );
    assert_eq!(deal["dealId"], "432584");
}

#[tokio::test]
async fn a_quota_stops_orders() {
    let quota = Quota { instances: 1, memory_gb: 4 };
    let world = World::with(Setup { quota, ..Setup::default() }).await;
    let refused = "5200  Resource purchase failed";
    assert_eq!(world.refused("CreateRedis", &with(ORDER, &[("goodsNum", "2")])).await, refused);
    assert_eq!(world.refused("CreateRedis", &with(ORDER, &[("memSize", "5120")])).await, refused);
    let id = world.create(&[]).await;
    assert_eq!(world.refused("CreateRedis", ORDER).await, refused);
    let upgrade = world.refused("UpgradeRedis", &[("redisId", &id), ("memSize", "5120")]).await;
    assert_eq!(upgrade, refused, "it is refused before it is paid for");
    world.buy("UpgradeRedis", &[("redisId", &id), ("memSize", "4096")]).await;
}

#[tokio::test]
async fn realistically_an_order_is_being_delivered_for_a_while() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let deal = world.buy("CreateRedis", &with(ORDER, &[("goodsNum", "2")])).await;
    assert_eq!((deal["status"].clone(), deal["endTime"].clone()), (json!(3), json!("")));
    let id = deal["goodsDetail"]["redisIds"][1].as_str().unwrap();
    let shown = world.show(id).await;
    assert_eq!((shown["status"].as_str(), shown["port"].as_str()), (Some("0"), Some("0")));
    assert_eq!(shown["statusDesc"], "To be initialized");
    let locked = world.refused("RenewRedis", &[("redisId", id), ("period", "1")]).await;
    assert_eq!(locked, "5100 11056 InstanceBeenLocked");
    let abnormal = world.refused("UpgradeRedis", &[("redisId", id), ("memSize", "2048")]).await;
    assert_eq!(abnormal, "5100 10702 InstanceStatusAbnormal");
    world.clock.advance(60_000);
    world.until(id, Some("2")).await;
    let mut deal = world.deal("432583").await;
    for _ in 0..1_000 {
        if deal["status"] == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        deal = world.deal("432583").await;
    }
    assert_eq!((deal["status"].clone(), deal["endTime"].clone()), (json!(4), json!("2016-07-12 21:11:11")));

    world.call("UpgradeRedis", &[("redisId", id), ("memSize", "2048")]).await;
    let abnormal = world.refused("UpgradeRedisInquiryPrice", &[("redisId", id), ("memSize", "4096")]).await;
    assert_eq!(abnormal, "5100 10702 InstanceStatusAbnormal");
    let shown = world.show(id).await;
    assert_eq!((shown["status"].as_str(), shown["size"].as_str()), (Some("1"), Some("1024")));
    world.clock.advance(60_000);
    assert_eq!(world.until(id, Some("2")).await["statusDesc"], "Running");
    for _ in 0..1_000 {
        if world.show(id).await["size"] == "2048" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("the instance has not grown");
}

#[tokio::test]
async fn deals_leases_and_money_outlive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = |profile| async move {
        let store = Store::open(directory.path()).unwrap();
        (World::with(Setup { profile, balance_cny: 250, store, ..Setup::default() }).await, directory)
    };
    let (world, directory) = open(Profile::Realistic).await;
    let deal = world.buy("CreateRedis", &with(ORDER, &[("period", "1")])).await;
    let id = deal["goodsDetail"]["redisIds"][0].as_str().unwrap().to_owned();
    assert_eq!(deal["status"], 3);
    world.cloud.close();
    drop(world);

    let store = Store::open(directory.path()).unwrap();
    let world =
        World::with(Setup { profile: Profile::Realistic, balance_cny: 250, store, ..Setup::default() }).await;
    world.clock.advance(60_000);
    world.until(&id, Some("2")).await;
    let shown = world.show(&id).await;
    assert_eq!(
        (shown["createTime"].as_str(), shown["size"].as_str()),
        (Some("2016-07-12 21:10:11"), Some("1024"))
    );
    let short = "5300 100207 OperationConstraints.AccountBalanceNotEnough";
    let dear = world.refused("CreateRedis", &with(ORDER, &[("period", "3")])).await;
    assert_eq!(dear, short, "what was spent is spent");
    let next = world.buy("RenewRedis", &[("redisId", &id), ("period", "1")]).await;
    assert_eq!(next["dealId"], "432584");
    world.cloud.close();
    drop(world);
    let (_store, contents) = Store::open(directory.path()).unwrap();
    let notes: Vec<_> = contents.notes.values().map(|note| String::from_utf8_lossy(note)).collect();
    assert!(notes.len() == 4 && !notes.iter().any(|note| note.contains("49A2d")), "{notes:?}");
}
