#include "outbox/faults/faults.hpp"

namespace outbox::faults {

void point(const char* /*name*/) {}

bool cure(const char* /*name*/) {
    return true;
}

} // namespace outbox::faults
