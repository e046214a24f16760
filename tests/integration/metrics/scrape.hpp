#pragma once

#include <map>
#include <string>

namespace outbox::relays {

/// What a scrape has said.
struct Scrape {
    int status = 0;
    std::map<std::string, std::string> headers; ///< names in lower case
    std::string text;

    /// The value of the series with just these labels beside `outbox`, as in `name{shard="1"}`. A name alone
    /// stands for the series without labels. NaN: there is none.
    [[nodiscard]] double value(const std::string& series) const;
    [[nodiscard]] bool has(const std::string& series) const;
    /// Of all series of this name.
    [[nodiscard]] double sum(const std::string& name) const;
};

/// GET /metrics. @param fields  further fields of the request
Scrape scrape(const std::string& port, const std::map<std::string, std::string>& fields = {});

} // namespace outbox::relays
