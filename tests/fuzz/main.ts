/**
 * `deno task fuzz`: every target in turn, for an hour in all and with a seed that is new each time.
 * `FUZZ_SECONDS` and `PROPERTY_SEED` say otherwise; arguments are handed to `deno test`
 * (`--filter=checksum`).
 *
 * @module
 */
const HOUR = "3600";

const [random = 1] = crypto.getRandomValues(new Uint32Array(1));
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", ...Deno.args, new URL(".", import.meta.url).pathname],
  env: {
    FUZZ_SECONDS: Deno.env.get("FUZZ_SECONDS") ?? HOUR,
    PROPERTY_SEED: Deno.env.get("PROPERTY_SEED") ?? String(random >>> 1),
  },
}).spawn().status;
Deno.exit(code);
