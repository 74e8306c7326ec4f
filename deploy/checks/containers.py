"""The images and the compose files."""

import base64
import http.server
import json
import re
import subprocess
import threading
import tomllib
from pathlib import Path

from common import COMPOSE, DOCKERFILE, KUBERNETES, TOOLS, found, load, made_secrets, run, services, stages

TARGETS = [*services(), "mailmoor"]
# The mail servers have an image of their own.
MAIL_PLATFORM = "mail-platform"
# `docker compose up --scale` must work for these: all but the gateway, which has a port of the host.
SCALED = services()[1:]
SECRETS = [
    "MAILMOOR__DATABASE__URL",
    "MAILMOOR__BROKER__URL",
    "MAILMOOR__SECRETS__MASTER_KEY",
    "MAILMOOR__MAIL_PLATFORM__DOVEADM_API_KEY",
]


def dockerfile():
    yield from run(TOOLS / "hadolint", DOCKERFILE)
    if stages()[-len(TARGETS):] != TARGETS:
        yield f"the last stages are not {TARGETS}, of which the last one is the default: {stages()}"
    packages = found(r'^BUILD_PACKAGES="([^"]+)"', "scripts/lib.sh")[0]
    if f" {packages}\n" not in DOCKERFILE.read_text():
        yield f"the build stage does not install BUILD_PACKAGES of scripts/lib.sh: {packages}"


def health_check():
    """Healthy when the server says so; not when it says otherwise, or is not there."""
    command = json.loads(found(r"^HEALTHCHECK [^[]*CMD (\[.*?\])$", DOCKERFILE)[0])

    def exit_status(port):
        environment = {"PATH": "/usr/bin:/bin", "MAILMOOR__HTTP__LISTEN": f"0.0.0.0:{port}"}
        return subprocess.run(command, env=environment, timeout=10, stderr=subprocess.DEVNULL).returncode

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for status, healthy in [(200, True), (503, False)]:
            server.status = status
            if (exit_status(server.server_port) == 0) != healthy:
                yield f"wrong about a server that answers {status}"
        server.shutdown()
    if exit_status(server.server_port) == 0:
        yield "healthy without a server"


def compose():
    yield from run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *COMPOSE)
    for missing in set(services()) - set(load(COMPOSE[0])["services"]):
        yield f"{COMPOSE[0]}: {missing} is missing"
    for path in COMPOSE:
        document = load(path)
        for name, service in document["services"].items():
            for problem in compose_service(document, name, service, path.parent):
                yield f"{path}: {name}: {problem}"


def compose_service(document, name, service, folder):
    services = document["services"]
    for other, how in service.get("depends_on", {}).items():
        if other not in services:
            yield f"depends on {other}, which is no service"
        elif how["condition"] == "service_healthy" and "test" not in services[other].get("healthcheck", {}):
            yield f"waits for the health of {other}, which has no health check"
    used = {
        "networks": service.get("networks", []),
        "secrets": [s if isinstance(s, str) else s["source"] for s in service.get("secrets", [])],
        "volumes": [v.split(":")[0] for v in service.get("volumes", [])],
    }
    for kind, names in used.items():
        for missing in set(names) - set(document.get(kind, {})) - {"default"}:
            yield f"{missing} is not among the {kind}"
    owner = service.get("network_mode", "").removeprefix("service:")
    if owner and services.get(owner, {}).get("entrypoint") != ["sleep", "infinity"]:
        yield f"is cut off when {owner}, whose network it shares, is started anew"
    build = service.get("build")
    if build:
        context = folder / build["context"]
        if not (context / build["dockerfile"]).samefile(DOCKERFILE) or not (context / "Cargo.toml").exists():
            yield "is not built from the root of the repository with deploy/Dockerfile"
        if build["target"] not in [*TARGETS, MAIL_PLATFORM]:
            yield f"{build['target']} is no target of deploy/Dockerfile"
        if service.get("restart") == "unless-stopped" and int(service["stop_grace_period"].rstrip("s")) < 20:
            yield "has less than 20 s to stop"
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:"):
            yield f"the port {port} is open to the world"
    if "container_name" in service or (name in SCALED and "ports" in service):
        yield "cannot be scaled with a container_name or a port of the host"


def secrets():
    first, second = made_secrets()
    if first != second:
        yield "a second run changes something"
    if len(base64.b64decode(first["master_key"], validate=True)) != 32:
        yield "master_key is not base64 of 32 bytes"
    for name, text in first.items():
        if name != "rabbitmq.conf" and text != text.strip():
            yield f"{name} has white space around it"
    if first["postgres_password"] not in first["database_url"]:
        yield "database_url has another password than postgres_password"
    if first["mail_database_password"] not in first["mail_database_url"]:
        yield "mail_database_url has another password than mail_database_password"
    for name in ["broker_url", "rabbitmq.conf"]:
        if first["rabbitmq_password"] not in first[name]:
            yield f"{name} has another password than rabbitmq_password"
    for name, secret in load(COMPOSE[0])["secrets"].items():
        file = Path(secret["file"])
        if file.parent != Path("deploy/secrets") or file.name not in first:
            yield f"{COMPOSE[0]}: nobody makes the file of {name}, {file}"


def settings():
    defaults = tomllib.loads(Path("deploy/config/default.toml").read_text())
    known = {"MAILMOOR__DATA_DIR"} | {f"{secret}_FILE" for secret in SECRETS}
    for section, values in defaults.items():
        if isinstance(values, dict):
            known |= {f"MAILMOOR__{section}__{key}".upper() for key in values}
    known -= set(SECRETS)
    for path in [DOCKERFILE, *COMPOSE, *sorted(KUBERNETES.rglob("*.yaml"))]:
        for name in sorted(set(re.findall(r"MAILMOOR__\w+", path.read_text())) - known):
            yield f"{path}: {name} " + ("must be a file" if name in SECRETS else "is no setting")
