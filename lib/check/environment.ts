/**
 * What the name of the environment, `PROTEAN_ENV`, says of it (wire 7.6, design 6).
 *
 * @module
 */
const PRODUCTION: readonly string[] = ["production", "prod", "prd"];
const AT_WORK: readonly string[] = ["development", "testing"];

/** True for production, prod and prd; nothing named is not production. */
export function isProduction(env: string | undefined): boolean {
  return PRODUCTION.includes(folded(env));
}

/** True for development and testing. */
export function isDevelopment(env: string | undefined): boolean {
  return AT_WORK.includes(folded(env));
}

function folded(env: string | undefined): string {
  return (env ?? "").trim().toLowerCase();
}
