"""All operations of Huawei Cloud's SDK for DCS: those that there are do what they say, and what they answer is of the types
that the SDK declares; the others are refused as not supported.

Arguments: the URL of the cloud, its project, a key and its secret, the directory of its buckets, and the file with its
authority if it is reached by https. Says "done" at the end.
"""

import contextlib
import inspect
import os
import re
import shutil
import ssl
import sys
import tempfile
import time
from urllib.request import urlopen

import redis
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exceptions
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkdcs import v2
from real_server import loaded
from redis.backoff import NoBackoff
from redis.retry import Retry

URL, PROJECT, KEY, SECRET, BUCKETS = sys.argv[1:6]
AUTHORITY = sys.argv[6] if len(sys.argv) > 6 else None
FIRST, SECOND, THIRD = "First_Pw1", "Second_Pw2", "Third_Pw3"
# A client does not try again before it says that a server has gone.
ONCE = Retry(NoBackoff(), 0)
ZONES = ["my-kualalumpur-1a", "my-kualalumpur-1b"]

config = HttpConfig.get_default_config()
config.ssl_ca_cert = AUTHORITY
client = (
    v2.DcsClient.new_builder()
    .with_credentials(BasicCredentials(KEY, SECRET, PROJECT))
    .with_http_config(config)
    .with_endpoints([URL])
    .build()
)

# What there is in the SDK; a method for each operation.
OPERATIONS = {
    name
    for name, method in inspect.getmembers(v2.DcsClient, inspect.isfunction)
    if list(inspect.signature(method).parameters) == ["self", "request"] and not re.search("^_|_invoker$", name)
}
# What is not here, by what it is refused with.
REFUSED = {
    "DCS.4027": """
        list_acl_accounts create_acl_account delete_acl_account update_acl_account_remark update_acl_account_pass_word
        reset_acl_account_pass_word update_acl_account login_web_cli execute_command_mobilization logoff_web_cli
        create_hotkey_scan_task list_hot_key_scan_tasks show_hotkey_autoscan_config update_hotkey_auto_scan_config
        scan_expire_key create_auto_expire_scan_task show_expire_key_scan_info show_expire_auto_scan_config
        update_expire_auto_scan_config create_offline_key_analysis list_offline_key_analysis_task
        show_offline_key_analysis_task delete_offline_key_analysis_task exchange_instance_ip
        rollback_exchange_instance_ip show_bandwidths update_bandwidth update_instance_bandwidth
        show_instance_bandwidth_auto_scaling_policy update_instance_bandwidth_auto_scaling_policy
        delete_instance_bandwidth_auto_scaling_policy update_public_ip delete_public_ip show_instance_ssl_detail
        update_ssl_switch download_ssl_cert delete_ip_from_domain_name migrate_az
        update_client_ip_transparent_transmission create_diagnosis_task list_diagnosis_tasks show_diagnosis_task_details
        delete_diagnosis_task create_redislog list_redislog create_redislog_download_link export_instances_task
        export_excel_job list_monitored_objects list_monitored_objects_of_instance upgrade_instance_minor_version
        change_nodes_start_stop_status update_slave_priority start_instance_resize_check_job create_resize_order
    """,
    "DCS.4919": """
        create_bigkey_scan_task list_bigkey_scan_tasks show_bigkey_autoscan_config update_bigkey_autoscan_config
    """,
    "DCS.4942": """
        show_bigkey_scan_task_details delete_bigkey_scan_task
    """,
    "DCS.4941": """
        show_hotkey_task_details delete_hotkey_scan_task download_hot_key
    """,
}
REFUSED = {operation: code for code, operations in REFUSED.items() for operation in operations.split()}
assert len(OPERATIONS) == 137 and REFUSED.keys() < OPERATIONS, OPERATIONS

