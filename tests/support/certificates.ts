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

/**
 * Writes an authority and a certificate of it for 127.0.0.1 into `folder`: `ca.pem`, `cert.pem` and
 * `key.pem`.
 */
export async function certify(folder: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    folder,
    ...["req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca"],
  );
  await openssl(folder, ...["req", ...key, "-keyout", "key.pem", "-out", "leaf.csr", "-subj", "/CN=redis"]);
  await Deno.writeTextFile(`${folder}/names`, "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n");
  await openssl(
    folder,
    ...["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-days", "2", "-out", "cert.pem", "-extfile", "names"],
  );
}

async function openssl(folder: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
