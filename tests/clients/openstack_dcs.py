"""The life of instances, as `openstack dcs` and the Python interface of the same package (otcextensions) have it.

Arguments: the URL of the cloud, and the file with its authority if it is reached by https. Says "done" at the end.
"""

import contextlib
import io
import json
import multiprocessing
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import openstack
import otcextensions.sdk
import redis
import requests
from openstack import exceptions
from openstackclient.shell import OpenStackShell
from redis.backoff import NoBackoff
from redis.retry import Retry

URL = sys.argv[1]
AUTHORITY = sys.argv[2] if len(sys.argv) > 2 else None
PROJECT = "my-kualalumpur-1"
FIRST, SECOND = "First_Pw1", "Second_Pw2"
# A client does not try again before it says that a server has gone.
ONCE = Retry(NoBackoff(), 0)

os.environ |= {
    "OS_AUTH_URL": f"{URL}/v3",
    "OS_IDENTITY_API_VERSION": "3",
    "OS_USERNAME": "carnelian",
    "OS_PASSWORD": "carnelian",
    "OS_USER_DOMAIN_NAME": "carnelian",
    "OS_PROJECT_DOMAIN_NAME": "carnelian",
    "OS_PROJECT_NAME": PROJECT,
}
if AUTHORITY:
    os.environ["OS_CACERT"] = AUTHORITY



