/**
 * The executable: hands the arguments to the command line and ends with its exit code.
 *
 * @module
 */
import { main } from "./lib/cli/mod.ts";

Deno.exit(await main());