# What is null or left out in all answers of an operation, below a path: nothing has failed, been paid for in advance or
# been made reachable from elsewhere, and some of it there is not.
EMPTY = """
    batch_restart_online_migration_tasks migration_tasks: error_code error_msg
    batch_stop_migration_tasks migration_tasks: error_code error_msg
    create_instance -: order_id
    list_background_task tasks.details:
        account_name enable_public_ip enable_ssl group_name is_only_adjust_charging new_cache_type new_port node_name
        old_cache_type old_port public_ip_address public_ip_id rename_commands replica_az replica_ip source_ip target_ip
    list_background_task tasks: params
    list_backup_records backup_record_response: error_code period
    list_center_task tasks.details:
        account_name enable_public_ip enable_ssl group_name is_only_adjust_charging new_cache_mode new_cache_type
        new_capacity new_port new_replica_num new_resource_spec_code node_name old_cache_mode old_cache_type
        old_capacity old_port old_replica_num old_resource_spec_code public_ip_address public_ip_id rename_commands
        replica_az replica_ip source_ip target_ip updated_config_length
    list_center_task tasks: error_code params
    list_clients clients: network user
    list_instance_operations operations: cause_id
    list_instances instances:
        access_user capacity_minor order_id publicip_address publicip_id readonly_domain_name sub_status
    list_migration_task migration_tasks:
        ecs_tenant_private_ip error_message released_at source_instance_id source_instance_name
        source_instance_spec_code source_instance_status source_instance_subnet_id
    list_migration_task_logs migration_logs: log_code
    list_restore_records restore_record_response: error_code
    list_slowlog slowlogs: database_id shard_name username
    show_background_task_progress step_details: error_code
    show_instance -:
        access_user capacity_minor order_id publicip_address publicip_id readonly_domain_name sub_status
    show_instance bandwidth_info:
        begin_time end_time expand_effect_time expand_interval_time next_expand_time
    show_instance domain_name_info: zone_name
    show_instance instance_backup_policy: backup_policy_id created_at updated_at
    show_instance_topology redis_server.dbs: avg_ttl
    show_instance_version -: latest_proxy_minor_version proxy_minor_version
    show_job_info -: fail_reason
    show_migration_task backup_files: backup_id
    show_migration_task -: ecs_tenant_private_ip released_at
    show_migration_task source_instance: db id name password proxy_multi_db
    show_migration_task target_instance: db password proxy_multi_db
    stop_migration_task -: backup_files ecs_tenant_private_ip network_type released_at
    stop_migration_task source_instance: db id name password proxy_multi_db
    stop_migration_task target_instance: db password proxy_multi_db
    validate_deletable_replica -: available_zone
"""

called = set()
# Whether an operation has ever answered something at a path.
filled = {}


def model(name, kind):
    return getattr(v2, "".join(word.capitalize() for word in name.split("_")) + kind)


def parts(value, declared, path):
    """The paths of what a value of a declared type consists of, and whether each is there. Fails if one is of another type."""
    yield path, value is not None
    if value is None:
        return
    if items := re.fullmatch(r"list\[(.*)]", declared):
        assert isinstance(value, list), (path, declared, value)
        for item in value:
            yield from parts(item, items[1], path)
    elif values := re.fullmatch(r"dict\(str, (.*)\)", declared):
        assert isinstance(value, dict), (path, declared, value)
        for item in value.values():
            yield from parts(item, values[1], path)
    elif declared in ("str", "datetime"):
        assert isinstance(value, str), (path, declared, value)
    elif declared in ("int", "float"):
        numbers = (int, float) if declared == "float" else int
        assert isinstance(value, numbers) and not isinstance(value, bool), (path, declared, value)
    elif declared == "bool":
        assert isinstance(value, bool), (path, declared, value)
    elif declared != "object":
        own = getattr(v2, declared)
        if not own.openapi_types:
            # One of several texts.
            assert isinstance(value, str), (path, declared, value)
            return
        assert isinstance(value, dict), (path, declared, value)
        for name, of in own.openapi_types.items():
            key = own.attribute_map[name]
            yield from parts(value.get(key), of, f"{path}.{key}" if path else key)


def call(operation, /, **fields):
    """What an operation answers, whose types are as the SDK declares them."""
    response = getattr(client, operation)(model(operation, "Request")(**fields))
    called.add(operation)
    declared = type(response).openapi_types
    if declared and list(declared) != ["body"]:
        raw = response.to_json_object()
        for name, of in declared.items():
            key = type(response).attribute_map[name]
            for path, is_there in parts(raw.get(key), of, key):
                filled[operation, path] = filled.get((operation, path), False) or is_there
    return response


