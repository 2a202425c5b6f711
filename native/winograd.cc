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
  const std::vector<double> points{0, 1, -1, 2, -2};  // n - 1 of them, and infinity
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

// Tiles' outputs (m², B·th·tw·C) to maps (B, C, H, W): what lies beyond the edges is cut off. And back, filled with zeros.
Tensor fromOutputTiles(const Tensor& values, int64_t batch, int64_t height, int64_t width, const Tiles& t) {
  const Tensor maps = values.view({t.m, t.m, batch, t.down, t.across, -1})
                          .permute({2, 3, 0, 4, 1, 5})
                          .reshape({batch, t.down * t.m, t.across * t.m, -1});
  return maps.narrow(1, 0, height).narrow(2, 0, width).permute({0, 3, 1, 2}).contiguous(at::MemoryFormat::ChannelsLast);
}
Tensor toOutputTiles(const Tensor& maps, const Tiles& t) {
  const int64_t below = t.down * t.m - maps.size(2), right = t.across * t.m - maps.size(3);
  const Tensor rows = maps.permute({0, 2, 3, 1});
  const Tensor whole = below || right ? at::constant_pad_nd(rows, {0, 0, 0, right, 0, below}) : rows;
  return whole.reshape({maps.size(0), t.down, t.m, t.across, t.m, maps.size(1)}).permute({2, 4, 0, 1, 3, 5}).reshape({t.m * t.m, -1});
}

// Images at once: their transformed tiles should stay in the processor's cache.
int64_t imagesAtOnce(const Tensor& x, int64_t outputs, const Tiles& t) {
  const int64_t bytes = 4 * t.n * t.n * t.down * t.across * (x.size(1) + outputs);
  return std::max<int64_t>(1, std::min<int64_t>(x.size(0), (int64_t{8} << 20) / bytes));
}

// x (B, C, H, W) and kernels as (n², C, O) after their transform.
Tensor winogradWith(const Tensor& x, const Tensor& kernels, int64_t padding, int64_t height, int64_t width, const Tiles& t) {
  const auto& [output, kernel, input] = transforms(t.m, t.r);
  const int64_t outputs = kernels.size(2), squares = t.n * t.n;
  std::vector<Tensor> parts;
  for (const Tensor& part : x.split(imagesAtOnce(x, outputs, t))) {
    const Tensor tiles = input.mm(inputTiles(part, padding, t)).view({squares, -1, x.size(1)});
    const Tensor products = at::bmm(tiles, kernels).view({squares, -1});
    parts.push_back(fromOutputTiles(output.mm(products), part.size(0), height, width, t));
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

}  // namespace

Tensor winogradForward(const Tensor& x, const Tensor& weight, const Geometry& g, int64_t m) {
  const int64_t r = weight.size(2), height = outputSide(x.size(2), r, g), width = outputSide(x.size(3), r, g);
  const Tiles t(m, r, height, width);
  const Tensor taps = weight.permute({2, 3, 1, 0}).reshape({r * r, -1});  // (r², C·O)
  return winogradWith(x, transforms(m, r).kernel.mm(taps).view({t.n * t.n, weight.size(1), -1}), g.padding, height, width, t);
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
  const int64_t chunk = imagesAtOnce(x, gradient.size(1), t);
  const auto images = x.split(chunk), gradients = gradient.split(chunk);
  Tensor sum;  // (n², C, O)
  for (size_t i = 0; i < images.size(); i++) {
    const Tensor tiles = input.mm(inputTiles(images[i], g.padding, t)).view({squares, -1, x.size(1)});
    const Tensor outer = output.t().mm(toOutputTiles(gradients[i], t)).view({squares, -1, gradient.size(1)});
    const Tensor part = at::bmm(tiles.transpose(1, 2), outer);
    sum = sum.defined() ? sum + part : part;
  }
  return kernel.t().mm(sum.view({squares, -1})).view({r, r, x.size(1), -1}).permute({3, 2, 0, 1});
}

}  // namespace selfsight
