/**
 * The whole idea in 40 lines, without the toolkit's loop: an encoder learns to tell which way up its pictures are.
 * Run: npx tsx examples/02-rotation-by-hand.ts [images] [steps]
 */
import {
  arange,
  cat,
  createEncoder,
  crossEntropy,
  epochOrder,
  manualSeed,
  nn,
  normalise,
  openImages,
  openPixels,
  optim,
  pixelTensor,
  scope,
  selectSplits,
} from "selfsight";

const [source = "emoji", steps = "30"] = process.argv.slice(2);
const images = await openImages(source);
const store = await openPixels(selectSplits(images, Object.keys(images.splits)[0] ?? "all"), { size: 32 });

manualSeed(0);
const encoder = createEncoder({ model: "resnet10", width: 0.25, stem: "cifar" });
const fc = new nn.Linear(encoder.outDim, 4);
const parameters = [...encoder.namedParameters(), ...fc.namedParameters()];
const optimizer = new optim.SGD(optim.decayGroups(parameters, 5e-4), { momentum: 0.9, nesterov: true });

const batch = 32;
for (let step = 0; step < Number(steps); step++) {
  const order = epochOrder(store.length, 0, step).subarray(0, batch);
  const bytes = await store.get(order);
  const { loss, accuracy } = scope(() => {
    const upright = normalise(pixelTensor(bytes, store.size)); // (B, 3, 32, 32)
    const turned = cat([0, 1, 2, 3].map((k) => upright.rot90(k, [2, 3]))); // (4·B, 3, 32, 32)
    const target = arange(4).repeatInterleave(batch); // (4·B)
    const logits = fc.forward(encoder.forward(turned)); // (4·B, 4)
    const loss = crossEntropy(logits, target);
    loss.backward();
    optimizer.step(0.05);
    optimizer.zeroGrad();
    return { loss: loss.item(), accuracy: logits.argmax(1).eq(target).mean().item() };
  });
  if (step % 10 === 0)
    console.log(`step ${step}: loss ${loss.toFixed(3)}, accuracy ${(accuracy * 100).toFixed(0)} % (chance 25 %)`);
}
