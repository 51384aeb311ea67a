#include "binary_product.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "binary_transform.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define KEYBEAM_X86 1
#else
#define KEYBEAM_X86 0
#endif

namespace keybeam {
namespace {

using Word = std::uint64_t;

// out = x + y, `words` words each; out may be x or y.
using Add = void (*)(std::size_t words, const Word *x, const Word *y, Word *out);

// The words k to 2k - 1 of the product of a (k words) and b (2k words), by the definition.
using Direct = void (*)(std::size_t k, const Word *a, const Word *b, Word *out);

struct Kernels {
    Add add;
    Direct direct;
};

void add_portable(std::size_t words, const Word *x, const Word *y, Word *out) {
    for (std::size_t i = 0; i < words; ++i) {
        out[i] = x[i] ^ y[i];
    }
}

// Product of two words by a table of the sixteen multiples of one of them.
void multiply_portable(Word a, Word b, Word &low, Word &high) {
    std::array<Word, 16> low_multiples{};
    std::array<Word, 16> high_multiples{};
    for (std::size_t place = 0; place < 4; ++place) {
        for (std::size_t i = 0; i < std::size_t{1} << place; ++i) {
            const std::size_t sum = (std::size_t{1} << place) + i;
            low_multiples[sum] = low_multiples[i] ^ (a << place);
            high_multiples[sum] = high_multiples[i] ^ (place == 0 ? 0 : a >> (64 - place));
        }
    }
    low = 0;
    high = 0;
    for (int shift = 60; shift >= 0; shift -= 4) {
        high = high << 4 | low >> 60;
        low <<= 4;
        const std::size_t digit = b >> shift & 15;
        low ^= low_multiples[digit];
        high ^= high_multiples[digit];
    }
}

void direct_portable(std::size_t k, const Word *a, const Word *b, Word *out) {
    std::fill(out, out + k, Word{0});
    for (std::size_t j = 0; j < k; ++j) {
        for (std::size_t m = k - 1 - j; m < 2 * k - j; ++m) {
            Word low = 0;
            Word high = 0;
            multiply_portable(a[j], b[m], low, high);
            const std::size_t place = m + j; // k - 1 to 2k - 1
            if (place >= k) {
                out[place - k] ^= low;
            }
            if (place + 1 < 2 * k) {
                out[place + 1 - k] ^= high;
            }
        }
    }
}

#if KEYBEAM_X86
__attribute__((target("avx2"))) void add_avx2(std::size_t words, const Word *x, const Word *y,
                                              Word *out) {
    std::size_t i = 0;
    for (; i + 4 <= words; i += 4) {
        const __m256i sum = _mm256_xor_si256(
            _mm256_loadu_si256(reinterpret_cast<const __m256i *>(x + i)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i *>(y + i)));
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + i), sum);
    }
    for (; i < words; ++i) {
        out[i] = x[i] ^ y[i];
    }
}

// One diagonal of the product at a time; k is even. A load of two words of b meets the two words
// of a with which they end on the same diagonal.
template <std::size_t k>
__attribute__((target("avx2,pclmul"))) void direct_even(const Word *a, const Word *b, Word *out) {
    Word carried = 0;
#pragma GCC unroll 1
    for (std::size_t place = k - 1; place < 2 * k; ++place) {
        __m128i even = _mm_setzero_si128();
        __m128i odd = _mm_setzero_si128();
#pragma GCC unroll 16
        for (std::size_t j = 0; j < k; j += 2) {
            const __m128i left = _mm_loadu_si128(reinterpret_cast<const __m128i *>(a + j));
            const __m128i right =
                _mm_loadu_si128(reinterpret_cast<const __m128i *>(b + (place - j - 1)));
            even = _mm_xor_si128(even, _mm_clmulepi64_si128(left, right, 0x10));
            odd = _mm_xor_si128(odd, _mm_clmulepi64_si128(left, right, 0x01));
        }
        const __m128i sum = _mm_xor_si128(even, odd);
        if (place >= k) {
            out[place - k] = carried ^ static_cast<Word>(_mm_cvtsi128_si64(sum));
        }
        carried = static_cast<Word>(_mm_extract_epi64(sum, 1));
    }
}

