/**
 * fast-check for all property tests, with one seed: a run on another machine tries the same inputs.
 * `PROPERTY_SEED` gives another one; the seed of a failure is in its message.
 *
 * @module
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(Deno.env.get("PROPERTY_SEED") ?? 20_261_128) });

export default fc;
