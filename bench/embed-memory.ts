/**
 * Memory of `embed` by the number of images: `npx tsx bench/embed-memory.ts [--counts 1000,100000] [--formats parquet,npy] [--neighbours N]`.
 * Makes folders of small PNG files and an encoder (ResNet-10 of a quarter width, 32 px) that has hardly been trained. Each
 * embedding runs in a process of its own; prints one line of JSON with the most that was ever resident, in MiB.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { crc32, deflateSync } from "node:zlib";
import { embed } from "../src/evaluate/embed.ts";
import { randomAt } from "../src/random.ts";
import { peakMemory } from "../src/setup/memory.ts";
import { pretrain } from "../src/train/pretrain.ts";

const SIDE = 32;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    counts: { type: "string", default: "1000,100000" },
    formats: { type: "string", default: "parquet,npy" },
    neighbours: { type: "string" },
    threads: { type: "string", default: "1" },
  },
});
const [run, images, out] = positionals;
if (run && images && out) await measureOne({ run, images, out });
else await compareAll();

/** In a process of its own. */
async function measureOne(where: { run: string; images: string; out: string }): Promise<void> {
  const neighbours = values.neighbours === undefined ? {} : { neighbours: Number(values.neighbours) };
  const { rows } = await embed({ ...where, ...neighbours, threads: Number(values.threads) });
  process.stdout.write(JSON.stringify({ rows, peak: Math.round(peakMemory() / 2 ** 20) }));
}

async function compareAll(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "selfsight-embed-"));
  try {
    const counts = values.counts.split(",").map(Number);
    const sets = counts.map((count) => ({ count, images: join(folder, `images-${count}`) }));
    for (const set of sets) writePictures(set.images, set.count);
    const trained = join(folder, "run");
    const small = { model: "resnet10", width: 0.25, imageSize: SIDE, threads: Number(values.threads) } as const;
    await pretrain({ ...small, images: (sets[0] as { images: string }).images, epochs: 0.1, out: trained });
    for (const format of values.formats.split(",")) {
      for (const { count, images } of sets) {
        const begin = performance.now();
        const peak = inOwnProcess([trained, images, join(folder, `${count}.${format}`)]);
        const seconds = Math.round((performance.now() - begin) / 1000);
        process.stdout.write(`${JSON.stringify({ format, images: count, peakMiB: peak, seconds })}\n`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function inOwnProcess(where: readonly string[]): number {
  const flags = ["--threads", values.threads, ...(values.neighbours ? ["--neighbours", values.neighbours] : [])];
  const command = [...process.execArgv, import.meta.filename, ...where, ...flags];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as { peak: number }).peak;
}

/** PNG files, each of another colour with some random bytes in it. */
function writePictures(folder: string, count: number): void {
  mkdirSync(folder, { recursive: true });
  const rows = Buffer.alloc(SIDE * (1 + 3 * SIDE)); // a filter byte, 0 for none, then RGB
  for (let i = 0; i < count; i++) {
    const random = randomAt(0, i);
    const byte = () => (random.next() >>> 8) & 0xff;
    for (let row = 0; row < SIDE; row++) rows.fill(byte(), row * (1 + 3 * SIDE) + 1, (row + 1) * (1 + 3 * SIDE));
    writeFileSync(join(folder, `${String(i).padStart(6, "0")}.png`), png(rows));
  }
}

/** Rows with their filter bytes as a file: https://www.w3.org/TR/png-3/#5DataRep */
function png(rows: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([8, 2], 8); // bits, RGB
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return [ends.subarray(0, 4), body, ends.subarray(4)];
  };
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  const parts = [...chunk("IHDR", header), ...chunk("IDAT", deflateSync(rows, { level: 1 }))];
  return Buffer.concat([signature, ...parts, ...chunk("IEND", Buffer.alloc(0))]);
}
