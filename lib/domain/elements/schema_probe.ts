/**
 * Finds schemas that validate asynchronously before anything starts, instead of with the first message
 * (delivery 17).
 *
 * A validator may turn asynchronous only behind a value it likes, such as an `async` refinement of a field.
 * So a schema that also describes itself (Standard JSON Schema: zod 4 and others) is tried on a value made
 * from its description.
 *
 * @module
 */
import { ConfigurationError, type ConfigurationProblem } from "../../errors.ts";
import { validate } from "./schema.ts";
import type { Schema } from "../types.ts";

// A value that a JSON Schema describes, for the probe of `schema_probe.ts`. It need not be accepted: it only
// has to reach as far into the schema as an ordinary payload does.

type Node = Readonly<Record<string, unknown>>;

/** Deep enough for real payloads, and an end for recursive schemas. */
const MAX_DEPTH = 8;

const FORMATS: Readonly<Record<string, string>> = {
  "date-time": "2026-01-01T00:00:00.000Z",
  date: "2026-01-01",
  time: "00:00:00",
  duration: "PT1S",
  email: "someone@example.com",
  uri: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000",
  ipv4: "127.0.0.1",
  ipv6: "::1",
};

/** A sample with every property that `schema` names. */
export function sampleOf(schema: unknown): unknown {
  return sample(schema, schema, 0);
}

function sample(schema: unknown, root: unknown, depth: number): unknown {
  if (!isNode(schema) || depth > MAX_DEPTH) return null;
  if (typeof schema.$ref === "string") return sample(resolve(schema.$ref, root), root, depth + 1);
  if ("const" in schema) return schema.const;
  if ("default" in schema) return schema.default;
  for (const choice of [schema.enum, schema.examples]) {
    if (Array.isArray(choice) && choice.length > 0) return choice[0];
  }
  const branch = [schema.anyOf, schema.oneOf, schema.allOf].find(Array.isArray);
  if (branch) return sample(branch[0], root, depth + 1);
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case "object":
      return sampleObject(schema, root, depth);
    case "array":
      return Array.from(
        { length: Math.min(Math.max(count(schema.minItems), 1), 100) },
        () => sample(schema.items, root, depth + 1),
      );
    case "string":
      return FORMATS[String(schema.format)] ??
        "a".repeat(Math.min(Math.max(count(schema.minLength), 1), 1000));
    case "number":
    case "integer":
      return sampleNumber(schema);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      // A type that JSON Schema cannot describe is a date more often than anything else.
      return FORMATS["date-time"];
  }
}

function sampleObject(schema: Node, root: unknown, depth: number): Record<string, unknown> {
  const properties = isNode(schema.properties) ? schema.properties : {};
  return Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [name, sample(property, root, depth + 1)]),
  );
}

function sampleNumber(schema: Node): number {
  if (typeof schema.minimum === "number") return schema.minimum;
  if (typeof schema.exclusiveMinimum === "number") return schema.exclusiveMinimum + 1;
  return typeof schema.maximum === "number" ? Math.min(1, schema.maximum) : 1;
}

/** `#/$defs/Item` within `root`. */
function resolve(reference: string, root: unknown): unknown {
  let node = root;
  for (const key of reference.replace(/^#\/?/, "").split("/").filter((part) => part !== "")) {
    node = isNode(node) ? node[key] : undefined;
  }
  return node;
}

function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Described {
  readonly jsonSchema?: {
    readonly input?: (options: { target: string; libraryOptions?: Record<string, unknown> }) => unknown;
  };
}

/** The problem with `schema`, if it answered a trial value with a Promise. */
export function probeSchema(schema: Schema, what: string): ConfigurationProblem | undefined {
  for (const value of [{}, trialValue(schema)]) {
    try {
      validate(schema, value, what);
    } catch (error) {
      // Whatever else a validator makes of a trial value says nothing about real ones.
      if (error instanceof ConfigurationError) return { code: error.code, message: error.message };
    }
  }
  return undefined;
}

function trialValue(schema: Schema): unknown {
  const { jsonSchema } = schema["~standard"] as Described;
  try {
    return sampleOf(
      jsonSchema?.input?.({ target: "draft-2020-12", libraryOptions: { unrepresentable: "any" } }),
    );
  } catch {
    return {};
  }
}
