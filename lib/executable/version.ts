/**
 * The version of this library and its executable: `deno.json` is the one place that holds it.
 *
 * @module
 */
import { COMMIT } from "@protean/build";
import manifest from "../../deno.json" with { type: "json" };

export { COMMIT };
export const VERSION: string = manifest.version;
