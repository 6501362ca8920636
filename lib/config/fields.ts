/**
 * The kinds of values a configuration key can have. Ranges live in the schema, so that one place refuses an
 * impossible value, says what was expected and publishes it to editors.
 *
 * @module
 */
import * as z from "zod";

/** A whole number between `min` and `max`, both allowed. */
export const whole = (min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodInt =>
  z.int().check(z.gte(min), z.lte(max));

/** A finite number of at least `min`; seconds, factors and rates may have decimals. */
export const atLeast = (min: number): z.ZodNumber => z.number().min(min);

/** A finite number above `min`. */
export const above = (min: number): z.ZodNumber => z.number().gt(min);

/** A share between 0 and 1. */
export const share = (): z.ZodNumber => z.number().check(z.gte(0), z.lte(1));

export const flag = (): z.ZodBoolean => z.boolean();

/** Text that must say something. */
export const text = (): z.ZodString => z.string().min(1);

/** A list of non-empty texts. */
export const texts = (): z.ZodArray<z.ZodString> => z.array(text());
