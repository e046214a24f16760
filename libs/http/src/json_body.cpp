// A JSON body as the few members that a handler wants. The text is read once, front to back, nothing
// else is kept, and nesting is bounded, so that cost and memory are linear in the body whatever it
// holds.

#include "outbox/http/json_body.hpp"

#include "ascii.hpp"
#include "outbox/http/problem.hpp"

#include <outbox/core/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace outbox::http {
namespace {

/// A parameter of the media type is fine unless it names a charset other than UTF-8.
bool is_utf8_json(std::string_view content_type) {
    std::string rest = lowered(content_type);
    const auto next_part = [&rest] {
        const auto end = std::min(rest.find(';'), rest.size());
        std::string part{trimmed(std::string_view(rest).substr(0, end))};
        rest.erase(0, end + 1);
        return part;
    };
    if (next_part() != "application/json") {
        return false;
    }
    while (!rest.empty()) {
        const std::string parameter = next_part();
        if (parameter.starts_with("charset=") && parameter != "charset=utf-8" &&
            parameter != "charset=\"utf-8\"") {
            return false;
        }
    }
    return true;
}

/// @throws ProblemError 415 for another type, or for content that would have to be unpacked first
void require_json(const Headers& headers) {
    const auto type = headers.find("Content-Type");
    if (headers.count("Content-Type") != 1 || !is_utf8_json(*type)) {
        throw ProblemError({problems::unsupported_media_type,
                            "the body must be sent as Content-Type: application/json, in UTF-8"});
    }
    const auto encoding = headers.find("Content-Encoding");
    if (encoding && lowered(trimmed(*encoding)) != "identity") {
        throw ProblemError(
            {problems::unsupported_media_type, "the body must be sent without a Content-Encoding"});
    }
}

/// Keeps the members that are wanted of the outermost object.
class Members final : public json::Visitor {
public:
    explicit Members(std::initializer_list<std::string_view> wanted) : wanted_(wanted) {}

    bool open_object() override { return open(JsonValue::Kind::object); }
    bool close_object() override { return close(); }
    bool open_array() override { return open(JsonValue::Kind::array); }
    bool close_array() override { return close(); }
    bool name(std::string_view text) override {
        if (depth_ == 1) {
            const auto* found = std::ranges::find(wanted_, text);
            member_ = found == wanted_.end() ? std::string_view() : *found;
        }
        return true;
    }
    bool scalar(json::Kind kind, std::string_view text) override {
        keep(kind_of(kind), text);
        return true;
    }

    [[nodiscard]] bool is_object() const noexcept { return is_object_; }
    JsonObject take() && { return std::move(members_); }

private:
    static JsonValue::Kind kind_of(json::Kind kind) {
        switch (kind) {
        case json::Kind::boolean:
            return JsonValue::Kind::boolean;
        case json::Kind::number:
            return JsonValue::Kind::number;
        case json::Kind::string:
            return JsonValue::Kind::string;
        default:
            return JsonValue::Kind::null;
        }
    }
    bool open(JsonValue::Kind kind) {
        if (depth_ == 0) {
            is_object_ = kind == JsonValue::Kind::object;
        }
        keep(kind, {});
        return ++depth_ <= max_json_depth;
    }
    bool close() {
        --depth_;
        return true;
    }
    void keep(JsonValue::Kind kind, std::string_view text) {
        if (depth_ == 1 && is_object_ && !member_.empty()) {
            members_[std::string(member_)] = {kind, std::string(text)};
        }
    }

    const std::initializer_list<std::string_view> wanted_;
    JsonObject members_;
    std::string_view member_; ///< whose value comes; empty: one that nobody asked for
    int depth_ = 0;
    bool is_object_ = false;
};

} // namespace

JsonObject parse_json_object(std::string_view text, std::initializer_list<std::string_view> wanted) {
    Members members(wanted);
    switch (json::read(text, members)) {
    case json::End::whole:
        break;
    case json::End::no_json:
        throw ProblemError({problems::malformed_json, "the body is not JSON in UTF-8"});
    case json::End::stopped:
    case json::End::too_deep:
        throw ProblemError({problems::malformed_json,
                            fmt::format("the JSON is nested deeper than {} levels", max_json_depth)});
    }
    if (!members.is_object()) {
        throw ProblemError(
            {problems::invalid_fields, "the body must be a JSON object", {{"", "must be an object"}}});
    }
    return std::move(members).take();
}

JsonObject read_json_object(const Request& request, std::initializer_list<std::string_view> wanted) {
    require_json(request.headers);
    return parse_json_object(request.body, wanted);
}

} // namespace outbox::http
