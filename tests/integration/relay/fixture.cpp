#include "fixture.hpp"

#include <outbox/core/handle.hpp>
#include <outbox/support/environment.hpp>

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <csignal>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace outbox::relays {
namespace {

using Client = Handle<rd_kafka_t, rd_kafka_destroy>;
using Queue = Handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Record = Handle<rd_kafka_message_t, rd_kafka_message_destroy>;
using Reply = Handle<rd_kafka_event_t, rd_kafka_event_destroy>;

constexpr int patience_ms = 30'000;

Client client(rd_kafka_type_t type, const Variables& settings) {
    std::array<char, 512> reason{};
    auto* conf = rd_kafka_conf_new();
    Variables all{{"bootstrap.servers", support::required_variable("KAFKA_BROKERS")}, {"log_level", "2"}};
    all.insert(settings.begin(), settings.end());
    for (const auto& [name, value] : all) {
        if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) !=
            RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            throw std::runtime_error(reason.data());
        }
    }
    auto* handle = rd_kafka_new(type, conf, reason.data(), reason.size());
    if (handle == nullptr) {
        rd_kafka_conf_destroy(conf);
        throw std::runtime_error(reason.data());
    }
    return Client(handle);
}

void check(rd_kafka_resp_err_t code, const std::string& what) {
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw std::runtime_error(what + ": " + rd_kafka_err2str(code));
    }
}

Reply reply(rd_kafka_queue_t* queue, const std::string& what) {
    Reply event(rd_kafka_queue_poll(queue, patience_ms));
    if (!event) {
        throw std::runtime_error(what + ": no answer");
    }
    check(rd_kafka_event_error(event.get()), what);
    return event;
}

using Metadata = Handle<const rd_kafka_metadata_t, rd_kafka_metadata_destroy>;

Metadata metadata_of_all(rd_kafka_t* handle) {
    const struct rd_kafka_metadata* metadata = nullptr;
    check(rd_kafka_metadata(handle, 1, nullptr, &metadata, patience_ms), "metadata");
    return Metadata(metadata);
}

const rd_kafka_metadata_topic* find_topic(const rd_kafka_metadata_t& metadata, const std::string& name) {
    for (int i = 0; i < metadata.topic_cnt; ++i) {
        if (name == metadata.topics[i].topic) {
            return &metadata.topics[i];
        }
    }
    return nullptr;
}

int partitions_of(rd_kafka_t* handle, const std::string& name) {
    const auto metadata = metadata_of_all(handle);
    const auto* found = find_topic(*metadata, name);
    return found == nullptr ? 0 : found->partition_cnt;
}

Message message_of(const rd_kafka_message_t& record) {
    Message message;
    message.key.assign(static_cast<const char*>(record.key), record.key_len);
    message.tombstone = record.payload == nullptr;
    if (!message.tombstone) {
        message.value.assign(static_cast<const char*>(record.payload), record.len);
    }
    message.partition = record.partition;
    message.offset = record.offset;
    message.timestamp_ms = rd_kafka_message_timestamp(&record, nullptr);
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&record, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0;
             rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
            message.headers[name].assign(static_cast<const char*>(value), size);
        }
    }
    return message;
}

std::size_t occurrences(const std::string& text, const std::string& word) {
    std::size_t count = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + word.size())) {
        ++count;
    }
    return count;
}

Client committed_reader() {
    Client consumer = client(RD_KAFKA_CONSUMER, {{"group.id", "relay-test"},
                                                 {"isolation.level", "read_committed"},
                                                 {"enable.partition.eof", "true"},
                                                 {"enable.auto.commit", "false"},
                                                 {"auto.offset.reset", "earliest"}});
    rd_kafka_poll_set_consumer(consumer.get());
    return consumer;
}

/// @param end  the partition after the last one
std::string_view key_of(const rd_kafka_message_t& record) {
    return {static_cast<const char*>(record.key), record.key_len};
}

