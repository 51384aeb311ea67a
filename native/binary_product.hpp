// Products of polynomials over GF(2), for privacy amplification.
#pragma once

#include <cstddef>
#include <cstdint>

namespace keybeam {

// Whether this processor multiplies without carries in one instruction.
bool has_carryless_product();

// Part of a product over GF(2): `result` receives the words offset to offset + words - 1 of
// sum over i, j of a[i] b[j] x^(64 (i + j)), for the `a_words` and `b_words` words of a and b,
// where the first bit is the lowest of the first word. `portable` forbids special instructions.
void middle_product(const std::uint64_t *a, std::size_t a_words, const std::uint64_t *b,
                    std::size_t b_words, std::size_t offset, std::size_t words, bool portable,
                    std::uint64_t *result);

} // namespace keybeam