def shell(words):
    """What the command line says and how it ends."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = OpenStackShell().run(["dcs", *words])
    return code, output.getvalue(), errors.getvalue()


# Commands run in one process, since starting it takes a second; in another than this, where the package changes classes of the
# SDK that the command line uses as well.
shells = multiprocessing.get_context("fork").Pool(1)
connection = openstack.connect(verify=AUTHORITY)
otcextensions.sdk.register_otc_extensions(connection)
dcs = connection.dcs


def run(*words):
    """The same, of a command on caches."""
    return shells.apply(shell, [words])


def command(*words):
    """What a command shows, which has to succeed."""
    code, output, errors = run(*words, "-f", "json")
    assert code == 0, (words, output, errors)
    return json.loads(output)


def silent(*words):
    """The same, for commands that show nothing."""
    code, output, errors = run(*words)
    assert (code, output) == (0, ""), (words, output, errors)


def refused(message, *words):
    code, output, errors = run(*words)
    assert code == 1 and message in errors, (words, output, errors)


def order(**changes):
    fields = dict(
        name="dcs-otc",
        engine="Redis",
        engine_version="3.0.7",
        capacity=2,
        password=FIRST,
        vpc_id="27d99e17-42f2-4751-818f-5c8c6c03ff15",
        security_group_id="1477393a-29c9-4de5-843f-18ef51257c7e",
        subnet_id="ec2f34b9-20eb-4872-85bd-bea9fc943128",
        available_zones=[zones[0].id],
        product_id="OTC_DCS_MS",
    )
    created = dcs.create_instance(**fields | changes)
    return until("RUNNING", created.id)


def until(status, id):
    while dcs.get_instance(id).status != status:
        time.sleep(0.01)
    return dcs.get_instance(id)


def succeeded(listed, id):
    """Waits until what a list shows has succeeded."""
    while (row := next(row for row in command("instance", *listed) if row["id"] == id))["status"] != "succeed":
        assert row["error_code"] is None, row
        time.sleep(0.01)
    return row


def automatic(status):
    """The first backup that the policy has made, as soon as it has this status."""
    while True:
        made = sorted((own for own in dcs.backups(instance=id) if own.type == "auto"), key=lambda own: own.created_at)
        if made and made[0].status == status:
            return made[0]
        time.sleep(0.01)


def advance(**time_span):
    """Has the clock of the cloud go on."""
    milliseconds = timedelta(**time_span) // timedelta(milliseconds=1)
    answer = requests.post(f"{URL}/admin/clock", json={"advance_ms": milliseconds}, verify=AUTHORITY)
    assert answer.ok, answer.text


# The program itself runs, too.
program = [sys.executable, os.path.join(os.environ["CARNELIAN_CLIENTS"], "python/bin/openstack")]
listed = subprocess.run([*program, "dcs", "instance", "list", "-f", "value"], capture_output=True, text=True)
assert (listed.returncode, listed.stdout) == (0, ""), listed

# What there is to choose from.
zones = list(dcs.availability_zones())
assert [zone.code for zone in zones][:2] == ["my-kualalumpur-1a", "my-kualalumpur-1b"], zones
assert all(zone.id and zone.name and zone.port for zone in zones), zones
windows = list(dcs.maintenance_time_windows())
assert [(window.begin, window.end) for window in windows if window.default] == [("02", "06")] and len(windows) == 6
specifications = {specification.spec_code: specification for specification in dcs.service_specifications()}
pair = specifications["dcs.master_standby"]
assert (pair.product_id, pair.engine, pair.cache_mode) == ("OTC_DCS_MS", "redis", "ha"), pair
assert pair.flavors[0].available_zones[0] == zones[0].id and pair.details.max_memory > 0, pair
assert {"OTC_DCS_SINGLE", "OTC_DCS_CL"} < {own.product_id for own in specifications.values()}

# The command that orders an instance leaves out its zone.
network = ["--vpc_id", "vpc", "--security_group_id", "group", "--subnet_id", "subnet"]
wanted = ["--name", "dcs-otc", "--capacity", "2", "--password", FIRST, "--az", zones[0].id]
refused("available_zones", "instance", "create", *wanted, *network, "--product_id", "OTC_DCS_SINGLE")

# One is created, and serves.
plan = {"begin_at": "00:00-01:00", "period_type": "weekly", "backup_at": [1, 2, 3, 4, 5, 6, 7]}
policy = {"save_days": 3, "backup_type": "auto", "periodical_backup_plan": plan}
instance = order(backup_policy=policy, maintain_begin="22:00:00", maintain_end="02:00:00", description="a pair")
id = instance.id
assert (instance.engine, instance.engine_version, instance.capacity, instance.max_memory) == ("Redis", "3.0", 2, 1536)
assert (instance.product_id, instance.resource_spec_code) == ("OTC_DCS_MS", "dcs.master_standby"), instance
assert (instance.maintain_begin, instance.maintain_end) == ("22:00:00", "02:00:00"), instance
assert instance.available_zones == [zones[0].id] and instance.charging_mode == 0 and instance.vpc_name, instance
shown_plan = instance.backup_policy["periodical_backup_plan"]
assert instance.backup_policy["save_days"] == 3 and plan.items() <= shown_plan.items(), instance.backup_policy
cache = redis.Redis(host=instance.ip, port=instance.port, password=FIRST, protocol=2, decode_responses=True, retry=ONCE)
for number in range(500):
    cache.set(f"key:{number}", number)

# It is listed, shown by its id and by its name, and counted.
row = {"id": id, "name": "dcs-otc", "engine": "Redis", "status": "RUNNING", "error_code": None}
assert command("instance", "list") == [row]
assert command("instance", "list", "--name", "otc", "--status", "RUNNING", "--include_failure") == [row]
assert command("instance", "list", "--name", "otc", "--exact_match") == []
for name in [id, "dcs-otc"]:
    shown = command("instance", "show", name)
    assert (shown["id"], shown["port"], shown["status"]) == (id, instance.port, "RUNNING"), shown
refused("No Instance found for nobody", "instance", "show", "nobody")
quotas = {quota["type"]: quota for quota in command("quota", "list")}
assert (quotas["instance"]["used"], quotas["ram"]["used"], quotas["ram"]["unit"]) == (1, 2, "GB"), quotas
(counted,) = command("stat", "list")
assert (counted["instance_id"], counted["max_memory"], counted["cmd_set_count"]) == (id, 1536, 500), counted
assert next(dcs.statistics()).keys == 500

# It is changed.
changes = ["--name", "dcs-new", "--description", "new", "--maintain_begin", "06:00:00", "--maintain_end", "10:00:00"]
shown = command("instance", "set", id, *changes, "--security_group_id", "0d6fd2e3-8d0c-4a7b-9b0b-4a6f3f3d5a11")
assert (shown["name"], shown["description"], shown["maintain_begin"]) == ("dcs-new", "new", "06:00:00"), shown
assert shown["security_group_id"] == "0d6fd2e3-8d0c-4a7b-9b0b-4a6f3f3d5a11", shown
refused("Invalid DCS instance name", "instance", "set", id, "--name", "1x")

# It grows, and nobody who is connected notices.
connected = cache.ping() and cache.connection_pool._available_connections[0]
command("instance", "extend", "dcs-new", "--capacity", "4")
grown = until("RUNNING", id)
assert (grown.capacity, grown.port) == (4, instance.port), grown
assert abs(int(cache.config_get("maxmemory")["maxmemory"]) - (grown.max_memory << 20)) < 1 << 20, grown
assert cache.dbsize() == 500 and cache.connection_pool._available_connections[0] is connected
refused("The system is not support resize", "instance", "extend", id, "--capacity", "2")

# Its parameters take effect at once.
parameters = {parameter["name"]: parameter for parameter in command("instance", "params", "list", id)}
policy_id = parameters["maxmemory-policy"]["id"]
assert parameters["maxmemory-policy"]["value"] == "noeviction", parameters
silent("instance", "params", "update", id, "--param", f"{policy_id}:maxmemory-policy:allkeys-lru")
until("RUNNING", id)
shown = command("instance", "params", "show", id, "--param", "maxmemory-policy")
assert (shown["value"], shown["default_value"]) == ("allkeys-lru", "noeviction") and shown["value_range"], shown
assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
wrong = ["--param", f"{policy_id}:maxmemory-policy:whatever"]
refused("Invalid value of the configure parameter maxmemory-policy", "instance", "params", "update", id, *wrong)

# It is backed up, and gets back what it had.
backup = command("instance", "backup", "create", "dcs-new", "--description", "by hand")
assert backup["description"] == "by hand", backup
assert succeeded(["backup", "list", "dcs-new"], backup["id"])["progress"] == "100.00"
(made,) = dcs.backups(instance=id)
assert (made.type, made.description, made.is_restorable) == ("manual", "by hand", True) and made.size > 1000, made
hours = [datetime.now(timezone.utc) + timedelta(hours=number) for number in (-1, 1)]
period = ["--from_time", f"{hours[0]:%Y%m%d%H%M%S}", "--to_time", f"{hours[1]:%Y%m%d%H%M%S}"]
assert len(command("instance", "backup", "list", id, "--start", "1", "--limit", "10", *period)) == 1
assert command("instance", "backup", "list", id, *period[:2], "--to_time", period[1]) == []
cache.flushall()
restore = command("instance", "backup", "restore", "dcs-new", "--backup", backup["id"], "--description", "again")
restored = succeeded(["restore", "list", "dcs-new"], restore["id"])
assert (restored["backup_id"], restored["progress"]) == (backup["id"], "100.00"), restored
(record,) = dcs.restore_records(instance=id)
assert (record.restore_description, record.backup_name) == ("again", made.name), record
until("RUNNING", id)
assert cache.dbsize() == 500 and cache.get("key:499") == "499"

# The command that deletes a backup calls the package's own interface wrongly.
refused("missing 1 required positional argument", "instance", "backup", "delete", "dcs-new", backup["id"])
dcs.delete_instance_backup(instance=id, backup=backup["id"])
assert [own.status for own in dcs.backups(instance=id)] == ["deleted"]
refused("the backup record status is err", "instance", "backup", "restore", id, "--backup", backup["id"])

# Its password changes. The command does so, and then stumbles over the SDK, which hands it nothing.
words = ["instance", "changepwd", "dcs-new"]
refused("The password does not meet complexity requirements", *words, "--current_password", FIRST, "--new_password", "a")
for old, serves in [(SECOND, FIRST), (FIRST, SECOND)]:
    refused("'NoneType' object", *words, "--current_password", old, "--new_password", SECOND)
    until("RUNNING", id)
    cache = redis.Redis(host=instance.ip, port=instance.port, password=serves, protocol=2, decode_responses=True, retry=ONCE)
    assert cache.get("key:7") == "7"
try:
    redis.Redis(host=instance.ip, port=instance.port, password=FIRST, protocol=2, retry=ONCE).ping()
    raise AssertionError("the old password is taken")
except redis.AuthenticationError:
    pass

# It is restarted, and keeps what it has; there is no stopping it in this version.
before = cache.info("server")["run_id"]
command("instance", "restart", "dcs-new")
until("RUNNING", id)
assert cache.info("server")["run_id"] != before and cache.dbsize() == 500
for action in ["stop", "start"]:
    refused("The action parameter in the request", "instance", action, "dcs-new")

# A list comes page by page, of instances that are none of a pair, too.
single = order(name="dcs-single", product_id="OTC_DCS_SINGLE")
cluster = order(name="dcs-proxy", product_id="OTC_DCS_CL", capacity=64)
assert {own["id"] for own in command("instance", "list", "--limit", "1")} == {id, single.id, cluster.id}
assert len(list(dcs.instances(limit=2))) == 3
proxied = redis.Redis(host=cluster.ip, port=cluster.port, password=FIRST, protocol=2, decode_responses=True, retry=ONCE)
assert proxied.mset({f"key:{number}": number for number in range(50)}) and proxied.dbsize() == 50
refused("the system is not support backup and restore", "instance", "backup", "create", "dcs-single")

# A day later the token has gone, the policy has made a backup, and the SDK asks for another token.
token = connection.auth_token
advance(days=1, hours=1)
scheduled = automatic("succeed")
assert connection.auth_token != token
advance(days=4)
assert automatic("expired").id == scheduled.id

# They go.
words = ["instance", "delete", id, single.id, cluster.id]
while (ended := run(*words)) != (0, "", ""):
    # The last night's backup comes to its end first.
    assert "the instance is backing up" in ended[2], ended
    time.sleep(0.05)
while command("instance", "list", "--include_failure"):
    time.sleep(0.01)
refused("No Instance found", "instance", "show", id)
try:
    dcs.get_instance(id)
    raise AssertionError("it is still there")
except exceptions.NotFoundException as error:
    assert error.status_code == 404, error
for gone in [cache, proxied]:
    try:
        gone.ping()
        raise AssertionError("it still serves")
    except redis.ConnectionError:
        pass
print("done")
