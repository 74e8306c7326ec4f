"""The description of the messages."""

import re
import warnings
from pathlib import Path

import jsonschema
from jsonschema import Draft7Validator

from common import found, load, queues

DOCUMENT = Path("deploy/asyncapi.yaml")
EVENTS = "shared-models/src/events/mod.rs"
RABBITMQ = Path("libs/service-runtime/src/bus/rabbitmq")


def nodes(value, where="#"):
    """Everything in the document, with its place."""
    yield where, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, child in children:
        yield from nodes(child, f"{where}/{key}")


def resolve(document, reference):
    value = document
    for key in reference.removeprefix("#/").split("/"):
        value = value[key]
    return value


def document():
    source = load(DOCUMENT)
    yield from structure(source)
    for where, value in nodes(source):
        if isinstance(value, dict) and "$ref" in value:
            try:
                resolve(source, value["$ref"])
            except KeyError:
                yield f"{where}: there is no {value['$ref']}"
    for name, channel in source["channels"].items():
        if set(re.findall(r"{(\w+)}", channel["address"])) != set(channel.get("parameters", {})):
            yield f"channel {name}: the parameters are not those of its address"
    for name, message in source["components"]["messages"].items():
        yield from (f"message {name}: {problem}" for problem in schemas(source, message))
    for name, schema in source["components"]["schemas"].items():
        try:
            Draft7Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            yield f"schema {name}: {error.message}"


def structure(source):
    with warnings.catch_warnings():
        # Its own models shadow an attribute of pydantic.
        warnings.simplefilter("ignore")
        from asyncapi3 import AsyncAPI3
        from pydantic import ValidationError
    try:
        AsyncAPI3.model_validate(source)
    except ValidationError as error:
        # A reference would have been allowed in most places, which is not what is missing.
        for mistake in error.errors():
            if "Reference" not in mistake["loc"]:
                place = [str(part) for part in mistake["loc"] if "[" not in str(part)]
                yield f"{'.'.join(place)}: {mistake['msg']}"


def schemas(source, message):
    for part in ["payload", "headers"]:
        # With everything that its references may name.
        schema = {"components": source["components"], **message.get(part, {})}
        try:
            Draft7Validator.check_schema(schema)
            for example in message.get("examples", []):
                if part in example:
                    jsonschema.validate(example[part], schema, Draft7Validator)
        except jsonschema.exceptions._Error as error:
            yield f"{part}: {error.message}"


def code():
    source = load(DOCUMENT)
    channels, components = source["channels"], source["components"]["messages"]
    routes = dict(found(r'^\s+\w+\(\w+\) = "([\w.]+)" => \[([^\]]*)\];$', EVENTS))
    types = list(routes)
    yield from differ("the event types", types, channels["events"]["parameters"]["eventType"]["enum"])
    yield from differ("the messages of the exchange", types, message_types(components, channels["events"]))
    for message in channels["events"]["messages"]:
        by_name, payload = components[message]["name"], components[message]["payload"]
        constants = {part.get("properties", {}).get("type", {}).get("const") for part in payload["allOf"]} - {None}
        if {by_name, components[message]["bindings"]["amqp"]["messageType"]} != constants:
            yield f"message {message} is not everywhere of the same type"

    for constant, queue in queues().items():
        at = {channel["address"]: channel for channel in channels.values()}
        for address in [queue, f"{queue}.dead", f"{queue}.retry.{{delay}}"]:
            if address not in at:
                yield f"there is no channel {address}"
                return
        wanted = [event for event, names in routes.items() if constant in names.split(", ")]
        yield from differ(f"the messages of {queue}", wanted, message_types(components, at[queue]))
        seconds = found(r"const RETRY_SECONDS: \[u64; \d+\] = \[([^\]]+)\];", RABBITMQ / "topology.rs")[0]
        delays = [f"{number}s" for number in seconds.split(", ")]
        yield from differ("the retry queues", delays, at[f"{queue}.retry.{{delay}}"]["parameters"]["delay"]["enum"])
    for queue, bound in [(c["bindings"]["amqp"].get("queue", {}).get("name"), c["address"]) for c in channels.values()]:
        if queue and queue != bound:
            yield f"the channel {bound} is bound to {queue}"
    exchange = found(r'EXCHANGE: &str = "([^"]+)";', RABBITMQ / "topology.rs")
    yield from differ("the exchange", exchange, [channels["events"]["bindings"]["amqp"]["exchange"]["name"]])
    headers = found(r'^(?:pub\S* )?const \w+: &str = "(x-mailmoor-[^"]+)";', RABBITMQ / "mod.rs")
    described = {header for message in components.values() for header in message.get("headers", {}).get("properties", {})}
    yield from differ("the headers", headers, described)


def message_types(components, channel):
    return [components[reference["$ref"].rpartition("/")[2]]["name"] for reference in channel["messages"].values()]


def differ(what, in_code, described):
    if set(in_code) != set(described):
        yield f"{what}: in the code {sorted(in_code)}, described {sorted(described)}"
