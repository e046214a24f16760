#pragma once

#include <outbox/messages/outgoing_event.hpp>

/// The names that a service uses which has a relay inside.
namespace outbox::relay {

using messages::BeforePublish;
using messages::OutgoingEvent;

} // namespace outbox::relay
