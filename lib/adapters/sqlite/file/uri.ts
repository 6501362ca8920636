/**
 * SQLite URIs as SQLAlchemy writes them: `sqlite:///relative`, `sqlite:////absolute` (design 6).
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { maskValue } from "../../../config/secrets.ts";
import { printable } from "../../../config/visible.ts";
import { ConfigurationError } from "../../../errors.ts";

/**
 * The absolute path of the file that `uri` names; a relative one is relative to `folder`. Percent escapes are
 * decoded, a query (`?timeout=…`, for the driver of another language) is left out. Throws
 * `ConfigurationError`.
 */
export function sqlitePath(uri: string, folder: string): string {
  const rest = /^sqlite(?:\+\w+)?:\/\/([^?#]*)/.exec(uri)?.[1];
  if (rest === undefined) throw refusal(uri, "does not begin with sqlite:///");
  if (rest !== "" && !rest.startsWith("/")) throw refusal(uri, "names a host, and SQLite has none");
  const path = decode(uri, rest.slice(1));
  if (path === "" || path === ":memory:") {
    throw refusal(uri, 'names no file, and data in memory is what provider = "memory" is for');
  }
  if (path.endsWith("/")) throw refusal(uri, "names a folder");
  if (path.includes("\0")) throw refusal(uri, "has a NUL character in its path");
  return isAbsolute(path) ? path : join(folder, path);
}

function decode(uri: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw refusal(uri, "has a broken percent escape", cause);
  }
}

function refusal(uri: string, trouble: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(
    `The SQLite URI '${
      shown(uri)
    }' ${trouble}: write sqlite:///relative/path.db or sqlite:////absolute/path.db.`,
    { code: "CONFIG_BAD_URI", cause },
  );
}

/** Longest part of a URI that a sentence shows. */
const MAX_SHOWN = 200;

/** It may be meant for another adapter, with a password in it. */
function shown(uri: string): string {
  const text = printable(
    /^(sqlite|(?!.*:\/\/))[^@=]*$/s.test(uri) ? uri : String(maskValue("database_uri", uri)),
  );
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}
