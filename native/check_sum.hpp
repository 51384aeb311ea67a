// The check sum of data in HDF5 files.
#ifndef KEYBEAM_CHECK_SUM_HPP
#define KEYBEAM_CHECK_SUM_HPP

#include <cstddef>
#include <cstdint>

namespace keybeam {

// Fletcher-32 of big-endian 16-bit words.
std::uint32_t fletcher32(const unsigned char *data, std::size_t words);

} // namespace keybeam

#endif
