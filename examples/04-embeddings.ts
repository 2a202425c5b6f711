/**
 * Features of your own pictures, and which pictures are alike by them. Give a run folder of `selfsight pretrain` to use a
 * trained encoder; without one, an untrained one shows how. Run: npx tsx examples/04-embeddings.ts [images] [run folder]
 */
import { createEncoder, encoderFeatures, loadEncoder, openImages, openPixels, selectSplits, subset } from "selfsight";

const [source = "emoji", run] = process.argv.slice(2);
const { encoder, imageSize } = run
  ? { encoder: loadEncoder(run).encoder, imageSize: loadEncoder(run).config.imageSize }
  : { encoder: createEncoder({ model: "resnet10", width: 0.25 }), imageSize: 64 };

const images = await openImages(source);
const all = selectSplits(images, Object.keys(images.splits).join("+"));
const some = subset(
  all,
  Array.from({ length: Math.min(200, all.length) }, (_, i) => Math.floor((i * all.length) / 200)),
);
const store = await openPixels(some, { size: imageSize });
const layers = await encoderFeatures(encoder, store, { device: "cpu", precision: "f32" });
for (const [layer, features] of Object.entries(layers)) console.log(layer.padEnd(8), String(features));

// Cosine similarity of the last layer, every picture with every other.
const features = Object.values(layers).at(-1);
if (!features) throw new Error("the encoder has no layers");
const unit = features.div(features.pow(2).sum(1, true).sqrt()); // (N, D)
const [, nearest] = unit.matmul(unit.transpose(0, 1)).topk(2, 1); // the first is the picture itself
for (const i of [0, 50, 100, 150]) {
  const neighbour = Number(nearest.data()[2 * i + 1]);
  console.log(`${some.id(i)} is most like ${some.id(store.source[neighbour] ?? 0)}`);
}
