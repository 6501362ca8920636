/**
 * One GET over a connection of its own. Not by `fetch`, which goes by way of HTTP_PROXY, nor by node:http,
 * which does so with NODE_USE_ENV_PROXY and knows no IPv6 addresses in Deno 2.5: a server is asked directly,
 * whatever stands there for the outside world.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";

/** What a server said. */
export interface Answer {
  readonly status: number;
  /** Its first 10,000 characters; the rest is not read. */
  readonly body: string;
}

/** Characters of an answer that are shown. */
const MAX_BODY = 10_000;
/** Bytes that are read at most: no character takes more than four. */
const MAX_BYTES = 4 * MAX_BODY + 65_536;

/** Resolves with what the server at `target`, an http or https address, answers within `timeoutMs`. */
export function getDirectly(target: string, timeoutMs: number): Promise<Answer> {
  const url = new URL(target);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const asking = request(url);
  const socket = connect(url, () => socket.write(asking));
  const timer = setTimeout(() => socket.destroy(new Error("it took too long")), timeoutMs);
  let heard = Buffer.alloc(0);
  socket.on("data", (bytes: Uint8Array) => {
    heard = Buffer.concat([heard, bytes]);
    if (isWhole(heard) || heard.length > MAX_BYTES) socket.destroy();
  });
  socket.on("error", reject);
  socket.on("close", () => {
    const answer = answerIn(heard);
    if (answer) resolve(answer);
    else reject(new Error("it does not answer in HTTP"));
  });
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

function connect({ protocol, hostname, port }: URL, connected: () => void): net.Socket {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  if (protocol !== "https:") return net.connect({ host, port: Number(port || 80) }, connected);
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  // Said here: left alone, NODE_TLS_REJECT_UNAUTHORIZED=0 would switch the checks off.
  return tls.connect({ host, port: Number(port || 443), rejectUnauthorized: true, ...name }, connected);
}

/** HTTP/1.0: so the answer comes in one piece, and the connection ends with it. */
function request({ pathname, search, host, username, password }: URL): string {
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = user === ":"
    ? ""
    : `Authorization: Basic ${Buffer.from(user).toString("base64")}\r\n`;
  return `GET ${pathname}${search} HTTP/1.0\r\nHost: ${host}\r\n${authorization}Connection: close\r\n\r\n`;
}

const HEAD_END = "\r\n\r\n";

function isWhole(heard: Buffer): boolean {
  const end = heard.indexOf(HEAD_END);
  const length = end < 0
    ? undefined
    : /\r\ncontent-length: *(\d+)/i.exec(heard.toString("latin1", 0, end))?.[1];
  return length !== undefined && heard.length >= end + HEAD_END.length + Number(length);
}

function answerIn(heard: Buffer): Answer | undefined {
  const end = heard.indexOf(HEAD_END);
  const status = end < 0 ? undefined : /^HTTP\/1\.\d (\d{3})\b/.exec(heard.toString("latin1", 0, end))?.[1];
  if (status === undefined) return undefined;
  return { status: Number(status), body: heard.toString("utf8", end + HEAD_END.length).slice(0, MAX_BODY) };
}
