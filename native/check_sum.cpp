#include "check_sum.hpp"

#include <algorithm>
#include <cstring>

#include "instruction_sets.hpp"

namespace keybeam {

namespace {

// Words that are added up in 32 bits: 2^16 times the sum of 1 to 256 is less than 2^32.
constexpr std::size_t kBlock = 256;

struct Sums {
    std::uint32_t plain;    // of the words
    std::uint32_t weighted; // of the words, each times the number of words from it on
};

inline Sums add_block(const unsigned char *data, std::size_t words) {
    std::uint32_t plain = 0, weighted = 0;
    for (std::size_t place = 0; place < words; ++place) {
        const std::uint32_t word = std::uint32_t{data[2 * place]} << 8 | data[2 * place + 1];
        plain += word;
        weighted += word * static_cast<std::uint32_t>(words - place);
    }
    return {plain, weighted};
}

using AddBlock = Sums (*)(const unsigned char *);

#define KEYBEAM_KERNELS(name, attributes)                                                        \
    attributes Sums add_block_##name(const unsigned char *data) { return add_block(data, kBlock); }

KEYBEAM_KERNELS(portable, )
#if KEYBEAM_X86
KEYBEAM_KERNELS(avx2, KEYBEAM_AVX2)
KEYBEAM_KERNELS(avx512, KEYBEAM_AVX512)
#endif

const AddBlock kAddBlock = KEYBEAM_BEST(add_block);

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
            size == kBlock ? kAddBlock(data + 2 * place) : add_block(data + 2 * place, size);
        running = remainder(running + size * plain + sums.weighted);
        plain = remainder(plain + sums.plain);
    }
    return static_cast<std::uint32_t>(running << 16 | plain);
}

} // namespace keybeam
