// What the files of the convolution share. convolution.cc says what each way is.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <c10/core/GradMode.h>

#include <algorithm>

namespace selfsight {

enum Way : int64_t { library, otherLayout, product, smallMaps, winogradSmall, winogradLarge, ways };

struct Geometry {
  int64_t stride, padding, groups;
};

inline int64_t outputSide(int64_t side, int64_t kernel, const Geometry& g) { return (side + 2 * g.padding - kernel) / g.stride + 1; }

// Cuts 0 … total into groups of at most `most`, as many for each thread, and calls body(first, count, thread) for each. `thread` numbers
// the threads that work. Operators in the body run on one thread, and record no gradients.
template <typename Body>
void onAllThreads(int64_t total, int64_t most, const Body& body) {
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), total);
  const int64_t each = (total + threads - 1) / threads;                // for one thread
  const int64_t size = (each + (each + most - 1) / most - 1) / ((each + most - 1) / most);  // of one group
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    c10::NoGradGuard noGrad;
    at::AutoDispatchBelowADInplaceOrView below;
    for (int64_t thread = begin; thread < end; thread++) {
      const int64_t last = std::min(total, (thread + 1) * each);
      for (int64_t first = thread * each; first < last; first += size) body(first, std::min(size, last - first), thread);
    }
  });
}

// Each way of convolution-products.cc and winograd.cc: the output, and the gradients of the images and of the kernels.
at::Tensor productForward(const at::Tensor& x, const at::Tensor& weight, const Geometry& g);
at::Tensor productInputGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, const Geometry& g);
at::Tensor productWeightGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, const Geometry& g);
at::Tensor smallMapsForward(const at::Tensor& x, const at::Tensor& weight);
at::Tensor smallMapsInputGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight);
at::Tensor smallMapsWeightGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight);
// m: the side of a tile's output.
at::Tensor winogradForward(const at::Tensor& x, const at::Tensor& weight, const Geometry& g, int64_t m);
at::Tensor winogradInputGradient(const at::Tensor& gradient, const at::Tensor& weight, const Geometry& g, int64_t m);
at::Tensor winogradWeightGradient(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight, const Geometry& g, int64_t m);

}  // namespace selfsight
