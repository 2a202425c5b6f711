// The ways to compute a 2-D convolution and its two gradients, as operators: selfsight::convolution for training, and one operator
// for each of the three computations, to time a way by itself (src/torch/nn/measure-ways.ts chooses). All are made of libtorch's own
// operators, and work on (B, C, H, W) in any memory format; they are fastest on channels-last.
//
//   0 library      libtorch's own, in the memory format that the input has
//   1 otherLayout  libtorch's own, in the other memory format
//   2 product      a 1×1 kernel: one matrix product over all places
//   3 smallMaps    a 3×3 kernel with padding 1 on a map of at most 4×4: a matrix product for each pair of places next to each other. The
//                  library also multiplies the padding: 20 of the 36 taps of a 2×2 map. In bf16 up to 2×2 only: the sum of a place's
//                  products, here up to four, is rounded after each
//   4, 5 winograd  3×3 and 5×5 kernels, stride 1, f32: each tile of 4×4 or 6×6 places is transformed, so that the convolution becomes
//                  16 or 36 matrix products with 2.25 to 4 times fewer multiplications. Lavin & Gray, CVPR 2016,
//                  https://arxiv.org/abs/1509.09308
#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "convolution.h"
#include "selfsight.h"

namespace selfsight {

namespace {

using at::Tensor;
using Optional = c10::optional<Tensor>;

// Side of a Winograd tile's output: F(2, 3) and F(2, 5) in small tiles, F(4, 3) in large ones. 0 if there is no such tile.
int64_t tileOutput(int64_t way, int64_t kernel) {
  if (way == winogradSmall) return kernel == 3 || kernel == 5 ? 2 : 0;
  return kernel == 3 ? 4 : 0;
}

bool applies(int64_t way, const Tensor& x, const Tensor& weight, const Geometry& g) {
  const int64_t kernel = weight.size(2);
  const bool plain = g.stride == 1 && g.groups == 1;
  switch (way) {
    case library:
    case otherLayout:
      return true;
    case product:
      return kernel == 1 && g.padding == 0 && g.groups == 1;
    case smallMaps:
      return plain && kernel == 3 && g.padding == 1 && std::max(x.size(2), x.size(3)) <= (x.element_size() < 4 ? 2 : 4);
    case winogradSmall:
    case winogradLarge:
      return plain && tileOutput(way, kernel) > 0 && g.padding < kernel && x.scalar_type() == at::kFloat && x.is_cpu();
    default:
      return false;
  }
}

void requireWay(const Tensor& x, const Tensor& weight, const Geometry& g, int64_t way) {
  TORCH_CHECK(way >= 0 && way < ways && applies(way, x, weight, g), "way ", way, " cannot compute a convolution of images ", x.sizes(), " in ",
              x.scalar_type(), " with kernels ", weight.sizes(), ", stride ", g.stride, ", padding ", g.padding, " and groups ", g.groups,
              ": selfsight::convolution_ways lists those that can");
}

void require(const Tensor& x, const Tensor& weight, const Geometry& g) {
  TORCH_CHECK(x.dim() == 4 && weight.dim() == 4, "expected images (B, C, H, W) and kernels (O, C / groups, K, K)");
  TORCH_CHECK(weight.size(2) == weight.size(3), "expected square kernels");
  TORCH_CHECK(g.stride >= 1 && g.padding >= 0 && g.groups >= 1, "expected stride and groups from 1 and padding from 0");
  TORCH_CHECK(g.stride <= INT32_MAX && g.padding <= INT32_MAX && g.groups <= INT32_MAX, "stride, padding or groups are too large");
  TORCH_CHECK(x.size(1) == weight.size(1) * g.groups, "the kernels take ", weight.size(1) * g.groups, " channels, got ", x.size(1));
  TORCH_CHECK(x.is_floating_point() && x.scalar_type() == weight.scalar_type(), "expected images and kernels of one floating type");
  TORCH_CHECK(x.device() == weight.device() && x.layout() == at::kStrided && weight.layout() == at::kStrided, "expected dense tensors on one device");
  TORCH_CHECK(x.numel() > 0 && weight.numel() > 0, "expected images and kernels with at least one element");
  const int64_t kernel = weight.size(2);
  TORCH_CHECK(x.size(2) + 2 * g.padding >= kernel && x.size(3) + 2 * g.padding >= kernel, "the kernel is larger than the padded image");
}

void requireGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Geometry& g) {
  const int64_t kernel = weight.size(2);
  const std::vector<int64_t> expected{x.size(0), weight.size(0), outputSide(x.size(2), kernel, g), outputSide(x.size(3), kernel, g)};
  TORCH_CHECK(gradient.sizes() == at::IntArrayRef(expected), "expected a gradient of shape ", expected, ", got ", gradient.sizes());
  TORCH_CHECK(gradient.scalar_type() == x.scalar_type() && gradient.device() == x.device() && gradient.layout() == at::kStrided,
              "expected a gradient like the images");
}

at::MemoryFormat otherFormat(const Tensor& x) {
  return x.suggest_memory_format() == at::MemoryFormat::ChannelsLast ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
}

// ---- The library's own

Tensor libraryForward(const Tensor& x, const Tensor& weight, const Geometry& g) {
  return at::convolution(x, weight, {}, {g.stride, g.stride}, {g.padding, g.padding}, {1, 1}, false, {0, 0}, g.groups);
}

Tensor libraryGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Geometry& g, bool ofInput) {
  const auto results = at::convolution_backward(gradient, x, weight, c10::nullopt, {g.stride, g.stride}, {g.padding, g.padding},
                                                {1, 1}, false, {0, 0}, g.groups, {ofInput, !ofInput, false});
  return ofInput ? std::get<0>(results) : std::get<1>(results);
}

