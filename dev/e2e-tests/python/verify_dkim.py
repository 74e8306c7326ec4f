"""verify_dkim.py HOST PORT FILE...: asks the name server at HOST PORT for keys, and prints a line of JSON for each
message: its signatures from the top, with whose each is and whether it is valid, according to dkimpy.
"""

import json
import sys

import dkim
import dns.exception
import dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = [sys.argv[1]], int(sys.argv[2])


def published(name, timeout=5):
    try:
        answer = resolver.resolve(name.decode(), "TXT", lifetime=timeout)
    except dns.exception.DNSException:
        return None
    return b"".join(answer[0].strings)


def signatures(message):
    fields = [value for name, value in dkim.rfc822_parse(message)[0] if name.lower() == b"dkim-signature"]
    for index, field in enumerate(fields):
        domain = dkim.parse_tag_value(field)[b"d"].decode()
        try:
            valid = dkim.DKIM(message).verify(index, dnsfunc=published)
        except dkim.DKIMException:
            valid = False
        yield {"domain": domain, "valid": valid}


for path in sys.argv[3:]:
    with open(path, "rb") as file:
        print(json.dumps(list(signatures(file.read()))))
