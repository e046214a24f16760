#pragma once

#include <outbox/http/message.hpp>

#include <string>
#include <string_view>

namespace outbox::http {

/// A strong entity tag, quotes included: equal for equal bytes, different for any others.
std::string entity_tag(std::string_view representation);

/// True when the request may go on with a resource that is represented by `representation` (RFC 9110, 13):
/// If-Match names it or is not there, If-None-Match does not name it or is not there.
/// @throws ProblemError  400 when one of the two is no list of entity tags.
bool preconditions_hold(const Headers& headers, std::string_view representation);

/// True when the request has a precondition at all.
bool has_preconditions(const Headers& headers);

/// The answer to GET: `response` with its ETag; 304 where If-None-Match names it, 412 where If-Match does
/// not.
Response conditional(const Headers& headers, Response response);

} // namespace outbox::http
