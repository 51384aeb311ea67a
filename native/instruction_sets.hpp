// Choice of the best version of a kernel that is compiled for several instruction sets.
#ifndef KEYBEAM_INSTRUCTION_SETS_HPP
#define KEYBEAM_INSTRUCTION_SETS_HPP

#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__i386__))
#define KEYBEAM_X86 1
#define KEYBEAM_AVX2 __attribute__((target("avx2")))
#define KEYBEAM_AVX512                                                                           \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,prefer-vector-width=512")))
// Of `name_portable`, `name_avx2` and `name_avx512` the fastest that this processor has.
#define KEYBEAM_BEST(name)                                                                       \
    (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&                 \
             __builtin_cpu_supports("avx512vl")                                                  \
         ? name##_avx512                                                                         \
         : (__builtin_cpu_supports("avx2") ? name##_avx2 : name##_portable))
#else
#define KEYBEAM_X86 0
#define KEYBEAM_BEST(name) name##_portable
#endif

#endif
