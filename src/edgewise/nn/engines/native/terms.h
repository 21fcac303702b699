// Sums of terms into a node, pools, and the statistics of batch norms.
#pragma once
#include "flat.h"

namespace edgewise {

template <class T>
const T* term_plane(const Terms& terms, int64_t term, int64_t sample, int64_t c, int64_t plane) {
  return reinterpret_cast<const T*>(terms.address[term]) + sample * terms.stride[term] + terms.channel[c] * plane;
}

// out (+)= sum over terms of (factor * term + shift) * sample.
template <class T>
void weighted_sum(int64_t n_, int64_t c_, int64_t plane, const Terms& terms, const Weights& weights,
                  const Channels<T>& out, bool add) {
  const double *factor = weights.factor, *shift = weights.shift, *samples = weights.samples;
#pragma omp parallel for schedule(static) collapse(2)
  for (int64_t n = 0; n < n_; ++n)
    for (int64_t c = 0; c < c_; ++c) {
      T* to = out.data + n * out.stride + out.channel[c] * plane;
      double moved = 0;
      if (shift)
        for (int64_t t = 0; t < terms.count; ++t) moved += shift[t * c_ + c] * (samples ? samples[t * n_ + n] : 1.0);
      const T base = T(moved);
      constexpr int64_t STRIP = 256;
      for (int64_t start = 0; start < plane; start += STRIP) {
        const int64_t size = std::min(STRIP, plane - start);
        T acc[STRIP];
        for (int64_t i = 0; i < size; ++i) acc[i] = add ? to[start + i] + base : base;
        for (int64_t t = 0; t < terms.count; ++t) {
          const T* from = term_plane<T>(terms, t, n, c, plane) + start;
          const T weight = T(factor[t * c_ + c] * (samples ? samples[t * n_ + n] : 1.0));
          for (int64_t i = 0; i < size; ++i) acc[i] += weight * from[i];
        }
        for (int64_t i = 0; i < size; ++i) to[start + i] = acc[i];
      }
    }
}

// sums[t][c] = sum over samples and pixels of sample * g * term; sums[terms][c] = sum of sample * g.
template <class T>
void term_dots(int64_t n_, int64_t c_, int64_t plane, const Channels<const T>& g, const Terms& terms,
               const double* samples, double* sums) {
  const int64_t width = terms.count + 1;
  std::vector<double> part(n_ * width * c_);
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < n_; ++n)
    for (int64_t c = 0; c < c_; ++c) {
      const T* gr = g.data + n * g.stride + g.channel[c] * plane;
      for (int64_t t = 0; t < width; ++t) {
        const T* from = t < terms.count ? term_plane<T>(terms, t, n, c, plane) : nullptr;
        double sum = 0;
        for (int64_t start = 0; start < plane; start += 64) {
          const int64_t end = std::min<int64_t>(start + 64, plane);
          T s = 0;
          if (from)
            for (int64_t i = start; i < end; ++i) s += gr[i] * from[i];
          else
            for (int64_t i = start; i < end; ++i) s += gr[i];
          sum += s;
        }
        part[(n * width + t) * c_ + c] = samples ? sum * samples[n] : sum;
      }
    }
  std::fill(sums, sums + width * c_, 0.0);
  for (int64_t n = 0; n < n_; ++n)
    for (int64_t i = 0; i < width * c_; ++i) sums[i] += part[n * width * c_ + i];
}

// 3x3 pools with padding 1 of every plane; the average does not count the padding.
template <class T>
void pools_forward(const Shape& shape, const Planes<const T>& x, T* max, T* mean, double* sums) {
  const auto [n_, c_, h, w, stride, pad] = shape;
  const int64_t ho = (h - 1) / stride + 1, wo = (w - 1) / stride + 1;
#pragma omp parallel for schedule(static) collapse(2)
  for (int64_t n = 0; n < n_; ++n)
    for (int64_t c = 0; c < c_; ++c) {
      const T* from = x.data + n * x.stride + c * h * w;
      double s[4] = {0, 0, 0, 0};
      for (int64_t i = 0; i < ho; ++i)
        for (int64_t j = 0; j < wo; ++j) {
          const int64_t h0 = std::max<int64_t>(i * stride - 1, 0), h1 = std::min(i * stride + 2, h);
          const int64_t w0 = std::max<int64_t>(j * stride - 1, 0), w1 = std::min(j * stride + 2, w);
          T best = from[h0 * w + w0], sum = 0;
          for (int64_t a = h0; a < h1; ++a)
            for (int64_t b = w0; b < w1; ++b) {
              const T v = from[a * w + b];
              sum += v;
              if (v > best || v != v) best = v;
            }
          sum /= T((h1 - h0) * (w1 - w0));
          const int64_t at = ((n * c_ + c) * ho + i) * wo + j;
          if (max) {
            max[at] = best;
            s[0] += best;
            s[1] += double(best) * best;
          }
          if (mean) {
            mean[at] = sum;
            s[2] += sum;
            s[3] += double(sum) * sum;
          }
        }
      std::copy(s, s + 4, sums + (n * c_ + c) * 4);
    }
}

