import { assert, assertEquals } from "@std/assert";
import { jsonSchema } from "../../../lib/config/json_schema.ts";
import { TOP_LEVEL_KEYS } from "../../../lib/config/schema.ts";

type Node = Record<string, unknown>;

/** The schema of a property, through any number of tables. */
function property(...path: string[]): Node {
  let node = jsonSchema() as Node;
  for (const key of path) node = (node["properties"] as Record<string, Node>)[key] ?? {};
  return node;
}

Deno.test("the JSON Schema is plain JSON and has every section", () => {
  const schema = jsonSchema() as Node;
  assertEquals(JSON.parse(JSON.stringify(schema)), schema);
  assertEquals(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  assertEquals(Object.keys(schema["properties"] as Node).sort(), [...TOP_LEVEL_KEYS].sort());
});

Deno.test("the JSON Schema tells range, default and meaning, and allows variables", () => {
  assertEquals(property("server", "messages_per_tick"), {
    default: 100,
    description: "Messages read at once.",
    anyOf: [{ type: "integer", minimum: 1 }, { type: "string", pattern: "\\$\\{[^}]+\\}" }],
  });
  assertEquals(property("server", "default_subscription_type")["anyOf"], [
    { type: "string", enum: ["stream", "event_store"] },
    { type: "string", pattern: "\\$\\{[^}]+\\}" },
  ]);
  assertEquals(property("server", "health", "port")["anyOf"], [
    { type: "integer", minimum: 0, maximum: 65535 },
    { type: "string", pattern: "\\$\\{[^}]+\\}" },
  ]);
});

Deno.test("the JSON Schema refuses unknown keys, except tables that may be overlays", () => {
  assertEquals(property("server")["additionalProperties"], false);
  assertEquals((jsonSchema().additionalProperties as Node)["$ref"], "#");
});

Deno.test("the JSON Schema requires nothing: overlays and defaults fill up", () => {
  assert(!JSON.stringify(jsonSchema()).includes('"required"'));
});
