/** Checks what must hold when any image file is decoded, whatever its bytes are. */
import type { decodeImage } from "../src/data/decode.ts";
import { SelfsightError } from "../src/errors.ts";

export interface Outcome {
  decoded: boolean;
  /** Describes what should not have happened. */
  fault?: string;
}

/** Words from a library or from JavaScript that do not help a user. */
const FOREIGN = /undefined|null|\bat .*:\d+:\d+|Error:|node_modules|panick|[\n\r]/;

export async function checkDecode(decode: typeof decodeImage, encoded: Uint8Array, size: number): Promise<Outcome> {
  try {
    const pixels = await decode({ encoded }, size);
    const whole = pixels.length === size * size * 3;
    return { decoded: true, ...(!whole && { fault: `${pixels.length} bytes instead of ${size * size * 3}` }) };
  } catch (error) {
    if (!(error instanceof SelfsightError)) return { decoded: false, fault: `not a SelfsightError: ${error}` };
    const { message } = error;
    const odd = !message || message.length > 300 || FOREIGN.test(message);
    return { decoded: false, ...(odd && { fault: `message: ${JSON.stringify(message.slice(0, 500))}` }) };
  }
}
