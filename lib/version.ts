/**
 * The version of this library and its executable: `deno.json` is the one place that holds it.
 *
 * @module
 */
import manifest from "../deno.json" with { type: "json" };

export const VERSION: string = manifest.version;
