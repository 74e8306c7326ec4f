"""The Kubernetes manifests."""

import functools
import subprocess
import tomllib
from pathlib import Path

import kubernetes_validate
import yaml

from common import KUBERNETES, load, load_all, made_secrets, queues, services, stages

# What the file with the secret's values is mounted as.
SECRET = "mailmoor-secrets"
SECRET_FOLDER = Path("/run/secrets/mailmoor")


@functools.cache
def rendered():
    """What `kubectl apply -k` would send."""
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip())
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def pod_specs(documents):
    for document in documents:
        spec = document["spec"] if document["kind"] == "Pod" else document.get("spec", {}).get("template", {}).get("spec")
        if spec:
            yield document["metadata"]["name"], spec


def fits_schema(document):
    name = f"{document['kind']} {document['metadata']['name']}"
    try:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{name}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        yield f"{name}: {error.message}"


def manifests():
    try:
        documents = rendered()
    except ValueError as error:
        yield error
        return
    for document in documents:
        yield from fits_schema(document)
    listed = set(load(KUBERNETES / "kustomization.yaml")["resources"])
    for file in KUBERNETES.glob("*.yaml"):
        if file.name not in listed | {"kustomization.yaml"}:
            yield f"{file.name} is not among the resources"


def references():
    documents = rendered()
    pods = {}
    for document in documents:
        if document["kind"] == "Deployment":
            labels = document["spec"]["template"]["metadata"]["labels"]
            pods[document["metadata"]["name"]] = labels
            if not document["spec"]["selector"]["matchLabels"].items() <= labels.items():
                yield f"the Deployment {document['metadata']['name']} does not select its own pods"
    for missing in set(services()) - set(pods):
        yield f"there is no Deployment {missing}"
    for document in documents:
        kind, name = document["kind"], document["metadata"]["name"]
        if kind in ["Service", "PodDisruptionBudget"]:
            selector = document["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            if not any(selector.items() <= labels.items() for labels in pods.values()):
                yield f"{kind} {name} selects no pods"
    maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    hostnames = {}
    for name, spec in pod_specs(documents):
        yield from pod(name, spec, maps)
        for container in spec["containers"]:
            hostnames[name] = variables_of(container, maps).get("MAILMOOR__MAIL_PLATFORM__HOSTNAME")
    if None in hostnames.values() or len(set(hostnames.values())) != 1:
        yield f"not one name for the mail servers: {hostnames}"


def variables_of(container, maps):
    variables = {variable["name"]: variable["value"] for variable in container.get("env", [])}
    for source in container.get("envFrom", []):
        variables |= maps.get(source["configMapRef"]["name"], {})
    return variables


def pod(name, spec, maps):
    version = tomllib.loads(Path("Cargo.toml").read_text())["workspace"]["package"]["version"]
    files = made_secrets()[0]
    for volume in spec["volumes"]:
        if volume.get("secret", {}).get("secretName", SECRET) != SECRET:
            yield f"{name}: another secret than {SECRET}"
    for container in spec["containers"]:
        image, _, tag = container["image"].rpartition("/")[2].partition(":")
        if image not in stages() or tag != version:
            yield f"{name}: {container['image']} is no target of deploy/Dockerfile in version {version}"
        variables = variables_of(container, maps)
        for variable in ["DATABASE__URL_FILE", "BROKER__URL_FILE", "SECRETS__MASTER_KEY_FILE"]:
            file = Path(variables.get(f"MAILMOOR__{variable}", "/unset"))
            if file.parent != SECRET_FOLDER or file.name not in files:
                yield f"{name}: {variable} is {file}, which is none of the secret's files"
        if not any(mount["mountPath"] == str(SECRET_FOLDER) for mount in container["volumeMounts"]):
            yield f"{name}: {SECRET_FOLDER} is not mounted"


def examples():
    yield from fits_schema(load(KUBERNETES / "examples/admin.yaml"))
    for name, spec in pod_specs([load(KUBERNETES / "examples/admin.yaml")]):
        yield from pod(name, spec, {})
    # There is no schema for KEDA's kinds at hand.
    authentication, *scaled = load_all(KUBERNETES / "examples/keda.yaml")
    if authentication["kind"] != "TriggerAuthentication" or {s["kind"] for s in scaled} != {"ScaledObject"}:
        yield "keda.yaml: not a TriggerAuthentication and ScaledObjects"
    for spec in [s["spec"] for s in scaled]:
        if spec["scaleTargetRef"]["name"] not in [d["metadata"]["name"] for d in rendered() if d["kind"] == "Deployment"]:
            yield "keda.yaml: scales something else than a Deployment of ours"
        for trigger in spec["triggers"]:
            if trigger["metadata"]["queueName"] not in queues().values():
                yield "keda.yaml: not a queue of ours"
            if trigger["authenticationRef"]["name"] != authentication["metadata"]["name"]:
                yield "keda.yaml: authenticationRef names something else"
    for parameter in authentication["spec"]["secretTargetRef"]:
        if parameter["name"] != SECRET or parameter["key"] not in made_secrets()[0]:
            yield f"keda.yaml: {parameter['name']}/{parameter['key']} is not in the secret"