void assign_from_beginning(rd_kafka_t* consumer, const std::string& topic, int first, int end) {
    auto* list = rd_kafka_topic_partition_list_new(end - first);
    for (int partition = first; partition < end; ++partition) {
        rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    const auto assigned = rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    check(assigned, "assign " + topic);
}

/// By partition; none where there is no such topic.
std::vector<std::int64_t> high_watermarks(const std::string& name) {
    const Client handle = client(RD_KAFKA_CONSUMER, {{"isolation.level", "read_uncommitted"}});
    std::vector<std::int64_t> ends(static_cast<std::size_t>(partitions_of(handle.get(), name)));
    for (std::size_t i = 0; i < ends.size(); ++i) {
        auto code = RD_KAFKA_RESP_ERR_NO_ERROR;
        wait_until([&] { // a new partition's leader may not know yet that it leads
            std::int64_t low = 0;
            code = rd_kafka_query_watermark_offsets(handle.get(), name.c_str(), static_cast<std::int32_t>(i),
                                                    &low, &ends[i], patience_ms);
            return code == RD_KAFKA_RESP_ERR_NO_ERROR;
        });
        check(code, "high watermark of " + name);
    }
    return ends;
}

/// Every committed record up to a last stable offset that is `ends` or later, by partition.
std::vector<Message> read_beyond(const std::vector<std::int64_t>& ends, const std::string& name) {
    const Client consumer = committed_reader();
    assign_from_beginning(consumer.get(), name, 0, static_cast<int>(ends.size()));
    std::set<std::int32_t> open;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        open.insert(static_cast<std::int32_t>(i));
    }
    std::vector<Message> messages;
    const Deadline deadline = Deadline::in(30s);
    while (!open.empty()) {
        if (deadline.passed()) {
            throw std::runtime_error("topic " + name + " could not be read to its end");
        }
        const Record record(rd_kafka_consumer_poll(consumer.get(), 100));
        if (record && record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            if (record->offset >= ends.at(static_cast<std::size_t>(record->partition))) {
                open.erase(record->partition);
            }
        } else if (record && record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            messages.push_back(message_of(*record));
        }
    }
    return messages;
}

std::map<std::string, std::int64_t> statements_so_far(postgres::Connection& session) {
    const auto counts =
        session.query("SELECT regexp_replace(left(query, 100), '\\s+', ' ', 'g'), sum(calls)::bigint FROM "
                      "pg_stat_statements"
                      " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
                      " AND query NOT LIKE '%pg_stat_statements%' GROUP BY 1",
                      {}, Deadline::in(30s));
    std::map<std::string, std::int64_t> calls;
    for (int i = 0; i < counts.rows(); ++i) {
        calls[counts.text(i, 0)] = std::stoll(counts.text(i, 1));
    }
    return calls;
}

} // namespace

void script(postgres::Connection& session, const std::string& sql) {
    session.script(sql, Deadline::in(30s));
}

void create_topic(const std::string& name, int partitions, const Variables& config,
                  std::vector<std::int32_t> brokers) {
    const Client admin = client(RD_KAFKA_PRODUCER, {});
    const Queue queue(rd_kafka_queue_new(admin.get()));
    std::array<char, 512> reason{};
    auto* wanted = rd_kafka_NewTopic_new(name.c_str(), partitions, brokers.empty() ? 1 : -1, reason.data(),
                                         reason.size());
    for (std::int32_t partition = 0; !brokers.empty() && partition < partitions; ++partition) {
        rd_kafka_NewTopic_set_replica_assignment(wanted, partition, brokers.data(), brokers.size(),
                                                 reason.data(), reason.size());
    }
    for (const auto& [key, value] : config) {
        rd_kafka_NewTopic_set_config(wanted, key.c_str(), value.c_str());
    }
    rd_kafka_CreateTopics(admin.get(), &wanted, 1, nullptr, queue.get());
    rd_kafka_NewTopic_destroy(wanted);
    const Reply done = reply(queue.get(), "create " + name);
    std::size_t count = 0;
    const auto* const* results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(done.get()), &count);
    check(rd_kafka_topic_result_error(results[0]), "create " + name);
    if (!wait_until([&] { return partitions_of(admin.get(), name) == partitions; }, 30s)) {
        throw std::runtime_error("topic " + name + " does not appear");
    }
}

void add_partitions(const std::string& name, int partitions) {
    const Client admin = client(RD_KAFKA_PRODUCER, {});
    const Queue queue(rd_kafka_queue_new(admin.get()));
    std::array<char, 512> reason{};
    auto* wanted = rd_kafka_NewPartitions_new(name.c_str(), static_cast<std::size_t>(partitions),
                                              reason.data(), reason.size());
    rd_kafka_CreatePartitions(admin.get(), &wanted, 1, nullptr, queue.get());
    rd_kafka_NewPartitions_destroy(wanted);
    reply(queue.get(), "add partitions to " + name);
    if (!wait_until([&] { return partitions_of(admin.get(), name) == partitions; }, 30s)) {
        throw std::runtime_error("topic " + name + " does not grow");
    }
}