def refused(status, code, operation, /, **fields):
    try:
        getattr(client, operation)(model(operation, "Request")(**fields))
    except exceptions.ClientRequestException as error:
        assert (error.status_code, error.error_code) == (status, code), f"{operation}: {error}"
        assert error.error_msg and error.request_id, f"{operation}: {error}"
    else:
        raise AssertionError(f"{operation} was answered, not with {code}")


def sample(declared):
    """A value of a type, which need not mean anything."""
    if items := re.fullmatch(r"list\[(.*)]", declared):
        return [sample(items[1])]
    if declared.startswith("dict") or declared == "object":
        return {"a": "b"}
    if declared in ("str", "int", "bool", "float"):
        return {"str": "1", "int": 1, "bool": True, "float": 1.0}[declared]
    own = getattr(v2, declared)
    return own(**{name: sample(of) for name, of in own.openapi_types.items()})


def order(**changes):
    fields = dict(
        name="dcs-all",
        engine="Redis",
        engine_version="5.0",
        capacity=1,
        spec_code="redis.ha.xu1.large.r2.1",
        az_codes=ZONES,
        vpc_id="27d99e17-42f2-4751-818f-5c8c6c03ff15",
        subnet_id="ec2f34b9-20eb-4872-85bd-bea9fc943128",
        password=FIRST,
    )
    made = call("create_instance", body=v2.CreateInstanceBody(**fields | changes))
    return running(made.instances[0].instance_id)


def running(id):
    """Waits until it runs, and nothing is done to it any more. Some tasks do not show in its state."""
    while call("show_instance", instance_id=id).status != "RUNNING" or any(
        task.status == "RUNNING" for task in call("list_background_task", instance_id=id, limit=1).tasks
    ):
        time.sleep(0.01)
    return call("show_instance", instance_id=id)


def finished(job_id):
    """Waits for the end of a job, which has to go well."""
    while (job := call("show_job_info", job_id=job_id)).status not in ("SUCCESS", "FAIL"):
        time.sleep(0.01)
    assert (job.job_id, job.status) == (job_id, "SUCCESS") and job.begin_time <= job.end_time, job
    return job


def connect(instance, password=FIRST):
    return redis.Redis(host=instance.ip, port=instance.port, password=password, protocol=2, decode_responses=True, retry=ONCE)


def configs(**values):
    """Parameters in a request, with the ids that they have."""
    changes = [
        v2.RedisConfig(param_id=known[name.replace("_", "-")].param_id, param_name=name.replace("_", "-"), param_value=value)
        for name, value in values.items()
    ]
    return v2.ModifyRedisConfigBody(redis_config=changes)


def connected_anew(cache, before):
    """Waits until a client has another session."""
    while True:
        with contextlib.suppress(redis.ConnectionError):
            if cache.client_id() != before:
                return
        time.sleep(0.01)


def ask(instance, password, *words):
    """A request of a connection of its own; none may be left from before a failover."""
    while True:
        try:
            with connect(instance, password) as cache:
                return cache.execute_command(*words)
        except redis.ConnectionError:
            time.sleep(0.01)


# What there is to choose from.
zones = call("list_available_zones")
assert zones.region_id == "my-kualalumpur-1" and [zone.code for zone in zones.available_zones][:2] == ZONES, zones
windows = call("list_maintenance_windows").maintain_windows
assert [window.begin for window in windows if window.default] == ["02"] and len(windows) == 6, windows
flavors = call("list_flavors", spec_code="redis.ha.xu1.large.r2.1").flavors
assert [flavor.capacity for flavor in flavors] == [["1"]] and flavors[0].engine_version.startswith("4.0"), flavors
assert len(call("list_flavors", engine="Redis", cache_mode="cluster", capacity="24").flavors) > 1

# The SDK finds its project by itself, where it is told the region alone.
finder = (
    v2.DcsClient.new_builder()
    .with_credentials(BasicCredentials(KEY, SECRET).with_iam_endpoint(URL))
    .with_http_config(config)
    .with_region(Region("my-kualalumpur-1", URL))
    .build()
)
assert finder.show_quota_of_tenant(v2.ShowQuotaOfTenantRequest()).quotas.resources, "there is a quota"

