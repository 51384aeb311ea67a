#include "check_sum.hpp"

#include <algorithm>
#include <cstring>

#include "instruction_sets.hpp"

namespace keybeam {

namespace {

// Words that are added up side by side, and how many rows of them stay within 32 bits: 2^16 times the
// sum of 1 to 128 is less than 2^30.
constexpr std::size_t kLanes = 32, kRows = 128, kBlock = kLanes * kRows;

struct Sums {
    std::uint64_t plain;    // of the words
    std::uint64_t weighted; // of the words, each times the number of words from it on
};

inline Sums add_rows(const unsigned char *data) {
    std::uint32_t plain[kLanes] = {}, running[kLanes] = {};
    for (std::size_t row = 0; row < kRows; ++row) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            std::uint16_t word;
            std::memcpy(&word, data + 2 * (row * kLanes + lane), sizeof word);
            plain[lane] += static_cast<std::uint16_t>(word << 8 | word >> 8);
            running[lane] += plain[lane];
        }
    }
    Sums sums{0, 0};
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        sums.plain += plain[lane];
        sums.weighted += std::uint64_t{kLanes} * running[lane] - lane * std::uint64_t{plain[lane]};
    }
    return sums;
}

inline Sums add_words(const unsigned char *data, std::size_t words) {
    Sums sums{0, 0};
    for (std::size_t place = 0; place < words; ++place) {
        sums.plain += std::uint64_t{data[2 * place]} << 8 | data[2 * place + 1];
        sums.weighted += sums.plain;
    }
    return sums;
}

using AddRows = Sums (*)(const unsigned char *);

#define KEYBEAM_KERNELS(name, attributes)                                                        \
    attributes Sums add_rows_##name(const unsigned char *data) { return add_rows(data); }

KEYBEAM_KERNELS(portable, )
#if KEYBEAM_X86
KEYBEAM_KERNELS(avx2, KEYBEAM_AVX2)
KEYBEAM_KERNELS(avx512, KEYBEAM_AVX512)
#endif

const AddRows kAddRows = KEYBEAM_BEST(add_rows);

// The remainder that is 0 for 0 only.
std::uint32_t remainder(std::uint64_t sum) {
    return sum == 0 ? 0 : static_cast<std::uint32_t>((sum - 1) % 65535 + 1);
}

} // namespace

std::uint32_t fletcher32(const unsigned char *data, std::size_t words) {
    std::uint64_t plain = 0, running = 0;
    for (std::size_t place = 0; place < words; place += kBlock) {
        const std::size_t size = std::min(kBlock, words - place);
        const Sums sums =
            size == kBlock ? kAddRows(data + 2 * place) : add_words(data + 2 * place, size);
        running = remainder(running + size * plain + sums.weighted);
        plain = remainder(plain + sums.plain);
    }
    return static_cast<std::uint32_t>(running << 16 | plain);
}

} // namespace keybeam
