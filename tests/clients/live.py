"""Writes through redis-py's cluster mode until its input ends, then checks that every key holds what was last acknowledged.

Usage: live.py HOST PORT PASSWORD. Says "ready" once writing works, and at the end how many writes there were.
"""

import sys
import threading

from redis.backoff import ConstantBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

host, port, password = sys.argv[1], int(sys.argv[2]), sys.argv[3]
# Release 5.0, which instances have, does not know of the third version of the protocol.
cluster = RedisCluster(host=host, port=port, password=password, protocol=2, retry=Retry(ConstantBackoff(0.05), 100))
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()

keys = [f"py:{number}" for number in range(300)]
kept, writes = {}, 0
while not stopped.is_set() or writes < len(keys):
    key = keys[writes % len(keys)]
    writes += 1
    cluster.set(key, writes)
    kept[key] = writes
    if writes % 10 == 0:
        # Two keys of one slot, which may be half gone.
        cluster.execute_command("MSET", "{" + key + "}a", writes, "{" + key + "}b", writes)
        kept["{" + key + "}a"] = kept["{" + key + "}b"] = writes
    if writes == len(keys):
        print("ready", flush=True)

for key, value in kept.items():
    found = cluster.get(key)
    assert found == str(value).encode(), f"{key} is {found}, not {value}"
print(f"{writes} writes are kept", flush=True)