# One is made.
policy = v2.BackupPolicy(
    backup_type="auto",
    save_days=3,
    periodical_backup_plan=v2.BackupPlan(
        timezone_offset="+0800", backup_at=[1, 2, 3, 4, 5, 6, 7], period_type="weekly", begin_at="00:00-01:00"
    ),
)
instance = order(
    instance_backup_policy=policy, description="all of it", tags=[v2.ResourceTag("a", "1")],
    security_group_id="1477393a-29c9-4de5-843f-18ef51257c7e", maintain_begin="22:00:00", maintain_end="02:00:00",
)
id = instance.instance_id
one = {"instance_id": id}
assert instance.instance_backup_policy.policy == policy and instance.tags == [v2.ResourceTag("a", "1")], instance
assert (instance.cache_mode, instance.replica_count, instance.sharding_count) == ("ha", 2, 1), instance
cache = connect(instance)
for number in range(500):
    cache.set(f"key:{number}", number)
listed = call("list_instances", name="dcs-all", name_equal="true", status="RUNNING", limit=1, offset=0, ip="127.0.0.1")
assert (listed.instance_num, listed.instances[0].instance_id) == (1, id), listed
counts = call("list_number_of_instances_in_different_status", include_failure="true")
assert counts.running_count == counts.redis.running_count == 1 and counts.memcached.running_count == 0, counts
(statistics,) = call("list_statistics_of_running_instances").statistics
assert (statistics.instance_id, statistics.keys, statistics.cmd_set_count) == (id, 500, 500), statistics
quotas = {quota.type: quota for quota in call("show_quota_of_tenant").quotas.resources}
assert (quotas["instance"].used, quotas["ram"].used) == (1, 1), quotas
assert call("show_instance_version", **one).engine_minor_version.startswith("5.0"), "its version"

# What is not here is refused, for an instance that there is as well.
for operation, code in REFUSED.items():
    request = model(operation, "Request")
    fields = {name: sample(of) for name, of in request.openapi_types.items()}
    refused(400, code, operation, **fields | {name: id for name in fields if name == "instance_id"})
    called.add(operation)

# It is changed, and tagged.
changes = v2.ModifyInstanceBody(name="dcs-new", description="changed", maintain_begin="02:00:00", maintain_end="06:00:00")
call("update_instance", **one, body=changes)
assert (running(id).name, running(id).maintain_begin) == ("dcs-new", "02:00:00")
tags = [v2.ResourceTag("a", "2"), v2.ResourceTag("b", "")]
call("batch_create_or_delete_tags", **one, body=v2.CreateOrDeleteInstanceTags(action="create", tags=tags))
assert call("show_tags", **one).tags == tags
assert [(tag.key, tag.values) for tag in call("list_tags_of_tenant").tags] == [("a", ["2"]), ("b", [""])]

# Its parameters, and what has been done to them.
known = {own.param_name: own for own in call("list_configurations", **one).redis_config}
call("update_configurations", **one, body=configs(maxmemory_policy="allkeys-lru"))
running(id)
job = call("update_instance_config", **one, body=configs(hash_max_ziplist_entries="100", timeout="3600"))
assert finished(job.job_id).job_type, "it is called something"
known = {own.param_name: own for own in call("list_configurations", **one).redis_config}
assert cache.config_get("maxmemory-policy")["maxmemory-policy"] == known["maxmemory-policy"].param_value == "allkeys-lru"
assert cache.config_get("timeout")["timeout"] == "3600"
histories = call("list_config_histories", **one, limit=10, offset=0)
assert histories.history_num == 2, histories
call("show_config_history_detail", **one, history_id=histories.histories[0].history_id)
refused(400, "DCS.4066", "update_configurations", **one, body=configs(timeout="7201"))

