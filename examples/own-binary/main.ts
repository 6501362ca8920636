import { main } from "@protean/server/cli";
import config from "./domain.toml" with { type: "text" };
import { shop } from "./shop.ts";

Deno.exit(await main({ domains: { shop }, config }));
