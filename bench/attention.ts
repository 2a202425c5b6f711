/**
 * What the numbers beside attention maps take: `npx tsx bench/attention.ts`. Measures the maps of all layers of ResNet-10 on 500 emoji scenes of
 * 64 pixels, with turned copies and without, against extracting the features of all layers. From pixels in memory; medians over rounds.
 */
import { cpus } from "node:os";
import { Command } from "commander";
import { median } from "simple-statistics";
import { type ImageSet, selectSplits, spreadOver } from "../src/data/images.ts";
import { openImages } from "../src/data/open.ts";
import { openPixels } from "../src/data/pixels.ts";
import { encoderFeatures } from "../src/evaluate/features.ts";
import { attentionMaps } from "../src/inspect/attention/activation.ts";
import { measureMaps } from "../src/inspect/attention/measure-maps.ts";
import { createEncoder } from "../src/models/index.ts";
import { chooseCompute } from "../src/torch/compute.ts";
import { dispose } from "../src/torch/scope.ts";
import { alternate, type Measure } from "./runner.ts";

const [COUNT, SIZE] = [500, 64];

/** The set with its images and objects read: drawing them is not measured. */
async function inMemory(set: ImageSet): Promise<ImageSet> {
  const all = <Part>(read: (i: number) => Promise<Part>) =>
    Promise.all(Array.from({ length: set.length }, (_, i) => read(i)));
  const images = await all((i) => set.read(i));
  const objects = await all(async (i) => set.objects?.(i));
  return {
    ...{ name: set.name, length: set.length, fingerprint: set.fingerprint },
    ...{ label: (i) => set.label(i), id: (i) => set.id(i), group: (i) => set.group(i) },
    read: async (i) => images[i] as (typeof images)[number],
    objects: async (i) => objects[i],
  };
}

await new Command("attention")
  .option("--threads <number>", "CPU threads", Number, 1)
  .option("--rounds <number>", "rounds", Number, 5)
  .action(async ({ threads, rounds }: { threads: number; rounds: number }) => {
    const compute = await chooseCompute({ device: "cpu", precision: "f32", threads });
    const collection = await openImages("emoji-scenes");
    const set = await inMemory(spreadOver(selectSplits(collection, Object.keys(collection.splits).join("+")), COUNT));
    const encoder = createEncoder({ model: "resnet10", width: 1 }).to({ memoryFormat: "channels_last" });
    const timed =
      (measure: () => Promise<unknown>): Measure =>
      async () => {
        const start = performance.now();
        await measure();
        return (performance.now() - start) / 1000;
      };
    const maps = (turned: boolean) => () =>
      measureMaps([{ label: "resnet10", imageSize: SIZE, maps: (images) => attentionMaps(encoder, images) }], set, {
        count: COUNT,
        turned,
      });
    const measures = {
      features: timed(async () => {
        const store = await openPixels(set, { size: SIZE });
        dispose(...Object.values(await encoderFeatures(encoder, store, compute)));
        await store.close();
      }),
      upright: timed(maps(false)),
      turned: timed(maps(true)),
    };
    for (const measure of Object.values(measures)) await measure();
    const seconds = await alternate(rounds, measures);
    const features = median(seconds.features);
    process.stdout.write(`${cpus()[0]?.model}, ${threads} threads: features ${features.toFixed(2)} s\n`);
    for (const name of ["upright", "turned"] as const) {
      const own = median(seconds[name]);
      process.stdout.write(`maps, ${name}: ${own.toFixed(2)} s, ${(own / features).toFixed(2)} times\n`);
    }
  })
  .parseAsync();
