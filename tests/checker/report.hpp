#pragma once

#include "judge.hpp"

#include <cstdio>

namespace checker {

/// Per event: id, type, status, where Kafka has it, and how often. In the order of `rank`.
void print_table(const Judge& judge, std::FILE* out);

/// The first findings of each kind, and what a reader should know beside them.
void print_details(const Verdict& verdict, std::FILE* out);

/// The whole verdict as one JSON object.
void print_json(const Verdict& verdict, bool passed, std::FILE* out);

} // namespace checker
