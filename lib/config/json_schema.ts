/**
 * The configuration schema as JSON Schema, for editors: completion, descriptions and checks while typing.
 *
 * @module
 */
import * as z from "zod";
import { configSchema } from "./schema.ts";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** What a user writes, as JSON Schema 2020-12. */
export function jsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(configSchema, {
    target: "draft-2020-12",
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      allowVariables(jsonSchema);
      // Overlays and derived defaults may add any key, so no single table has to have it.
      delete jsonSchema.required;
    },
  });
  return {
    ...schema,
    title: "domain.toml",
    description: "Configuration of a protean-server domain.",
    // Any other table is the overlay of an environment: `[production.server]`.
    additionalProperties: { $ref: "#", description: "Laid over the rest when PROTEAN_ENV is this name." },
  };
}

/**
 * Numbers, truth values and choices may come from the environment, `port = "${PORT}"`; then they are text.
 */
function allowVariables(schema: JsonSchema): void {
  const { type, enum: choices, description, default: fallback, ...bounds } = schema;
  const scalar = type === "integer" || type === "number" || type === "boolean" || choices !== undefined;
  if (!scalar) return;
  for (const key of Object.keys(bounds)) delete schema[key];
  delete schema.type;
  delete schema.enum;
  schema.anyOf = [
    { ...(type && { type }), ...(choices && { enum: choices }), ...withoutSafeLimits(bounds) },
    { type: "string", pattern: "\\$\\{[^}]+\\}" },
  ];
  if (description !== undefined) schema.description = description;
  if (fallback !== undefined) schema.default = fallback;
}

/** zod writes the ends of the safe integers where the schema has no bound; they say nothing to a reader. */
function withoutSafeLimits({ minimum, maximum, ...bounds }: JsonSchema): JsonSchema {
  return {
    ...bounds,
    ...(minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER && { maximum }),
  };
}
