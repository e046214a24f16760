// The model's own answer to the questions of the relay's code, in the place of what programs are linked with.
#include "cures.hpp"

#include <outbox/faults/faults.hpp>

#include <algorithm>

namespace outbox::model {
namespace {

thread_local Cures in_use;

} // namespace

void Cures::use() const {
    in_use = *this;
}

} // namespace outbox::model

namespace outbox::faults {

void point(const char*) {}

bool cure(const char* name) {
    using namespace model;
    if (in_use.all()) {
        return true;
    }
    const auto known = std::find_if(cure_names.begin(), cure_names.end(),
                                    [name](const NamedCure& each) { return each.name == name; });
    return known == cure_names.end() || in_use.have(known->cure);
}

} // namespace outbox::faults
