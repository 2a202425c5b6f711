/** JPEG files to uint8 tensors (3, S, S): resized so that the short side is S, and cropped in the middle. */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { decodeImage } from "../src/data/decode.ts";
import { fromTypedArray } from "../src/torch/ops.ts";
import { scope } from "../src/torch/scope.ts";
import { copyPhotos, makeLargePhotos, withFolder } from "./photos.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, withPeers } from "./runner.ts";

/** Photos in each folder. */
const PHOTOS = 256;
/** Files on their way at a time. */
const IN_FLIGHT = 32;

export async function decode(context: Context): Promise<Row[]> {
  return withFolder(async (folder) => [
    await compare(context, "128 to 64 px", await copyPhotos(context, folder, "128", PHOTOS), 64),
    await compare(context, "400 to 224 px", await makeLargePhotos(context, folder, "400", PHOTOS), 224),
  ]);
}

async function compare(context: Context, name: string, folder: string, size: number): Promise<Row> {
  const args = ["--size", String(size), "--files", String(PHOTOS), "--processes", String(context.threads)];
  return withPeers(context, "decode.py", { decode: [folder, ...args] }, async (peers) => {
    const ours = async () => {
      const start = performance.now();
      const images = await decodePhotos(folder, size);
      return images / ((performance.now() - start) / 1000);
    };
    await ours(); // files into the system's cache, as the peer has done
    const values = await alternate(context.rounds, { ours, peer: peers.decode.measure });
    return toRow("decode", name, "images/s", values.ours, values.peer);
  });
}

/** Every photo of a folder into one tensor (N, 3, size, size), u8. The decoder has threads of its own. */
async function decodePhotos(folder: string, size: number): Promise<number> {
  const files = (await readdir(folder)).sort();
  const bytes = size * size * 3;
  const pixels = new Uint8Array(files.length * bytes); // (N, size, size, 3)
  let next = 0;
  const worker = async () => {
    while (next < files.length) {
      const i = next++;
      // Small files: reading them here is quicker than a turn through the threads that are busy decoding.
      const encoded = readFileSync(join(folder, files[i] ?? ""));
      pixels.set(await decodeImage({ encoded }, size), i * bytes);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return scope(() => fromTypedArray(pixels, [files.length, size, size, 3]).permute(0, 3, 1, 2).contiguous().size(0));
}
