// The field GF(2^16) and the linear maps with which `transform_product` enters and leaves it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace keybeam {

// A chunk of a polynomial has 512 bits, a product of two of them at most 1023. Its values at 64
// points of GF(2^16), whose minimal polynomials are different and of degree 16, tell all its 1024
// bits (Chinese remainder theorem).
constexpr std::size_t chunk_bytes = 64;
constexpr std::size_t points = 64;

// Bits of the number of values of the longest transform.
constexpr std::size_t largest_log = 12;

// Constants of a product with one element t0 + t1·u of GF(2^16).
struct Twiddle {
    std::uint8_t low;         // t0
    std::uint8_t high;        // t1
    std::uint8_t high_gamma;  // t1·gamma
    std::uint8_t both;        // t0 + t1
};

// GF(2^16) is GF(2^8)[u] with u^2 = u + gamma, and GF(2^8) is that of the instruction GF2P8MULB,
// GF(2)[z] modulo z^8 + z^4 + z^3 + z + 1. An element t0 + t1·u has t0 in its low byte. Matrices
// of eight by eight bits are in the form of GF2P8AFFINEQB.
struct BinaryField {
    std::uint8_t gamma;
    // Twiddle b is the sum of bit i of b times beta_(i + 1), for Cantor's basis: beta_0 = 1,
    // beta_i^2 + beta_i = beta_(i - 1).
    std::array<Twiddle, std::size_t{1} << (largest_log - 1)> twiddles;
    // Chunk to values: for each point, low and high byte of the value from each byte of a chunk.
    std::vector<std::uint64_t> evaluate; // [points][2][chunk_bytes]
    // Values to double chunk: for each of its bytes, from low and high byte of each value.
    std::vector<std::uint64_t> interpolate; // [2 * chunk_bytes][points][2]
};

// Made at the first call.
const BinaryField &binary_field();

} // namespace keybeam
