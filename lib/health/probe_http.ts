/**
 * As much of HTTP/1.1 as a probe needs: one request without its body, one answer, and the connection is over.
 * So nothing that a client sends after it can be taken for anything.
 *
 * @module
 */
import type { Answer } from "./bodies.ts";
import type { Page } from "./page.ts";
import { answerTo, pathOf, rendered, type Routes } from "./routes.ts";

/** Longest head of a request, in bytes. */
const MAX_HEAD = 16_384;

/** Whoever makes the page does not answer. */
const NOT_MADE: Answer = { status: 503, body: { error: "Service Unavailable" } };
const BAD_REQUEST: Answer = { status: 400, body: { error: "Bad Request" } };
const TOO_LARGE: Answer = { status: 431, body: { error: "Request Header Fields Too Large" } };

const REASONS: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [431, "Request Header Fields Too Large"],
  [503, "Service Unavailable"],
]);

/** What a connection is to a probe. */
export type ProbeConnection = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close" | "remoteAddr">;

/**
 * Reads one request, answers it, and waits until the client has heard it; `answering` is called in between.
 * Rejects when the connection breaks or is closed meanwhile. The caller closes it.
 */
export async function answerOne(
  conn: ProbeConnection,
  routes: Routes,
  answering: () => void,
  page?: Page,
): Promise<void> {
  const bytes = new Uint8Array(MAX_HEAD);
  const head = await readHead(conn, bytes);
  if (head === undefined) return;
  answering();
  await writeAll(
    conn,
    head === "too large"
      ? message(TOO_LARGE, false)
      : await responseTo(head.text, { routes, page, loopback: isLoopback(conn.remoteAddr) }),
  );
  await conn.closeWrite();
  // To close with something unread would reset the connection, and the answer with it.
  while (await conn.read(bytes) !== null);
}

/** Text up to the blank line; undefined where the client has gone before. */
async function readHead(
  conn: ProbeConnection,
  bytes: Uint8Array,
): Promise<{ readonly text: string } | "too large" | undefined> {
  const decoder = new TextDecoder("latin1");
  for (let length = 0; length < bytes.length;) {
    const count = await conn.read(bytes.subarray(length));
    if (count === null) return undefined;
    // The end may lie across two pieces.
    const from = Math.max(0, length - 3);
    length += count;
    const end = decoder.decode(bytes.subarray(from, length)).search(/\r?\n\r?\n/);
    if (end >= 0) return { text: decoder.decode(bytes.subarray(0, from + end)) };
  }
  return "too large";
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP\/1\.\d$/;
/** A value may hold any byte from 0x80 on, which the decoder makes a character from U+0080 on. */
const FIELD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\u0080-\uffff]*$/;

/** What a browser or a proxy adds to a request: then it is not somebody on this machine who asks. */
const ON_BEHALF = /^(origin|referer|forwarded|x-forwarded-[a-z]+|x-real-ip|via)[ \t]*:/i;

/** Whether a connection comes from this machine, over loopback. */
export function isLoopback(address: Deno.Addr): boolean {
  if (address.transport !== "tcp") return false;
  return /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/i.test(address.hostname);
}

interface Asked {
  readonly routes: Routes;
  readonly page: Page | undefined;
  readonly loopback: boolean;
}

async function responseTo(head: string, { routes, page, loopback }: Asked): Promise<Uint8Array> {
  // An empty line before it is left over from what came before, to a client's mind (RFC 9112, 2.2).
  const [first = "", ...fields] = head.replace(/^\r?\n/, "").split(/\r?\n/);
  const [, method, target] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined || target === undefined || !fields.every((field) => FIELD.test(field))) {
    return message(BAD_REQUEST, false);
  }
  if (page && pathOf(target) === page.path && (method === "GET" || method === "HEAD")) {
    const text = await page.text();
    if (text === undefined) return message(NOT_MADE, method === "HEAD");
    const headers = { "content-type": page.contentType, "cache-control": "no-store" };
    return response(200, headers, new TextEncoder().encode(text), method === "HEAD");
  }
  const local = loopback && !fields.some((field) => ON_BEHALF.test(field));
  return message(answerTo(method, target, routes, local), method === "HEAD");
}

function message(answer: Answer, headOnly: boolean): Uint8Array {
  const { body, headers } = rendered(answer);
  return response(answer.status, headers, body, headOnly);
}

function response(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  headOnly: boolean,
): Uint8Array {
  const whole = { ...headers, "content-length": String(body.length), connection: "close" };
  const lines = Object.entries(whole).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = new TextEncoder().encode(
    `HTTP/1.1 ${status} ${REASONS.get(status) ?? "Unknown"}\r\n${lines.join("")}\r\n`,
  );
  if (headOnly) return head;
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

async function writeAll(conn: ProbeConnection, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
