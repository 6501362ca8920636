/**
 * Finds schemas that validate asynchronously before anything starts, instead of with the first message (delivery 17).
 *
 * A validator may turn asynchronous only behind a value it likes, such as an `async` refinement of a field. So a schema that
 * also describes itself (Standard JSON Schema: zod 4 and others) is tried on a value made from its description.
 *
 * @module
 */
import type { ConfigurationProblem } from "../errors.ts";
import { ConfigurationError } from "../errors.ts";
import { sampleOf } from "./sample.ts";
import { validate } from "./schema.ts";
import type { Schema } from "./types.ts";

interface Described {
  readonly jsonSchema?: {
    readonly input?: (options: { target: string; libraryOptions?: Record<string, unknown> }) => unknown;
  };
}

/** The problem with `schema`, if it answered a trial value with a Promise. */
export function probeSchema(schema: Schema, what: string): ConfigurationProblem | undefined {
  for (const value of [{}, sample(schema)]) {
    try {
      validate(schema, value, what);
    } catch (error) {
      // Whatever else a validator makes of a trial value says nothing about real ones.
      if (error instanceof ConfigurationError) return { code: error.code, message: error.message };
    }
  }
  return undefined;
}

function sample(schema: Schema): unknown {
  const { jsonSchema } = schema["~standard"] as Described;
  try {
    return sampleOf(
      jsonSchema?.input?.({ target: "draft-2020-12", libraryOptions: { unrepresentable: "any" } }),
    );
  } catch {
    return {};
  }
}
