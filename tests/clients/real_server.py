"""A real redis-server that loads a file, to see whether a backup is one."""

import contextlib
import os
import shutil
import socket
import subprocess
import time

import redis


@contextlib.contextmanager
def loaded(path, is_log=False):
    """A client of a server that has loaded a file of keys, or of commands; nothing where there is no server."""
    program = shutil.which("redis-server")
    if not program:
        assert "CARNELIAN_REQUIRE_ORACLE" not in os.environ, "there is no redis-server"
        yield None
        return
    if not is_log:
        subprocess.run(["redis-check-rdb", path], check=True, stdout=subprocess.DEVNULL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory, name = os.path.split(path)
    files = ["--appendonly", "yes", "--appendfilename", name] if is_log else ["--dbfilename", name, "--save", ""]
    server = subprocess.Popen([program, "--port", str(port), "--dir", directory, *files], stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(port=port, decode_responses=True)
        while True:
            try:
                client.dbsize()
                break
            except (redis.ConnectionError, redis.BusyLoadingError):
                assert server.poll() is None, f"it does not load {path}"
                time.sleep(0.02)
        yield client
    finally:
        server.kill()
        server.wait()