# Templates of parameters.
system = call("list_config_templates", type="sys", engine="Redis", engine_version="5.0", cache_mode="ha", offset=0, limit=10)
body = v2.CreateCustomTemplateBody(
    template_id=system.templates[0].template_id, name="mine", type="sys", description="d", params={"timeout": "60"}
)
template = call("create_custom_template", body=body).id
shown = call("show_config_template", template_id=template, type="user")
assert (shown.name, shown.engine, shown.engine_version, shown.cache_mode) == ("mine", "Redis", "5.0", "ha"), shown
body = v2.UpdateCustomTemplateBody(name="ours", description="e", params={"timeout": "70"})
call("update_config_template", template_id=template, body=body)
assert call("show_config_template", template_id=template, type="user").name == "ours"
other = order(name="dcs-other", template_id=template)
assert connect(other).config_get("timeout") == {"timeout": "70"}
assert call("list_config_templates", type="user", offset=0, limit=10).templates[0].template_id == template
call("delete_config_template", template_id=template)
assert call("list_config_templates", type="user", offset=0, limit=10).template_num == 0

# What is slow, and who is connected.
cache.config_set("slowlog-log-slower-than", 0)
cache.get("key:1")
slow = call(
    "list_slowlog", **one, offset=0, limit=5, sort_key="start_time", sort_dir="desc", start_time="0", end_time="9" * 13
)
assert slow.total_num >= len(slow.slowlogs) > 0, slow
nodes = call("show_nodes_information", **one)
assert nodes.total == 2 and {node.node_type for node in nodes.nodes} == {"master", "slave"}, nodes
master = next(node.node_id for node in nodes.nodes if node.node_type == "master")
assert call("batch_show_nodes_information", offset=0, limit=10).count == 2
topology = call("show_instance_topology", **one)
call("scan_clients", **one, body=v2.ScanClientsRequestBody(node_id=master, clean_cache=False))
running(id)
clients = call("list_clients", **one, node_id=master, offset=0, limit=100)
address = next(own["addr"] for own in cache.client_list() if own["id"] == str(cache.client_id()))
mine = [own for own in clients.clients if own.addr == address]
assert len(mine) == 1 and clients.count >= 1, (clients, address)
before = cache.client_id()
call("hang_up_clients", **one, body=v2.HangUpClientsRequestBody(node_id=master, client_addrs=[address]))
running(id)
connected_anew(cache, before)
before = cache.client_id()
call("hang_up_kill_all_clients", **one, body=v2.HangUpKillAllClientsRequestBody(node_id=master, kill_all_nodes=True))
connected_anew(cache, before)
running(id)

# From where it may be reached.
for operation, hosts, let_in in [
    ("update_ip_whitelist", ["10.0.0.1"], False),
    ("update_ip_whitelist_async", ["127.0.0.0/8"], True),
]:
    body = v2.ModifyIpWhitelistBody(enable_whitelist=True, whitelist=[v2.Whitelist("office", hosts)])
    answer = call(operation, **one, body=body)
    finished(answer.job_id) if operation.endswith("async") else running(id)
    shown = call("show_ip_whitelist", **one)
    assert (shown.instance_id, shown.enable_whitelist, shown.whitelist[0].ip_list) == (id, True, hosts), shown
    try:
        assert connect(instance).ping() and let_in
    except redis.ConnectionError:
        assert not let_in

# Its password.
body = v2.ModifyInstancePasswordBody(old_password=SECOND, new_password=THIRD)
wrong = call("update_password", **one, body=body)
assert (wrong.result, wrong.retry_times_left) == ("passwordFailed", "4"), wrong
body = v2.ModifyInstancePasswordBody(old_password=FIRST, new_password=SECOND)
assert call("update_password", **one, body=body).result == "success"
running(id)
assert ask(instance, SECOND, "GET", "key:7") == "7"
call("reset_password", **one, body=v2.ResetInstancePasswordBody(new_password=THIRD, no_password_access=False))
running(id)
cache = connect(instance, THIRD)
assert cache.get("key:7") == "7"

