// Products of long polynomials over GF(2) by a fast Fourier transform over GF(2^16).
#pragma once

#include <cstddef>
#include <cstdint>

namespace keybeam {

// Whether this processor has the instructions of `transform_product`: AVX-512 with GFNI.
bool has_transform();

// Words offset to offset + words - 1 of the product of a and b; see `middle_product`.
void transform_product(const std::uint64_t *a, std::size_t a_words, const std::uint64_t *b,
                       std::size_t b_words, std::size_t offset, std::size_t words,
                       std::uint64_t *result);

} // namespace keybeam
