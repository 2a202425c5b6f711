/** Tensors in two minutes: made, combined, differentiated, freed. Run: npx tsx examples/01-tensors.ts */
import { call, grad, memory, randn, schemas, scope, tensor } from "selfsight";

// From numbers, with a shape read off the nesting; f32 unless told.
const a = tensor([
  [1, 2],
  [3, 4],
]);
console.log(`${a}: sum ${a.sum().item()}, columns ${a.sum(0).toArray()}`);

// Gradients: x² at 3 rises by 6.
const x = tensor(3).requiresGrad_();
x.pow(2).backward();
console.log("d(x²)/dx at 3 =", x.grad?.item());
const [slope] = grad([x.pow(3)], [x]);
console.log("d(x³)/dx at 3 =", slope?.item());

// Whatever has no method yet is called by its name: PyTorch has thousands of operators.
const spectrum = call("aten::linalg_svdvals", randn([4, 3]));
console.log(`${schemas("aten::").length} operators; singular values of a random matrix: ${spectrum}`);

// A scope frees everything made in it but what it returns.
const before = memory().tensors;
const mean = scope(() => {
  const samples = randn([1000, 1000]);
  return samples.mul(samples).mean();
});
console.log(`mean square ${mean.item().toFixed(3)}; ${memory().tensors - before} tensor left of three`);
