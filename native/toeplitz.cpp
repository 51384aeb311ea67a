#include "toeplitz.hpp"

#include <algorithm>
#include <vector>

namespace keybeam {
namespace {

using Word = std::uint64_t;

constexpr std::size_t word_bits = 64;

// Eight bytes of 0 or 1 to one: the factor brings the lowest bit of byte i to place 56 + i, and
// no two to the same place.
Word pack_byte(const std::uint8_t *bits) {
    Word bytes = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        bytes |= Word{bits[i]} << (8 * i);
    }
    return (bytes * 0x0102040810204080) >> 56;
}

Word pack_word(const std::uint8_t *bits) {
    Word word = 0;
    for (std::size_t i = 0; i < word_bits; i += 8) {
        word |= pack_byte(bits + i) << i;
    }
    return word;
}

// Bits after some zeros, fewer than a word, the first in the lowest place of the first word.
std::vector<Word> packed(const std::uint8_t *bits, std::size_t count, std::size_t zeros) {
    std::vector<Word> words((zeros + count + word_bits - 1) / word_bits);
    std::uint8_t edge[word_bits];
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t begin = i * word_bits;
        if (begin >= zeros && begin + word_bits <= zeros + count) {
            words[i] = pack_word(bits + (begin - zeros));
            continue;
        }
        for (std::size_t j = 0; j < word_bits; ++j) {
            const std::size_t place = begin + j;
            edge[j] = place >= zeros && place < zeros + count ? bits[place - zeros] : 0;
        }
        words[i] = pack_word(edge);
    }
    return words;
}

void unpack(const std::vector<Word> &words, std::size_t count, std::uint8_t *bits) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t begin = i * word_bits;
        const std::size_t length = std::min(word_bits, count - begin);
        for (std::size_t j = 0; j < length; ++j) {
            bits[begin + j] = static_cast<std::uint8_t>(words[i] >> j & 1);
        }
    }
}

} // namespace

void toeplitz(const std::uint8_t *bits, std::size_t n, const std::uint8_t *seed,
              std::size_t length, ProductKernel kernel, std::uint8_t *result) {
    // The string is so placed that the result begins at the lowest place of a word.
    const std::size_t zeros = (word_bits - (n - 1) % word_bits) % word_bits;
    const std::vector<Word> string = packed(bits, n, zeros);
    const std::vector<Word> matrix = packed(seed, n + length - 1, 0);
    std::vector<Word> product((length + word_bits - 1) / word_bits);
    middle_product(string.data(), string.size(), matrix.data(), matrix.size(),
                   (n - 1 + zeros) / word_bits, product.size(), kernel, product.data());
    unpack(product, length, result);
}

} // namespace keybeam
