/**
 * What a key expects, in words, taken from the schema's own JSON Schema so that the two never disagree.
 *
 * @module
 */
import * as z from "zod";
import { bare } from "./walk.ts";

type JsonSchema = z.core.JSONSchema._JSONSchema;

/** `a whole number from 0 to 65535`, `true or false`, `one of 'stream', 'event_store'`, `a table`. */
export function expectation(schema: z.core.$ZodType): string {
  const outer = bare(schema);
  if (outer instanceof z.ZodObject || outer instanceof z.ZodRecord) return "a table";
  return inWords(z.toJSONSchema(outer, { io: "input", unrepresentable: "any" }));
}

/** The values of an enumeration; empty for anything else. */
export function choices(schema: z.core.$ZodType): readonly string[] {
  const outer = bare(schema);
  return outer instanceof z.ZodEnum ? outer.options.map(String).filter((option) => option !== "") : [];
}

function inWords(schema: JsonSchema): string {
  if (typeof schema === "boolean") return "anything";
  if (schema.const !== undefined) return `'${schema.const}'`;
  if (schema.enum) {
    return `one of ${schema.enum.filter((value) => value !== "").map((value) => `'${value}'`).join(", ")}`;
  }
  if (schema.anyOf) return schema.anyOf.map(inWords).filter((words) => words !== "''").join(" or ");
  switch (schema.type) {
    case "integer":
      return `a whole number${range(schema)}`;
    case "number":
      return `a number${range(schema)}`;
    case "boolean":
      return "true or false";
    case "array":
      return "a list of texts";
    case "string":
      if (schema.pattern?.startsWith("^\\/")) return "text that begins with '/'";
      return schema.minLength ? "text that is not empty" : "text";
    default:
      return "something else";
  }
}

function range({ minimum, maximum, exclusiveMinimum }: Exclude<JsonSchema, boolean>): string {
  const least = bounded(minimum) ? minimum : undefined;
  const most = bounded(maximum) ? maximum : undefined;
  if (least !== undefined && most !== undefined) return ` from ${least} to ${most}`;
  if (least !== undefined) return ` of at least ${least}`;
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`;
  return "";
}

/** JSON Schema names the ends of the safe integers where there is no bound. */
function bounded(limit: number | undefined): limit is number {
  return limit !== undefined && Math.abs(limit) < Number.MAX_SAFE_INTEGER;
}