// ---- By way

Tensor forward(const Tensor& x, const Tensor& weight, const Geometry& g, int64_t way) {
  switch (way) {
    case otherLayout: {
      const auto format = otherFormat(x);
      return libraryForward(x.contiguous(format), weight.contiguous(format), g).contiguous(x.suggest_memory_format());
    }
    case product:
      return productForward(x, weight, g);
    case smallMaps:
      return smallMapsForward(x, weight);
    case winogradSmall:
    case winogradLarge:
      return winogradForward(x, weight, g, tileOutput(way, weight.size(2)));
    default:
      return libraryForward(x, weight, g);
  }
}

Tensor gradientOf(bool ofInput, const Tensor& gradient, const Tensor& x, const Tensor& weight, const Geometry& g, int64_t way) {
  const int64_t m = tileOutput(way, weight.size(2));
  switch (way) {
    case otherLayout: {
      const auto format = otherFormat(x);
      const Tensor found = libraryGradient(gradient.contiguous(format), x.contiguous(format), weight.contiguous(format), g, ofInput);
      return found.contiguous(ofInput ? x.suggest_memory_format() : weight.suggest_memory_format());
    }
    case product:
      return (ofInput ? productInputGradient : productWeightGradient)(gradient, x, weight, g);
    case smallMaps:
      return (ofInput ? smallMapsInputGradient : smallMapsWeightGradient)(gradient, x, weight);
    case winogradSmall:
    case winogradLarge:
      return ofInput ? winogradInputGradient(gradient, weight, g, m) : winogradWeightGradient(gradient, x, weight, g, m);
    default:
      return libraryGradient(gradient, x, weight, g, ofInput);
  }
}

// ---- The operators

Tensor forwardOperator(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding, int64_t groups, int64_t way) {
  const Geometry g{stride, padding, groups};
  require(x, weight, g);
  requireWay(x, weight, g, way);
  return forward(x, weight, g, way);
}

Tensor gradientOperator(bool ofInput, const Tensor& gradient, const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding, int64_t groups, int64_t way) {
  const Geometry g{stride, padding, groups};
  require(x, weight, g);
  requireWay(x, weight, g, way);
  requireGradient(gradient, x, weight, g);
  return gradientOf(ofInput, gradient, x, weight, g, way);
}

Tensor inputGradientOperator(const Tensor& gradient, const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding, int64_t groups, int64_t way) {
  return gradientOperator(true, gradient, x, weight, stride, padding, groups, way);
}

Tensor weightGradientOperator(const Tensor& gradient, const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding, int64_t groups, int64_t way) {
  return gradientOperator(false, gradient, x, weight, stride, padding, groups, way);
}

