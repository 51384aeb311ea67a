// Counts pairs of detections by the time between them.
#ifndef KEYBEAM_TAG_CORRELATION_HPP
#define KEYBEAM_TAG_CORRELATION_HPP

#include <cstddef>
#include <cstdint>

namespace keybeam {

// Adds to counts[k] the pairs with lowest + k width <= second - first < lowest + (k + 1) width, for
// k below `bins`. Both lists of times rise. Where they are one list (`same`), an entry makes no pair
// with itself.
void count_pairs(const std::int64_t *first, std::size_t first_count, const std::int64_t *second,
                 std::size_t second_count, std::int64_t lowest, std::int64_t width,
                 std::int64_t *counts, std::size_t bins, bool same);

} // namespace keybeam

#endif
