"""The cases of the operator families that networks are made of."""
import torch

from golden_parts.formula import integers, positive
from golden_parts.formula import values as v


def convolution(family):
    case, x = family.case, lambda: v("x", 2, 4, 6, 5)
    weight, bias = lambda: v("weight", 3, 4, 3, 3), lambda: v("bias", 3)
    case("conv2d", x(), weight(), bias())
    case("conv2d", x(), weight(), None, [2, 2], [1, 1])
    case("conv2d", x(), weight(), bias(), [1, 2], [2, 1], [2, 1], 1)
    case("conv2d", x(), v("depthwise", 8, 1, 3, 3), v("bias8", 8), [1, 1], [1, 1], [1, 1], 4)
    case("conv2d", x(), v("grouped", 6, 2, 3, 3), None, [1, 1], [0, 0], [1, 1], 2)
    case("conv2d", x(), v("pointwise", 3, 4, 1, 1), None)
    case("conv2d.padding", x(), weight(), bias(), [1, 1], "same")
    case("conv1d", v("signal", 2, 3, 8), v("weight1", 4, 3, 3), v("bias4", 4), [2], [1])
    case("conv_transpose2d.input", x(), v("up", 4, 3, 3, 3), bias(), [2, 2], [1, 1], [1, 1])
    case("conv2d", v("double", 1, 4, 5, 5, dtype=torch.float64), v("weight", 3, 4, 3, 3, dtype=torch.float64))


def pooling(family):
    case, x = family.case, lambda: v("x", 1, 2, 7, 6)
    case("max_pool2d", x(), [3, 3], [2, 2], [1, 1])
    case("max_pool2d", x(), [2, 2], [2, 2], [0, 0], [1, 1], True)
    case("max_pool2d_with_indices", x(), [3, 3], [2, 2], [1, 1])
    case("avg_pool2d", x(), [3, 3], [2, 2], [1, 1])
    case("avg_pool2d", x(), [3, 3], [2, 2], [1, 1], False, False)
    case("adaptive_avg_pool2d", x(), [1, 1])
    case("adaptive_avg_pool2d", x(), [3, 4])
    case("adaptive_max_pool2d", x(), [3, 4])


def normalisation(family):
    case, x = family.case, lambda: v("x", 3, 4, 3, 2)
    weight, bias = lambda: v("weight", 4), lambda: v("bias", 4)
    mean, variance = lambda: v("mean", 4), lambda: positive("variance", 4)
    case("batch_norm", x(), weight(), bias(), mean(), variance(), True, 0.1, 1e-5, True)
    case("batch_norm", x(), weight(), bias(), mean(), variance(), False, 0.1, 1e-5, True)
    case("batch_norm", x(), None, None, mean(), variance(), True, 0.1, 1e-5, True)
    case("layer_norm", v("tokens", 2, 3, 4), [4], weight(), bias(), 1e-6)
    case("layer_norm", v("tokens", 2, 3, 4), [3, 4])
    case("group_norm", x(), 2, weight(), bias(), 1e-5)
    case("instance_norm", x(), weight(), bias(), None, None, True, 0.1, 1e-5, True)


def activation(family):
    case, x = family.case, lambda: v("x", 3, 4)
    for name in ("relu", "gelu", "silu", "mish", "hardswish", "log_sigmoid", "selu"):
        case(name, x())
    case("gelu", x(), "tanh")
    case("leaky_relu", x(), 0.2)
    case("elu", x(), 1)
    case("softplus", x(), 1, 20)
    case("hardtanh", x(), -0.5, 1)
    case("prelu", x(), v("slope", 4))
    case("glu", x(), -1)
    case("softmax.int", x(), 1)
    case("log_softmax.int", x(), 0)
    case("dropout", x(), 0.5, False)
    case("relu_", x())


def loss(family):
    case, logits, target = family.case, lambda: v("logits", 5, 4), lambda: integers("target", 5, below=4)
    x, y = lambda: v("x", 3, 4), lambda: v("y", 3, 4)
    for reduction_code in (0, 1, 2):  # none, mean, sum
        case("cross_entropy_loss", logits(), target(), None, reduction_code)
    case("cross_entropy_loss", logits(), target(), positive("weight", 4), 1, 2, 0.1)
    case("cross_entropy_loss", logits(), torch.softmax(v("soft", 5, 4), 1), None, 1, -100, 0.0)
    case("nll_loss", torch.log_softmax(logits(), 1), target())
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        case(name, x(), y())
    case("binary_cross_entropy_with_logits", x(), v("p", 3, 4, low=0, high=1))
    case("binary_cross_entropy", v("q", 3, 4, low=0.1, high=0.9), v("p", 3, 4, low=0, high=1))
    case("kl_div", torch.log_softmax(x(), 1), torch.softmax(y(), 1), 1)
    case("cosine_similarity", x(), y(), 1)
    case("cosine_embedding_loss", x(), y(), torch.tensor([1.0, -1.0, 1.0]), 0.1, gradients=False)
    case("triplet_margin_loss", x(), y(), v("z", 3, 4), 0.5)


def resampling(family):
    case, image = family.case, lambda: v("image", 2, 3, 6, 5)
    grid = lambda: v("grid", 2, 4, 3, 2, low=-1.4, high=1.4)
    for mode in (0, 1, 2):  # bilinear, nearest, bicubic
        for padding in (0, 1, 2):  # zeros, border, reflection
            case("grid_sampler", image(), grid(), mode, padding, (mode + padding) % 2 == 0)
    for align in (True, False):
        case("affine_grid_generator", v("theta", 2, 2, 3), [2, 3, 4, 5], align)
        case("upsample_bilinear2d", image(), [9, 7], align)
        case("upsample_bicubic2d", image(), [4, 8], align)
    case("upsample_nearest2d", image(), [9, 3])
    case("pixel_shuffle", v("squares", 2, 12, 3, 2), 2)
    large = lambda: v("large", 1, 2, 16, 12)
    for name in ("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"):
        case(name, large(), [5, 7], False)
        case(name, image(), [9, 11], False)


def foreach(family):
    case = family.case
    a, b = lambda: [v("a", 2, 3), v("a1", 4)], lambda: [v("b", 2, 3), v("b1", 4)]
    p = lambda: [positive("p", 2, 3), positive("p1", 4)]
    case("_foreach_add.List", a(), b(), 0.5, gradients=False)
    case("_foreach_add.Scalar", a(), 2, gradients=False)
    case("_foreach_mul.List", a(), b(), gradients=False)
    case("_foreach_mul.Scalar", a(), 0.5, gradients=False)
    case("_foreach_div.List", a(), p(), gradients=False)
    case("_foreach_sqrt", p(), gradients=False)
    case("_foreach_neg", a(), gradients=False)
    case("_foreach_norm.Scalar", a(), 2, gradients=False)
    case("_foreach_add_.List", a(), b(), -0.1)
    case("_foreach_add_.Scalar", a(), 1e-3)
    case("_foreach_mul_.Scalar", a(), 0.9)
    case("_foreach_mul_.List", a(), b())
    case("_foreach_div_.List", a(), p())
    case("_foreach_sqrt_", p())
    case("_foreach_addcmul_.Scalar", a(), b(), b(), 0.001)
    case("_foreach_addcdiv_.Scalar", a(), b(), p(), -0.01)
    case("_foreach_zero_", a())


FAMILIES = {
    "convolution": convolution, "pooling": pooling, "normalisation": normalisation, "activation": activation,
    "loss": loss, "resampling": resampling, "foreach": foreach,
}
