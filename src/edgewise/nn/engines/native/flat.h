// Flat planes and the loops over them.
//
// A plane is kept "flat": rows of width W follow each other with PAD zeros between them (and PAD rows of zeros above
// and below), so that a tap of a convolution is one offset for the whole plane and loops run over it without caring
// for rows. A stride of 2 splits the input in four planes, by the parity of row and column; then every tap is again
// one plane and one offset. All tensors are contiguous NCHW.

#pragma once
#include "calls.h"
#include "vectors.h"

namespace edgewise {

constexpr int64_t LINE = 16;  // elements of a cache line, or two

inline int64_t round_up(int64_t size) { return (size + LINE - 1) / LINE * LINE; }

// The geometry of one pass.
struct Plan {
  int64_t n, c, h, w, stride, pad;
  int64_t ho, wo, phases, rows, s, plane, length, slack;
  explicit Plan(const Shape& shape)
      : n(shape.n), c(shape.c), h(shape.h), w(shape.w), stride(shape.stride), pad(shape.pad) {
    ho = (h + stride - 1) / stride;
    wo = (w + stride - 1) / stride;
    phases = stride * stride;
    s = wo + pad;
    rows = ho + 2 * pad;
    // Elements that vector loops may read and write beyond the end, at least. Planes begin at whole cache lines,
    // an odd number of them apart, so that they do not compete for the same places in the cache.
    slack = round_up(MANY * VBYTES / 4 + pad * s + pad) - pad * s;
    plane = round_up(rows * s + 2 * slack);
    plane += plane / LINE % 2 ? 0 : LINE;
    length = ho * s;
  }
  int64_t origin() const { return slack + pad * s; }
};

inline int64_t floor_half(int64_t v) { return v >= 0 ? v / 2 : -((1 - v) / 2); }

// Where the taps of a kernel lie: plane and offset of each.
struct Taps {
  int n;
  std::vector<int64_t> phase, offset;
  Taps(const Plan& p, int64_t k, int64_t dilation) : n(static_cast<int>(k * k)) {
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < k; ++j) {
        int64_t dy = (i - k / 2) * dilation, dx = (j - k / 2) * dilation;
        if (p.stride == 1) {
          phase.push_back(0);
          offset.push_back(dy * p.s + dx);
        } else {
          int64_t qy = floor_half(dy), qx = floor_half(dx);
          phase.push_back((dy - 2 * qy) * 2 + (dx - 2 * qx));
          offset.push_back(qy * p.s + qx);
        }
      }
  }
};

// ReLU(scale * x + shift) of one plane into flat phase planes; the pads stay as they are (zero).
template <class T>
void unfold(const Plan& p, const T* x, T scale, T shift, T* flat) {
  for (int64_t h = 0; h < p.h; ++h) {
    const T* __restrict row = x + h * p.w;
    if (p.stride == 1) {
      T* __restrict out = flat + p.origin() + h * p.s;
      for (int64_t w = 0; w < p.w; ++w) out[w] = std::max(scale * row[w] + shift, T(0));
    } else {
      T* __restrict even = flat + (h % 2) * 2 * p.plane + p.origin() + (h / 2) * p.s;
      T* __restrict odd = even + p.plane;
      for (int64_t w = 0; w < p.w / 2; ++w) {
        even[w] = std::max(scale * row[2 * w] + shift, T(0));
        odd[w] = std::max(scale * row[2 * w + 1] + shift, T(0));
      }
      if (p.w % 2) even[p.w / 2] = std::max(scale * row[p.w - 1] + shift, T(0));
    }
  }
}

// The planes that a branch's taps read, for one channel.
template <class T>
void aim(const Taps& taps, const Plan& p, const T* flat, std::vector<const T*>& in) {
  in.resize(taps.n);
  for (int t = 0; t < taps.n; ++t) in[t] = flat + taps.phase[t] * p.plane + p.origin() + taps.offset[t];
}

// ReLU(scale * x + shift) of all channels; without a scale, ReLU(x).
template <class T>
void input_planes(const Plan& p, const T* x, const double* scale, const double* shift, T* flat) {
  for (int64_t c = 0; c < p.c; ++c)
    unfold(p, x + c * p.h * p.w, scale ? T(scale[c]) : T(1), scale ? T(shift[c]) : T(0),
           flat + c * p.phases * p.plane);
}

template <class T>
void depthwise(const Plan& p, const Taps& taps, const T* flat, const T* k, T* out, std::vector<const T*>& in) {
  for (int64_t c = 0; c < p.c; ++c) {
    aim(taps, p, flat + c * p.phases * p.plane, in);
    gather(in.data(), k + c * taps.n, taps.n, out + c * p.plane + p.origin(), p.length, false);
  }
}

}  // namespace edgewise
