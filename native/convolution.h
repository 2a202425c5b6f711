// What the files of the convolution share. convolution.cc says what each way is.
#pragma once
#include <ATen/ATen.h>

namespace selfsight {

enum Way : int64_t { library, relaid, product, dense, winogradSmall, winogradLarge, ways };

struct Geometry {
  int64_t stride, padding, groups;
};

inline int64_t outputSide(int64_t side, int64_t kernel, const Geometry& g) { return (side + 2 * g.padding - kernel) / g.stride + 1; }

// Each way of convolution-products.cc and winograd.cc: the output, and the gradients of the images and of the kernels.
at::Tensor productForward(const at::Tensor& x, const at::Tensor& weight, const Geometry& g);
at::Tensor productInputGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, const Geometry& g);
at::Tensor productWeightGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, const Geometry& g);
at::Tensor denseForward(const at::Tensor& x, const at::Tensor& weight);
at::Tensor denseInputGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight);
at::Tensor denseWeightGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight);
// m: the side of a tile's output.
at::Tensor winogradForward(const at::Tensor& x, const at::Tensor& weight, const Geometry& g, int64_t m);
at::Tensor winogradInputGradient(const at::Tensor& gradient, const at::Tensor& weight, const Geometry& g, int64_t m);
at::Tensor winogradWeightGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, const Geometry& g, int64_t m);

}  // namespace selfsight
