"""Drives Tencent's SDK of API 2017 through the whole life of instances of CRS.

Usage: crs.py HOST:PORT [HTTPS AUTHORITY]. Where it is told where https is served, and the file of the authority that vouches for
it, the SDK goes there, as it would to the real service. Says "done" at the end.
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from datetime import timedelta
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.request import urlopen

import redis
from QcloudApi.common import request
from QcloudApi.modules.redis import Redis
from QcloudApi.qcloudapi import QcloudApi
from real_server import loaded
from redis.backoff import NoBackoff
from redis.retry import Retry

ADDRESS = sys.argv[1]
FIRST, SECOND, THIRD = "49A2d!e@f12e", "12D3E@!r5ed", "Third#pass1"


class Connection(HTTPConnection):
    """What the SDK has in the place of a connection, which would go by https."""

    def __init__(self, host, port=None):
        HTTPConnection.__init__(self, ADDRESS)
        self.request_length = 0


if len(sys.argv) > 2:
    Redis.requestHost, os.environ["SSL_CERT_FILE"] = sys.argv[2:]
else:
    request.MyHTTPSConnection = Connection


def client(method, signature):
    return QcloudApi("redis", {
        "Region": "gz",
        "secretId": "carnelian-access-key",
        "secretKey": "carnelian-secret-key",
        "method": method,
        "SignatureMethod": signature,
    })


class Service:
    def __init__(self, method, signature):
        self.client = client(method, signature)

    def answer(self, action, **parameters):
        return json.loads(self.client.call(action, parameters))

    def __call__(self, action, **parameters):
        answer = self.answer(action, **parameters)
        assert answer["code"] in (0, "0") and answer["codeDesc"] == "Success", (action, answer)
        return answer

    def refused(self, code, name, action, **parameters):
        answer = self.answer(action, **parameters)
        assert (answer["code"], answer["codeDesc"]) == (code, name) and answer["message"], (action, answer)

    def shown(self, own):
        """An instance, if there is still one."""
        found = self("DescribeRedis", limit=10, offset=0, redisId=own)["data"]["redisSet"]
        return found[0] if found else None

    def until(self, status, own):
        """Waits for a status; for none, until the instance has gone."""
        for _ in range(3000):
            instance = self.shown(own)
            if (instance["status"] if instance else None) == status:
                return instance
            time.sleep(0.02)
        raise AssertionError(f"{own} does not get the status {status}: {instance}")

    def buy(self, action, **parameters):
        # What the cloud does by itself comes to its end first.
        while (answer := self.answer(action, **parameters))["codeDesc"] == "InstanceBeenLocked":
            time.sleep(0.02)
        deal = answer["data"]["dealId"]
        for _ in range(3000):
            detail = self("DescribeRedisDealDetail", dealIds=[deal])["dealDetails"][0]
            if detail["status"] == 4:
                return detail
            assert detail["status"] == 3, detail
            time.sleep(0.02)
        raise AssertionError(f"{action} is not delivered")

    def run(self, action, **parameters):
        task = self(action, **parameters)["data"]["requestId"]
        for _ in range(3000):
            status = self("DescribeTaskInfo", requestId=task)["data"]["status"]
            if status == 2:
                return
            assert status == 1, (action, status)
            time.sleep(0.02)
        raise AssertionError(f"{action} does not end")


def life(crs, kind):
    order = {"zoneId": 100002, "typeId": kind, "memSize": 1024, "goodsNum": 1, "period": 2}
    price = crs("InquiryRedisPrice", **order)["data"]["price"]
    deal = crs.buy("CreateRedis", password=FIRST, **order)
    assert deal["price"] == price, deal
    (own,) = deal["goodsDetail"]["redisIds"]
    # It may be backed up for a night that has just gone by.
    instance = crs.until("2", own)
    assert instance["typeId"] == str(kind), instance
    connect = lambda password: redis.Redis(
        instance["wanIp"], int(instance["port"]), password=password, protocol=2, decode_responses=True
    )
    cache = connect(FIRST)
    for number in range(100):
        cache.set(f"key:{number}", number)

    crs("ModifyRedisName", redisId=own, redisName="test_API")
    crs("ModifyRedisProject", redisIds=[own], projectId=1004306)
    crs("SetRedisAutoRenew", redisIds=[own], isAutoRenew=1)
    renewed = crs.buy("RenewRedis", redisId=own, period=1)
    assert renewed["goodsDetail"]["curDeadline"] == instance["deadlineTime"], renewed
    price = crs("UpgradeRedisInquiryPrice", redisId=own, memSize=2048)["data"]["price"]
    assert price > 0
    crs.buy("UpgradeRedis", redisId=own, memSize=2048)
    after = crs.shown(own)
    expected = {"redisName": "test_API", "projectId": "1004306", "autoRenewFlag": 1, "size": "2048", "status": "2"}
    assert expected.items() <= after.items() and after["port"] == instance["port"], after
    assert cache.get("key:42") == "42" and cache.dbsize() == 100

    crs.refused(5100, "OldPasswordError", "ModfiyRedisPassword", redisId=own, oldPassword=SECOND, password=THIRD)
    crs.run("ModfiyRedisPassword", redisId=own, oldPassword=FIRST, password=SECOND)
    assert connect(SECOND).get("key:7") == "7"
    crs.run("ResetRedisPassword", redisId=own, password=THIRD)
    cache = connect(THIRD)

    crs.run("ManualBackupInstance", redisId=own, remark="a b+c=&")
    backups = crs("GetRedisBackupList", redisId=own, limit=10, offset=0)
    assert backups["totalCount"] == 1, backups
    (backup,) = backups["data"]["redisBackupSet"]
    assert backup["remark"] == "a b+c=&" and backup["status"] == 2, backup
    named = {"redisId": own, "backupId": backup["backupId"]}
    if kind == 1:
        crs.refused(5100, "BackupStatusAbnormal", "GetBackupDownloadUrl", **named)
        crs.run("ExportRedisBackup", **named)
    else:
        crs.refused(5100, "OnlyClusterInstanceCanExportBackup", "ExportRedisBackup", **named)
    address = crs("GetBackupDownloadUrl", **named)["data"]["extranet"]
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "backup.rdb")
        with urlopen(address) as file, open(path, "wb") as copy:
            shutil.copyfileobj(file, copy)
        with loaded(path) as real:
            if real:
                assert (real.dbsize(), real.get("key:42")) == (100, "42")

    crs.run("ClearRedis", redisId=own, password=THIRD)
    assert cache.dbsize() == 0
    crs.run("RestoreInstance", password=THIRD, **named)
    assert cache.dbsize() == 100 and cache.get("key:42") == "42"
    tasks = crs("GetRedisTaskList", limit=20, offset=0, redisId=own, taskStatus=[2])["data"]["redisTaskSet"]
    expected = ["restoreBackup", "cleanInstance"] + ["exportBackup"] * (kind == 1) + [
        "backupInstance", "setPassword", "setPassword", "resizeInstance", "newInstance"
    ]
    assert [task["taskName"] for task in tasks] == expected, tasks


def mistakes(crs):
    """What is wrong is told by its code."""
    order = {"zoneId": 100002, "typeId": 2, "memSize": 1024, "goodsNum": 1, "period": 1, "password": FIRST}
    for code, name, changes in [
        (5200, "NoRedisService", {"zoneId": 1}),
        (4000, "InvalidInstanceId", {"typeId": 3}),
        (4000, "InvalidMemSize", {"memSize": 1000}),
        (4000, "MemSizeNotInRange", {"memSize": 1024 * 1024}),
        (4000, "PeriodExceedMaxLimit", {"period": 100}),
        (4000, "PeriodLessThanMinLimit", {"period": 0}),
        (4000, "GoodsNumNotInRange", {"goodsNum": 1000}),
        (4000, "PasswordRuleError", {"password": "short"}),
        (4000, "PasswordEmpty", {"password": ""}),
    ]:
        crs.refused(code, name, "CreateRedis", **{**order, **changes})
    crs.refused(5000, "InstanceNotExists", "ClearRedis", redisId="crs-none", password=FIRST)
    crs.refused(5000, "DealIdNotFound", "DescribeRedisDealDetail", dealIds=["none"])


def advance(**time_span):
    """Has the clock of the cloud go on."""
    milliseconds = timedelta(**time_span) // timedelta(milliseconds=1)
    body = json.dumps({"advance_ms": milliseconds}).encode()
    with urlopen(f"http://{ADDRESS}/admin/clock", body) as answer:
        assert answer.status == 200


def old_age(crs):
    """An instance is backed up at night, isolated when its time is over, renewed, isolated again and released; another one is
    renewed by itself."""
    order = {"zoneId": 100002, "typeId": 2, "memSize": 1024, "goodsNum": 2, "period": 1, "password": FIRST}
    own, other = crs.buy("CreateRedis", **order)["goodsDetail"]["redisIds"]
    crs("SetRedisAutoRenew", redisIds=[other], isAutoRenew=1)
    instance, before = crs.shown(own), crs.shown(other)
    # It does not try again before it says that a server has gone.
    once = Retry(NoBackoff(), 0)
    cache = redis.Redis(instance["wanIp"], int(instance["port"]), password=FIRST, protocol=2, retry=once)
    for number in range(100):
        cache.set(f"key:{number}", number)

    def automatic():
        made = crs("GetRedisBackupList", redisId=own, limit=10, offset=0)["data"]["redisBackupSet"]
        return [backup for backup in made if backup["backupType"] == "systemBackupInstance" and backup["status"] == 2]

    advance(days=1)
    while not automatic():
        time.sleep(0.02)
    (backup,) = automatic()
    address = crs("GetBackupDownloadUrl", redisId=own, backupId=backup["backupId"])["data"]["extranet"]
    assert urlopen(address).read(5) == b"REDIS"
    advance(hours=12, seconds=1)
    try:
        urlopen(address)
        raise AssertionError("a link is good for twelve hours")
    except HTTPError as error:
        assert error.code == 403, error
    advance(days=8)
    assert backup["backupId"] not in [own["backupId"] for own in automatic()]

    advance(days=24)
    crs.until("-2", own)
    # Its node ends a moment later.
    with contextlib.suppress(redis.ConnectionError):
        while cache.ping():
            time.sleep(0.02)
    crs.refused(5100, "InstanceIsolated", "ModifyRedisName", redisId=own, redisName="a")
    crs.refused(5100, "InstanceStatusAbnormal", "ClearRedis", redisId=own, password=FIRST)
    after = crs.until("2", other)
    assert after["deadlineTime"] > before["deadlineTime"], after
    crs.buy("RenewRedis", redisId=own, period=1)
    again = crs.until("2", own)
    assert again["port"] == instance["port"] and cache.dbsize() == 100 and cache.get("key:42") == b"42"
    advance(days=32)
    crs.until("-2", own)
    advance(days=7)
    crs.until(None, own)
    crs.refused(5000, "InstanceDeleted", "RenewRedis", redisId=own, period=1)
    crs.until("2", other)


for method, signature in [("GET", "HmacSHA1"), ("POST", "HmacSHA256"), ("GET", "HmacSHA256"), ("POST", "HmacSHA1")]:
    service = Service(method, signature)
    zones = service("DescribeRedisZones")["data"]["zones"]
    assert {"100002": "Guangzhou Zone 2"} in zones, zones
    products = service("DescribeRedisProduct", zoneIds=["100002"])["data"]
    assert set(products[0]["types"]) == {"1", "2"}, products
    mistakes(service)
    life(service, 1)
    life(service, 2)
    old_age(service)
service.client.setSecretKey("another")
refused = service.answer("DescribeRedisZones")
assert refused["code"] == 4100, refused
print("done")
