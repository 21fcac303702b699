// What Python calls: every kernel in float and in double.
#include "branches.h"
#include "pointwise.h"
#include "terms.h"

using namespace edgewise;

#define EXPORT(T, suffix)                                                                                            \
  void branches_forward_##suffix(const Shape* shape, const Input<T>* x, const Convolutions* weights, T* y,           \
                                 double* sums) {                                                                     \
    branches_forward(*shape, *x, *weights, y, sums);                                                                 \
  }                                                                                                                  \
  void branches_backward_##suffix(const Shape* shape, const Input<T>* x, const Convolutions* weights, const T* y,    \
                                  const Upstream* upstream, const Convolutions* gradients, const Planes<T>* dx,      \
                                  double* sums) {                                                                    \
    branches_backward(*shape, *x, *weights, y, *upstream, gradients, *dx, sums);                                     \
  }                                                                                                                  \
  void pointwise_forward_##suffix(const int64_t* sizes, const T* x, const int64_t* weights, T* y, double* sums) {    \
    pointwise_forward(Grids(sizes), x, weights, y, sums);                                                            \
  }                                                                                                                  \
  void pointwise_backward_##suffix(const int64_t* sizes, const T* x, const int64_t* weights, const T* y,             \
                                   const Upstream* upstream, const int64_t* gradients, T* dx) {                      \
    pointwise_backward(Grids(sizes), x, weights, y, *upstream, gradients, dx);                                       \
  }                                                                                                                  \
  void weighted_sum_##suffix(int64_t n, int64_t c, int64_t plane, const Terms* terms, const Weights* weights,        \
                             const Channels<T>* out, int64_t add) {                                                  \
    weighted_sum(n, c, plane, *terms, *weights, *out, add != 0);                                                     \
  }                                                                                                                  \
  void term_dots_##suffix(int64_t n, int64_t c, int64_t plane, const Channels<const T>* g, const Terms* terms,       \
                          const double* samples, double* sums) {                                                     \
    term_dots(n, c, plane, *g, *terms, samples, sums);                                                               \
  }                                                                                                                  \
  void pools_forward_##suffix(const Shape* shape, const Planes<const T>* x, T* max, T* mean, double* sums) {         \
    pools_forward(*shape, *x, max, mean, sums);                                                                      \
  }                                                                                                                  \
  void pools_backward_##suffix(const Shape* shape, const Planes<const T>* x, const T* dmax, const T* dmean,          \
                               const Planes<T>* dx) {                                                                \
    pools_backward(*shape, *x, dmax, dmean, *dx);                                                                    \
  }                                                                                                                  \
  void average_##suffix(int64_t planes, int64_t h, int64_t w, const T* x, T* out, int64_t back) {                    \
    average(planes, h, w, x, out, back);                                                                             \
  }                                                                                                                  \
  void finish_norms_##suffix(int64_t n, double count, const double* sums, double eps, double momentum,               \
                             const BatchNorms* norms, double* mean, double* rstd) {                                  \
    finish_norms<T>(n, count, sums, eps, momentum, *norms, mean, rstd);                                              \
  }

extern "C" {
EXPORT(float, f32)
EXPORT(double, f64)
}
