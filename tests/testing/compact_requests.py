"""Writes and checks the fake's request table: Stripe's request schemas in a shorter form.

Run as a script it prints the table for src/airport_payments/testing/fake_stripe/request_params.json.
"""

from __future__ import annotations

import json
from pathlib import Path

SCHEMAS = Path(__file__).parent.parent / "schemas" / "schemas.json"
LONG_ENUM = 8
BIG_OBJECT = 20


class Compactor:
    def __init__(self):
        self.shared = {}

    def share(self, name, value):
        for taken, other in self.shared.items():
            if other == value:
                return "@" + taken
        unique, count = name, 1
        while unique in self.shared:
            count += 1
            unique = f"{name}_{count}"
        self.shared[unique] = value
        return "@" + unique

    def type_of(self, schema, name):
        if "anyOf" in schema:
            options = [self.type_of(option, name) for option in schema["anyOf"]]
            return "any" if all(option == "any" for option in options) else {"|": options}
        if "enum" in schema:
            values = schema["enum"]
            return self.share(name, values) if len(values) > LONG_ENUM else values
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self.object_of(schema, name)
        if kind == "array":
            return {"[]": self.type_of(schema["items"], name)}
        if kind == "string":
            length = schema.get("maxLength")
            return "text" if length is None else "string" if length == 5000 else f"string<{length}"
        return kind or "any"

    def object_of(self, schema, name):
        required = set(schema.get("required", ()))
        fields = {
            key + ("!" if key in required else ""): self.type_of(value, key)
            for key, value in schema.get("properties", {}).items()
        }
        fields |= {key + "!": "any" for key in sorted(required - set(schema.get("properties", {})))}
        if not schema.get("properties"):
            extra = schema.get("additionalProperties")
            fields["*"] = self.type_of(extra, name) if extra else "any"
        return self.share(name, fields) if len(fields) > BIG_OBJECT else fields


def compact_table():
    """Return the table that the fake must have, made from tests/schemas/schemas.json."""
    compactor = Compactor()
    requests = {}
    for endpoint, schema in json.loads(SCHEMAS.read_text())["requests"].items():
        in_path = [part[1:-1] for part in endpoint.split("/") if part.startswith("{")]
        properties = {key: value for key, value in schema["properties"].items() if key not in in_path}
        requests[endpoint] = {key: compactor.type_of(value, key) for key, value in properties.items()}
    return {"shared": compactor.shared, "requests": requests}


def text():
    table = compact_table()
    lines = ["{", ' "comment": "Reduced from Stripe\'s OpenAPI description (MIT, Copyright Stripe, Inc.).",']
    for section in ("shared", "requests"):
        lines.append(f' "{section}": {{')
        rows = [
            f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in table[section].items()
        ]
        lines.append(",\n".join(rows))
        lines.append(" }" + ("," if section == "shared" else ""))
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    print(text(), end="")
