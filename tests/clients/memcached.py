"""Does what an application does with a memcached, through pymemcache.

Usage: memcached.py HOST PORT.
"""

import sys
import time

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheClientError, MemcacheServerError

host, port = sys.argv[1], int(sys.argv[2])
client = Client((host, port), default_noreply=False)

assert client.flush_all() is True
assert client.set("a", b"1")
assert client.get("a") == b"1"
assert client.get("nosuch") is None and client.get("nosuch", "default") == "default"
assert client.add("a", b"2") is False and client.add("b", b"2") is True
assert client.replace("c", b"3") is False and client.replace("b", b"3") is True
assert client.append("b", b"!") and client.prepend("b", b"?") and client.get("b") == b"?3!"
assert client.set_many({f"key:{number}": str(number) for number in range(500)}) == []
found = client.get_many([f"key:{number}" for number in range(600)])
assert len(found) == 500 and found["key:499"] == b"499"
value, cas = client.gets("a")
assert client.cas("a", b"new", cas) is True
assert client.cas("a", b"newer", cas) is False
assert client.cas("nosuch", b"x", cas) is None
assert client.set("n", b"10") and client.incr("n", 5) == 15 and client.decr("n", 20) == 0
assert client.incr("nosuch", 1) is None
try:
    client.incr("b", 1)
    raise AssertionError("what is not a number was counted up")
except MemcacheClientError as error:
    assert b"non-numeric" in error.args[0]
try:
    client.set("large", b"x" * (1 << 20))
    raise AssertionError("a value was stored that is too large")
except MemcacheServerError as error:
    assert b"too large" in error.args[0]
# The connection goes on.
assert client.set("large", b"x" * 1_000_000) and len(client.get("large")) == 1_000_000
assert client.touch("a", 100) is True and client.touch("nosuch", 100) is False
assert client.set("short", b"x", expire=1)
deadline = time.monotonic() + 10
while client.get("short") is not None:
    assert time.monotonic() < deadline, "it does not expire"
    time.sleep(0.05)
assert client.delete("a") is True and client.delete("a") is False
assert client.set("quiet", b"x", noreply=True) is True and client.get("quiet") == b"x"
stats = client.stats()
assert stats[b"curr_items"] > 500 and stats[b"get_hits"] > 500, stats
assert client.stats("settings")[b"maxbytes"] > 0
assert client.version().startswith(b"1.6.")
assert client.raw_command("mn") == b"MN"
assert client.raw_command("mg b s v", "\r\n") == b"VA 3 s3"
client.close()
client = Client((host, port), default_noreply=False)
assert client.cache_memlimit(64) is True
assert client.flush_all() is True and client.get("b") is None
client.quit()
print("done")
