// Asks the brokers what is judged in kafka.cpp. First over a connection of our own, which tells what fails;
// then by librdkafka, which is what sends. Nothing is made: brokers are asked whether they would.

#include "kafka_look.hpp"

#include "kafka.hpp"
#include "network.hpp"

#include <outbox/delivery/control_topic.hpp>
#include <outbox/delivery/name_claim.hpp>
#include <outbox/delivery/publisher.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/lane.hpp>
#include <outbox/kafka/topic_survey.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

namespace outbox::check {
namespace {

constexpr milliseconds patience{4'000};
constexpr milliseconds longer{8'000};
constexpr auto transaction_topic = "__transaction_state";

std::string property(const kafka::ClientOptions& options, const std::string& name) {
    const auto found = options.security.find(name);
    return found == options.security.end() ? "" : found->second;
}

kafka::Address address_of(const Place& place) {
    kafka::Address address{place.host, 0};
    std::from_chars(place.port.data(), place.port.data() + place.port.size(), address.port);
    return address;
}

/// One broker away is no failure while another answers.
void soften(std::vector<Line>& lines, std::size_t from) {
    for (std::size_t i = from; i < lines.size(); ++i) {
        if (lines[i].status == Status::fail) {
            lines[i].status = Status::warn;
        }
    }
}

/// One look at Kafka: what is known so far, and the lines.
class Look {
public:
    Look(const Request& request, const std::optional<IdentityFacts>& identity, std::vector<Line>& lines)
        : request_(request),
          identity_(identity),
          lines_(lines),
          probe_(request.kafka),
          admin_(request.kafka) {}

    void go(const std::vector<UnsentEvents>& unsent) {
        if (greet() && meet_cluster()) {
            look_at_transactions();
            look_at_rights();
            look_at_control_topic();
            look_at_topics(unsent);
        } else {
            lines_.push_back({"kafka", Status::skip, "transactions, rights and topics were not looked at"});
        }
    }

private:
    /// Runs one step; what it throws is a line.
    template <class Step>
    bool attempt(const std::string& name, Step step) {
        try {
            step();
            return true;
        } catch (const std::exception& error) {
            lines_.push_back(
                {name, Status::fail, error.what(), "look at KAFKA_BROKERS and at the brokers' logs"});
            return false;
        }
    }

    /// @return whether a broker of KAFKA_BROKERS lets this client in
    bool greet() {
        const Spoken spoken{property(request_.kafka, "security.protocol").ends_with("SSL"),
                            property(request_.kafka, "security.protocol").starts_with("SASL"),
                            property(request_.kafka, "sasl.username")};
        const std::size_t begin = lines_.size();
        bool any = false;
        for (const Place& place : broker_places(request_.kafka.brokers)) {
            if (!reach("kafka", place, "KAFKA_BROKERS", patience, lines_)) {
                continue;
            }
            if (!probe_.able()) {
                any = true; // librdkafka alone speaks so
                continue;
            }
            const auto where = fmt::format("{}:{}", place.host, place.port);
            const auto greeting = probe_.greet(address_of(place), Deadline::in(patience));
            for (Line& line : judge_greeting(where, greeting, spoken)) {
                lines_.push_back(std::move(line));
            }
            if (greeting.failed == kafka::Greeting::Step::done) {
                any = true;
                greeted_ = address_of(place);
            }
        }
        if (any) {
            soften(lines_, begin);
        }
        return any;
    }

    /// By librdkafka, at the addresses that the brokers themselves tell.
    bool meet_cluster() {
        return attempt("kafka cluster", [&] {
            brokers_ = admin_.brokers(Deadline::in(longer));
            const auto bootstrap = broker_places(request_.kafka.brokers);
            bool all = true;
            for (const auto& [id, address] : brokers_) {
                const Place place{address.host, std::to_string(address.port)};
                if (std::ranges::find(bootstrap, place) == bootstrap.end()) {
                    all &= reach(fmt::format("kafka broker {}", id), place,
                                 "advertised.listeners of that broker", patience, lines_);
                }
            }
            if (all) {
                lines_.push_back(
                    {"kafka cluster", Status::ok,
                     fmt::format("{} broker{} alive", brokers_.size(), brokers_.size() == 1 ? "" : "s")});
            }
            const auto id = admin_.cluster_id(Deadline::in(longer));
            lines_.push_back(
                judge_cluster(identity_ ? identity_->cluster_id : std::nullopt, id, request_.kafka.brokers));
        });
    }

    std::map<std::string, kafka::TopicFacts> ask(const std::vector<std::string>& names) {
        return kafka::TopicSurvey(admin_, request_.kafka).ask(names, Deadline::in(longer));
    }

    void look_at_transactions() {
        if (request_.needs == Needs::server) {
            return;
        }
        attempt("kafka transactions", [&] {
            TransactionFacts facts;
            facts.brokers = static_cast<int>(brokers_.size());
            facts.timeout_ms = kafka::LaneOptions().transaction_timeout.count();
            try {
                facts.broker = admin_.broker_config(brokers_.begin()->first, Deadline::in(patience));
            } catch (const kafka::KafkaError&) { // by rights, which nobody needs
            }
            auto state = ask({transaction_topic})[transaction_topic];
            if (state.error != kafka::unknown_topic) {
                if (state.error == 0) {
                    facts.state = std::move(state);
                } else { // not to be seen
                    facts.state.emplace();
                }
            }
            for (Line& line : judge_transactions(facts, request_.kafka.brokers)) {
                lines_.push_back(std::move(line));
            }
        });
    }

    /// Of the transactional ids; those of topics stand with the topics.
    void look_at_rights() {
        constexpr auto name = "kafka transactional id";
        if (request_.needs == Needs::server) {
            return;
        }
        const auto prefix = !request_.transactional_prefix.empty() ? request_.transactional_prefix
                            : identity_ ? delivery::transactional_family(identity_->outbox_id)
                                        : "";
        if (prefix.empty() || !greeted_) {
            lines_.push_back({name, Status::skip,
                              prefix.empty()
                                  ? "the database does not tell the outbox's id, which they begin with"
                                  : "this kind of login is librdkafka's alone"});
            return;
        }
        attempt(name, [&] {
            if (probe_.may_transact(*greeted_, prefix + "0", Deadline::in(patience))) {
                lines_.push_back(
                    {name, Status::ok,
                     fmt::format("transactions under {}* are allowed, and so is writing idempotently in "
                                 "them",
                                 prefix)});
                return;
            }
            lines_.push_back(
                {name, Status::fail,
                 fmt::format(
                     "user {} may have no transactions under {}* (TRANSACTIONAL_ID_AUTHORIZATION_FAILED)",
                     property(request_.kafka, "sasl.username"), prefix),
                 fmt::format(
                     "kafka-acls.sh --bootstrap-server {} --add --allow-principal User:{} --operation Write "
                     "--operation Describe --transactional-id {} --resource-pattern-type prefixed",
                     request_.kafka.brokers, property(request_.kafka, "sasl.username"), prefix)});
        });
    }

    /// Why the brokers would not make the topic; empty: they would.
    std::string refusal_of(const kafka::NewTopic& topic) const {
        try {
            admin_.would_create(topic, Deadline::in(patience));
            return {};
        } catch (const kafka::KafkaError& error) {
            return error.what();
        }
    }

    void look_at_control_topic() {
        constexpr auto name = "control topic";
        const std::string& topic = request_.control_topic;
        if (topic.empty()) {
            return;
        }
        attempt(name, [&] {
            const auto facts = ask({topic})[topic];
            const int needed = identity_ && identity_->shard_count > 0 && request_.needs == Needs::relay
                                   ? identity_->shard_count
                                   : request_.control_partitions;
            if (facts.error == kafka::unknown_topic) {
                lines_.push_back(missing_control(needed));
                return;
            }
            lines_.push_back(standing_control(facts, needed));
            if (request_.needs == Needs::relay && lines_.back().status != Status::fail) {
                look_at_holder();
            }
        });
    }

    /// Of an outbox that has sent something it holds what was sent.
    Line missing_control(int partitions) {
        constexpr auto name = "control topic";
        const delivery::ControlTopic topic{request_.control_topic, partitions};
        if (request_.needs == Needs::relay && identity_ && identity_->has_sent) {
            return {name, Status::fail,
                    fmt::format(
                        "{} does not exist, and this outbox has sent events: it is not known any more which",
                        topic.name),
                    "outbox-relay reconcile"};
        }
        const auto command = delivery::create_control_command(topic, request_.topics);
        if (!request_.topics.create) {
            return {name, Status::fail, topic.name + " does not exist and KAFKA_CREATE_TOPICS is off",
                    command};
        }
        if (const auto why = refusal_of(delivery::new_control_topic(topic, request_.topics)); !why.empty()) {
            return {name, Status::fail,
                    fmt::format("{} does not exist and cannot be created ({})", topic.name, why), command};
        }
        return {name, Status::ok, topic.name + " does not exist, and is made at the first start"};
    }

    Line standing_control(const kafka::TopicFacts& facts, int partitions) {
        constexpr auto name = "control topic";
        const delivery::ControlTopic topic{request_.control_topic, partitions};
        if (facts.error != 0 || !facts.config || !facts.may_write.value_or(true) ||
            !facts.may_read.value_or(true)) {
            return {
                name, Status::fail,
                fmt::format("this client may not write to, read or describe {} ({})", topic.name,
                            facts.error == 0 ? "TOPIC_AUTHORIZATION_FAILED" : kafka::error_name(facts.error)),
                fmt::format(
                    "kafka-acls.sh --bootstrap-server {} --add --allow-principal User:{} --operation Write "
                    "--operation Read --operation DescribeConfigs --topic {}",
                    request_.kafka.brokers, property(request_.kafka, "sasl.username"), topic.name)};
        }
        try {
            delivery::verify_control_topic(topic, *facts.config, request_.kafka.brokers);
        } catch (const Error& error) {
            const std::string why = error.what();
            const auto at = why.find("; set it: ");
            return {name, Status::fail, why.substr(0, at),
                    at == std::string::npos ? "" : why.substr(at + std::string_view("; set it: ").size())};
        }
        if (const auto verdict = delivery::judge(topic.name, facts, request_.topics);
            verdict.kind != delivery::TopicVerdict::Kind::open) {
            return {name, Status::fail, verdict.reason};
        }
        if (facts.partitions() < partitions) {
            return {name, request_.topics.create ? Status::warn : Status::fail,
                    fmt::format("{} has {} partitions and needs {}{}", topic.name, facts.partitions(),
                                partitions, request_.topics.create ? "; they are added at the start" : ""),
                    fmt::format("kafka-topics.sh --bootstrap-server {} --alter --topic {} --partitions {}",
                                request_.kafka.brokers, topic.name, partitions)};
        }
        return {name, Status::ok,
                fmt::format("{} has {} partitions and keeps what it holds", topic.name, facts.partitions())};
    }

    /// Whoever wrote there first has the name.
    void look_at_holder() {
        constexpr auto name = "outbox name";
        const auto holder = delivery::find_holder(request_.kafka, admin_, request_.control_topic,
                                                  Deadline::in(longer), [] { return true; });
        if (holder && identity_ && holder->outbox_id != identity_->outbox_id) {
            const auto free =
                delivery::free_name(request_.outbox_name, request_.database.schema, identity_->outbox_id);
            lines_.push_back({name, Status::fail,
                              fmt::format("{} is another's in this cluster: {}", request_.outbox_name,
                                          delivery::to_text(*holder)),
                              identity_->name ? "outbox-relay adopt --help" : "OUTBOX_NAME=" + free});
            return;
        }
        lines_.push_back({name, Status::ok,
                          request_.outbox_name +
                              (holder ? " is this outbox's in the cluster" : " is free in the cluster")});
    }

    /// Where the unsent events go, with the settings' own topics.
    std::map<std::string, TopicNeed> needs_of(const std::vector<UnsentEvents>& unsent) const {
        std::map<std::string, TopicNeed> needs;
        for (const std::string& name : request_.event_topics) {
            needs[name].name = name;
        }
        for (const UnsentEvents& events : unsent) {
            if (!request_.topic_of) {
                break;
            }
            const auto name = request_.topic_of(events.topic, events.aggregate_type, events.event_type);
            TopicNeed& need = needs[name];
            need.name = name;
            need.events += events.events;
            if (events.oldest_ms && need.oldest_ms.value_or(-1) < *events.oldest_ms) {
                need.oldest_ms = events.oldest_ms;
            }
        }
        return needs;
    }

    void look_at_topics(const std::vector<UnsentEvents>& unsent) {
        attempt("topics", [&] {
            std::vector<std::string> names;
            auto needs = needs_of(unsent);
            for (const auto& [name, need] : needs) {
                if (kafka::is_topic_name(name) && !kafka::is_internal_topic(name)) {
                    names.push_back(name);
                } else {
                    lines_.push_back(
                        {"topic " + name, Status::fail,
                         fmt::format("that is no name of a topic for events, and {} unsent events go there "
                                     "and become FAILED",
                                     need.events),
                         "let writers name another topic"});
                }
            }
            if (!identity_ && request_.topic_of) {
                lines_.push_back(
                    {"topics", Status::skip, "the database does not tell where unsent events go"});
            } else if (needs.empty()) {
                lines_.push_back({"topics", Status::ok, "no event waits"});
            }
            if (names.empty()) {
                return;
            }
            for (const auto& [name, facts] : ask(names)) {
                TopicNeed& need = needs[name];
                if (facts.error == kafka::unknown_topic && request_.topics.create) {
                    need.would_be_refused =
                        refusal_of({name, request_.topics.partitions, request_.topics.replication, {}});
                }
                for (Line& line : judge_topic(need, facts, request_.topics)) {
                    lines_.push_back(std::move(line));
                }
            }
        });
    }

    const Request& request_;
    const std::optional<IdentityFacts>& identity_;
    std::vector<Line>& lines_;
    kafka::Probe probe_;
    kafka::Admin admin_;
    std::map<std::int32_t, kafka::Address> brokers_;
    std::optional<kafka::Address> greeted_;
};

} // namespace

/// A file of certificates that cannot be used shows when the clients are made.
void look_at_kafka(const Request& request, const std::optional<IdentityFacts>& identity,
                   const std::vector<UnsentEvents>& unsent, std::vector<Line>& lines) {
    try {
        Look(request, identity, lines).go(unsent);
    } catch (const std::exception& error) {
        lines.push_back({"kafka tls", Status::fail, error.what(),
                         "look at KAFKA_SSL_CA_FILE, KAFKA_SSL_CERTIFICATE_FILE, KAFKA_SSL_KEY_FILE and "
                         "KAFKA_SSL_KEY_PASSWORD"});
        lines.push_back({"kafka", Status::skip, "nothing was asked"});
    }
}

} // namespace outbox::check
