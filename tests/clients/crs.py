"""Drives Tencent's SDK of API 2017 through the whole life of instances of CRS.

Usage: crs.py HOST:PORT. Says "done" at the end.
"""

import json
import sys
import time
from http.client import HTTPConnection
from urllib.request import urlopen

import redis
from QcloudApi.common import request
from QcloudApi.qcloudapi import QcloudApi

ADDRESS = sys.argv[1]
FIRST, SECOND, THIRD = "49A2d!e@f12e", "12D3E@!r5ed", "Third#pass1"


class Connection(HTTPConnection):
    """What the SDK has in the place of a connection, which would go to the real service, by https."""

    def __init__(self, host, port=None):
        HTTPConnection.__init__(self, ADDRESS)
        self.request_length = 0


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

    def buy(self, action, **parameters):
        deal = self(action, **parameters)["data"]["dealId"]
        for _ in range(600):
            detail = self("DescribeRedisDealDetail", dealIds=[deal])["dealDetails"][0]
            if detail["status"] == 4:
                return detail
            assert detail["status"] == 3, detail
            time.sleep(0.1)
        raise AssertionError(f"{action} is not delivered")

    def run(self, action, **parameters):
        task = self(action, **parameters)["data"]["requestId"]
        for _ in range(600):
            status = self("DescribeTaskInfo", requestId=task)["data"]["status"]
            if status == 2:
                return
            assert status == 1, (action, status)
            time.sleep(0.1)
        raise AssertionError(f"{action} does not end")


def life(crs, kind):
    order = {"zoneId": 100002, "typeId": kind, "memSize": 1024, "goodsNum": 1, "period": 2}
    price = crs("InquiryRedisPrice", **order)["data"]["price"]
    deal = crs.buy("CreateRedis", password=FIRST, **order)
    assert deal["price"] == price, deal
    (own,) = deal["goodsDetail"]["redisIds"]
    shown = lambda: crs("DescribeRedis", limit=10, offset=0, redisId=own)["data"]["redisSet"][0]
    instance = shown()
    assert instance["status"] == "2" and instance["typeId"] == str(kind), instance
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
    after = shown()
    expected = {"redisName": "test_API", "projectId": "1004306", "autoRenewFlag": 1, "size": "2048", "status": "2"}
    assert expected.items() <= after.items() and after["port"] == instance["port"], after
    assert cache.get("key:42") == "42" and cache.dbsize() == 100

    wrong = crs.answer("ModfiyRedisPassword", redisId=own, oldPassword=SECOND, password=THIRD)
    assert wrong["code"] == 5100 and wrong["codeDesc"] == "OldPasswordError", wrong
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
        refused = crs.answer("GetBackupDownloadUrl", **named)
        assert refused["codeDesc"] == "BackupStatusAbnormal", refused
        crs.run("ExportRedisBackup", **named)
    else:
        refused = crs.answer("ExportRedisBackup", **named)
        assert refused["codeDesc"] == "OnlyClusterInstanceCanExportBackup", refused
    address = crs("GetBackupDownloadUrl", **named)["data"]["extranet"]
    with urlopen(address) as file:
        assert file.read(9) == b"REDIS0006"

    crs.run("ClearRedis", redisId=own, password=THIRD)
    assert cache.dbsize() == 0
    crs.run("RestoreInstance", password=THIRD, **named)
    assert cache.dbsize() == 100 and cache.get("key:42") == "42"
    tasks = crs("GetRedisTaskList", limit=20, offset=0, redisId=own, taskStatus=[2])["data"]["redisTaskSet"]
    expected = ["restoreBackup", "cleanInstance"] + ["exportBackup"] * (kind == 1) + [
        "backupInstance", "setPassword", "setPassword", "resizeInstance", "newInstance"
    ]
    assert [task["taskName"] for task in tasks] == expected, tasks


for method, signature in [("GET", "HmacSHA1"), ("POST", "HmacSHA256")]:
    service = Service(method, signature)
    zones = service("DescribeRedisZones")["data"]["zones"]
    assert {"100002": "Guangzhou Zone 2"} in zones, zones
    products = service("DescribeRedisProduct", zoneIds=["100002"])["data"]
    assert set(products[0]["types"]) == {"1", "2"}, products
    life(service, 1)
    life(service, 2)
service.client.setSecretKey("another")
refused = service.answer("DescribeRedisZones")
assert refused["code"] == 4100, refused
print("done")
