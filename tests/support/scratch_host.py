"""A host in a directory of its own for programs that measure: started on a free port, ended by its process id, every wait bounded."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REVISION = "2025-11-25"
PLUGINS = ("tickets.so", "tasks.so", "search.so")


class Failure(Exception):
    """Ends the program with one line."""


def default_binary():
    return Path(os.environ.get("TOOLHOST_BIN") or ROOT / "build" / "release" / "bin" / "toolhost")


def need_binary(binary):
    if not os.access(binary, os.X_OK):
        raise Failure(f"{binary} does not exist: build it with './run --build-only', or say where it is with --binary or TOOLHOST_BIN")
    return Path(binary)


def scratch_directory(prefix):
    """Every user may enter it: as root, PostgreSQL runs as another one."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    directory.chmod(0o755)
    return directory


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_on_signals():
    """Turns SIGTERM and SIGHUP into an ordinary end, so that hosts are ended and directories removed."""
    def end(number, _frame):
        print(f"ended by {signal.Signals(number).name}", file=sys.stderr)
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


class ScratchHost:
    """with ScratchHost(...) as host: serves inside the block. Without data_dir, everything it wrote goes with it. `config` replaces
    sections of the configuration; a tenant is a name or a section."""

    def __init__(self, binary, tenants, data_dir=None, prefix="toolhost-scratch-", config=None):
        self.binary = need_binary(binary)
        self.directory = scratch_directory(prefix)
        self.data_dir = Path(data_dir) if data_dir else self.directory / "data"
        if data_dir:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.data_dir.chmod(0o755)
        self.config = self.directory / "host.yaml"
        self.config.write_text(json.dumps({
            "plugins": [{"file": file} for file in PLUGINS],
            "tenants": [{"name": tenant} if isinstance(tenant, str) else tenant for tenant in tenants],
            "log": {"level": "warning"},
            **(config or {}),
        }, indent=1))
        self.log_path = self.directory / "host.log"
        self.process = None
        self.port = free_port()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command_line("serve", "--port", self.port), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise Failure(f"{self.binary} does not serve; its output ends:\n{self.log()[-3000:]}")

    def stop(self):
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def command_line(self, *arguments):
        return [str(part) for part in (self.binary, *arguments, "--config", self.config, "--data-dir", self.data_dir)]

    def run(self, *arguments, limit=600, **options):
        """A command of the binary that must succeed: its standard output."""
        done = subprocess.run(self.command_line(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=limit, **options)
        if done.returncode != 0:
            raise Failure(f"toolhost {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr[-3000:]}{done.stdout[-1000:]}")
        return done.stdout.strip()

    def client(self, tenant):
        """A client with a new key of the tenant."""
        client = Client(self.port, self.run("key", "create", "--tenant", tenant, "--name", "scratch"))
        end = time.monotonic() + 10
        while not client.is_accepted():  # the key reaches the running host within a second
            if time.monotonic() > end:
                raise Failure("the host does not accept the new key")
            time.sleep(0.02)
        return client

    def sql(self, statement):
        """What psql says, unaligned, as the host's own user."""
        psql = shutil.which("psql") or next(iter(sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/psql")))), None)
        if not psql:
            raise Failure("psql is missing: apt-get install postgresql-client")
        done = subprocess.run([psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.run("db", "url"), "-c", statement],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=600)
        if done.returncode != 0:
            raise Failure(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()


class Client:
    """Tool calls over Streamable HTTP without a session, on one connection."""

    def __init__(self, port, key):
        self.port = port
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                        "MCP-Protocol-Version": REVISION, "X-API-Key": key}
        self.connection = None
        self.last_id = 0

    def is_accepted(self):
        return self._post({"jsonrpc": "2.0", "id": 0, "method": "ping"})[0] == 200

    def call(self, tool, arguments):
        """(structured result, seconds). A refused call is a Failure with the tool's words."""
        self.last_id += 1
        message = {"jsonrpc": "2.0", "id": self.last_id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        began = time.perf_counter()
        status, body = self._post(message)
        seconds = time.perf_counter() - began
        result = json.loads(body).get("result") if status == 200 else None
        if result is None or result.get("isError"):
            words = result["content"][0]["text"] if result else f"HTTP {status} {body[:500]!r}"
            raise Failure(f"{tool} {json.dumps(arguments)[:500]}: {words}")
        return result["structuredContent"], seconds

    def _post(self, message):
        body = json.dumps(message)
        for attempt in (1, 2):  # a connection that was kept too long is opened anew
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
                self.connection.request("POST", "/mcp", body.encode(), self.headers)
                response = self.connection.getresponse()
                return response.status, event_data(response.getheader("Content-Type", ""), response.read())
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt == 2:
                    raise
        raise AssertionError


def event_data(content_type, body):
    """The first event's data when the answer came as a stream of events."""
    if not content_type.startswith("text/event-stream"):
        return body
    found = re.search(rb"^data: (\{.*)$", body, re.MULTILINE)
    return found[1] if found else body


def percentile(values, share):
    """The value below which this share of them lies; between two of them by weight."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
