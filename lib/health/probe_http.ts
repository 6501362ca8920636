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
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [503, "Service Unavailable"],
]);

/** What a connection is to a probe. */
export type ProbeConnection = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close" | "remoteAddr">;

/** What a request says before its body, which nobody reads. */
export interface RequestHead {
  readonly method: string;
  /** As the request line has it: a path with its query, as a rule. */
  readonly target: string;
  /** `name: value`, as they came, each well-formed. */
  readonly fields: readonly string[];
  /** Whether the connection comes from this machine, over loopback. */
  readonly loopback: boolean;
}

/** An answer; `content-length` and `connection` are added. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Answers one request. Where it rejects, the connection is closed without an answer. */
export type Responder = (head: RequestHead) => Promise<WholeAnswer>;

/**
 * Reads one request, answers it, and waits until the client has heard it; `answering` is called in between.
 * Rejects when the connection breaks or is closed meanwhile. The caller closes it.
 */
export async function answerOne(
  conn: ProbeConnection,
  respond: Responder,
  answering: () => void,
): Promise<void> {
  const bytes = new Uint8Array(MAX_HEAD);
  const head = await readHead(conn, bytes);
  if (head === undefined) return;
  answering();
  const asked = head === "too large" ? undefined : parsed(head.text, isLoopback(conn.remoteAddr));
  const answer = asked ? await respond(asked) : whole(head === "too large" ? TOO_LARGE : BAD_REQUEST);
  await writeAll(conn, response(answer, asked?.method === "HEAD"));
  await conn.closeWrite();
  // To close with something unread would reset the connection, and the answer with it.
  while (await conn.read(bytes) !== null);
}

/** Undefined: it is no request. */
function parsed(text: string, loopback: boolean): RequestHead | undefined {
  // An empty line before it is left over from what came before, to a client's mind (RFC 9112, 2.2).
  const [first = "", ...fields] = text.replace(/^\r?\n/, "").split(/\r?\n/);
  const [, method, target] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined || target === undefined || !fields.every((field) => FIELD.test(field))) {
    return undefined;
  }
  return { method, target, fields, loopback };
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

/** The probes, and `page` beside them. */
export function probeResponder(routes: Routes, page: Page | undefined): Responder {
  return async ({ method, target, fields, loopback }) => {
    if (page && pathOf(target) === page.path && (method === "GET" || method === "HEAD")) {
      const text = await page.text();
      if (text === undefined) return whole(NOT_MADE);
      const headers = { "content-type": page.contentType, "cache-control": "no-store" };
      return { status: 200, headers, body: new TextEncoder().encode(text) };
    }
    const local = loopback && !fields.some((field) => ON_BEHALF.test(field));
    return whole(answerTo(method, target, routes, local));
  };
}

function whole(answer: Answer): WholeAnswer {
  return { status: answer.status, ...rendered(answer) };
}

function response({ status, headers, body }: WholeAnswer, headOnly: boolean): Uint8Array {
  const all = { ...headers, "content-length": String(body.length), connection: "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
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
