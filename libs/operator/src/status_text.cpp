// `status` for people: a few aligned tables, and below them whatever somebody should see to.

#include <outbox/core/one_line.hpp>
#include <outbox/operator/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace outbox::verbs {
namespace {

using Cells = std::vector<std::string>;

/// Columns as wide as their widest cell, two spaces between.
std::string aligned(const std::vector<Cells>& lines) {
    std::vector<std::size_t> widths(lines.front().size());
    for (const Cells& cells : lines) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            widths[i] = std::max(widths[i], cells[i].size());
        }
    }
    std::string text;
    for (const Cells& cells : lines) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            fmt::format_to(std::back_inserter(line), "{:{}}  ", cells[i], widths[i]);
        }
        text += line.erase(line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

/// A span as people say it, with the two largest units.
std::string text_of(milliseconds span) {
    const auto seconds = span.count() / 1000;
    if (seconds < 60) {
        return fmt::format("{:.1f} s", static_cast<double>(span.count()) / 1000);
    }
    if (seconds < 3600) {
        return fmt::format("{} min {} s", seconds / 60, seconds % 60);
    }
    return seconds < 86'400 ? fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60)
                            : fmt::format("{} d {} h", seconds / 86'400, seconds / 3600 % 24);
}

/// The owner's name; that it is gone stands beside it.
std::string owner_of(const ShardStatus& shard) {
    if (!shard.owner) {
        return "-";
    }
    return shard.owner_alive ? *shard.owner : *shard.owner + " (gone)";
}

/// All shards, and below them why some do not get on.
std::string shards_table(const Status& status) {
    std::vector<Cells> lines{{"shard", "state", "owner", "epoch", "owned since", "backlog", "oldest",
                              "last batch", "failed", "blocked keys"}};
    for (const ShardStatus& shard : status.shards) {
        lines.push_back({std::to_string(shard.shard), shard.state(), owner_of(shard),
                         std::to_string(shard.epoch), shard.owned_since.value_or("-"),
                         std::to_string(shard.backlog), shard.oldest ? text_of(*shard.oldest) : "-",
                         shard.last_batch_age
                             ? fmt::format("{}, {} ago", shard.last_batch, text_of(*shard.last_batch_age))
                             : std::to_string(shard.last_batch),
                         std::to_string(shard.failed), std::to_string(shard.blocked_keys)});
    }
    std::string text = aligned(lines);
    for (const ShardStatus& shard : status.shards) {
        if (shard.stopped) {
            text += fmt::format("shard {} stopped: {}\n", shard.shard, *shard.stopped);
        } else if (shard.hindered && shard.owner_alive) {
            text +=
                fmt::format("shard {} recovering for {}: {}\n", shard.shard,
                            text_of(shard.hindered_for.value_or(milliseconds(0))), one_line(*shard.hindered));
        }
        if (shard.slow && shard.owner_alive) {
            text += fmt::format("shard {} slow for {}: {}\n", shard.shard,
                                text_of(shard.slow_for.value_or(milliseconds(0))), one_line(*shard.slow));
        }
    }
    return text;
}

std::string relays_table(const Status& status) {
    if (status.relays.empty()) {
        return "no relay is alive\n";
    }
    std::vector<Cells> lines{{"relay", "shards", "started at", "heartbeat"}};
    for (const RelayStatus& relay : status.relays) {
        lines.push_back({relay.name, std::to_string(relay.shards), relay.started_at,
                         text_of(relay.heartbeat_age) + " ago"});
    }
    return aligned(lines);
}

std::string pauses_table(const Status& status) {
    std::vector<Cells> lines{{"paused", "since", "by", "why"}};
    for (const PauseStatus& pause : status.pauses) {
        lines.push_back({pause.name.empty() ? pause.scope : pause.scope + " " + pause.name, pause.since,
                         pause.who, pause.why.value_or("-")});
    }
    return aligned(lines);
}

std::string findings_lines(const Status& status) {
    std::string text;
    for (const survey::Finding& finding : status.findings) {
        text += fmt::format("{}: {}\n", survey::name_of(finding.severity), survey::line_of(finding));
    }
    return text;
}

/// Topics that take nothing, and below them why.
std::string outages_table(const Status& status) {
    std::vector<Cells> lines{{"topic that takes nothing", "since", "for", "its events"}};
    for (const OutageStatus& outage : status.outages) {
        lines.push_back(
            {outage.topic, outage.since, text_of(outage.lasts), outage.given_up ? "given up" : "wait"});
    }
    std::string text = aligned(lines);
    for (const OutageStatus& outage : status.outages) {
        text += fmt::format("{}: {}\n", outage.topic, outage.reason);
    }
    return text;
}

} // namespace

std::string to_table(const Status& status) {
    if (status.hidden) {
        return findings_lines(status);
    }
    std::string text =
        fmt::format("outbox {} ({}), Kafka cluster {}\n\n", status.name.value_or("without a name yet"),
                    status.outbox, status.cluster.value_or("not known yet"));
    text += status.shards.empty()
                ? fmt::format("no relay has run yet, so there are no shards; {} unsent event{}\n",
                              status.backlog, status.backlog == 1 ? "" : "s")
                : shards_table(status);
    text += '\n';
    text += relays_table(status);
    if (!status.pauses.empty()) {
        text += '\n';
        text += pauses_table(status);
    }
    if (!status.outages.empty()) {
        text += '\n';
        text += outages_table(status);
    }
    for (const std::string& alarm : status.alarms) {
        text += fmt::format("{}alarm: {}\n", &alarm == &status.alarms.front() ? "\n" : "", alarm);
    }
    if (!status.findings.empty()) {
        text += '\n' + findings_lines(status);
    }
    return text;
}

} // namespace outbox::verbs