void direct_pclmul(std::size_t k, const Word *a, const Word *b, Word *out) {
    switch (k) {
    case 2:
        return direct_even<2>(a, b, out);
    case 4:
        return direct_even<4>(a, b, out);
    case 6:
        return direct_even<6>(a, b, out);
    case 8:
        return direct_even<8>(a, b, out);
    case 10:
        return direct_even<10>(a, b, out);
    case 12:
        return direct_even<12>(a, b, out);
    case 14:
        return direct_even<14>(a, b, out);
    default:
        return direct_portable(k, a, b, out);
    }
}
#endif

Kernels kernels(ProductKernel kernel) {
#if KEYBEAM_X86
    if (kernel == ProductKernel::carryless) {
        return {add_avx2, direct_pclmul};
    }
#endif
    (void)kernel;
    return {add_portable, direct_portable};
}

constexpr std::size_t largest_direct = 14; // words; from about here on splitting pays

// The transposed form of Karatsuba's method (G. Hanrot, M. Quercia, P. Zimmermann, "The middle
// product algorithm I", AAECC 14 (2004) 415): three products of half the size, not four.
// `scratch` has 5k words.
void split(const Kernels &use, std::size_t k, const Word *a, const Word *b, Word *out,
           Word *scratch) {
    if (k <= largest_direct) {
        use.direct(k, a, b, out);
        return;
    }
    const std::size_t half = k / 2;
    Word *shared = scratch;
    Word *both = scratch + half;
    Word *sum = scratch + 2 * half;
    Word *rest = scratch + 5 * half;
    use.add(half, a, a + half, both);
    split(use, half, both, b + half, shared, rest);
    use.add(3 * half, b, b + half, sum);
    split(use, half, a + half, sum, out, rest);
    split(use, half, a, sum + half, out + half, rest);
    use.add(half, out, shared, out);
    use.add(half, out + half, shared, out + half);
}

// The least size not below `words` that halves down to an even number that is multiplied directly.
std::size_t splittable(std::size_t words) {
    std::size_t parts = 1;
    while (words > largest_direct * parts) {
        parts *= 2;
    }
    return (words + 2 * parts - 1) / (2 * parts) * (2 * parts);
}

} // namespace

bool is_available(ProductKernel kernel) {
    switch (kernel) {
    case ProductKernel::transform:
        return has_transform();
    case ProductKernel::carryless:
#if KEYBEAM_X86
        return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("avx2");
#else
        return false;
#endif
    default:
        return true;
    }
}

void middle_product(const Word *a, std::size_t a_words, const Word *b, std::size_t b_words,
                    std::size_t offset, std::size_t words, ProductKernel kernel, Word *result) {
    if (!is_available(kernel)) {
        throw std::invalid_argument("this processor does not have the instructions of that kernel");
    }
    if (kernel == ProductKernel::transform) {
        transform_product(a, a_words, b, b_words, offset, words, result);
        return;
    }
    const Kernels use = kernels(kernel);
    const std::size_t size = splittable(std::max<std::size_t>(words, 1));
    const std::size_t blocks = (a_words + size - 1) / size;
    // Zeros on both sides, so that every block finds a whole window of b.
    const std::size_t before = blocks * size;
    std::vector<Word> padded(before + std::max(b_words, offset + size), 0);
    std::copy_n(b, b_words, padded.begin() + static_cast<std::ptrdiff_t>(before));
    std::vector<Word> block(size);
    std::vector<Word> part(size);
    std::vector<Word> sum(size, 0);
    std::vector<Word> scratch(5 * size);
    for (std::size_t i = 0; i < blocks; ++i) {
        const std::size_t length = std::min(size, a_words - i * size);
        std::fill(std::copy_n(a + i * size, length, block.begin()), block.end(), Word{0});
        // The block begins at word i·size, so its window ends at offset - i·size + size.
        const Word *window = padded.data() + (before + offset) - (i + 1) * size;
        split(use, size, block.data(), window, part.data(), scratch.data());
        use.add(size, sum.data(), part.data(), sum.data());
    }
    std::copy_n(sum.begin(), words, result);
}

} // namespace keybeam
