/**
 * The executable: hands the bundled domain and the arguments to the command line and ends with its exit code.
 *
 * @module
 */
import { main } from "./lib/cli/mod.ts";

// Loaded when they are asked for: most commands need none of them.
const orders = () => import("./handlers/sample/orders.jsonl", { with: { type: "text" } });

Deno.exit(
  await main({
    domains: { my_domain: async () => (await import("./handlers/mod.ts")).domain },
    config: async () => (await import("./domain.toml", { with: { type: "text" } })).default,
    demo: { domain: "my_domain", command: "PlaceOrder", lines: async () => (await orders()).default },
    scaffold: async () => await (await import("@protean/scaffold")).scaffold(),
  }),
);
