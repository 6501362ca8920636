/**
 * Files of certificates and keys that a configuration names, read whole and looked at before a runtime gets
 * them: one passes over what it cannot read, another waits for ever.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { RefusedError, systemReason } from "../errors.ts";

/** A hundred times the certificates of every public authority is no such file. */
const MAX_BYTES = 4 * 1024 * 1024;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const BEGINNING = /-----BEGIN CERTIFICATE-----/g;

/**
 * The certificates in the PEM file at `path`, one after the other and nothing else. `setting` says in the
 * sentence who names the file, such as `'brokers.default.tls_ca_file'`. Throws `RefusedError` with the code
 * `CONFIG_TLS_FILE` when the file is missing, may not be read, is empty, too large or no file, or when a
 * certificate in it cannot be read.
 */
export async function readCertificates(path: string, setting: string): Promise<string> {
  const file: PemFile = new PemFile(path, setting);
  const text = await file.text();
  const found = text.match(CERTIFICATE) ?? [];
  const begun = text.match(BEGINNING)?.length ?? 0;
  if (begun === 0) {
    file.refuse(
      "holds no certificate in PEM (-----BEGIN CERTIFICATE-----): convert it, or name another file",
    );
  }
  const broken = found.findIndex((certificate) => !isCertificate(certificate));
  if (broken >= 0 || found.length < begun) {
    file.refuse(
      `holds a certificate that cannot be read (of ${begun}, number ${
        broken >= 0 ? broken + 1 : found.length + 1
      }): write it anew`,
    );
  }
  return found.join("\n") + "\n";
}

/**
 * The private key in the PEM file at `path`. Throws as `readCertificates` does, also for a key that asks for
 * a passphrase.
 */
export async function readPrivateKey(path: string, setting: string): Promise<string> {
  const file: PemFile = new PemFile(path, setting);
  const text = await file.text();
  try {
    createPrivateKey(text);
    return text;
  } catch {
    file.refuse("holds no private key in PEM without a passphrase: convert it, or name another file");
  }
}

function isCertificate(text: string): boolean {
  try {
    new X509Certificate(text);
    return true;
  } catch {
    return false;
  }
}

class PemFile {
  constructor(private readonly path: string, private readonly setting: string) {}

  async text(): Promise<string> {
    const bytes = await this.#bytes();
    if (bytes.every((byte) => byte <= 0x20)) this.refuse("is empty: write the PEM text into it");
    return new TextDecoder().decode(bytes);
  }

  refuse(what: string, cause?: unknown): never {
    throw new RefusedError(`The file '${this.path}' that ${this.setting} names ${what}.`, {
      code: "CONFIG_TLS_FILE",
      cause,
    });
  }

  async #bytes(): Promise<Uint8Array> {
    try {
      const { isFile, isDirectory, size } = await Deno.stat(this.path);
      // A pipe or a device could be read for ever.
      if (!isFile) this.refuse(`is ${isDirectory ? "a folder" : "no file"}: name a PEM file`);
      if (size > MAX_BYTES) this.refuse(`is larger than ${MAX_BYTES / 1024 / 1024} MiB: name a PEM file`);
      return await Deno.readFile(this.path);
    } catch (cause) {
      if (cause instanceof RefusedError) throw cause;
      if (cause instanceof Deno.errors.NotFound) {
        this.refuse("does not exist: correct the path, or put the file there", cause);
      }
      if (cause instanceof Deno.errors.PermissionDenied) {
        this.refuse("may not be read by this process: give its user the right to read it", cause);
      }
      this.refuse(`cannot be read (${systemReason(cause)}): correct the path`, cause);
    }
  }
}
