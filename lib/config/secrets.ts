/**
 * What is a secret, and how it is hidden before it is shown: in errors, in logs, in `config print` (CFG-4,
 * SEC-4). The only list of such words, and the only mask.
 *
 * @module
 */
import { isTable } from "./tree.ts";

/** What stands where a secret was. */
export const MASK = "***";

/** What `[logging] redact` holds when nobody has said otherwise (wire 7.4). */
export const REDACTED_WORDS: readonly string[] = [
  "password",
  "token",
  "secret",
  "api_key",
  "authorization",
  "cookie",
  "session",
  "csrf",
];

/**
 * Words that make a secret of whatever they are a part of. A webhook's address is all that is needed to post
 * to it.
 */
const ANYWHERE = /secret|pas+w(or)?d|pass(phrase|code)|token|authorization|credential|webhook|cookie|csrf/;
/** Of keys there are primary ones and those of partitions: these are the others. */
const KEYS =
  /(api|access|private|signing|encryption|account|master|storage|shared|session|license|licence|client|server|app|application|service|host|ssh|pgp|gpg|rsa|aes|hmac|crypto|cipher|webhook|auth)_?key/;
/** Words that do so only at the end: there are authors and by-passes, and sessions are counted. */
const AT_THE_END = /(auth|pwd)$|(^|_)(pass|session|dsn|pw|creds?|jwt|bearer|hmac|salt|otp)$/;
/** A number of secrets is none. */
const MEASURED = /_(count|used|total|size|length|limit|seconds|ms)$/;

/** True when the value of a key with this name must not be shown. */
export function isSecretKey(key: string): boolean {
  const name = snakeCase(key);
  const isSecret = ANYWHERE.test(name) || KEYS.test(name) || AT_THE_END.test(name);
  return isSecret && !MEASURED.test(name);
}

/**
 * True when a key is one of `words` or ends in one, whatever its case: `token` covers `access_token` and
 * `X-Access-Token`.
 */
export function endsInWord(key: string, words: readonly string[]): boolean {
  const name = snakeCase(key);
  return words.map(snakeCase).some((word) => word !== "" && (name === word || name.endsWith(`_${word}`)));
}

function snakeCase(key: string): string {
  return key.replace(/([a-z0-9])([A-Z])/g, "$1_$2").replaceAll("-", "_").toLowerCase();
}

/**
 * The text with the passwords of URIs in it replaced: `redis://:hunter2@h/0` becomes `redis://:***@h/0`; what
 * names a secret in a query or a list of `key=value` is hidden too. Passwords may contain any character, so
 * everything up to the last `@` of the word is hidden, and where the word has none, up to the last one of the
 * text. With `isUri` the whole text is one word. Linear in time.
 */
export function maskText(
  text: string,
  { isUri = false, isSecret = isSecretKey }: {
    readonly isUri?: boolean;
    /** Which keys name a secret. @default isSecretKey */
    readonly isSecret?: (key: string) => boolean;
  } = {},
): string {
  return maskSchemes(maskPairs(maskUris(text, isUri), isSecret));
}

