// Product of a bit string with a Toeplitz matrix over GF(2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "binary_product.hpp"

namespace keybeam {

// Bit i of the result is the sum over j of seed[n - 1 + i - j] and bits[j]; one byte a bit, n and
// length above zero, n + length - 1 bits of seed.
void toeplitz(const std::uint8_t *bits, std::size_t n, const std::uint8_t *seed,
              std::size_t length, ProductKernel kernel, std::uint8_t *result);

} // namespace keybeam
