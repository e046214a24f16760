#pragma once

#include <outbox/core/deadline.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::http {

/// Header fields in the order they came. Names are compared without regard to case.
class Headers {
public:
    using Field = std::pair<std::string, std::string>;

    /// Adds a field behind the others; one of the same name stays.
    void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }

    /// The first value of this name.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
    /// Every value of this name, joined by commas (RFC 9110, 5.3); empty when there is none.
    [[nodiscard]] std::string joined(std::string_view name) const;
    /// How many fields have this name.
    [[nodiscard]] std::size_t count(std::string_view name) const;

    [[nodiscard]] auto begin() const noexcept { return fields_.begin(); }
    [[nodiscard]] auto end() const noexcept { return fields_.end(); }

private:
    std::vector<Field> fields_;
};

/// One whole request. `deadline` runs from its arrival and includes the wait for a worker.
struct Request {
    std::string method; ///< "GET"
    std::string path;   ///< as sent, without the query
    Headers headers;
    std::string body;
    std::vector<std::string> parameters; ///< what the route's {placeholders} stand for, in order
    Deadline deadline;
};

/// One whole answer.
struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body = {};
    Headers headers = {}; ///< beyond Content-Type, Content-Length, Date and Connection
};

/// "Not Found" for 404; empty for a status nobody here uses.
std::string_view reason_phrase(int status) noexcept;

} // namespace outbox::http
