"""How the mixed operations of a cell are computed: one module after the other, grouped, or on kernels."""
