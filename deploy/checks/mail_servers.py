"""Dovecot and Postfix, as deploy/mail-platform sets them up."""

import ipaddress
import re
from pathlib import Path

from common import COMPOSE, found, load, run
from containers import TARGETS

FOLDER = Path("deploy/mail-platform")
EGRESS = "libs/service-runtime/src/egress/mod.rs"
GATEWAY = "api-gateway/src/mail_platform/listener.rs"


def hostname():
    """The gateway tells it and the DNS checker looks for it; the mail servers have it in their certificate."""
    for path in COMPOSE:
        names = {}
        for name, service in load(path)["services"].items():
            variables = service.get("environment", {})
            if service.get("build", {}).get("target") in TARGETS:
                names[name] = variables.get("MAILMOOR__MAIL_PLATFORM__HOSTNAME")
            elif "MAIL_HOSTNAME" in variables:
                names[name] = variables["MAIL_HOSTNAME"]
        if None in names.values() or len(set(names.values())) != 1:
            yield f"{path}: not one name for the mail servers: {names}"


def templates():
    for script in ["render", "start"]:
        yield from run("sh", "-n", FOLDER / script)
    start = (FOLDER / "start").read_text()
    exported = set(" ".join(re.findall(r"^export (.+)$", start, re.MULTILINE)).replace("=", " ").split())
    for template in sorted([*FOLDER.glob("*.cf"), *FOLDER.glob("*.conf")]):
        for name in sorted(set(re.findall(r"@([A-Z_]+)@", template.read_text())) - exported):
            yield f"{template}: nobody sets {name}"


def limits():
    """Nobody takes more than a small share, and behind each place at a door there is one in the next room."""
    def limit(file, pattern):
        return int(found(pattern, FOLDER / file)[0])

    world = limit("master.cf", r"^@MX_PORT@ +inet(?: +\S+){4} +(\d+) +smtpd$")
    relay = limit("master.cf", r"^127.0.0.1:@RELAY_PORT@ +inet(?: +\S+){4} +(\d+) +smtpd$")
    pattern = "^service {} {{[^}}]*process_limit = (\\d+)\n"
    places = {name: limit("dovecot.conf", pattern.format(name)) for name in ["imap", "submission"]}
    quota = limit("dovecot.conf", r"^  executable = quota-status .*?process_limit = (\d+)\n")
    gateway = int(found(r"const MAX_CONNECTIONS: usize = (\w+);", GATEWAY)[0])
    for name, what, enough in [
        ("the relay service of Postfix", relay, places["submission"]),
        ("quota-status", quota, world + relay),
        ("the gateway's doors for Postfix", gateway, world + relay),
    ]:
        if what < enough:
            yield f"{name}: {what} places for {enough}"
    shares = {"the world": (limit("main.cf", r"^smtpd_client_connection_count_limit = (\d+)$"), world)}
    for name, all_of_them in places.items():
        pattern = rf"^protocol {name} {{[^}}]*mail_max_userip_connections = (\d+)\n"
        shares[name] = (limit("dovecot.conf", pattern), all_of_them)
    for name, (share, all_of_them) in shares.items():
        if share * 20 > all_of_them:
            yield f"{name}: somebody may take {share} of {all_of_them} places"


def egress():
    """Postfix believes a name server exactly the addresses that the services may dial, but for 6to4 and NAT64."""
    v4 = found(r"\(Ipv4Addr::new\((\d+), (\d+), (\d+), (\d+)\), (\d+)\),", EGRESS)
    forbidden = [ipaddress.ip_network(f"{a}.{b}.{c}.{d}/{length}") for a, b, c, d, length in v4]
    v6 = found(r"\((0x\w+) << (\d+), (\d+)\)", EGRESS)
    forbidden += [ipaddress.ip_network((int(bits, 16) << int(shift), int(length))) for bits, shift, length in v6]
    forbidden += [ipaddress.ip_network(network) for network in ["::/3", "4000::/2", "8000::/1", "2002::/16"]]
    for network in forbidden:
        first, last = int(network[0]), int(network[-1])
        for number in {first - 1, first, first + 1, (first + last) // 2, last - 1, last, last + 1}:
            if not 0 <= number < 1 << network.max_prefixlen:
                continue
            address = type(network[0])(number)
            allowed = not any(address in other for other in forbidden if other.version == address.version)
            if believed(f"a.test. 60 IN {'A' if address.version == 4 else 'AAAA'} {address}") != allowed:
                yield f"private.cf is wrong about {address}"


def believed(answer):
    """Whether private.cf, a regular expression table of Postfix, lets this answer pass."""
    skip = False
    for line in (FOLDER / "private.cf").read_text().splitlines():
        condition, negated, pattern = re.fullmatch(r"(if |)(!?)/(.*)/(?: IGNORE)?|.*", line).groups()
        if line == "endif":
            skip = False
        elif pattern is not None and not skip and bool(re.search(pattern, answer)) != bool(negated):
            if not condition:
                return False
        elif condition:
            skip = True
    return True