void delete_topic(const std::string& name) {
    const Client admin = client(RD_KAFKA_PRODUCER, {});
    const Queue queue(rd_kafka_queue_new(admin.get()));
    auto* unwanted = rd_kafka_DeleteTopic_new(name.c_str());
    rd_kafka_DeleteTopics(admin.get(), &unwanted, 1, nullptr, queue.get());
    rd_kafka_DeleteTopic_destroy(unwanted);
    reply(queue.get(), "delete " + name);
    if (!wait_until([&] { return partitions_of(admin.get(), name) == 0; }, 30s)) {
        throw std::runtime_error("topic " + name + " does not go");
    }
}

void produce(const std::string& name, const Variables& headers) {
    const Client producer = client(RD_KAFKA_PRODUCER, {});
    auto* list = rd_kafka_headers_new(headers.size());
    for (const auto& [header, value] : headers) {
        rd_kafka_header_add(list, header.data(), static_cast<ssize_t>(header.size()), value.data(),
                            static_cast<ssize_t>(value.size()));
    }
    check(rd_kafka_producev(producer.get(), RD_KAFKA_V_TOPIC(name.c_str()), RD_KAFKA_V_HEADERS(list),
                            RD_KAFKA_V_END),
          "produce to " + name);
    check(rd_kafka_flush(producer.get(), patience_ms), "flush " + name);
}

void alter_topic(const std::string& name, const Variables& config) {
    const Client admin = client(RD_KAFKA_PRODUCER, {});
    const Queue queue(rd_kafka_queue_new(admin.get()));
    auto* wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str());
    for (const auto& [key, value] : config) {
        rd_kafka_ConfigResource_set_config(wanted, key.c_str(), value.c_str());
    }
    rd_kafka_AlterConfigs(admin.get(), &wanted, 1, nullptr, queue.get());
    rd_kafka_ConfigResource_destroy(wanted);
    const Reply done = reply(queue.get(), "alter " + name);
    std::size_t count = 0;
    const auto* const* results =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(done.get()), &count);
    check(rd_kafka_ConfigResource_error(results[0]), "alter " + name);
}

namespace {

using Acl = Handle<rd_kafka_AclBinding_t, rd_kafka_AclBinding_destroy>;

/// The broker takes rights for granted where nobody gave any.
Acl allowed(const std::string& topic, rd_kafka_AclOperation_t operation) {
    std::array<char, 512> reason{};
    return Acl(rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str(),
                                       RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:*", "*", operation,
                                       RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, reason.data(), reason.size()));
}

} // namespace

void allow_reading_only(const std::string& name) {
    const Client admin = client(RD_KAFKA_PRODUCER, {});
    const Queue queue(rd_kafka_queue_new(admin.get()));
    const std::array owned{allowed(name, RD_KAFKA_ACL_OPERATION_READ),
                           allowed(name, RD_KAFKA_ACL_OPERATION_DESCRIBE),
                           allowed(name, RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS)};
    std::array wanted{owned[0].get(), owned[1].get(), owned[2].get()};
    rd_kafka_CreateAcls(admin.get(), wanted.data(), wanted.size(), nullptr, queue.get());
    reply(queue.get(), "restrict " + name);
}

void allow_all(const std::string& name) {
    const Client admin = client(RD_KAFKA_PRODUCER, {});
    const Queue queue(rd_kafka_queue_new(admin.get()));
    std::array<char, 512> reason{};
    auto* filter = rd_kafka_AclBindingFilter_new(
        RD_KAFKA_RESOURCE_TOPIC, name.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, nullptr, nullptr,
        RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, reason.data(), reason.size());
    const Acl owned(filter);
    rd_kafka_DeleteAcls(admin.get(), &filter, 1, nullptr, queue.get());
    reply(queue.get(), "free " + name);
}

std::int32_t leader_of(const std::string& topic, std::int32_t partition) {
    const Client handle = client(RD_KAFKA_PRODUCER, {});
    const auto metadata = metadata_of_all(handle.get());
    const auto* found = find_topic(*metadata, topic);
    return found == nullptr || found->partition_cnt <= partition ? -1 : found->partitions[partition].leader;
}

std::int64_t first_offset_of(const std::string& name, std::int32_t partition) {
    const Client consumer = committed_reader();
    assign_from_beginning(consumer.get(), name, partition, partition + 1);
    const Deadline deadline = Deadline::in(30s);
    while (!deadline.passed()) {
        const Record record(rd_kafka_consumer_poll(consumer.get(), 100));
        if (record && record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            break;
        }
        // A control topic's first record says whose the name is, and stays.
        if (record && record->err == RD_KAFKA_RESP_ERR_NO_ERROR && !key_of(*record).starts_with("outbox ")) {
            return record->offset;
        }
    }
    return -1;
}

