// Python module keybeam.timing._tags: the kernels that work on tags.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "tag_correlation.hpp"
#include "tag_decoder.hpp"

namespace nb = nanobind;

namespace {

using Records = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using TagBytes = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Times = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>;

Times as_array(std::vector<std::int64_t> &&values) {
    auto *kept = new std::vector<std::int64_t>(std::move(values));
    nb::capsule owner(kept, [](void *p) noexcept {
        delete static_cast<std::vector<std::int64_t> *>(p);
    });
    return Times(kept->data(), {kept->size()}, owner);
}

nb::tuple split_records(const Records &records, const TagBytes &tags, unsigned channels,
                        bool known, bool restarted, std::int64_t time, std::int64_t ordered,
                        unsigned time_bits, unsigned type_shift, std::uint8_t tag_type,
                        std::uint8_t silent_type, std::uint32_t timed_types,
                        std::uint32_t ordered_types) {
    if (time_bits < 1 || time_bits > type_shift || type_shift > 63 || type_shift < 59) {
        throw nb::value_error("the fields of a record do not fit its 64 bits");
    }
    if (channels < 1 || channels > 1u << (type_shift - time_bits)) {
        throw nb::value_error("a record cannot hold so many channels");
    }
    if (tags.shape(0) < records.shape(0) * keybeam::kTagBytes) {
        throw nb::value_error("there is not room for all detections");
    }
    const keybeam::RecordLayout layout{time_bits,   type_shift,  tag_type,
                                       silent_type, timed_types, ordered_types};
    keybeam::StreamTime stream{known, restarted, time, ordered};
    std::vector<std::int64_t> places, times;
    std::int64_t first_time = time;
    std::size_t count;
    {
        nb::gil_scoped_release release;
        count = keybeam::split_records(
            layout, reinterpret_cast<const unsigned char *>(records.data()), records.shape(0),
            channels, stream, tags.data(), places, times, first_time);
    }
    return nb::make_tuple(count, as_array(std::move(places)), as_array(std::move(times)),
                          first_time, stream.known, stream.restarted, stream.time,
                          stream.ordered);
}

using RisingTimes = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void count_pairs(const RisingTimes &first, const RisingTimes &second, std::int64_t lowest,
                 std::int64_t width, const Counts &counts, bool same) {
    // Far from where sums of times and lags could leave 64 bits.
    constexpr std::int64_t limit = std::int64_t{1} << 60;
    const auto bins = static_cast<std::int64_t>(counts.shape(0));
    if (width < 1 || bins < 1 || width > limit / bins || lowest < -limit || lowest > limit) {
        throw nb::value_error("lags need bins of at least one step, and less than 2^60 steps");
    }
    nb::gil_scoped_release release;
    keybeam::count_pairs(first.data(), first.shape(0), second.data(), second.shape(0), lowest,
                         width, counts.data(), counts.shape(0), same);
}

} // namespace

NB_MODULE(_tags, module) {
    module.def("split_records", &split_records, nb::arg("records"), nb::arg("tags"),
               nb::arg("channels"), nb::arg("known"), nb::arg("restarted"), nb::arg("time"),
               nb::arg("ordered"), nb::arg("time_bits"), nb::arg("type_shift"),
               nb::arg("tag_type"), nb::arg("silent_type"), nb::arg("timed_types"),
               nb::arg("ordered_types"), "Split records; see tag_decoder.hpp.");
    module.def("count_pairs", &count_pairs, nb::arg("first"), nb::arg("second"),
               nb::arg("lowest"), nb::arg("width"), nb::arg("counts"), nb::arg("same"),
               "Count pairs by lag; see tag_correlation.hpp.");
}
