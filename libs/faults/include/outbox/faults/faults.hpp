#pragma once

/// Where tests interfere with a program. Two libraries have these functions: an inert one, which the programs
/// that ship are linked with, so that nobody can arm them, and an armed one for the programs of the tests.
/// All that calls them is the same in both. They may be called from any thread.
namespace outbox::faults {

/// Passes a named place. Armed, OUTBOX_FAULT=<name>:<n>[:stop] ends (or stops) the process at its n-th pass.
void point(const char* name);

/// Whether the named cure of docs/proof.md works. Armed, OUTBOX_WITHOUT=<name> switches one off, so that a
/// witness shows what it is for.
bool cure(const char* name);

} // namespace outbox::faults
