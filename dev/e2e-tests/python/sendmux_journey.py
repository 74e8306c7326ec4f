"""A team of Sendmux moves over: the published client library, with nothing changed but the base URL.

The zone to publish is said on standard output, as a line of JSON; a line on standard input says that it is. Any
failure is an exception.
"""

import functools
import hashlib
import hmac
import http.server
import imaplib
import json
import os
import queue
import smtplib
import socket
import ssl
import sys
import threading
import time

from sendmux_core.errors import SendmuxApiError
from sendmux_core.pagination import iter_cursor_pages
from sendmux_sdk import management
from sendmux_management.api.connection_api import ConnectionApi
from sendmux_management.api.domain_filters_api import DomainFiltersApi
from sendmux_management.api.domains_api import DomainsApi
from sendmux_management.api.mailbox_filters_api import MailboxFiltersApi
from sendmux_management.api.mailboxes_api import MailboxesApi
from sendmux_management.api.sending_accounts_api import SendingAccountsApi
from sendmux_management.api.webhooks_api import WebhooksApi
from sendmux_management.models.provider_create_body_quotas_per_day import ProviderCreateBodyQuotasPerDay as Quota

DOMAIN = "team.test"
# The name of the mail platform, which only the laboratory's name server knows.
PLATFORM = "mail.example.test"

system_lookup = socket.getaddrinfo


def lookup(host, *rest, **named):
    return system_lookup("127.0.0.1" if host == PLATFORM else host, *rest, **named)


socket.getaddrinfo = lookup


def publish(zone):
    print(json.dumps({"publish": zone}), flush=True)
    assert sys.stdin.readline(), "the test is gone"


def trusting():
    return ssl.create_default_context(cafile=os.environ["CA_FILE"])


def by_imap(credential):
    imap = imaplib.IMAP4_SSL(credential.server, credential.imap_port, ssl_context=trusting())
    try:
        imap.login(credential.username, credential.secret)
        imap.select("INBOX")
        return True
    except imaplib.IMAP4.abort:
        # Sessions are ended when access changes, and this one was caught by what was changed before: once more.
        return by_imap(credential)
    except imaplib.IMAP4.error:
        return False


def by_submission(credential):
    with smtplib.SMTP(credential.server, credential.smtp_port) as smtp:
        smtp.starttls(context=trusting())
        try:
            smtp.login(credential.username, credential.secret)
            return True
        except smtplib.SMTPAuthenticationError:
            return False


