/** Tensors in two minutes: make, combine, differentiate and free them. Run: npx tsx examples/01-tensors.ts */
import { call, grad, memory, randn, schemas, scope, tensor } from "selfsight";

// From numbers: the nesting gives the shape. f32 by default.
const a = tensor([
  [1, 2],
  [3, 4],
]);
console.log(`${a}: sum ${a.sum().item()}, columns ${a.sum(0).toArray()}`);

// Gradients: the slope of x² at 3 is 6.
const x = tensor(3).requiresGrad_();
x.pow(2).backward();
console.log("d(x²)/dx at 3 =", x.grad?.item());
const [slope] = grad([x.pow(3)], [x]);
console.log("d(x³)/dx at 3 =", slope?.item());

// Operators without a method are called by name: PyTorch has thousands.
const spectrum = call("aten::linalg_svdvals", randn([4, 3]));
console.log(`${schemas("aten::").length} operators; singular values of a random matrix: ${spectrum}`);

// A scope frees everything made in it except what it returns.
const before = memory().tensors;
const mean = scope(() => {
  const samples = randn([1000, 1000]);
  return samples.mul(samples).mean();
});
console.log(`mean square ${mean.item().toFixed(3)}; ${memory().tensors - before} tensor left of three`);