# The standby takes its master's place, and nothing is lost.
call("change_master_standby", **one)
running(id)
assert ask(instance, THIRD, "DBSIZE") == 500
finished(call("change_master_standby_async", **one).job_id)
assert ask(instance, THIRD, "DBSIZE") == 500
groups = call("list_group_replication_info", **one)
assert groups.group_count == 1 and len(groups.group_list[0].replication_list) == 2, groups
states = call("show_replication_states", **one, group_id=groups.group_list[0].group_id)
cluster = order(name="dcs-cluster", capacity=24, spec_code="redis.cluster.xu1.large.r2.24")
group = call("list_group_replication_info", instance_id=cluster.instance_id).group_list[0]
replica = next(own for own in group.replication_list if own.replication_role == "slave")
job = call(
    "execute_cluster_switchover", instance_id=cluster.instance_id, group_id=group.group_id, node_id=replica.node_id
)
finished(job.job_id)
group = call("list_group_replication_info", instance_id=cluster.instance_id).group_list[0]
assert replica.node_id in [own.node_id for own in group.replication_list if own.replication_role == "master"], group
call("validate_deletable_replica", instance_id=cluster.instance_id)

# It is backed up in both forms, which real servers load.
context = ssl.create_default_context(cafile=AUTHORITY) if AUTHORITY else None
cache = connect(instance, THIRD)
cache.rpush("list", *range(100))
cache.set("short", 1, ex=100_000)
backups = {}
for form in ["rdb", "aof"]:
    body = v2.BackupInstanceBody(remark=f"as {form}", backup_format=form)
    backups[form] = call("copy_instance", **one, body=body).backup_id
    running(id)
    links = call("list_backup_file_links", **one, backup_id=backups[form], body=v2.DownloadBackupFilesReq(expiration=3600))
    (link,) = links.links
    with tempfile.TemporaryDirectory() as directory, urlopen(link.link, context=context) as file:
        path = os.path.join(directory, os.path.basename(link.file_name))
        with open(path, "wb") as copy:
            shutil.copyfileobj(file, copy)
        assert path.endswith(form), path
        with loaded(path, form == "aof") as real:
            if real:
                assert (real.dbsize(), real.get("key:499"), real.llen("list")) == (502, "499", 100), form
                assert 50_000 < real.ttl("short") < 150_000
        os.makedirs(os.path.join(BUCKETS, "bucket"), exist_ok=True)
        if form == "rdb":
            shutil.copy(path, os.path.join(BUCKETS, "bucket", "backup.rdb"))
records = call("list_backup_records", **one, limit=10, offset=0, begin_time="20000101000000", end_time="20991231000000")
assert records.total_num == 2 and {own.backup_id for own in records.backup_record_response} == set(backups.values())
assert {own.remark for own in records.backup_record_response} == {"as rdb", "as aof"}, records

# And it gets back what it had.
for form, backup in backups.items():
    cache.flushall()
    restore = call("restore_instance", **one, body=v2.RestoreInstanceBody(backup_id=backup, remark=f"from {form}"))
    running(id)
    assert (cache.dbsize(), cache.get("key:499"), cache.llen("list")) == (502, "499", 100), form
    restores = call("list_restore_records", **one, limit=10, offset=0)
    assert (restores.restore_record_response[0].restore_id, restores.restore_record_response[0].status) == (
        restore.restore_id, "succeed"
    ), restores
call("delete_backup_file", **one, backup_id=backups["aof"])
body = v2.DownloadBackupFilesReq(expiration=3600)
refused(400, "DCS.4087", "list_backup_file_links", **one, backup_id=backups["aof"], body=body)

# Keys come from files of a bucket, and from an instance.
def migrated(id, status):
    while (shown := call("show_migration_task", task_id=id)).status != status:
        assert shown.status not in ("FAILED", "MIGRATION_FAILED"), shown
        time.sleep(0.01)
    return shown


body = v2.CreateMigrationTaskBody(
    task_name="from files", description="d", migration_type="backupfile_import", network_type="vpc",
    migration_method="full_amount_migration",
    backup_files=v2.BackupFilesBody(
        file_source="self_build_obs",
        bucket_name="bucket",
        files=[v2.Files(file_name="backup.rdb", size="1000", update_at="2026-01-01T00:00:00Z")],
    ),
    target_instance=v2.TargetInstanceBody(id=other.instance_id, password=FIRST),
)
imported = call("create_migration_task", body=body)
migrated(imported.id, "SUCCESS")
assert ask(other, FIRST, "DBSIZE") == 502
online = call(
    "create_online_migration_task",
    body=v2.CreateOnlineMigrationTaskBody(name="online", description="d", vpc_id="v", subnet_id="s", security_group_id="g"),
).instance_id
call("update_migration_task", task_id=online, body=v2.MigrationUpdateRequestEntity(resume_mode="auto"))
body = v2.SetOnlineMigrationTaskBody(
    migration_method="incremental_migration", resume_mode="auto", bandwidth_limit_mb="100",
    source_instance=v2.ConfigMigrationInstanceBody(addrs=f"{instance.ip}:{instance.port}", password=THIRD),
    target_instance=v2.ConfigMigrationInstanceBody(id=other.instance_id, password=FIRST),
)
call("set_online_migration_task", task_id=online, body=body)
migrated(online, "INCRMIGEATING")
cache.set("late", "too")
while ask(other, FIRST, "GET", "late") != "too":
    time.sleep(0.01)
