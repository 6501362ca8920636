import { assertEquals } from "@std/assert";
import { type TlsFault, tlsFault } from "../../../lib/adapters/tls.ts";

/** Code and message, as they were seen with Deno 2.5.7, 2.6.8, 2.7.14, 2.8.3 and 2.9.6. */
const SEEN: readonly (readonly [TlsFault | undefined, string, string?])[] = [
  ["authority", "invalid peer certificate: UnknownIssuer"],
  ["authority", "invalid peer certificate: BadSignature"],
  ["authority", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ["authority", "unable to verify the first certificate", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  ["authority", "self-signed certificate in certificate chain", "SELF_SIGNED_CERT_IN_CHAIN"],
  [
    "name",
    'invalid peer certificate: certificate not valid for name "localhost"; certificate is only valid for x',
  ],
  ["name", "invalid peer certificate: NotValidForName"],
  [
    "name",
    "Hostname/IP does not match certificate's altnames: Host: localhost.",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ],
  ["name", "Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: "],
  ["time", "invalid peer certificate: Expired"],
  ["time", "certificate has expired", "CERT_HAS_EXPIRED"],
  ["time", "CERT_HAS_EXPIRED"],
  ["leaf", "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))"],
  ["client", "received fatal alert: CertificateRequired"],
  ["plain", "received corrupt message of type InvalidContentType"],
  ["other", "received fatal alert: HandshakeFailure"],
  [undefined, "read ECONNRESET", "ECONNRESET"],
  [undefined, "write EPIPE", "EPIPE"],
  [undefined, "tls handshake eof"],
  [undefined, "connect ECONNREFUSED 127.0.0.1:6379", "ECONNREFUSED"],
  [undefined, "Connection is closed."],
  [undefined, "no greeting within 5000 ms"],
];

for (const [fault, message, code] of SEEN) {
  Deno.test(`'${message}' is ${fault ? `a fault of TLS: ${fault}` : "no fault of TLS"}`, () => {
    assertEquals(tlsFault(Object.assign(new Error(message), code && { code })), fault);
  });
}
