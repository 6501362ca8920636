/** A domain and a configuration, checked without a command line. */
import { Domain, on } from "@protean/server";
import { z } from "zod";
import { check, type Checked, type CheckOptions } from "../../../lib/check/check.ts";
import type { Finding } from "../../../lib/check/findings.ts";
import { loadConfig } from "../../../lib/config/load.ts";

/** A complete little domain, about which there is nothing to find. */
export function shop(declare: (domain: Domain) => void = () => {}): Domain {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
  const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema });
  domain.commandHandler("OrderCommandHandler", { partOf: Order, handles: [on(PlaceOrder, () => {})] });
  domain.eventHandler("OrderEventHandler", { partOf: Order, handles: [on(OrderPlaced, () => {})] });
  declare(domain);
  return domain;
}

export interface Surroundings extends Partial<CheckOptions> {
  readonly domain?: Domain;
  readonly env?: string;
  readonly variables?: Readonly<Record<string, string>>;
}

/** What `check` says of a domain.toml with this text. */
export async function checked(toml: string, surroundings: Surroundings = {}): Promise<Checked> {
  const { domain = shop(), env, variables = {}, ...options } = surroundings;
  const folder = await Deno.makeTempDir({ prefix: "protean-check-" });
  try {
    await Deno.writeTextFile(`${folder}/domain.toml`, toml);
    const given: Record<string, string> = { ...variables, ...(env !== undefined && { PROTEAN_ENV: env }) };
    const loaded = await loadConfig({
      domain: domain.name,
      config: `${folder}/domain.toml`,
      cwd: folder,
      variables: (name) => given[name],
    });
    return await check(domain, loaded, { scale: { workers: 1, replicas: 1 }, ...options });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Those of one code. */
export async function found(
  code: string,
  toml: string,
  surroundings?: Surroundings,
): Promise<readonly Finding[]> {
  return (await checked(toml, surroundings)).findings.filter((one) => one.code === code);
}

/** PostgreSQL and Redis that nobody asks. */
export const SERVERS = `
[databases.default]
provider = "postgresql"
database_uri = "\${DATABASE_URL|postgresql://shop@db.example/shop}"

[brokers.default]
provider = "redis"
URI = "redis://redis.example/0"
`;

/** `SERVERS` with further keys of the database. */
export function database(keys: string): string {
  return SERVERS.replace("[brokers", `${keys}\n\n[brokers`);
}
