/**
 * Hides secrets before a value is shown: in errors, in logs, in `config print` (CFG-4, SEC-4).
 *
 * @module
 */
import { isTable } from "./tree.ts";

/** What stands where a secret was. */
export const MASK = "***";

/** Names of keys whose values are secrets, wherever they stand. A webhook's address is all that is needed to post to it. */
const SECRET_KEY =
  /secret|pas+w(or)?d|passphrase|pwd$|token|api_?key|access_?key|private_?key|auth(orization)?$|credential|webhook|cookie/i;

/** True when the value of a key with this name must not be shown. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/**
 * The text with the passwords of URIs in it replaced: `redis://:hunter2@h/0` becomes `redis://:***@h/0`. Passwords may
 * contain any character, so everything up to the last `@` is hidden; what names a secret in a query is hidden too.
 */
export function maskUri(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)([^\s:/?#@]*)(:)\S*@/gi, `$1$2$3${MASK}@`)
    .replace(/(https?:\/\/)[^\s:/?#@]+@/gi, `$1${MASK}@`)
    .replace(
      /(^|[?&;\s])([\w-]+)=([^&;\s]*)/g,
      (all, before: string, key: string) => isSecretKey(key) ? `${before}${key}=${MASK}` : all,
    );
}

/** A copy of a value that may be shown. `key` is the last part of its path; what is below a secret key is secret too. */
export function maskValue(key: string, value: unknown): unknown {
  const secret = isSecretKey(key);
  if (Array.isArray(value)) return value.map((item) => maskValue(secret ? key : "", item));
  if (isTable(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([below, item]) => [below, maskValue(secret ? key : below, item)]),
    );
  }
  if (secret) return value === "" || typeof value === "boolean" ? value : MASK;
  return typeof value === "string" ? maskUri(value) : value;
}

/** A value as an error message prints it: masked, on one line, at most 80 characters. */
export function shown(key: string, value: unknown): string {
  if (isTable(value)) return "a table";
  const text = printed(maskValue(key, value));
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

function printed(value: unknown): string {
  if (value instanceof Date || typeof value === "number" || typeof value === "bigint") return String(value);
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value;
  }
}