class Convolution : public torch::autograd::Function<Convolution> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding,
                        int64_t groups, at::IntArrayRef ways) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({x, weight});
    context->saved_data["geometry"] = std::vector<int64_t>{stride, padding, groups};
    context->saved_data["ways"] = ways.vec();
    return selfsight::forward(x, weight, {stride, padding, groups}, ways[0]);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    c10::impl::ExcludeDispatchKeyGuard noAutocast(c10::DispatchKey::AutocastCPU);  // backward may be called inside autocast
    const auto saved = context->get_saved_variables();
    auto geometry = context->saved_data["geometry"].toIntVector(), ways = context->saved_data["ways"].toIntVector();
    const Geometry g{geometry[0], geometry[1], geometry[2]};
    if (at::GradMode::is_enabled()) std::fill(ways.begin(), ways.end(), library);  // gradients of gradients: only it has them
    const Tensor &x = saved[0], &weight = saved[1];
    const Tensor gradient = gradients[0].contiguous(x.suggest_memory_format());
    const Tensor ofInput = context->needs_input_grad(0) ? gradientOf(true, gradient, x, weight, g, ways[1]) : Tensor();
    const Tensor ofWeight = context->needs_input_grad(1) ? gradientOf(false, gradient, x, weight, g, ways[2]) : Tensor();
    return {ofInput, ofWeight, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

// The bias is added outside, so that its gradient is the sum's.
Tensor withBias(const Tensor& out, const Optional& bias) {
  if (!bias || !bias->defined()) return out;
  TORCH_CHECK(bias->dim() == 1 && bias->size(0) == out.size(1), "expected a bias for each of ", out.size(1), " channels");
  return out + bias->to(out.scalar_type()).view({1, -1, 1, 1});
}

void requireWays(const Tensor& x, const Tensor& weight, const Geometry& g, at::IntArrayRef ways) {
  TORCH_CHECK(ways.size() == 3, "expected three ways: forward, the input's gradient, the kernels'");
  require(x, weight, g);
  for (const int64_t way : ways) requireWay(x, weight, g, way);
}

// The ways that apply to a convolution.
std::vector<int64_t> applicable(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding, int64_t groups) {
  const Geometry g{stride, padding, groups};
  require(x, weight, g);
  std::vector<int64_t> found;
  for (int64_t way = 0; way < ways; way++) {
    if (applies(way, x, weight, g)) found.push_back(way);
  }
  return found;
}

Tensor convolution(const Tensor& x, const Tensor& weight, const Optional& bias, int64_t stride, int64_t padding, int64_t groups, at::IntArrayRef ways) {
  requireWays(x, weight, {stride, padding, groups}, ways);
  return withBias(Convolution::apply(x, weight, stride, padding, groups, ways), bias);
}

Tensor convolutionAutocast(const Tensor& x, const Tensor& weight, const Optional& bias, int64_t stride, int64_t padding, int64_t groups, at::IntArrayRef ways) {
  c10::impl::ExcludeDispatchKeyGuard guard(c10::DispatchKey::AutocastCPU);
  const auto dtype = autocastDtype(at::kCPU);
  const auto cast = [&](const Tensor& tensor) { return at::autocast::cached_cast(dtype, tensor, c10::DeviceType::CPU); };
  return convolution(cast(x), cast(weight), bias, stride, padding, groups, ways);
}

}  // namespace

TORCH_LIBRARY(selfsight, m) {
  m.def("convolution(Tensor x, Tensor weight, Tensor? bias, int stride, int padding, int groups, int[] ways) -> Tensor", &convolution);
  m.def("convolution_ways(Tensor x, Tensor weight, int stride, int padding, int groups) -> int[]", &applicable);
  m.def("convolution_forward(Tensor x, Tensor weight, int stride, int padding, int groups, int way) -> Tensor", &forwardOperator);
  m.def("convolution_input_gradient(Tensor gradient, Tensor x, Tensor weight, int stride, int padding, int groups, int way) -> Tensor",
        &inputGradientOperator);
  m.def("convolution_weight_gradient(Tensor gradient, Tensor x, Tensor weight, int stride, int padding, int groups, int way) -> Tensor",
        &weightGradientOperator);
}

TORCH_LIBRARY_IMPL(selfsight, AutocastCPU, m) { m.impl("convolution", &convolutionAutocast); }

}  // namespace selfsight