statistics = call("show_migration_task_stats", task_id=online)
assert call("list_migration_task_logs", task_id=online, offset=0, limit=10).log_num > 0
assert call("list_migration_task", offset=0, limit=10, name="online").count == 1
call("stop_migration_task", task_id=online)
migrated(online, "TERMINATED")
(result,) = call("batch_restart_online_migration_tasks", body=v2.BatchRestartOnlineMigrationTasksBody([online])).migration_tasks
assert result.task_id == online, result
(result,) = call("batch_stop_migration_tasks", body=v2.BatchStopMigrationTasksBody([online])).migration_tasks
migrated(online, "TERMINATED")
call("batch_restart_online_migration_tasks", body=v2.BatchRestartOnlineMigrationTasksBody([online]))
call("stop_migration_task_sync", task_id=online)
migrated(online, "TERMINATED")
tasks = [imported.id, online]
assert call("delete_migration_task", body=v2.DeleteMigrateTaskRequest(tasks)).task_id_list == tasks

# It gets another form.
call("resize_instance", **one, body=v2.ResizeInstanceBody(spec_code="redis.ha.xu1.large.r2.2", new_capacity=2))
assert (running(id).capacity, cache.dbsize()) == (2, 503)

# What was done to it is told, and forgotten.
tasks = call("list_background_task", **one, offset=0, limit=100, start_time="20000101000000", end_time="20991231000000")
assert int(tasks.task_count) == len(tasks.tasks) > 10, tasks
call("show_background_task_progress", **one, task_id=tasks.tasks[0].id)
call("delete_background_task", **one, task_id=tasks.tasks[0].id)
assert int(call("list_background_task", **one).task_count) == len(tasks.tasks) - 1
center = call("list_center_task", offset=0, limit=10)
call("delete_center_task", task_id=center.tasks[0].id, body=v2.DeleteCenterTaskRequestBody("gone"))
call("list_instance_operations", **one)

# It is flushed, restarted and deleted.
for action, size in [("restart", 503), ("flush", 0)]:
    (result,) = call("restart_or_flush_instances", body=v2.ChangeInstanceStatusBody(instances=[id], action=action)).results
    assert (result.instance, result.result) == (id, "success"), result
    running(id)
    assert ask(instance, THIRD, "DBSIZE") == size, action
call("delete_single_instance", **one)
while call("list_instances", instance_id=id).instance_num:
    time.sleep(0.01)
refused(404, "DCS.4022", "show_instance", **one)
rest = [other.instance_id, cluster.instance_id]
deleted = call("batch_delete_instances", body=v2.BatchDeleteBody(instances=rest)).results
assert [(own.instance, own.result) for own in deleted] == [(own, "success") for own in rest], deleted
while call("list_instances", include_failure="true").instance_num:
    time.sleep(0.01)

assert called == OPERATIONS, OPERATIONS - called
never = {}
for (operation, path), is_there in sorted(filled.items()):
    if not is_there:
        *above, name = path.split(".")
        never.setdefault(f"{operation} {'.'.join(above) or '-'}", set()).add(name)
for names in never.values():
    # It is there while a task is at work.
    names.discard("service_task_id")
told = {above: set(names.split()) for above, names in re.findall(r"(\S+ \S+):([^:]+?)(?=\n    \S|$)", EMPTY.strip())}
assert never == told, {own: never.get(own, set()) ^ told.get(own, set()) for own in never.keys() | told.keys()}
print("done")
