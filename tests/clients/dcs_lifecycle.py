"""The life of instances, as the SDK of Huawei Cloud has it: created, found, changed, tagged, resized and deleted.

Arguments: the address of the cloud, its project, a key and its secret.
"""

import sys
import time

import redis
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exceptions
from huaweicloudsdkdcs.v2 import (
    BackupPlan,
    BackupPolicy,
    BatchCreateOrDeleteTagsRequest,
    BatchDeleteBody,
    BatchDeleteInstancesRequest,
    BssParam,
    CreateInstanceBody,
    CreateInstanceRequest,
    CreateOrDeleteInstanceTags,
    DcsClient,
    DeleteBackgroundTaskRequest,
    DeleteSingleInstanceRequest,
    ListBackgroundTaskRequest,
    ListInstancesRequest,
    ListTagsOfTenantRequest,
    ModifyInstanceBody,
    ResizeInstanceBody,
    ResizeInstanceRequest,
    ResourceTag,
    ShowInstanceRequest,
    ShowQuotaOfTenantRequest,
    ShowTagsRequest,
    UpdateInstanceRequest,
)

host, port, project, key, secret = sys.argv[1:]
PASSWORD = "First_Pw1"
ZONES = ["my-kualalumpur-1a", "my-kualalumpur-1b"]

client = (
    DcsClient.new_builder()
    .with_credentials(BasicCredentials(key, secret, project))
    .with_endpoints([f"http://{host}:{port}"])
    .build()
)


def order(**changes):
    fields = dict(
        name="dcs-sdk",
        engine="Redis",
        engine_version="5.0",
        capacity=1,
        spec_code="redis.single.xu1.large.1",
        az_codes=ZONES[:1],
        vpc_id="27d99e17-42f2-4751-818f-5c8c6c03ff15",
        subnet_id="ec2f34b9-20eb-4872-85bd-bea9fc943128",
        password=PASSWORD,
    )
    fields.update(changes)
    return client.create_instance(CreateInstanceRequest(body=CreateInstanceBody(**fields)))


def show(id):
    return client.show_instance(ShowInstanceRequest(instance_id=id))


def running(id):
    while show(id).status != "RUNNING":
        time.sleep(0.01)
    return show(id)


def refused(status, code, call, *arguments, **fields):
    try:
        call(*arguments, **fields)
    except exceptions.ClientRequestException as error:
        assert (error.status_code, error.error_code) == (status, code), error
        assert error.error_msg and error.request_id
    else:
        raise AssertionError(f"{code} was not answered")


def resize(id, spec_code, capacity):
    body = ResizeInstanceBody(spec_code=spec_code, new_capacity=capacity)
    client.resize_instance(ResizeInstanceRequest(instance_id=id, body=body))
    instance = running(id)
    assert instance.spec_code == spec_code and instance.capacity == capacity
    return instance


# One is created, and serves.
created = order()
assert created.order_id is None
(made,) = created.instances
assert made.instance_name == "dcs-sdk"
id = made.instance_id
instance = running(id)
assert (instance.name, instance.engine, instance.engine_version) == ("dcs-sdk", "Redis", "5.0")
assert (instance.capacity, instance.max_memory, instance.no_password_access) == (1, 1024, "false")
assert (instance.cache_mode, instance.replica_count, instance.sharding_count) == ("single", 1, 1)
assert instance.az_codes == ZONES[:1] and instance.instance_backup_policy is None
assert instance.features.support_acl is False and instance.bandwidth_info.bandwidth > 0
cache = redis.Redis(host=instance.ip, port=instance.port, password=PASSWORD, protocol=2)
for number in range(500):
    cache.set(f"key:{number}", number)

# What is wrong is told by its code.
refused(400, "DCS.4060", order)
refused(400, "DCS.4010", order, name="1x")
refused(400, "DCS.4012", order, name="dcs-other", capacity=3)
refused(404, "DCS.4022", show, "00000000-0000-4000-8000-000000000000")

# It is changed.
policy = BackupPolicy(
    backup_type="auto",
    save_days=3,
    periodical_backup_plan=BackupPlan(
        timezone_offset="+0800", backup_at=[1, 7], period_type="weekly", begin_at="00:00-01:00"
    ),
)
changes = ModifyInstanceBody(
    name="dcs-new", description="d", maintain_begin="22:00:00", maintain_end="02:00:00", port=instance.port
)
client.update_instance(UpdateInstanceRequest(instance_id=id, body=changes))
instance = show(id)
assert (instance.name, instance.description, instance.maintain_begin) == ("dcs-new", "d", "22:00:00")

# It is tagged, and found by that.
tags = [ResourceTag(key="a", value="1"), ResourceTag(key="b", value="")]
body = CreateOrDeleteInstanceTags(action="create", tags=tags)
client.batch_create_or_delete_tags(BatchCreateOrDeleteTagsRequest(instance_id=id, body=body))
assert client.show_tags(ShowTagsRequest(instance_id=id)).tags == tags
assert [tag.key for tag in client.list_tags_of_tenant(ListTagsOfTenantRequest()).tags] == ["a", "b"]
found = client.list_instances(ListInstancesRequest(tags="a=1", name="dcs", limit=1, offset=0))
assert (found.instance_num, found.instances[0].instance_id, found.instances[0].tags) == (1, id, tags)
body = CreateOrDeleteInstanceTags(action="delete", tags=[ResourceTag(key="b")])
client.batch_create_or_delete_tags(BatchCreateOrDeleteTagsRequest(instance_id=id, body=body))
assert len(client.show_tags(ShowTagsRequest(instance_id=id)).tags) == 1

