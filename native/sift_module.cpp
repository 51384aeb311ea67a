// Python module keybeam.sifting._sifting: the kernels of sifting.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "sifter.hpp"

namespace nb = nanobind;

namespace {

template <typename Value>
using Array = nb::ndarray<Value, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::size_t sift_clicks(const Array<const std::uint8_t> &pairs, std::uint64_t first,
                        std::uint8_t invalid, const Array<const std::uint64_t> &index,
                        const Array<const std::uint8_t> &channel,
                        const Array<const std::uint8_t> &sampled,
                        const Array<std::uint64_t> &matching_index,
                        const Array<std::uint8_t> &intensity,
                        const Array<std::uint8_t> &matching_sampled,
                        const Array<std::uint8_t> &bits, const Array<std::uint8_t> &error) {
    const std::size_t count = index.shape(0);
    if (channel.shape(0) != count || sampled.shape(0) != count) {
        throw nb::value_error("every click has one channel and one mark");
    }
    if (matching_index.shape(0) < count || intensity.shape(0) < count ||
        matching_sampled.shape(0) < count || bits.shape(0) < count || error.shape(0) < count) {
        throw nb::value_error("there is not room for all clicks");
    }
    const keybeam::SentSymbols sent{pairs.data(), first, 2 * pairs.shape(0), invalid};
    const keybeam::Matching matching{matching_index.data(), intensity.data(),
                                     matching_sampled.data(), bits.data(), error.data()};
    nb::gil_scoped_release release;
    return keybeam::sift_clicks(sent, index.data(), channel.data(), sampled.data(), count,
                                matching);
}

} // namespace

NB_MODULE(_sifting, module) {
    module.def("sift_clicks", &sift_clicks, nb::arg("pairs"), nb::arg("first"),
               nb::arg("invalid"), nb::arg("index"), nb::arg("channel"), nb::arg("sampled"),
               nb::arg("matching_index"), nb::arg("intensity"), nb::arg("matching_sampled"),
               nb::arg("bits"), nb::arg("error"), "Sift clicks; see sifter.hpp.");
}
