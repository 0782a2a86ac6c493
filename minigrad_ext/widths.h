/* Includes BODY in both widths, for the instruction set that variants.h has described. */
#ifdef MG_PLAIN_C
#define VECTORS              \
    typedef REAL vec, loose; \
    typedef WHOLE wholes;
#else /* variables of the loose type would be copied to and fro by gcc */
#define SIZE LANES * sizeof(REAL)
#define VECTORS                                                                              \
    typedef REAL vec __attribute__((vector_size(SIZE), may_alias));                          \
    typedef REAL loose __attribute__((vector_size(SIZE), aligned(sizeof(REAL)), may_alias)); \
    typedef WHOLE wholes __attribute__((vector_size(SIZE), aligned(sizeof(REAL)), may_alias));
#endif

#define REAL float
#define WHOLE int32_t
#define WIDTH f32
#define LANES LANES_f32
VECTORS
#include BODY
#undef REAL
#undef WHOLE
#undef WIDTH
#undef LANES

#define REAL double
#define WHOLE int64_t
#define WIDTH f64
#define LANES LANES_f64
VECTORS
#include BODY
#undef REAL
#undef WHOLE
#undef WIDTH
#undef LANES

#undef VECTORS
#undef SIZE
#undef ISA
#undef SET
#undef LANES_f32
#undef LANES_f64
