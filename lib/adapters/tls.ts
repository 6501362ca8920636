/**
 * TLS to backends: what a handshake that failed says, whichever runtime says it, and what to do about it.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";

/** Why a handshake failed. `other`: for a reason that only the error's own text tells. */
export type TlsFault = "authority" | "name" | "time" | "leaf" | "client" | "plain" | "other";

/**
 * By what Deno's runtimes say: OpenSSL's words from 2.7 on, those of rustls before. Their order matters: a
 * certificate that names itself as its authority is told by both words.
 */
const FAULTS: readonly (readonly [TlsFault, RegExp])[] = [
  ["leaf", /CaUsedAsEndEntity/],
  [
    "name",
    /ERR_TLS_CERT_ALTNAME|HOSTNAME_MISMATCH|match certificate.s altnames|NotValidForName|not valid for name/i,
  ],
  [
    "time",
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|certificate (has )?expired|Expired|NotValidYet|not valid yet/i,
  ],
  ["client", /fatal alert: *CertificateRequired|certificate[ _]required/i],
  ["authority", /UnknownIssuer|BadSignature|UNABLE_TO_|SELF_SIGNED|self.signed|CERT_SIGNATURE_FAILURE/],
  ["plain", /InvalidContentType|WRONG_VERSION_NUMBER|wrong version number|corrupt message/i],
  [
    "other",
    /ERR_TLS_|ERR_SSL_|\bCERT_|received fatal alert|certificate|peer is incompatible/i,
  ],
];

/** What a failed handshake was about; undefined for a connection that broke, which says nothing about TLS. */
export function tlsFault(error: Error): TlsFault | undefined {
  const text = `${"code" in error ? error.code : ""} ${error.message}`;
  return FAULTS.find(([, words]) => words.test(text))?.[0];
}

/** What helps where the certificate is the server's own trouble, whatever the backend. */
export const CERTIFICATE_REMEDIES: { readonly [K in "time" | "leaf"]: string } = {
  time: "renew its certificate, or set the clock right",
  leaf: "give it a certificate that an authority has signed, instead of the authority's own",
};

/**
 * Whether the handshake behind `secureConnect` was completed: Deno before 2.7 emits it also for a handshake
 * that failed, whose error comes with the first read. Only a completed one has decided on a protocol.
 */
export function isHandshakeComplete(socket: TLSSocket): boolean {
  return socket.alpnProtocol !== null;
}
