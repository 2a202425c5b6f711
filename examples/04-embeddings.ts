/**
 * Computes features of your own pictures, and finds similar pictures by them. Pass a run folder of `npx selfsight pretrain` to use
 * a trained encoder; by default an untrained one shows how it works. Run: npx tsx examples/04-embeddings.ts [images] [run folder]
 */
import { createEncoder, encoderFeatures, loadEncoder, openImages, openPixels, selectSplits, subset } from "selfsight";

const [source = "emoji", run] = process.argv.slice(2);
const trained = run === undefined ? undefined : loadEncoder(run);
const encoder = trained?.encoder ?? createEncoder({ model: "resnet10", width: 0.25 });

const images = await openImages(source);
const all = selectSplits(images, Object.keys(images.splits).join("+"));
const count = Math.min(200, all.length);
const some = subset(
  all,
  Array.from({ length: count }, (_, i) => Math.floor((i * all.length) / count)),
);
const store = await openPixels(some, { size: trained?.config.imageSize ?? 64 });
const layers = await encoderFeatures(encoder, store, { device: "cpu", precision: "f32" });
for (const [layer, features] of Object.entries(layers)) console.log(layer.padEnd(8), String(features));

// Cosine similarity of every picture with every other, by the last layer's features.
const features = Object.values(layers).at(-1);
if (!features) throw new Error("the encoder has no layers");
const unit = features.div(features.pow(2).sum(1, true).sqrt()); // (N, D)
const [, nearest] = unit.matmul(unit.transpose(0, 1)).topk(2, 1); // (N, 2): the first is the picture itself
const neighbours = nearest.toArray();
const id = (row: number) => some.id(store.source[row] ?? 0); // pictures that cannot be decoded have no row
for (let row = 0; row < store.length; row += Math.ceil(store.length / 4))
  console.log(`${id(row)} is most like ${id(neighbours[2 * row + 1] ?? 0)}`);
