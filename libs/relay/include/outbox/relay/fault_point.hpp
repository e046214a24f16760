#pragma once

namespace outbox::relay {

#ifdef OUTBOX_FAULT_POINTS
/// Tests only. OUTBOX_FAULT=<name>:<n>[:stop] ends (or stops) the process at the n-th pass of the point.
void fault_point(const char* name);
#else
inline void fault_point(const char* /*name*/) {}
#endif

} // namespace outbox::relay
