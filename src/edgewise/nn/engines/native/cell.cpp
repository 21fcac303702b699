// What Python calls: every kernel in float and in double.
#include "branches.h"
#include "pointwise.h"
#include "terms.h"

using namespace edgewise;

#define EXPORT(T, suffix)                                                                                            \
  void branches_forward_##suffix(const int64_t* z, const T* x, int64_t xss, int64_t branch_stride,                   \
                                 const double* scale, const double* shift, int64_t nb, const int64_t* k,             \
                                 const int64_t* dilation, const int64_t* dw, const int64_t* pw, T* y,                \
                                 double* sums) {                                                                     \
    branches_forward(Plan(z[0], z[1], z[2], z[3], z[4], z[5]), x, xss, branch_stride, scale, shift, nb, k, dilation, \
                     dw, pw, y, sums);                                                                               \
  }                                                                                                                  \
  void branches_backward_##suffix(const int64_t* z, const T* x, int64_t xss, int64_t branch_stride,                  \
                                  const double* scale, const double* shift, int64_t nb, const int64_t* k,            \
                                  const int64_t* dilation, const int64_t* dw, const int64_t* pw, const T* y,         \
                                  const int64_t* g, const int64_t* gss, const int64_t* gch, const double* a,         \
                                  const double* b, const double* d, const double* samples, const int64_t* ddw,       \
                                  const int64_t* dpw, T* dx, int64_t dxss, double* sums) {                           \
    branches_backward(Plan(z[0], z[1], z[2], z[3], z[4], z[5]), x, xss, branch_stride, scale, shift, nb, k,         \
                      dilation, dw, pw, y, g, gss, gch, a, b, d, samples, ddw, dpw, dx, dxss, sums);                 \
  }                                                                                                                  \
  void pointwise_forward_##suffix(const int64_t* z, const T* x, const int64_t* weights, T* y, double* sums) {        \
    pointwise_forward(Grids(z), x, weights, y, sums);                                                                \
  }                                                                                                                  \
  void pointwise_backward_##suffix(const int64_t* z, const T* x, const int64_t* weights, const T* y, const T* g,     \
                                   const double* a, const double* b, const double* d, const int64_t* gradients,      \
                                   T* dx) {                                                                          \
    pointwise_backward(Grids(z), x, weights, y, g, a, b, d, gradients, dx);                                          \
  }                                                                                                                  \
  void weighted_sum_##suffix(int64_t n, int64_t c, int64_t plane, int64_t terms, const int64_t* ptr,                 \
                             const int64_t* ss, const int64_t* ich, const double* a, const double* shift,            \
                             const double* samples, T* out, int64_t oss, const int64_t* och, int64_t add) {          \
    weighted_sum(n, c, plane, terms, ptr, ss, ich, a, shift, samples, out, oss, och, add);                           \
  }                                                                                                                  \
  void term_dots_##suffix(int64_t n, int64_t c, int64_t plane, const T* g, int64_t gss, const int64_t* gch,          \
                          int64_t terms, const int64_t* ptr, const int64_t* ss, const int64_t* ich,                  \
                          const double* samples, double* sums) {                                                     \
    term_dots(n, c, plane, g, gss, gch, terms, ptr, ss, ich, samples, sums);                                         \
  }                                                                                                                  \
  void pools_forward_##suffix(int64_t n, int64_t c, int64_t h, int64_t w, int64_t stride, const T* x, int64_t xss,   \
                              T* top, T* mean, double* sums) {                                                       \
    pools_forward(n, c, h, w, stride, x, xss, top, mean, sums);                                                      \
  }                                                                                                                  \
  void pools_backward_##suffix(int64_t n, int64_t c, int64_t h, int64_t w, int64_t stride, const T* x, int64_t xss,  \
                               const T* gm, const T* ga, T* dx, int64_t dxss) {                                      \
    pools_backward(n, c, h, w, stride, x, xss, gm, ga, dx, dxss);                                                    \
  }                                                                                                                  \
  void average_##suffix(int64_t planes, int64_t h, int64_t w, const T* x, T* out, int64_t back) {                    \
    average(planes, h, w, x, out, back);                                                                             \
  }                                                                                                                  \
  void finish_norms_##suffix(int64_t n, int64_t width, int64_t every, double count, const double* sums, double eps,  \
                             double momentum, int64_t branches, int64_t c, const int64_t* running_mean,              \
                             const int64_t* running_var, const int64_t* batches, double* mean, double* rstd) {       \
    finish_norms<T>(n, width, every, count, sums, eps, momentum, branches, c, running_mean, running_var, batches,    \
                    mean, rstd);                                                                                     \
  }

extern "C" {
EXPORT(float, f32)
EXPORT(double, f64)
}
