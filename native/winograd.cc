// Winograd's convolution of stride 1 in f32: y = Aᵀ[(G w) ∘ (Bᵀ x)] on tiles, in both dimensions at once, so that each matrix is the
// Kronecker product with itself. Tiles of n × n values give m × m outputs: n² matrix products in place of one convolution, with
// m²r²/n² times fewer multiplications (2.25 for F(2, 3), 2.8 for F(2, 5), 4 for F(4, 3)). Lavin & Gray, CVPR 2016,
// https://arxiv.org/abs/1509.09308
#include <cmath>

#include "convolution.h"

namespace selfsight {

using at::Tensor;

namespace {

// For F(m, r), n = m + r - 1 points. A (n, m) and G (n, r) evaluate polynomials there, Bᵀ (n, n) is the transposed interpolation.
struct Transforms {
  Tensor output;  // Aᵀ⊗Aᵀ (m², n²)
  Tensor kernel;  // G⊗G (n², r²)
  Tensor input;   // Bᵀ⊗Bᵀ (n², n²)
};

Transforms makeTransforms(int64_t m, int64_t r) {
  const at::TensorOptions precise = at::TensorOptions().dtype(at::kDouble).device(at::kCPU);
  const int64_t n = m + r - 1;
  // n - 1 points, and infinity. ±2/3 and ±3/2 round 2.4 times less than the usual ±1 and ±2, whose powers differ more.
  const std::vector<double> points = n == 4 ? std::vector<double>{0, 1, -1} : std::vector<double>{0, 2. / 3, -2. / 3, 1.5, -1.5};
  const auto evaluate = [&](int64_t terms) {
    std::vector<double> values;
    for (int64_t i = 0; i < n; i++) {
      for (int64_t power = 0; power < terms; power++) {
        values.push_back(i < n - 1 ? (power ? std::pow(points[i], power) : 1) : power == terms - 1);
      }
    }
    return at::tensor(values, precise).view({n, terms});
  };
  const Tensor inverse = evaluate(n).inverse().t();
  const Tensor scale = inverse.abs().amax(1, true);  // equal ranges round less
  const auto both = [](const Tensor& matrix) { return at::kron(matrix, matrix).to(at::kFloat).contiguous(); };
  return {both(evaluate(m).t()), both(evaluate(r) * scale), both(inverse / scale)};
}

const Transforms& transforms(int64_t m, int64_t r) {
  static const Transforms small3 = makeTransforms(2, 3), small5 = makeTransforms(2, 5), large3 = makeTransforms(4, 3);
  return r == 5 ? small5 : m == 2 ? small3 : large3;
}

// Tiles of a convolution: th × tw for each image, m × m outputs each.
struct Tiles {
  int64_t m, r, n, down, across;
  Tiles(int64_t m, int64_t r, int64_t height, int64_t width)  // of the output
      : m(m), r(r), n(m + r - 1), down((height + m - 1) / m), across((width + m - 1) / m) {}
};

// Maps (B, C, H, W) to their tiles' values (n², B·th·tw·C), each tile of n × n beginning m after the one before, from -padding on.
Tensor inputTiles(const Tensor& x, int64_t padding, const Tiles& t) {
  const int64_t below = t.down * t.m + t.r - 1 - x.size(2) - padding, right = t.across * t.m + t.r - 1 - x.size(3) - padding;
  const Tensor padded = at::constant_pad_nd(x.permute({0, 2, 3, 1}), {0, 0, padding, right, padding, below}).contiguous();
  const auto s = padded.strides();
  return padded.as_strided({t.n, t.n, x.size(0), t.down, t.across, x.size(1)}, {s[1], s[2], s[0], t.m * s[1], t.m * s[2], 1})
      .reshape({t.n * t.n, -1});
}

// Tiles' outputs (m², B·th·tw·C) to maps (B, H, W, C): what lies beyond the edges is cut off. And back, filled with zeros.
void fromOutputTiles(const Tensor& maps, const Tensor& values, const Tiles& t) {
  const Tensor tiles = values.view({t.m, t.m, maps.size(0), t.down, t.across, -1}).permute({2, 3, 0, 4, 1, 5});
  if (t.down * t.m == maps.size(1) && t.across * t.m == maps.size(2)) {
    maps.view(tiles.sizes()).copy_(tiles);
  } else {
    const Tensor whole = tiles.reshape({maps.size(0), t.down * t.m, t.across * t.m, -1});
    maps.copy_(whole.narrow(1, 0, maps.size(1)).narrow(2, 0, maps.size(2)));
  }
}
Tensor toOutputTiles(const Tensor& maps, const Tiles& t) {
  const int64_t below = t.down * t.m - maps.size(2), right = t.across * t.m - maps.size(3);
  const Tensor rows = maps.permute({0, 2, 3, 1});
  const Tensor whole = below || right ? at::constant_pad_nd(rows, {0, 0, 0, right, 0, below}) : rows;
  return whole.reshape({maps.size(0), t.down, t.m, t.across, t.m, maps.size(1)}).permute({2, 4, 0, 1, 3, 5}).reshape({t.m * t.m, -1});
}

constexpr int64_t cache = 4 << 20;

// Images at once: their transformed tiles should stay in a core's cache.
int64_t imagesAtOnce(const Tensor& x, int64_t outputs, const Tiles& t) {
  const double bytes = 4.0 * t.n * t.n * t.down * t.across * (x.size(1) + outputs);  // a double: enormous views of little memory exist
  return std::max<int64_t>(1, cache / bytes);
}

}  // namespace

Tensor winogradForward(const Tensor& x, const Tensor& weight, const Geometry& g, int64_t m) {
  const int64_t r = weight.size(2), outputs = weight.size(0), squares = (m + r - 1) * (m + r - 1);
  const int64_t height = outputSide(x.size(2), r, g), width = outputSide(x.size(3), r, g);
  const Tiles t(m, r, height, width);
  const auto& [output, kernel, input] = transforms(m, r);
  const Tensor taps = weight.permute({2, 3, 1, 0}).reshape({r * r, -1});                 // (r², C·O)
  const Tensor kernels = kernel.mm(taps).view({squares, weight.size(1), -1});            // (n², C, O)
  const Tensor maps = at::empty({x.size(0), height, width, outputs}, x.options());
  onAllThreads(x.size(0), imagesAtOnce(x, outputs, t), [&](int64_t first, int64_t count, int64_t) {
    const Tensor tiles = input.mm(inputTiles(x.narrow(0, first, count), g.padding, t)).view({squares, -1, x.size(1)});
    const Tensor products = at::bmm(tiles, kernels).view({squares, -1});
    fromOutputTiles(maps.narrow(0, first, count), output.mm(products), t);
  });
  return maps.permute({0, 3, 1, 2});
}

// The convolution of the output's gradient with the kernels turned by 180°, inputs and outputs exchanged.
Tensor winogradInputGradient(const Tensor& gradient, const Tensor& weight, const Geometry& g, int64_t m) {
  const Geometry back{1, weight.size(2) - 1 - g.padding, 1};
  return winogradForward(gradient, weight.flip({2, 3}).transpose(0, 1), back, m);
}

Tensor winogradWeightGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Geometry& g, int64_t m) {
  const int64_t r = weight.size(2), squares = (m + r - 1) * (m + r - 1);
  const Tiles t(m, r, gradient.size(2), gradient.size(3));
  const auto& [output, kernel, input] = transforms(m, r);
  std::vector<Tensor> sums(at::get_num_threads());  // (n², C, O), of each thread
  onAllThreads(x.size(0), imagesAtOnce(x, gradient.size(1), t), [&](int64_t first, int64_t count, int64_t thread) {
    const Tensor tiles = input.mm(inputTiles(x.narrow(0, first, count), g.padding, t)).view({squares, -1, x.size(1)});
    const Tensor outer = output.t().mm(toOutputTiles(gradient.narrow(0, first, count), t)).view({squares, -1, gradient.size(1)});
    Tensor& sum = sums[thread];
    sum = sum.defined() ? sum.baddbmm_(tiles.transpose(1, 2), outer) : at::bmm(tiles.transpose(1, 2), outer);
  });
  for (size_t thread = 1; thread < sums.size(); thread++) {
    if (sums[thread].defined()) sums[0].add_(sums[thread]);  // in this order: the same sum every time
  }
  return kernel.t().mm(sums[0].view({squares, -1})).view({r, r, x.size(1), -1}).permute({3, 2, 0, 1});
}

}  // namespace selfsight