/** As headers of HTTP name it, whatever stands before them. */
const SCHEME = /\b(Bearer|(?:authorization: ?)\w{1,20})([ \t]{1,8})[^\s"'`,;]+/gi;

function maskSchemes(text: string): string {
  return text.replace(SCHEME, (_, name: string, blank: string) => `${name}${blank}${MASK}`);
}

/** What stands before a value: `&password=`, `password = `, `"password": `. */
const KEY = /(^|[?&;,{([\s"'`])([\w%-]+)["']?[ \t]{0,8}([=:])[ \t]{0,8}/g;

function maskPairs(text: string, isSecret: (key: string) => boolean): string {
  let masked = "";
  let done = 0;
  KEY.lastIndex = 0;
  for (let found = KEY.exec(text); found; found = KEY.exec(text)) {
    const [whole, before = "", key = "", sign] = found;
    const from = found.index + whole.length;
    const isQuoted = text[from] === '"' || text[from] === "'";
    if (!isSecret(decoded(key)) || sign === ":" && !isQuoted) {
      KEY.lastIndex = found.index + before.length + key.length;
      continue;
    }
    masked += text.slice(done, from) + MASK;
    done = KEY.lastIndex = isQuoted ? endOfQuoted(text, from) : endOfPlain(text, from);
  }
  return masked + text.slice(done);
}

/** Behind the quote that ends the value, or the end of the text. One behind a backslash, or two, end none. */
function endOfQuoted(text: string, from: number): number {
  const quote = text.charAt(from);
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === quote && text[at + 1] === quote) at++;
    else if (text[at] === quote) return at + 1;
  }
  return text.length;
}

/** A blank behind a backslash is a part of the value, as libpq has it. */
function endOfPlain(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (/[&\s]/.test(text.charAt(at))) return at;
  }
  return text.length;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function maskUris(text: string, isUri: boolean): string {
  const lastAt = text.lastIndexOf("@");
  let word = { end: 0, lastAt: -1 };
  let masked = "";
  let done = 0;
  for (let at = text.indexOf("://"); at >= 0; at = text.indexOf("://", Math.max(done, at + 3))) {
    const start = at + "://".length;
    if (start >= word.end) word = isUri ? { end: text.length, lastAt } : wordAt(text, start);
    const colon = endOf(USER, text, start);
    const next = text[colon];
    let hidden: { readonly from: number; readonly to: number } | undefined;
    if (next === "@" && word.lastAt > colon) {
      // One of the two is a part of a name or a password.
      hidden = { from: start, to: word.lastAt };
    } else if (next === "@") {
      // The user of an HTTP address is a token more often than a name.
      if (/https?$/i.test(text.slice(Math.max(0, at - 5), at))) hidden = { from: start, to: colon };
    } else if ((next === "#" || next === "?") && word.lastAt > colon) {
      // No address has one of these before its host: it is a name or a password as it stands.
      hidden = { from: start, to: word.end };
    } else if (next === ":" && text[start] !== "[") {
      if (word.lastAt > colon) hidden = { from: colon + 1, to: word.lastAt };
      else if (!PORT.test(text.slice(colon + 1, colon + 7))) {
        // A password whose host is missing, where no `@` follows.
        const to = lastAt > colon ? lastAt : endOf(UNQUOTED, text, colon + 1);
        hidden = { from: colon + 1, to };
      } else {
        const to = behindBlank(text, at, colon, word.end);
        if (to !== undefined) hidden = { from: colon + 1, to };
      }
    }
    if (!hidden) continue;
    masked += text.slice(done, hidden.from) + MASK;
    done = hidden.to;
  }
  return masked + text.slice(done);
}

/**
 * Where a password ends that has a blank and begins like a port: `redis://u:12345 6@h`. It is taken for one
 * where the next word has an `@`; behind nothing but digits, unless it is a web server's, some words later
 * too.
 */
function behindBlank(text: string, at: number, colon: number, end: number): number | undefined {
  const ahead = text.slice(end, end + 64);
  const [, between, rest] = /^(\s[^@]*)(@\S*)/.exec(ahead) ?? [];
  if (between === undefined || rest === undefined || between.includes("://")) return undefined;
  const isNext = /^\s+\S*$/.test(between);
  const isPort = /https?$/i.test(text.slice(Math.max(0, at - 5), at)) || end - colon > 6;
  return isNext || !isPort && /^\d+$/.test(text.slice(colon + 1, end))
    ? end + between.length + rest.lastIndexOf("@")
    : undefined;
}

const USER = /[^\s:/?#@]*/y;
const WORD = /\S*/y;
const UNQUOTED = /[^\s"'`]*/y;
/** Digits and then the end of an address, or nothing at all. */
const PORT = /^\d*([^\w%]|$)/;

function wordAt(text: string, start: number): { readonly end: number; readonly lastAt: number } {
  const end = endOf(WORD, text, start);
  const at = text.slice(start, end).lastIndexOf("@");
  return { end, lastAt: at < 0 ? -1 : start + at };
}

function endOf(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  pattern.test(text);
  return Math.max(start, pattern.lastIndex);
}

/**
 * A copy of a value that may be shown. `key` is the last part of its path; what is below a secret key is
 * secret too.
 */
export function maskValue(key: string, value: unknown): unknown {
  const secret = isSecretKey(key);
  if (Array.isArray(value)) return value.map((item) => maskValue(secret ? key : "", item));
  if (isTable(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([below, item]) => [below, maskValue(secret ? key : below, item)]),
    );
  }
  if (secret) return value === "" || typeof value === "boolean" ? value : MASK;
  if (typeof value !== "string") return value;
  if (isAddressKey(key)) return maskTextOf(key, value);
  if (!URI.test(value)) return isBareAddress(value) ? MASK : maskText(value);
  const suspicious = value.includes("@") && !USER_AND_PASSWORD.test(value);
  return suspicious && !WELL_FORMED.test(value) ? MASK : maskText(value, { isUri: true });
}

/**
 * The text of a key that is no secret by its name. An address is shown only as far as it is well formed: in
 * what is not, nobody can tell where a password begins. `isSecret` says which keys inside it name a secret.
 */
export function maskTextOf(key: string, text: string, isSecret = isSecretKey): string {
  if (!isAddressKey(key)) return maskText(text, { isSecret });
  return text === "" || WELL_FORMED.test(text) || PATH_ALONE.test(text)
    ? maskText(text, { isUri: true, isSecret })
    : MASK;
}

function isAddressKey(key: string): boolean {
  return /(^|_)(uri|url)s?$/.test(snakeCase(key));
}

const URI = /^\s*[a-z][a-z0-9+.-]{0,30}:\/\//i;
/** One `@` at the most, and before it nothing that ends a host. */
const WELL_FORMED =
  /^[a-z][a-z0-9+.-]{0,30}:\/\/(?:[^\s@/?#]*@)?(?:(?:\[[^\s@/?#\]]*\]|[^\s@/?#:,[\]]*)(?::\d*)?(?:,|(?=[/?]|$)))*(?:[/?][^\s@#]*)?$/i;
/** One word that has a colon, and an `@` behind it. */
const COLON_FIRST = /^[^\s:@]*:\S*$/;
/** Names of packages have versions behind an `@`. */
const PACKAGE_OR_MAIL = /^(npm|jsr|mailto):/i;

/** Whether it is a user and a password before a host, without `//`. */
function isBareAddress(text: string): boolean {
  const word = text.trim();
  return COLON_FIRST.test(word) && word.includes("@") && !PACKAGE_OR_MAIL.test(word);
}
/** A password that is not encoded, behind a name that ends where it seems to. */
const USER_AND_PASSWORD = /^\s*[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/?#@]*:[^@]*@[^@]*$/i;
/** SQLite's: names of files may hold anything. */
const PATH_ALONE = /^sqlite(\+\w{1,30})?:\/\/(\/|$)/i;

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
