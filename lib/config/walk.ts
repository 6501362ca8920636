/**
 * Walks the schema beside the data: which schema is at a path, which keys it has, and texts that stand for
 * numbers.
 *
 * @module
 */
import * as z from "zod";
import { isTable, type Path, type Table } from "./tree.ts";

/** The schema without defaults, optionality and transformations: what a user has to write. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return bare(schema.unwrap());
  }
  if (schema instanceof z.ZodPipe) {
    return bare(schema.out instanceof z.ZodTransform ? schema.in : schema.out);
  }
  return schema;
}

/** The schema of a key of a table or of an item of a list; undefined when there is none. */
function below(schema: z.core.$ZodType, key: string | number): z.core.$ZodType | undefined {
  const outer = bare(schema);
  if (outer instanceof z.ZodObject) return Object.hasOwn(outer.shape, key) ? outer.shape[key] : undefined;
  if (outer instanceof z.ZodRecord) return outer.valueType;
  if (outer instanceof z.ZodArray) return outer.element;
  return undefined;
}

/** The schema at a path; undefined where the path leaves the schema. */
export function schemaAt(root: z.core.$ZodType, path: Path): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = root;
  for (const key of path) schema = schema && below(schema, key);
  return schema && bare(schema);
}

/** Keys that a table may have; undefined where any key is allowed. */
export function keysOf(schema: z.core.$ZodType): readonly string[] | undefined {
  const outer = bare(schema);
  return outer instanceof z.ZodObject ? Object.keys(outer.shape) : undefined;
}

/** Paths of every key of the schema, except those below names that users choose. */
export function* keyPaths(
  schema: z.core.$ZodType,
  path: readonly string[] = [],
): Generator<readonly string[]> {
  const outer = bare(schema);
  if (!(outer instanceof z.ZodObject)) return;
  for (const [key, value] of Object.entries(outer.shape)) {
    yield [...path, key];
    yield* keyPaths(value as z.core.$ZodType, [...path, key]);
  }
}

/** Keys of closed tables that the schema does not know. */
export function* unknownKeys(schema: z.core.$ZodType, tree: Table, path: Path = []): Generator<Path> {
  for (const [key, value] of Object.entries(tree)) {
    const here = [...path, key];
    const inner = below(schema, key);
    if (!inner) {
      if (isClosed(schema)) yield here;
    } else if (isTable(value)) {
      yield* unknownKeys(inner, value, here);
    }
  }
}

function isClosed(schema: z.core.$ZodType): boolean {
  const outer = bare(schema);
  return outer instanceof z.ZodObject && outer.def.catchall instanceof z.ZodNever;
}

/**
 * A copy of `value` in which texts became numbers and truth values where the schema wants those: environment
 * variables are always text (design 6). A text that is not wholly such a value stays as it is and is refused
 * by the schema.
 */
export function coerce(schema: z.core.$ZodType, value: unknown): unknown {
  const outer = bare(schema);
  if (typeof value === "string") return coerceText(outer, value);
  if (Array.isArray(value) && outer instanceof z.ZodArray) {
    return value.map((item) => coerce(outer.element, item));
  }
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const inner = below(outer, key);
      return [key, inner ? coerce(inner, item) : item];
    }),
  );
}

function coerceText(schema: z.core.$ZodType, text: string): unknown {
  const options = schema instanceof z.ZodUnion ? schema.options : [schema];
  if (options.some((option) => option instanceof z.ZodString)) return text;
  if (options.some((option) => option instanceof z.ZodNumber) && /^[+-]?\d+(\.\d+)?$/.test(text.trim())) {
    return Number(text);
  }
  if (options.some((option) => option instanceof z.ZodBoolean) && /^(true|false)$/i.test(text.trim())) {
    return text.trim().toLowerCase() === "true";
  }
  return text;
}
