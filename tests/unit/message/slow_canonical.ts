/**
 * A second rendering of canonical JSON for the property tests: slow, by the letter of wire 1.7, sharing
 * nothing with the first. It renders a model of JSON in which ints and floats are told apart, and the text
 * that a writer of that model might have written.
 *
 * @module
 */

/** JSON as Python sees it. Members may repeat a key. */
export type Model =
  | { readonly kind: "null" | "true" | "false" }
  | { readonly kind: "int"; readonly digits: string }
  | { readonly kind: "float"; readonly value: number; readonly lexeme: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly Model[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [string, Model])[] };

/** Canonical text of a model. */
export function slowCanonical(model: Model): string {
  switch (model.kind) {
    case "int":
      return String(BigInt(model.digits));
    case "float":
      return slowFloat(model.value);
    case "string":
      return slowQuote(model.text);
    case "list":
      return "[" + model.items.map(slowCanonical).join(",") + "]";
    case "object": {
      const last = new Map(model.members);
      const members = [...last].sort(([a], [b]) => compareCodePoints(a, b));
      return "{" + members.map(([key, value]) => slowQuote(key) + ":" + slowCanonical(value)).join(",") + "}";
    }
    default:
      return model.kind;
  }
}

/** The model of what `JSON.stringify` prints for a value; undefined where it prints nothing. */
export function modelOf(value: unknown): Model | undefined {
  if (value === null) return { kind: "null" };
  switch (typeof value) {
    case "boolean":
      return { kind: value ? "true" : "false" };
    case "string":
      return { kind: "string", text: value };
    case "number": {
      const lexeme = JSON.stringify(value);
      return /^-?\d+$/.test(lexeme) ? { kind: "int", digits: lexeme } : { kind: "float", value, lexeme };
    }
    case "object":
      if (Array.isArray(value)) {
        return {
          kind: "list",
          items: value.map((item) => modelOf(item) ?? { kind: "null" }),
        };
      }
      return {
        kind: "object",
        members: Object.entries(value).flatMap(([key, item]) => {
          const model = modelOf(item);
          return model ? [[key, model] as const] : [];
        }),
      };
    default:
      return undefined;
  }
}

/** Text that a writer with these habits would write for a model. */
export function write(model: Model, space: string, escape: boolean): string {
  switch (model.kind) {
    case "int":
      return model.digits;
    case "float":
      return model.lexeme;
    case "string":
      return escape ? slowQuote(model.text) : JSON.stringify(model.text);
    case "list":
      return `[${space}` + model.items.map((item) => write(item, space, escape)).join(`${space},${space}`) +
        `${space}]`;
    case "object": {
      const members = model.members.map(([key, item]) =>
        write({ kind: "string", text: key }, space, escape) + `${space}:${space}` + write(item, space, escape)
      );
      return `{${space}` + members.join(`${space},${space}`) + `${space}}`;
    }
    default:
      return model.kind;
  }
}

/** The fewest significant digits that read back the same, then the point where Python puts it. */
function slowFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "Infinity";
  if (value === -Infinity) return "-Infinity";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  if (size === 0) return sign + "0.0";
  const { digits, exponent } = shortest(size);
  if (exponent < -4 || exponent >= 16) {
    const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
    const width = Math.abs(exponent) < 10 ? "0" : "";
    return sign + digits[0] + fraction + "e" + (exponent < 0 ? "-" : "+") + width + Math.abs(exponent);
  }
  if (exponent < 0) return sign + "0." + "0".repeat(-exponent - 1) + digits;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return sign + whole + "." + (digits.slice(exponent + 1) || "0");
}

/**
 * Of the decimals that read back as `size` one with the fewest digits, of those the nearest, of two as near
 * the even one. `digits[0]` stands before the point, times ten to the `exponent`.
 */
function shortest(size: number): { digits: string; exponent: number } {
  const { numerator, denominator } = exactly(size);
  const exponent = Number(size.toExponential().split("e")[1]);
  for (let places = 0;; places++) {
    const power = places - exponent;
    const scaled = numerator * (power > 0 ? 10n ** BigInt(power) : 1n);
    const unit = denominator * (power < 0 ? 10n ** BigInt(-power) : 1n);
    const below = scaled / unit;
    const toBelow = scaled - below * unit;
    const belowIsNearer = 2n * toBelow < unit || (2n * toBelow === unit && below % 2n === 0n);
    const found = (belowIsNearer ? [below, below + 1n] : [below + 1n, below])
      .find((digits) => Number(`${digits}e${-power}`) === size);
    if (found === undefined) continue;
    const digits = String(found);
    return { digits: digits.replace(/0+$/, ""), exponent: digits.length - 1 - power };
  }
}

/** A double as the fraction that it is. */
function exactly(size: number): { numerator: bigint; denominator: bigint } {
  let denominator = 1n;
  while (!Number.isInteger(size)) {
    size *= 2; // exact, apart from overflow, which no number with a fraction is near
    denominator *= 2n;
  }
  return { numerator: BigInt(size), denominator };
}

const SHORT: Record<string, string> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

function slowQuote(text: string): string {
  let out = '"';
  for (const unit of text.split("")) {
    const code = unit.charCodeAt(0);
    if (Object.hasOwn(SHORT, unit)) out += SHORT[unit];
    else if (code >= 0x20 && code < 0x7f) out += unit;
    else out += "\\u" + ("0000" + code.toString(16)).slice(-4);
  }
  return out + '"';
}

function compareCodePoints(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => Array.from(text, (character) => character.codePointAt(0) ?? 0));
  for (let i = 0; x !== undefined && y !== undefined && i < Math.max(x.length, y.length); i++) {
    const difference = (x[i] ?? -1) - (y[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}
