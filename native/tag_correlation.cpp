#include "tag_correlation.hpp"

namespace keybeam {

void count_pairs(const std::int64_t *first, std::size_t first_count, const std::int64_t *second,
                 std::size_t second_count, std::int64_t lowest, std::int64_t width,
                 std::int64_t *counts, std::size_t bins, bool same) {
    const std::int64_t span = width * static_cast<std::int64_t>(bins);
    std::size_t begin = 0; // the entries of `second` before it are too early for all that follow
    for (std::size_t i = 0; i < first_count; ++i) {
        const std::int64_t origin = first[i] + lowest;
        while (begin < second_count && second[begin] < origin) {
            ++begin;
        }
        for (std::size_t j = begin; j < second_count; ++j) {
            const std::int64_t lag = second[j] - origin;
            if (lag >= span) {
                break;
            }
            if (!same || j != i) {
                ++counts[lag / width];
            }
        }
    }
}

} // namespace keybeam
