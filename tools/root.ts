/**
 * Where the project is.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** Absolute path of the folder of our `deno.json`, with a separator at its end. */
export const root: string = fileURLToPath(new URL("../", import.meta.url));
