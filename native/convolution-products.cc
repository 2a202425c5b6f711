// A convolution as one matrix product: 1×1 kernels, and 3×3 kernels on small maps. On any memory format, fastest on channels-last.
#include "convolution.h"

namespace selfsight {

using at::Tensor;

namespace {

// (B, C, H, W) to rows (B·H·W, C): a view if x is channels-last. And back.
Tensor toRows(const Tensor& x) { return x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)}); }
Tensor fromRows(const Tensor& rows, int64_t height, int64_t width) {
  return rows.view({-1, height, width, rows.size(1)}).permute({0, 3, 1, 2});
}

Tensor everyOther(const Tensor& x, int64_t stride) {
  return stride == 1 ? x : x.slice(2, 0, INT64_MAX, stride).slice(3, 0, INT64_MAX, stride);
}

}  // namespace

// ---- 1×1 kernels

Tensor productForward(const Tensor& x, const Tensor& weight, const Geometry& g) {
  const Tensor seen = everyOther(x, g.stride);
  return fromRows(toRows(seen).matmul(weight.flatten(1).t()), seen.size(2), seen.size(3));
}

Tensor productInputGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Geometry& g) {
  const Tensor seen = fromRows(toRows(gradient).matmul(weight.flatten(1)), gradient.size(2), gradient.size(3));
  if (g.stride == 1) return seen;
  const Tensor all = at::zeros({x.size(0), x.size(2), x.size(3), x.size(1)}, seen.options()).permute({0, 3, 1, 2});
  everyOther(all, g.stride).copy_(seen);
  return all;
}

Tensor productWeightGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Geometry& g) {
  return toRows(gradient).t().matmul(toRows(everyOther(x, g.stride))).view(weight.sizes());
}

// ---- A small map: the product of its H·W·C values with a matrix of all kernel taps that it covers

namespace {

// For the output at (h, w), the map covers the taps from (1 - h, 1 - w) on: (…, H, W, …) of (…, 3, 3, …), dimensions 1 and 2.
Tensor covered(const Tensor& taps, int64_t place, int64_t height, int64_t width) {
  return taps.narrow(1, 1 - place / width, height).narrow(2, 1 - place % width, width);
}

// Kernels (O, C, 3, 3) to (H·W·O, H·W·C).
Tensor denseMatrix(const Tensor& weight, int64_t height, int64_t width) {
  const Tensor taps = weight.permute({0, 2, 3, 1});  // (O, 3, 3, C)
  std::vector<Tensor> places;
  for (int64_t place = 0; place < height * width; place++) places.push_back(covered(taps, place, height, width));
  return at::stack(places).reshape({height * width * weight.size(0), height * width * weight.size(1)});
}

Tensor flatMaps(const Tensor& x) { return x.permute({0, 2, 3, 1}).reshape({x.size(0), -1}); }
Tensor unflatMaps(const Tensor& rows, const Tensor& like, int64_t channels) {
  return rows.view({like.size(0), like.size(2), like.size(3), channels}).permute({0, 3, 1, 2});
}

}  // namespace

Tensor denseForward(const Tensor& x, const Tensor& weight) {
  return unflatMaps(flatMaps(x).matmul(denseMatrix(weight, x.size(2), x.size(3)).t()), x, weight.size(0));
}

Tensor denseInputGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight) {
  return unflatMaps(flatMaps(gradient).matmul(denseMatrix(weight, x.size(2), x.size(3))), x, x.size(1));
}

Tensor denseWeightGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight) {
  const int64_t height = x.size(2), width = x.size(3), outputs = weight.size(0), inputs = weight.size(1);
  const Tensor places = flatMaps(gradient).t().matmul(flatMaps(x)).view({height * width, outputs, height, width, inputs});
  Tensor taps = at::zeros({outputs, 3, 3, inputs}, x.options());
  for (int64_t place = 0; place < height * width; place++) covered(taps, place, height, width).add_(places.select(0, place));
  return taps.permute({0, 3, 1, 2});
}

}  // namespace selfsight
