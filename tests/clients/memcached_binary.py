"""Does what an application does with a memcached, through python-binary-memcached.

Usage: memcached_binary.py HOST PORT [NAME PASSWORD]. With a name, it logs in by SASL, and also tries without and with a wrong
password.
"""

import sys

import bmemcached
from bmemcached.exceptions import AuthenticationNotSupported, InvalidCredentials, MemcachedException

host, port = sys.argv[1], int(sys.argv[2])
name, password = (sys.argv[3:5] + [None, None])[:2]
address = (f"{host}:{port}",)


def refused(name, password):
    """Whether nothing can be stored by somebody."""
    client = bmemcached.Client(address, name, password)
    try:
        return not client.set("refused", "x")
    except (InvalidCredentials, AuthenticationNotSupported, MemcachedException):
        return True
    finally:
        client.disconnect_all()


if name:
    assert refused(name, password + "x"), "a wrong password is accepted"
    assert refused(None, None), "nobody needs to log in"

client = bmemcached.Client(address, name, password)
assert client.flush_all() is True
assert client.set("a", "1") and client.get("a") == "1"
assert client.get("nosuch") is None
assert client.add("a", "2") is False and client.add("b", "2") is True
assert client.replace("c", "3") is False and client.replace("b", "3") is True
assert client.set("bytes", bytes(range(256))) and client.get("bytes") == bytes(range(256))
assert client.set("object", {"a": [1, 2]}) and client.get("object") == {"a": [1, 2]}
assert client.set("large", "x" * 500_000, compress_level=0) and len(client.get("large")) == 500_000
assert client.set_multi({f"key:{number}": str(number) for number in range(300)}) == []
found = client.get_multi([f"key:{number}" for number in range(400)])
assert len(found) == 300 and found["key:299"] == "299"
value, cas = client.gets("a")
assert value == "1" and client.cas("a", "new", cas) is True
assert client.cas("a", "newer", cas) is False
assert client.incr("n", 5, default=10) == 10 and client.incr("n", 5) == 15 and client.decr("n", 20) == 0
assert client.delete("a") is True and client.get("a") is None
assert client.touch("b", 100) is True if hasattr(client, "touch") else True
stats = list(client.stats().values())[0]
assert int(stats["curr_items"]) > 300, stats
assert client.flush_all() is True and client.get("b") is None
client.disconnect_all()
print("done")
