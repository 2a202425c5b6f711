/** JPEG files to uint8 tensors (3, S, S): resized so that the short side is S, and cropped in the middle. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeImage } from "../src/data/decode.ts";
import { fromTypedArray } from "../src/torch/ops.ts";
import { scope } from "../src/torch/scope.ts";
import { copyPhotos, makeLargePhotos, withFolder } from "./photos.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, withPeers } from "./runner.ts";

/** Photos in each folder. */
const PHOTOS = 256;
/** Files a tensor, as in the peer's chunks. */
const CHUNK = 16;

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

/** Every photo of a folder, chunk after chunk, to tensors (CHUNK, 3, size, size), u8. The decoder has threads of its own. */
async function decodePhotos(folder: string, size: number): Promise<number> {
  const files = (await readdir(folder)).sort();
  const chunks = Array.from({ length: Math.ceil(files.length / CHUNK) }, (_, i) =>
    files.slice(i * CHUNK, (i + 1) * CHUNK),
  );
  const start = (chunk: readonly string[] = []) =>
    Promise.all(chunk.map((file) => decodeFile(join(folder, file), size)));
  let images = 0;
  let next = start(chunks[0]);
  for (let i = 0; i < chunks.length; i++) {
    const decoded = await next;
    next = start(chunks[i + 1]); // decodes while this chunk is made a tensor
    images += scope(() => toTensor(decoded, size).size(0));
  }
  return images;
}

async function decodeFile(path: string, size: number): Promise<Uint8Array> {
  return decodeImage({ encoded: await readFile(path) }, size);
}

/** size × size × 3 bytes each, to (N, 3, size, size). */
function toTensor(images: readonly Uint8Array[], size: number) {
  return fromTypedArray(Buffer.concat(images), [images.length, size, size, 3]).permute(0, 3, 1, 2).contiguous();
}
