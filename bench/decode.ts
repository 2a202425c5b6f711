/** Decodes JPEG files to uint8 tensors (3, S, S): the short side is resized to S, then the centre is cropped. */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pixelTensor } from "../src/augment/normalise.ts";
import { decodeImage } from "../src/data/decode.ts";
import { scope } from "../src/torch/scope.ts";
import { copyPhotos, makeLargePhotos, withFolder } from "./photos.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, withPeers } from "./runner.ts";

/** Photos in each folder. */
const PHOTOS = 256;
/** Photos per tensor, as in the peer, and the number of tensors worked on at a time. */
const [CHUNK, CHUNKS_IN_FLIGHT] = [16, 2];

export async function decode(context: Context): Promise<Row[]> {
  return withFolder(async (folder) => [
    await compare(context, "128 to 64 px", await copyPhotos(context, folder, "128", PHOTOS), 64),
    await compare(context, "400 to 224 px", await makeLargePhotos(context, folder, "400", PHOTOS), 224),
  ]);
}

async function compare(context: Context, name: string, folder: string, size: number): Promise<Row> {
  const args = ["--size", String(size), "--files", String(PHOTOS), "--processes", String(context.threads)];
  return withPeers(context, "decode.py", { decode: { args: [folder, ...args] } }, async (peers) => {
    const ours = async () => {
      const start = performance.now();
      const images = await decodePhotos(folder, size);
      return images / ((performance.now() - start) / 1000);
    };
    await ours(); // loads the files into the system's cache, as the peer does
    const values = await alternate(context.rounds, { ours, peer: peers.decode.measure });
    return toRow("decode", name, "images/s", values.ours, values.peer);
  });
}

/** Decodes every photo of a folder into u8 tensors (CHUNK, 3, size, size), channels-last as in training. */
async function decodePhotos(folder: string, size: number): Promise<number> {
  const files = (await readdir(folder)).sort();
  let [next, images] = [0, 0];
  const bytes = size * size * 3;
  const worker = async () => {
    const buffer = new Uint8Array(CHUNK * bytes);
    while (next < files.length) {
      const chunk = files.slice(next, next + CHUNK);
      next += CHUNK;
      const pixels = buffer.subarray(0, chunk.length * bytes);
      // Small files: reading them here is faster than waiting for the threads that are busy decoding.
      const decode = async (file: string, i: number) =>
        decodeImage({ encoded: readFileSync(join(folder, file)) }, size, pixels.subarray(i * bytes, (i + 1) * bytes));
      await Promise.all(chunk.map(decode));
      images += scope(() => pixelTensor(pixels, size).size(0));
    }
  };
  await Promise.all(Array.from({ length: CHUNKS_IN_FLIGHT }, worker));
  return images;
}
