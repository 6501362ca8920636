/**
 * Every key of `domain.toml`, read from its schema.
 *
 * @module
 */
import * as z from "zod";
import { expectation } from "../lib/config/expectation.ts";
import { configSchema } from "../lib/config/schema.ts";
import { bare } from "../lib/config/walk.ts";

/** One key. */
export interface ConfigKey {
  /** Where it stands: `["server", "dlq"]`; `*` is any name. */
  readonly table: readonly string[];
  readonly name: string;
  /** In words, such as `a whole number of at least 1`. */
  readonly type: string;
  /** Of the schema; undefined: none. */
  readonly fallback: unknown;
  readonly description: string;
}

/** One table and what it is for. */
export interface ConfigTable {
  readonly path: readonly string[];
  readonly description: string;
  readonly keys: readonly ConfigKey[];
}

/** Every table, each before those inside of it. */
export function configTables(): readonly ConfigTable[] {
  return tablesOf(configSchema, [], "");
}

function tablesOf(schema: z.core.$ZodType, path: readonly string[], description: string): ConfigTable[] {
  const outer = bare(schema);
  if (!(outer instanceof z.ZodObject)) return [];
  const keys: ConfigKey[] = [];
  const below: ConfigTable[] = [];
  for (const [name, value] of Object.entries<z.core.$ZodType>(outer.shape)) {
    const inner = bare(value);
    const item = inner instanceof z.ZodRecord ? bare(inner.valueType) : undefined;
    if (hasKeys(inner)) below.push(...tablesOf(inner, [...path, name], said(value)));
    else if (hasKeys(item)) below.push(...tablesOf(item, [...path, name, "*"], said(value)));
    else {
      const type = item ? `a table: any name, then ${words(item)}` : words(value);
      keys.push({ table: path, name, type, fallback: fallbackOf(value), description: said(value) });
    }
  }
  return [{ path, description, keys }, ...below];
}

function hasKeys(schema: z.core.$ZodType | undefined): schema is z.ZodObject {
  return schema instanceof z.ZodObject && Object.keys(schema.shape).length > 0;
}

function fallbackOf(schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodDefault) return schema.def.defaultValue;
  return schema instanceof z.ZodOptional ? fallbackOf(schema.def.innerType) : undefined;
}

/** The description of a schema, or of what it wraps; empty where there is none. */
function said(schema: z.core.$ZodType): string {
  const own = schema instanceof z.ZodType ? schema.description : undefined;
  if (own !== undefined) return own;
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return said(schema.unwrap());
  }
  return schema instanceof z.ZodPipe ? said(schema.in) : "";
}

function words(schema: z.core.$ZodType): string {
  return expectation(schema).replace("something else", "any value");
}
