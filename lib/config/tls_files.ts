/**
 * The files of certificates that the tables of built-in adapters name: one that cannot be used is told with
 * everything else that is wrong with a configuration, before anything is connected.
 *
 * @module
 */
import { resolve } from "node:path";
import { ConfigurationError } from "../errors.ts";
import { readCertificates } from "./pem_file.ts";
import type { Finding } from "./problems.ts";
import { dotted, type Path, type Table, tableAt } from "./tree.ts";

/** Built-in providers that speak TLS. */
const PROVIDERS: Readonly<Record<string, string>> = {
  databases: "postgresql",
  brokers: "redis",
  caches: "redis",
};

/** What is wrong with them. `tls_ca_file` is relative to `folder`, `sslrootcert`, as for libpq, to `cwd`. */
export async function unusableTlsFiles(
  config: Table,
  { folder, cwd }: { readonly folder: string; readonly cwd: string },
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { path, file, setting } of named(config, folder, cwd)) {
    try {
      await readCertificates(file, setting);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      findings.push({ code: "CONFIG_TLS_FILE", path, message: error.message });
    }
  }
  return findings;
}

interface Named {
  readonly path: Path;
  /** Absolute. */
  readonly file: string;
  /** How a sentence calls the setting. */
  readonly setting: string;
}

function* named(config: Table, folder: string, cwd: string): Generator<Named> {
  for (const [section, provider] of Object.entries(PROVIDERS)) {
    for (const name of Object.keys(tableAt(config, [section]))) {
      const table = tableAt(config, [section, name]);
      if (table["provider"] !== provider) continue;
      const { tls_ca_file: file, database_uri: uri } = table;
      if (typeof file === "string" && file !== "") {
        const path = [section, name, "tls_ca_file"];
        yield { path, file: resolve(folder, file), setting: `'${dotted(path)}'` };
      }
      const inUri = section === "databases" && typeof uri === "string" ? sslrootcert(uri) : undefined;
      if (inUri !== undefined) {
        const path = [section, name, "database_uri"];
        yield { path, file: resolve(cwd, inUri), setting: `sslrootcert in '${dotted(path)}'` };
      }
    }
  }
}

/**
 * The file that a URI of PostgreSQL names, and that will be read; what is wrong with the URI itself is told
 * elsewhere.
 */
function sslrootcert(uri: string): string | undefined {
  const query = new URLSearchParams(uri.slice(uri.indexOf("?") + 1).replaceAll("+", "%2B"));
  const file = uri.includes("?") ? query.getAll("sslrootcert").at(-1) : undefined;
  return !file || file === "system" || query.getAll("sslmode").at(-1) === "disable" ? undefined : file;
}
