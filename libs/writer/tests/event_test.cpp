#include <outbox/writer/event.hpp>
#include <outbox/writer/insert.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace outbox {
namespace {

const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

Event valid() {
    return {"account", "a-1", "money.transferred", R"({"cents": 5})", "bank-events"};
}

/// The field that is named; the message has to name it too, and nothing of the value.
std::string refused_field(const std::function<void()>& make) {
    try {
        make();
    } catch (const InvalidEvent& error) {
        EXPECT_NE(std::string(error.what()).find(error.field()), std::string::npos) << error.what();
        EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
        return error.field();
    }
    return "none";
}

TEST(Event, IsTimeOrderedAndItsOwn) {
    const Event first = valid();
    const Event second = valid();
    EXPECT_NE(first.id(), second.id());
    EXPECT_EQ(first.id().to_string()[14], '7');
    EXPECT_FALSE(first.partition_key());
    EXPECT_EQ(first.max_retries(), 3);
}

TEST(Event, NamesTheTextThatTheColumnWouldRefuse) {
    const std::vector<std::string> broken{"",
                                          std::string(256, 'x'),
                                          std::string("secret\0", 7),
                                          "secret\xff",
                                          "secret\xc0\xaf",
                                          "secret\xed\xa0\x80",
                                          "secret\xe2\x82",
                                          "secret\xf4\x90\x80\x80"};
    for (const std::string& text : broken) {
        EXPECT_EQ(refused_field([&] { Event(text, "a", "t", "{}", "e"); }), "aggregate_type") << text;
        EXPECT_EQ(refused_field([&] { Event("a", text, "t", "{}", "e"); }), "aggregate_id") << text;
        EXPECT_EQ(refused_field([&] { Event("a", "a", text, "{}", "e"); }), "event_type") << text;
        EXPECT_EQ(refused_field([&] { valid().set_partition_key(text); }), "partition_key") << text;
    }
}

TEST(Event, CountsCharactersNotBytes) {
    std::string wide;
    for (int i = 0; i < 255; ++i) {
        wide += "\xf0\x9f\x98\x80";
    }
    EXPECT_EQ(refused_field([&] { Event(wide, wide, wide, "{}", "e"); }), "none");
    EXPECT_EQ(refused_field([&] { Event(wide + "x", "a", "t", "{}", "e"); }), "aggregate_type");
}

TEST(Event, NamesDataThatIsNotJson) {
    for (const std::string& data : std::vector<std::string>{
             "", "secret", "{", "{\"a\":1,}", R"("secret\u0000")", R"({"secret\\\u0000": 1})", "\"\xff\"",
             R"("\ud800")", "{} {}", std::string("{}\0", 3)}) {
        EXPECT_EQ(refused_field([&] { Event("a", "a", "t", data, "e"); }), "event_data") << data;
    }
    for (const std::string& data :
         std::vector<std::string>{"null", "[1.5e3]", R"("\\u0000")", R"("\ud83d\ude00")"}) {
        EXPECT_EQ(refused_field([&] { Event("a", "a", "t", data, "e"); }), "none") << data;
    }
}

TEST(Event, TakesNumbersThatNumericHasAndNamesThoseThatItHasNot) {
    const auto field = [](const std::string& number) {
        return refused_field([&] { Event("a", "a", "t", "{\"n\": [" + number + "]}", "e"); });
    };
    const std::string ones(131'072, '1');
    for (const std::string& number :
         {std::string("1e400"), std::string("-1E+131071"), std::string("1e-16383"),
          std::string("12345678901234567890123"), std::string("0.0001e131075"), std::string("0e200000"),
          std::string("1.5e0000000000001"), ones}) {
        EXPECT_EQ(field(number), "none") << number.substr(0, 30);
    }
    for (const std::string& number :
         {std::string("1e131072"), std::string("10e131071"), std::string("1e-16384"),
          std::string("0.1e-16383"), std::string("1e99999999999"), std::string("01"), std::string("1."),
          std::string(".5"), std::string("1e"), std::string("+1"), std::string("--1"), std::string("0x1"),
          std::string("NaN"), std::string("Infinity"), ones + "1"}) {
        EXPECT_EQ(field(number), "event_data") << number.substr(0, 30);
    }
}

TEST(Event, NamesJsonThatIsOnlyNearlySuch) {
    for (const char* data : {"[1,]",
                             "[,1]",
                             "{\"a\" 1}",
                             "{\"a\":}",
                             "{a:1}",
                             "{\"a\":1 \"b\":2}",
                             "[1}",
                             "{]",
                             "[1 2]",
                             "\"\\x\"",
                             "\"\\u12g4\"",
                             "\"a\nb\"",
                             "\"open",
                             "tru",
                             "truex",
                             "null null",
                             "[",
                             "{\"a\":1",
                             R"("\udc00")",
                             R"("\ud800\u0041")",
                             R"("\ud800x")",
                             "'a'",
                             "//",
                             "\v1",
                             "{\"a\":1,,}"}) {
        EXPECT_EQ(refused_field([&] { Event("a", "a", "t", data, "e"); }), "event_data") << data;
    }
    for (const char* data : {" { } ", "[]", "[[[]],{}]", "\t[1 , \"a\" ,{ \"b\" : [ ] , \"b\":null }]\r\n",
                             "-0", "\"\\/\\b\"", R"("\uD83D\uDE00\uFFFF")", "true"}) {
        EXPECT_EQ(refused_field([&] { Event("a", "a", "t", data, "e"); }), "none") << data;
    }
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    EXPECT_EQ(refused_field([&] { Event("a", "a", "t", deep, "e"); }), "none");
}

TEST(Event, MayBeBytesOrATombstone) {
    const std::string bytes("\0\xff\\x", 4);
    const Event avro = Event::of_bytes("account", "a-1", "t", bytes, "application/avro; v=1", "e");
    EXPECT_EQ(avro.payload(), bytes);
    EXPECT_EQ(avro.content_type(), "application/avro; v=1");
    EXPECT_EQ(avro.event_data(), "null");
    EXPECT_FALSE(Event::of_bytes("account", "a-1", "t", "", "", "e").content_type());
    const Event none = Event::tombstone("account", "a-1", "t", "e");
    EXPECT_TRUE(none.is_tombstone());
    EXPECT_FALSE(none.payload());
    for (const std::string& type : {std::string("avro"), std::string("/avro"), std::string("application/"),
                                    std::string("application/;v=1"), std::string("a/b\n"),
                                    std::string("a/\xc3\xbc"), "a/" + std::string(254, 'b')}) {
        EXPECT_EQ(refused_field([&] { Event::of_bytes("a", "a", "t", "", type, "e"); }), "content_type")
            << type;
    }
    EXPECT_EQ(refused_field([&] { Event::of_bytes("a", "", "t", "", "a/b", "e"); }), "aggregate_id");
    EXPECT_EQ(refused_field([&] { Event::tombstone("a", "a", "t", "no topic"); }), "topic");

    const auto parameters = insert_parameters(std::vector<Event>{avro, none, valid()});
    EXPECT_EQ(parameters[9], R"({"\\x00ff5c78",NULL,NULL})");
    EXPECT_EQ(parameters[10], R"({"application/avro; v=1",NULL,NULL})");
    EXPECT_EQ(parameters[11], R"({NULL,"t",NULL})");
}

TEST(Event, NamesATopicThatKafkaWouldRefuse) {
    for (const std::string& topic : {std::string(), std::string("."), std::string(".."), std::string("a b"),
                                     std::string("a/b"), std::string("\xc3\xbc"), std::string(250, 'a')}) {
        EXPECT_EQ(refused_field([&] { Event("a", "a", "t", "{}", topic); }), "topic") << topic;
    }
    EXPECT_EQ(refused_field([] { Event("a", "a", "t", "{}", std::string(249, 'Z')); }), "none");
}

TEST(Event, NamesABrokenHeaderAndANegativeLimit) {
    EXPECT_EQ(refused_field([] { valid().set_header("", "x"); }), "headers");
    EXPECT_EQ(refused_field([] { valid().set_header("x", "secret\xff"); }), "headers");
    EXPECT_EQ(refused_field([] { valid().set_header("x\xff", "secret"); }), "headers");
    EXPECT_EQ(refused_field([] { valid().set_max_retries(-1); }), "max_retries");
}

TEST(Event, IgnoresABrokenTraceAndKeepsAGoodOne) {
    Event event = valid();
    event.set_trace("00-zz", "a=1");
    EXPECT_TRUE(event.headers().empty());

    event.set_trace(trace, "a=1").set_trace(trace, "broken");
    EXPECT_EQ(event.headers(), (std::map<std::string, std::string>{{"traceparent", trace}}));

    event.set_trace(trace, "a=1");
    EXPECT_EQ(event.headers().at("tracestate"), "a=1");
}

TEST(InsertParameters, AreArraysWithEverythingQuoted) {
    Event event("a\"b", "c\\d", "e,f", "{}", "topic");
    event.set_id(*Uuid::parse("01890000-0000-7000-8000-000000000001"));
    const std::vector<Event> two{event, event};
    const auto parameters = insert_parameters(two);
    EXPECT_EQ(parameters[0],
              R"({"01890000-0000-7000-8000-000000000001","01890000-0000-7000-8000-000000000001"})");
    EXPECT_EQ(parameters[1], R"({"a\"b","a\"b"})");
    EXPECT_EQ(parameters[2], R"({"c\\d","c\\d"})");
    EXPECT_EQ(parameters[6], "{NULL,NULL}");
    EXPECT_EQ(insert_parameters({})[0], "{}");
}

} // namespace
} // namespace outbox