int lines_with(const std::string& words, const std::string& log) {
    std::istringstream lines(log);
    int found = 0;
    for (std::string line; std::getline(lines, line);) {
        found += line.find(words) != std::string::npos ? 1 : 0;
    }
    return found;
}

std::vector<Message> read_topic(const std::string& name) {
    return read_beyond(high_watermarks(name), name);
}

std::vector<Message> read_visible(const std::string& name) {
    const Client handle = client(RD_KAFKA_CONSUMER, {});
    return read_beyond(std::vector<std::int64_t>(static_cast<std::size_t>(partitions_of(handle.get(), name))),
                       name);
}

Variables Relays::environment(const Variables& changes) const {
    Variables variables = database.environment();
    variables["KAFKA_BROKERS"] = support::required_variable("KAFKA_BROKERS");
    variables["OUTBOX_NAME"] = database.name();
    variables["RELAY_SHARDS"] = std::to_string(shards);
    variables["RELAY_LEASE"] = "3";
    for (const auto& [name, value] : changes) {
        variables[name] = value;
    }
    return variables;
}

Process Relays::start_relay(const Variables& changes) const {
    return Process({{support::program("outbox-relay")}, environment(changes)});
}

Process Relays::start_relay_with_fault(const std::string& fault, Variables changes) const {
    changes["OUTBOX_FAULT"] = fault;
    return Process({{support::program("outbox-relay-faults")}, environment(changes)});
}

Process Relays::ready_relay(const Variables& changes) const {
    Process relay = start_relay(changes);
    const auto wanted = static_cast<std::size_t>(std::stoi(environment(changes)["RELAY_SHARDS"]));
    if (!wait_until([&] { return occurrences(relay.errors(), "shard taken") >= wanted; }, 90s)) {
        throw std::runtime_error("the relay does not get ready: " + relay.errors());
    }
    return relay;
}

support::Command Relays::load(const std::vector<std::string>& words, const Variables& changes) const {
    support::Command command{{support::program("outbox-load"), "--topic", topic}, environment(changes)};
    command.words.insert(command.words.end(), words.begin(), words.end());
    return command;
}

std::string Relays::insert_sql(const Event& event) const {
    return fmt::format("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, "
                       "topic, max_retries) VALUES (gen_random_uuid(), 'user', '{}', 'user.created', '{}', "
                       "'{}', {})",
                       event.key, event.data, event.topic.empty() ? topic : event.topic, event.max_retries);
}

std::string Relays::insert(const Event& event) {
    return database.value(insert_sql(event) + " RETURNING id");
}

std::int64_t Relays::count(const std::string& where) {
    return database.number("SELECT count(*) FROM outbox_events WHERE " + where);
}

std::string Relays::status(const std::string& id) {
    return database.value("SELECT status FROM outbox_events WHERE id = $1", {id});
}

bool Relays::wait_sent(const std::string& id, std::chrono::milliseconds limit) {
    return wait_until([&] { return sent(id); }, limit);
}

Relays::Activity Relays::watch_relays(std::chrono::milliseconds span) const {
    auto counter = database.connect();
    script(counter, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    auto onlooker = postgres::Connection::open(support::server_options("postgres"), Deadline::in(30s));
    Activity activity;
    const auto before = statements_so_far(counter);
    for (const Deadline end = Deadline::in(span); !end.passed(); stay_quiet(10ms)) {
        const auto holding = onlooker.query(
            "SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'outbox-relay%'"
            " AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR state LIKE 'idle in%')",
            {database.name()}, Deadline::in(30s));
        ++activity.samples;
        activity.with_snapshot += holding.rows() > 0 ? 1 : 0;
    }
    for (const auto& [text, calls] : statements_so_far(counter)) {
        const auto found = before.find(text);
        const auto more = calls - (found == before.end() ? 0 : found->second);
        activity.statements += more;
        if (more > 0) {
            activity.by_text[text] = more;
        }
    }
    return activity;
}

void Relays::expect_exactly_once(const std::vector<std::string>& words) {
    support::Command command{{support::program("outbox-check")}, environment()};
    command.words.insert(command.words.end(), words.begin(), words.end());
    const auto verdict = support::run(command, 240s); // it waits for the rows, then for the end of the topics
    EXPECT_EQ(verdict.exit_code, 0) << verdict.output << verdict.errors;
}

support::Outcome Relays::stop(Process& relay) {
    relay.signal(SIGTERM);
    auto outcome = relay.wait(Deadline::in(30s));
    EXPECT_EQ(outcome.signal, 0) << outcome.errors;
    return outcome;
}

} // namespace outbox::relays
