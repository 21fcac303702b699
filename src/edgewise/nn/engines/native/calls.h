// What Python hands to the kernels. Every field has 8 bytes; kernels.py packs them in this order.
#pragma once
#include <cstdint>

namespace edgewise {

// What a kernel reads: samples, channels, height, width, and stride and padding of its convolutions.
struct Shape {
  int64_t n, c, h, w, stride, pad;
};

// Planes of one tensor, and the elements between two samples.
template <class T>
struct Planes {
  T* data;
  int64_t stride;
};

// Those planes that each channel is found in.
template <class T>
struct Channels {
  T* data;
  int64_t stride;
  const int64_t* channel;
};

// The input of branches: elements between two branches' planes (0 where they share them), and what is in front of
// the ReLU, scale * x + shift for each channel of each branch (null for x itself).
template <class T>
struct Input {
  const T* data;
  int64_t stride, branch_stride;
  const double *scale, *shift;
};

// The convolutions of branches: kernel sizes, dilations, and where the weights (or their gradients) lie.
struct Convolutions {
  int64_t count;
  const int64_t *size, *dilation, *depthwise, *pointwise;
};

// What reaches branches from behind: dy = a * sample * g + b * y + d. Of each branch, where g lies and the elements
// between two samples; of each channel, its plane, a, b and d; of each branch and sample, a factor (null for 1).
struct Upstream {
  const int64_t *address, *stride, *channel;
  const double *a, *b, *d, *samples;
};

// Addends: where each lies, the elements between two samples, and of each channel its plane, the same in all.
struct Terms {
  int64_t count;
  const int64_t *address, *stride, *channel;
};

// What is made of addends: [terms, C] factors, and what is added (or null); [terms, N] factors of samples (or null).
struct Weights {
  const double *factor, *shift, *samples;
};

// Batch norms of `branches` times `channels` planes: where the running statistics of each branch lie.
struct BatchNorms {
  int64_t branches, channels;
  const int64_t *mean, *variance, *batches;
};

}  // namespace edgewise