// Adds to dx what comes back through the pools, from the gradients of their outputs (null where there is none).
template <class T>
void pools_backward(const Shape& shape, const Planes<const T>& x, const T* dmax, const T* dmean,
                    const Planes<T>& dx) {
  const auto [n_, c_, h, w, stride, pad] = shape;
  const int64_t ho = (h - 1) / stride + 1, wo = (w - 1) / stride + 1;
#pragma omp parallel for schedule(static) collapse(2)
  for (int64_t n = 0; n < n_; ++n)
    for (int64_t c = 0; c < c_; ++c) {
      const T* from = x.data + n * x.stride + c * h * w;
      T* to = dx.data + n * dx.stride + c * h * w;
      for (int64_t i = 0; i < ho; ++i)
        for (int64_t j = 0; j < wo; ++j) {
          const int64_t h0 = std::max<int64_t>(i * stride - 1, 0), h1 = std::min(i * stride + 2, h);
          const int64_t w0 = std::max<int64_t>(j * stride - 1, 0), w1 = std::min(j * stride + 2, w);
          const int64_t at = ((n * c_ + c) * ho + i) * wo + j;
          if (dmax) {
            int64_t best = h0 * w + w0;
            for (int64_t a = h0; a < h1; ++a)
              for (int64_t b = w0; b < w1; ++b) {
                const T v = from[a * w + b];
                if (v > from[best] || v != v) best = a * w + b;
              }
            to[best] += dmax[at];
          }
          if (dmean) {
            const T share = dmean[at] / T((h1 - h0) * (w1 - w0));
            for (int64_t a = h0; a < h1; ++a)
              for (int64_t b = w0; b < w1; ++b) to[a * w + b] += share;
          }
        }
    }
}

// 3x3 average pool of every plane with stride 1 and padding 1, the padding not counted; or the gradient of it.
template <class T>
void average(int64_t planes, int64_t h, int64_t w, const T* x, T* out, int64_t back) {
  const auto share = [](int64_t i, int64_t size) {
    return T(1) / T(std::min(i + 2, size) - std::max<int64_t>(i - 1, 0));
  };
  std::vector<T> shares(w);
  for (int64_t j = 0; j < w; ++j) shares[j] = share(j, w);
#pragma omp parallel
  {
    std::vector<T> sums(w + 2, T(0));
    T* __restrict mid = sums.data() + 1;
    const T* __restrict by = shares.data();
#pragma omp for schedule(static)
    for (int64_t n = 0; n < planes; ++n)
      for (int64_t i = 0; i < h; ++i) {
        std::fill(mid, mid + w, T(0));
        for (int64_t r = std::max<int64_t>(i - 1, 0); r < std::min(i + 2, h); ++r) {
          const T* __restrict row = x + (n * h + r) * w;
          const T weight = back ? share(r, h) : T(1);
          for (int64_t j = 0; j < w; ++j) mid[j] += weight * row[j];
        }
        T* __restrict to = out + (n * h + i) * w;
        const T weight = back ? T(1) : share(i, h);
        if (back)
          for (int64_t j = 0; j < w; ++j) mid[j] *= by[j];
        for (int64_t j = 0; j < w; ++j) to[j] = weight * (mid[j - 1] + mid[j] + mid[j + 1]);
        if (!back)
          for (int64_t j = 0; j < w; ++j) to[j] *= by[j];
      }
  }
}

// Mean and 1 / standard deviation of each channel, and the running statistics where asked for, in float64; from the
// sums and sums of squares, [N, branches * channels, 2], of `count` values of each channel.
template <class T>
void finish_norms(int64_t n_, double count, const double* sums, double eps, double momentum, const BatchNorms& norms,
                  double* mean, double* rstd) {
  const int64_t c_ = norms.channels, width = norms.branches * c_;
  for (int64_t q = 0; q < width; ++q) {
    double s = 0, s2 = 0;
    for (int64_t n = 0; n < n_; ++n) {
      s += sums[(n * width + q) * 2];
      s2 += sums[(n * width + q) * 2 + 1];
    }
    const double m = s / count, variance = std::max(s2 / count - m * m, 0.0);
    mean[q] = m;
    rstd[q] = 1 / std::sqrt(variance + eps);
    if (!norms.mean) continue;
    T* rm = reinterpret_cast<T*>(norms.mean[q / c_]) + q % c_;
    T* rv = reinterpret_cast<T*>(norms.variance[q / c_]) + q % c_;
    *rm = T((1 - momentum) * *rm + momentum * m);
    *rv = T((1 - momentum) * *rv + momentum * variance * count / (count - 1));
  }
  if (norms.batches)
    for (int64_t b = 0; b < norms.branches; ++b) ++*reinterpret_cast<int64_t*>(norms.batches[b]);
}

}  // namespace edgewise
