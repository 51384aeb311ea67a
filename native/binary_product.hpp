// Products of polynomials over GF(2), for privacy amplification.
#pragma once

#include <cstddef>
#include <cstdint>

namespace keybeam {

// Ways to multiply, all exact: Karatsuba's method without special instructions, the same over
// the processor's multiplication without carries, and a transform over GF(2^16).
enum class ProductKernel { portable = 0, carryless = 1, transform = 2 };

// Whether this processor has the instructions of a kernel.
bool is_available(ProductKernel kernel);

// Part of a product over GF(2): `result` receives the words offset to offset + words - 1 of
// sum over i, j of a[i] b[j] x^(64 (i + j)), for the `a_words` and `b_words` words of a and b,
// where the first bit is the lowest of the first word.
void middle_product(const std::uint64_t *a, std::size_t a_words, const std::uint64_t *b,
                    std::size_t b_words, std::size_t offset, std::size_t words,
                    ProductKernel kernel, std::uint64_t *result);

} // namespace keybeam
