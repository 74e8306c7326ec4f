"""Runs every check and tells what it checked. Called by scripts/check-deploy."""

import sys

import cluster
import containers
import mail_servers
import messages

CHECKS = [
    ("deploy/Dockerfile: hadolint, packages, targets", containers.dockerfile),
    ("deploy/Dockerfile: its health check against a real HTTP server", containers.health_check),
    ("compose files: schema, everything named is there, the workers can be scaled", containers.compose),
    ("deploy/make-secrets: makes what is named elsewhere, and keeps what is there", containers.secrets),
    ("deploy/mail-platform: the scripts, and all that the templates need is set", mail_servers.templates),
    ("deploy/mail-platform: the limits fit together", mail_servers.limits),
    ("deploy/mail-platform: Postfix dials whom the services may dial", mail_servers.egress),
    ("compose files: one name for the mail servers", mail_servers.hostname),
    ("every MAILMOOR__ variable is a setting, and no secret stands in a file", containers.settings),
    ("deploy/kubernetes: renders, and fits the API's schemas", cluster.manifests),
    ("deploy/kubernetes: labels, names and versions fit together", cluster.references),
    ("deploy/kubernetes/examples: fit what they are for", cluster.examples),
    ("deploy/asyncapi.yaml: AsyncAPI 3.0, references, schemas, examples", messages.document),
    ("deploy/asyncapi.yaml: events, queues and headers are those of the code", messages.code),
]


def main():
    failed = False
    for title, check in CHECKS:
        problems = []
        try:
            problems.extend(check())
        except Exception as error:  # What no check foresaw is a failed check, and the others go on.
            problems.append(f"{type(error).__name__}: {error}")
        failed = failed or bool(problems)
        print("FAILED " if problems else "ok     ", title)
        for problem in problems:
            print("           ", str(problem).replace("\n", "\n            "))
    return 1 if failed else 0


sys.exit(main())
