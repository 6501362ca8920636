/**
 * A private certificate authority for tests of TLS, made by openssl.
 *
 * @module
 */

/** True where openssl can be run. In CI its absence is to be a failure. */
export const opensslAvailable: boolean = (() => {
  try {
    return new Deno.Command("openssl", { args: ["version"] }).outputSync().success;
  } catch {
    return Deno.env.get("CI") === "1";
  }
})();

export interface CertificateOptions {
  /** Of the server, as openssl writes it. @default "IP:127.0.0.1" */
  readonly names?: string;
  /** The server's certificate ran out yesterday. @default false */
  readonly expired?: boolean;
}

/**
 * Makes `folder` and writes an authority and a certificate of it into it: `ca.pem`, `cert.pem` and `key.pem`.
 */
export async function certify(folder: string, options: CertificateOptions = {}): Promise<void> {
  const { names = "IP:127.0.0.1", expired = false } = options;
  await Deno.mkdir(folder, { recursive: true });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = `/CN=authority ${crypto.randomUUID()}`;
  await openssl(
    folder,
    ...["req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", authority],
  );
  await openssl(folder, ...["req", ...key, "-keyout", "key.pem", "-out", "leaf.csr", "-subj", "/CN=server"]);
  await Deno.writeTextFile(`${folder}/names`, `subjectAltName=${names}\nbasicConstraints=CA:FALSE\n`);
  await openssl(
    folder,
    ...["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-days", expired ? "-1" : "2", "-out", "cert.pem", "-extfile", "names"],
  );
}

async function openssl(folder: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