# It grows, gets a standby, and shrinks. Whoever is connected does not notice; the address stays.
connected = cache.client_id()
for spec_code, capacity in [
    ("redis.single.xu1.large.4", 4),
    ("redis.ha.xu1.large.r2.4", 4),
    ("redis.ha.xu1.large.r2.2", 2),
    ("redis.single.xu1.large.1", 1),
]:
    instance = resize(id, spec_code, capacity)
    assert cache.client_id() == connected and cache.dbsize() == 500
    assert int(cache.config_get("maxmemory")["maxmemory"]) == capacity << 30 == instance.max_memory << 20
refused(400, "DCS.4103", resize, id, "redis.single.xu1.large.1", 1)
refused(400, "DCS.4102", resize, id, "redis.cluster.xu1.large.r2.4", 4)
refused(400, "DCS.4008", resize, id, "dcs.single_node", 4)

# What was done is listed, and forgotten.
listed = client.list_background_task(ListBackgroundTaskRequest(instance_id=id, limit=2))
assert (listed.task_count, len(listed.tasks)) == ("5", 2)
task = listed.tasks[0]
assert (task.name, task.status) == ("EXTEND", "SUCCESS")
assert (task.details.old_capacity, task.details.new_capacity) == ("2", "1")
assert (task.details.old_cache_mode, task.details.new_cache_mode) == ("ha", "single")
client.delete_background_task(DeleteBackgroundTaskRequest(instance_id=id, task_id=task.id))
assert client.list_background_task(ListBackgroundTaskRequest(instance_id=id)).task_count == "4"

# A cluster gets more shards, fewer replicas and fewer shards.
(made,) = order(
    name="dcs-cluster", capacity=24, spec_code="redis.cluster.xu1.large.r2.24", az_codes=ZONES
).instances
instance = running(made.instance_id)
cluster = redis.RedisCluster(host=instance.ip, port=instance.port, password=PASSWORD, protocol=2)
for number in range(100):
    cluster.set(f"key:{number}", number)
for spec_code, capacity, shards, copies in [
    ("redis.cluster.xu1.large.r2.48", 48, 6, 2),
    ("redis.cluster.xu1.large.r1.24", 24, 3, 1),
]:
    instance = resize(made.instance_id, spec_code, capacity)
    assert (instance.sharding_count, instance.replica_count) == (shards, copies)
    assert sum(cluster.get(f"key:{number}") == str(number).encode() for number in range(100)) == 100

# A proxy cluster gets more shards and fewer, and what it holds stays; Memcached gets more memory.
GROUP = "1477393a-29c9-4de5-843f-18ef51257c7e"
(proxied,) = order(
    name="dcs-proxy", engine_version="3.0", capacity=64, spec_code="dcs.cluster", security_group_id=GROUP
).instances
instance = running(proxied.instance_id)
proxy = redis.Redis(host=instance.ip, port=instance.port, password=PASSWORD, protocol=2)
for number in range(200):
    proxy.set(f"key:{number}", number, ex=1000)
for capacity, shards in [(128, 16), (64, 8)]:
    instance = resize(proxied.instance_id, "dcs.cluster", capacity)
    assert (instance.sharding_count, instance.replica_count) == (shards, 2)
    assert proxy.dbsize() == 200 and 900 < proxy.ttl("key:7") <= 1000
    assert proxy.mget([f"key:{number}" for number in range(200)]) == [b"%d" % number for number in range(200)]
(memcached,) = order(
    name="dcs-memcached",
    engine="Memcached",
    engine_version=None,
    capacity=2,
    spec_code="dcs.memcached.single_node",
    security_group_id=GROUP,
).instances
running(memcached.instance_id)
assert resize(memcached.instance_id, "dcs.memcached.single_node", 8).max_memory == 8192
for last in [proxied.instance_id, memcached.instance_id]:
    client.delete_single_instance(DeleteSingleInstanceRequest(instance_id=last))

# Several are created at once, paid for in advance.
batch = order(
    name="dcs_batch",
    instance_num=3,
    instance_backup_policy=policy,
    bss_param=BssParam(charging_mode="prePaid", period_type="month", period_num=1, is_auto_pay="true"),
    spec_code="redis.ha.xu1.large.r2.1",
)
assert batch.order_id.startswith("CS")
assert [made.instance_name for made in batch.instances] == [f"dcs_batch-00{number}" for number in range(3)]
ids = [made.instance_id for made in batch.instances]
instance = running(ids[0])
assert (instance.charging_mode, instance.order_id) == (1, batch.order_id)
assert instance.instance_backup_policy.policy == policy
quota = client.show_quota_of_tenant(ShowQuotaOfTenantRequest()).quotas.resources
assert [resource.used for resource in quota if resource.type == "instance"] == [5]

# They go, one or several at a time.
deleted = client.batch_delete_instances(BatchDeleteInstancesRequest(body=BatchDeleteBody(instances=ids)))
assert [(result.instance, result.result) for result in deleted.results] == [(id, "success") for id in ids]
for last in [made.instance_id, id]:
    client.delete_single_instance(DeleteSingleInstanceRequest(instance_id=last))
    while client.list_instances(ListInstancesRequest(instance_id=last)).instance_num:
        time.sleep(0.01)
    refused(404, "DCS.4022", show, last)
client.batch_delete_instances(BatchDeleteInstancesRequest(all_failure=True))
try:
    cache.ping()
except redis.ConnectionError:
    print("done")