def signs_in(credential):
    """By IMAP and by submission, with the libraries of Python."""
    imap, submission = by_imap(credential), by_submission(credential)
    assert imap == submission, f"IMAP {imap}, submission {submission}"
    return imap


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it is told."""

    received = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.put((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def receiver():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT_FILE"], os.environ["CERT_KEY_FILE"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://localhost:{server.server_port}/hook"


def arrives(event, secret):
    headers, body = Receiver.received.get(timeout=30)
    headers = {name.lower(): value for name, value in headers.items()}
    told = json.loads(body)
    assert (told["id"], told["type"]) == (event, "sendmux.test"), told
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(headers["x-sendmux-signature"], expected), headers
    assert headers["x-sendmux-event-id"] == event and headers["x-sendmux-delivery-attempt"] == "1", headers


def refused(status, code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except SendmuxApiError as error:
        assert (error.status_code, error.code) == (status, code), f"{error} instead of {status} {code}"
        assert error.request_id, "an error without request id"
        return error
    raise AssertionError(f"{call.__name__} was not refused with {status} {code}")


def in_pages(fetch, **named):
    """The ids of a whole list, in pages of two, as the library goes through them."""

    def page(cursor):
        found = fetch(cursor=cursor, limit=2, **named)
        assert len(found.data) == 2 or not found.pagination.has_more, found
        return found

    ids = [item.id for item in iter_cursor_pages(page)]
    assert len(ids) == len(set(ids)), ids
    return ids


def by_its_tag(api, read, change, subject, **body):
    """What was read is not sent again while it is the same, and not changed when it is not the same any more."""

    def tag():
        return getattr(api, f"{read}_with_http_info")(subject).headers["etag"]

    first = tag()
    refused(304, "api_error", getattr(api, read), subject, if_none_match=first)
    getattr(api, change)(subject, if_match=first, **body)
    assert tag() != first
    assert getattr(api, read)(subject, if_none_match=first).data
    error = refused(409, "conflict", getattr(api, change), subject, if_match=first, **body)
    assert error.headers["etag"] == tag(), error.headers
    getattr(api, change)(subject, if_match=tag(), **body)


def connection(api):
    told = api.management_get_connection().data
    assert told.credential.type == "api_key" and told.team.name and not told.mailboxes, told
    assert "mailbox.admin.create" in told.permissions, told


def domains(api):
    made = api.management_create_domain(management_create_domain_request={"domain": DOMAIN, "mode": "send_receive"}).data
    assert made.verification_status == "pending" and made.mailbox_count == 0, made
    assert made.dns_records.mail_from.mx.target and len(made.dns_records.dkim) >= 1, made.dns_records
    refused(409, "conflict", api.management_create_domain, management_create_domain_request={"domain": DOMAIN})
    early = api.management_verify_domain(made.id).data
    assert early.status != "verified" and not early.checks.verification_txt, early
    zone = api.management_get_domain_zone_file(made.id)
    zone = zone.decode() if isinstance(zone, (bytes, bytearray)) else zone
    publish(zone)
    verified = api.management_verify_domain(made.id).data
    assert verified.status == "verified", verified
    checks = verified.checks
    for name in ["verification_txt", "spf", "dmarc", "mx", "mail_from_mx", "mail_from_spf"]:
        assert getattr(checks, name), f"{name} of {checks}"
    assert [domain.id for domain in api.management_list_domains().data] == [made.id]
    assert api.management_get_domain(made.id).data.verified_at, "verified, but when?"
    same = api.management_update_domain(made.id, management_update_domain_request={"mode": "send_receive"}).data
    assert same.verification_status == "verified", same

    others = []
    for number in range(4):
        body = {"domain": f"d{number}.{DOMAIN}"}
        others.append(api.management_create_domain(management_create_domain_request=body).data.id)
    assert in_pages(api.management_list_domains) == [*reversed(others), made.id]
    refused(400, "invalid_parameter", api.management_list_domains, cursor="nonsense")
    for other in others:
        assert api.management_delete_domain(other).data.deleted
        refused(404, "not_found", api.management_delete_domain, other)
    wrong = {"domain": "no domain"}
    refused(400, "invalid_parameter", api.management_create_domain, management_create_domain_request=wrong)
    return made.id


def domain_filters(api, domain):
    assert api.management_get_domain_filters(domain).data.mode == "off"
    rules = {"mode": "denylist", "rules": [{"type": "deny", "pattern": "*@Spam.test", "note": "loud"}]}
    read, change = "management_get_domain_filters", "management_set_domain_filters"
    by_its_tag(api, read, change, domain, set_filter_state_body=rules)
    [rule] = api.management_get_domain_filters(domain).data.rules
    assert (rule.pattern, rule.note) == ("spam.test", "loud"), rule
    wrong = {"mode": "denylist", "rules": [{"type": "allow", "pattern": "spam.test", "note": None}]}
    refused(422, "validation_error", api.management_set_domain_filters, domain, set_filter_state_body=wrong)
    api.management_set_domain_filters(domain, set_filter_state_body={"mode": "off", "rules": []})


def available(api, email, reason):
    told = api.management_check_mailbox_availability(email=email).data
    assert (told.reason, told.available) == (reason, reason == "available"), told


def lists_of_mailboxes(api):
    made = []
    for name in "abcde":
        body = {"email": f"{name}@{DOMAIN}"}
        made.append(api.management_create_mailbox(management_create_mailbox_request=body).data.mailbox.id)
    assert in_pages(api.management_list_mailboxes) == made[::-1]
    for mailbox in made[1:]:
        assert api.management_delete_mailbox(mailbox).data.deleted
    assert in_pages(api.management_list_mailboxes) == made[:1]
    assert in_pages(api.management_list_mailboxes, include_deleted="true")[:5] == made[::-1]
    name = {"display_name": "A"}
    by_its_tag(api, "management_get_mailbox", "management_update_mailbox", made[0], update_mailbox_body=name)
    api.management_delete_mailbox(made[0])
    refused(404, "not_found", api.management_update_mailbox, made[0], update_mailbox_body={"display_name": "B"})


def mailboxes(api, filters, domains):
    for email, reason in [
        (f"Dana@{DOMAIN}", "available"),
        (f"mailer-daemon@{DOMAIN}", "reserved"),
        ("dana@other.test", "domain_not_available"),
        ("dana", "invalid_email"),
    ]:
        available(api, email, reason)
    made = api.management_create_mailbox(
        idempotency_key="first",
        management_create_mailbox_request={"email": f"dana@{DOMAIN}", "display_name": "Dana", "quota_bytes": 1073741824},
    ).data
    again = api.management_create_mailbox(
        idempotency_key="first",
        management_create_mailbox_request={"email": f"dana@{DOMAIN}", "display_name": "Dana", "quota_bytes": 1073741824},
    ).data
    assert (again.mailbox.id, again.credential.secret) == (made.mailbox.id, made.credential.secret)
    mailbox, first = made.mailbox, made.credential
    assert signs_in(first)
    available(api, f"dana@{DOMAIN}", "taken")
    refused(409, "conflict", domains.management_delete_domain, domains.management_list_domains().data[0].id)
    refused(409, "conflict", api.management_create_mailbox, management_create_mailbox_request={"email": f"dana@{DOMAIN}"})
    refused(422, "validation_error", api.management_create_mailbox, management_create_mailbox_request={"email": "x@other.test"})

    second = api.management_create_mailbox_key(mailbox.id, management_create_mailbox_key_request={"app_name": "phone"}).data.credential
    assert signs_in(second)
    api.management_delete_mailbox_key(mailbox.id, first.public_id)
    assert not signs_in(first)
    assert signs_in(second)
    assert api.management_suspend_mailbox(mailbox.id).data.status == "suspended"
    assert not signs_in(second)
    assert api.management_resume_mailbox(mailbox.id).data.status == "active"
    assert signs_in(second)

    renamed = api.management_update_mailbox(mailbox.id, update_mailbox_body={"display_name": "Dana Field"}).data
    assert renamed.display_name == "Dana Field", renamed
    rules = {"mode": "denylist", "rules": [{"type": "deny", "pattern": "*@spam.test", "note": None}]}
    stored = filters.management_set_mailbox_filters(mailbox.id, set_filter_state_body=rules).data
    assert [rule.pattern for rule in stored.rules] == ["spam.test"], stored
    assert filters.management_get_mailbox_filters(mailbox.id).data.mode == "denylist"
    rules = {"mode": "allowlist", "rules": [{"type": "allow", "pattern": "friend@good.test", "note": None}]}
    read, change = "management_get_mailbox_filters", "management_set_mailbox_filters"
    by_its_tag(filters, read, change, mailbox.id, set_filter_state_body=rules)
    api.management_delete_mailbox(mailbox.id)
    assert not signs_in(second)
    refused(404, "not_found", api.management_get_mailbox, mailbox.id)
    assert not api.management_list_mailboxes().data
    lists_of_mailboxes(api)


def providers(api):
    body = {
        "name": "Relay", "smtp_host": os.environ["SMTP_HOST"], "smtp_port": int(os.environ["SMTP_PORT"]),
        "smtp_protocol": "starttls", "smtp_username": os.environ["SMTP_USER"],
        "smtp_password": os.environ["SMTP_PASSWORD"],
        "quotas": {"per_day": Quota(500), "per_hour": Quota.from_json('{"min": 5, "max": 50}')},
    }
    made = api.management_create_provider(provider_create_body=body).data
    assert made.has_smtp_password and made.quotas.per_day.max == 500 and made.quotas.per_hour.min == 5, made
    tested = api.management_test_provider(made.id).data
    assert tested.success, tested
    assert api.management_get_provider(made.id).data.status == "active"
    wrong = api.management_create_provider(provider_create_body={**body, "name": "Wrong", "smtp_password": "not the right one"}).data
    assert not api.management_test_provider(wrong.id).data.success
    now = api.management_get_provider(wrong.id).data
    assert now.status == "error" and now.status_reason and "not the right one" not in str(now), now
    paused = api.management_deactivate_provider(made.id).data
    assert paused.status == "inactive" and not paused.is_active, paused
    assert api.management_activate_provider(made.id).data.is_active
    changed = api.management_update_provider(made.id, provider_update_body={"percentage": 40}).data
    assert changed.percentage == 40, changed
    name = {"from_name": "Dana"}
    by_its_tag(api, "management_get_provider", "management_update_provider", made.id, provider_update_body=name)
    off = api.management_create_provider(provider_create_body={**body, "name": "Off"}).data
    api.management_deactivate_provider(off.id)
    assert in_pages(api.management_list_providers) == [off.id, wrong.id, made.id]
    for status, provider in [("active", made), ("error", wrong), ("inactive", off)]:
        assert in_pages(api.management_list_providers, status=status, type="smtp") == [provider.id], status
    assert in_pages(api.management_list_providers, type="gmail_api") == []
    stats = api.management_get_provider_stats().data
    assert (stats.total, stats.active, stats.error, stats.inactive, stats.by_type.smtp) == (3, 1, 1, 1, 3), stats
    accounts = api.management_get_provider_limits().data.sending_accounts
    assert accounts.usage == 3 and not accounts.can_request_increase, accounts
    refused(422, "validation_error", api.management_request_sending_account_limit_increase)
    usage = api.management_get_provider_usage().data
    assert usage.window_days == 7 and {of.provider_id for of in usage.providers} == {made.id, wrong.id, off.id}, usage
    assert all(of.sent_today == of.total_7d == 0 for of in usage.providers), usage
    for provider in [off, wrong]:
        api.management_delete_provider(provider.id)
        refused(404, "not_found", api.management_get_provider, provider.id)


def logged(api, webhook, count):
    """The log of deliveries, once it has so many: a try is noted after its answer has come."""
    deadline = time.monotonic() + 30
    while len(deliveries := api.management_list_delivery(webhook).data) < count:
        assert time.monotonic() < deadline, f"{len(deliveries)} of {count} deliveries"
    return deliveries


def webhooks(api):
    url = receiver()
    made = api.management_create_webhook(
        webhook_create_body={"url": url, "event_types": ["sendmux.test", "message.received"], "name": "ours"}
    ).data
    event = api.management_test_webhook(made.id).data.event_id
    arrives(event, made.secret)
    rotated = api.management_rotate_webhook_secret(made.id).data
    assert rotated.secret != made.secret
    event = api.management_test_webhook(made.id).data.event_id
    arrives(event, rotated.secret)
    [latest, first] = logged(api, made.id, 2)
    assert latest.event_id == event and latest.result == "success" and first.result == "success", latest
    payload = api.management_get_delivery_payload(made.id, latest.id).data
    assert payload.event_id == event, payload
    event = api.management_test_webhook(made.id).data.event_id
    arrives(event, rotated.secret)
    log = [delivery.id for delivery in logged(api, made.id, 3)]
    of_webhook = functools.partial(api.management_list_delivery, made.id)
    assert in_pages(of_webhook) == log and log[1:] == [latest.id, first.id]
    assert in_pages(of_webhook, result="success", event_type="sendmux.test") == log
    assert in_pages(of_webhook, result="failed") == in_pages(of_webhook, event_type="message.received") == []
    refused(404, "not_found", api.management_get_delivery_payload, made.id, made.id)

    name = {"name": "theirs"}
    by_its_tag(api, "management_get_webhook", "management_update_webhook", made.id, webhook_update_body=name)
    paused = api.management_update_webhook(made.id, webhook_update_body={"enabled": False}).data
    assert (paused.name, paused.enabled) == ("theirs", False), paused
    body = {"url": url, "event_types": ["message.bounced"]}
    others = [api.management_create_webhook(webhook_create_body=body).data.id for _ in range(2)]
    assert in_pages(api.management_list_webhooks) == [*reversed(others), made.id]
    plain = {"url": "http://localhost/hook", "event_types": ["sendmux.test"]}
    refused(422, "validation_error", api.management_create_webhook, webhook_create_body=plain)
    api.management_delete_webhook(made.id)
    refused(404, "not_found", api.management_get_webhook, made.id)


def main():
    parts = os.environ["PARTS"].split(",")
    client = management.create_management_client(api_key=os.environ["KEY"], base_url=os.environ["BASE_URL"])
    connection(ConnectionApi(client))
    if "domains" in parts:
        domain_filters(DomainFiltersApi(client), domains(DomainsApi(client)))
    if "mailboxes" in parts:
        mailboxes(MailboxesApi(client), MailboxFiltersApi(client), DomainsApi(client))
    if "providers" in parts:
        providers(SendingAccountsApi(client))
    if "webhooks" in parts:
        webhooks(WebhooksApi(client))
    stranger = management.create_management_client(api_key="smx_root_" + "x" * 40, base_url=os.environ["BASE_URL"])
    refused(401, "authentication_required", DomainsApi(stranger).management_list_domains)


main()
