#include "binary_field.hpp"

#include <bitset>
#include <stdexcept>
#include <utility>

namespace keybeam {
namespace {

using Element = std::uint16_t;

constexpr std::size_t bits = points * 16;
using Matrix = std::vector<std::bitset<bits>>; // rows

std::uint8_t multiply_bytes(std::uint8_t a, std::uint8_t b) {
    unsigned product = 0;
    for (unsigned place = 8; place-- > 0;) {
        product = product << 1 ^ (product & 0x80 ? 0x11B : 0);
        product ^= b >> place & 1 ? a : 0;
    }
    return static_cast<std::uint8_t>(product);
}

Element multiply(Element a, Element b, std::uint8_t gamma) {
    const auto a0 = static_cast<std::uint8_t>(a);
    const auto a1 = static_cast<std::uint8_t>(a >> 8);
    const auto b0 = static_cast<std::uint8_t>(b);
    const auto b1 = static_cast<std::uint8_t>(b >> 8);
    const std::uint8_t high = multiply_bytes(a1, b1);
    const int low = multiply_bytes(a0, b0) ^ multiply_bytes(high, gamma);
    const int cross = multiply_bytes(a0, b1) ^ multiply_bytes(a1, b0) ^ high;
    return static_cast<Element>(low | cross << 8);
}

// Cantor's basis: each is a root of z^2 + z + the one before. The first eight span GF(2^8), so
// that the ninth is u if gamma is the eighth.
std::array<Element, 16> cantor_basis() {
    std::array<Element, 16> basis{1};
    for (std::size_t i = 1; i < 16; ++i) {
        const std::uint8_t gamma = i < 8 ? 0 : static_cast<std::uint8_t>(basis[7]);
        const unsigned candidates = i < 8 ? 0x100 : 0x10000;
        for (unsigned z = 2; z < candidates && basis[i] == 0; ++z) {
            const auto root = static_cast<Element>(z);
            if ((multiply(root, root, gamma) ^ root) == basis[i - 1]) {
                basis[i] = root;
            }
        }
    }
    return basis;
}

// Elements of degree 16 over GF(2), no two of them conjugate.
std::array<Element, points> evaluation_points(std::uint8_t gamma) {
    std::vector<bool> taken(0x10000);
    std::array<Element, points> chosen{};
    std::size_t count = 0;
    for (unsigned candidate = 0x100; count < points; ++candidate) {
        const auto first = static_cast<Element>(candidate);
        if (taken[first]) {
            continue;
        }
        std::size_t degree = 0;
        Element conjugate = first;
        do {
            taken[conjugate] = true;
            conjugate = multiply(conjugate, conjugate, gamma);
            ++degree;
        } while (conjugate != first);
        if (degree == 16) {
            chosen[count++] = first;
        }
    }
    return chosen;
}

// Column j holds the powers j of the points.
Matrix evaluation(std::uint8_t gamma) {
    Matrix matrix(bits);
    const auto chosen = evaluation_points(gamma);
    for (std::size_t point = 0; point < points; ++point) {
        Element power = 1;
        for (std::size_t j = 0; j < bits; ++j) {
            for (std::size_t i = 0; i < 16; ++i) {
                matrix[16 * point + i][j] = (power >> i & 1) != 0;
            }
            power = multiply(power, chosen[point], gamma);
        }
    }
    return matrix;
}

Matrix inverse(Matrix matrix) {
    Matrix result(bits);
    for (std::size_t i = 0; i < bits; ++i) {
        result[i][i] = true;
    }
    for (std::size_t column = 0; column < bits; ++column) {
        std::size_t pivot = column;
        while (pivot < bits && !matrix[pivot][column]) {
            ++pivot;
        }
        if (pivot == bits) {
            throw std::logic_error("the values at the points do not tell a polynomial");
        }
        std::swap(matrix[column], matrix[pivot]);
        std::swap(result[column], result[pivot]);
        for (std::size_t row = 0; row < bits; ++row) {
            if (row != column && matrix[row][column]) {
                matrix[row] ^= matrix[column];
                result[row] ^= result[column];
            }
        }
    }
    return result;
}

// Eight by eight bits of a matrix, row i in byte 7 - i.
std::uint64_t block(const Matrix &matrix, std::size_t row_byte, std::size_t column_byte) {
    std::uint64_t packed = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        for (std::size_t j = 0; j < 8; ++j) {
            if (matrix[8 * row_byte + i][8 * column_byte + j]) {
                packed |= std::uint64_t{1} << (8 * (7 - i) + j);
            }
        }
    }
    return packed;
}

BinaryField make_field() {
    BinaryField field{};
    const auto basis = cantor_basis();
    field.gamma = static_cast<std::uint8_t>(basis[7]);
    for (std::size_t b = 0; b < field.twiddles.size(); ++b) {
        Element sum = 0;
        for (std::size_t i = 0; i + 1 < largest_log; ++i) {
            sum ^= b >> i & 1 ? basis[i + 1] : 0;
        }
        const auto low = static_cast<std::uint8_t>(sum);
        const auto high = static_cast<std::uint8_t>(sum >> 8);
        field.twiddles[b] = {low, high, multiply_bytes(high, field.gamma),
                             static_cast<std::uint8_t>(low ^ high)};
    }
    const Matrix forward = evaluation(field.gamma);
    for (std::size_t row = 0; row < 2 * points; ++row) {
        for (std::size_t column = 0; column < chunk_bytes; ++column) {
            field.evaluate.push_back(block(forward, row, column));
        }
    }
    const Matrix backward = inverse(forward);
    for (std::size_t row = 0; row < 2 * chunk_bytes; ++row) {
        for (std::size_t column = 0; column < 2 * points; ++column) {
            field.interpolate.push_back(block(backward, row, column));
        }
    }
    return field;
}

} // namespace

const BinaryField &binary_field() {
    static const BinaryField field = make_field();
    return field;
}

} // namespace keybeam
