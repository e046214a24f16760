# The commands of this project. PRESET=dev, asan-ubsan or tsan chooses another build (see CMakePresets.json).
PRESET ?= release
BUILD := $(if $(filter release,$(PRESET)),build,build-$(PRESET))
BIN := $(BUILD)/bin
COMPOSE ?= docker compose

.DEFAULT_GOAL := help
.PHONY: help build programs demo-programs run run-relay migrate demo test integration crash outage partitions chaos soak witness model fuzz bench peers package docs \
	lint format stack-up stack-down docker-up docker-down restart

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: ## Install what is missing and build into build/bin
	@tools/bootstrap
	@tools/build $(PRESET)

# Not a command: what the next four need, a third of `build`. The servers' packages and Kafka's jars come while the
# compiler works.
programs demo-programs:
	@tools/bootstrap programs
	@{ tools/bootstrap stack && { tools/kafka-jars >/dev/null || true; }; } & \
		tools/build $(PRESET) $(subst demo-programs,demo,$@); built=$$?; wait $$! && exit $$built

run: programs ## Migrate, then run the server (DB_*, KAFKA_BROKERS, else the local stack)
	@tools/with-stack sh -c '$(BIN)/outbox-migrate up && exec $(BIN)/outbox-server'

run-relay: programs ## Migrate, then run a relay; start as many as you like
	@tools/with-stack sh -c '$(BIN)/outbox-migrate up && exec $(BIN)/outbox-relay'

migrate: programs ## Bring the database up to date
	@tools/with-stack $(BIN)/outbox-migrate up

demo: demo-programs ## A tour: users over HTTP, a killed relay, each event exactly once in Kafka
	@BIN=$(BIN) tools/demo

test: build ## Run every test on real servers
	@tools/test $(PRESET)

integration: build ## Run the tests that need servers
	@tools/test $(PRESET) -L integration

outage: build ## A lone broker killed and stopped in mid-transaction, 10 rounds each; three brokers killed at once for a minute
	@OUTBOX_OUTAGE_ROUNDS=10 $(BIN)/relay_outage_test --gtest_filter='*LoneBroker*'
	@OUTBOX_OUTAGE_SECONDS=60 $(BIN)/relay_cluster_test --gtest_filter='*AllBrokers*'

crash: build ## kill -9 at each named point, 20 times each
	@OUTBOX_CRASH_ROUNDS=20 tools/test $(PRESET) -R NamedPoints

partitions: build ## Relays cut off from one broker, or from PostgreSQL, in network namespaces (as root)
	@tools/bootstrap partitions
	@tests/partitions/partitions_test $(BIN)

chaos: build ## Random faults on servers of its own: SEED=42 MINUTES=30 CHAOS="--brokers 1 ..."
	@tools/chaos $(BIN) --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(CHAOS)

soak: build ## 1,000 events a second, a fault every 20 s, and the relays' memory: MINUTES=30
	@tools/chaos $(BIN) --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) \
		--rate 1000 --every 20 --relays 2 --without "kill relay" $(CHAOS)

witness: build ## Each cure switched off must be caught by its test
	@tools/witness

model: build ## Random schedules of the protocol's model: SECONDS=60 SEED=1 MODEL="--without strays"
	@$(BIN)/outbox-model --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) $(MODEL)

fuzz: ## libFuzzer over each target: MINUTES=10
	@tools/bootstrap build fuzz
	@tools/fuzz $(or $(MINUTES),10)

bench: build ## Measure speed and memory
	@tools/bootstrap bench
	@STACK_POSTGRES_OPTIONS='shared_buffers = 1GB' BIN=$(BIN) tools/with-stack bench/run

peers: build ## Debezium and this relay in turn on the same servers: BROKERS=3 on three
	@tools/bootstrap bench
	@STACK_POSTGRES_OPTIONS='wal_level = logical' STACK_BROKERS=$(or $(BROKERS),1) BIN=$(BIN) tools/with-stack bench/peers/run

package: build ## Make the Debian packages, into build/packages
	@cd $(BUILD) && cpack

docs: ## Make the libraries' reference, into build/docs
	@tools/bootstrap check
	@tools/docs

lint: ## Check format, scripts, containers and code
	@tools/bootstrap build stack check containers
	@tools/lint format arrows sql scripts containers
	@tools/build
	@tools/lint code

format: ## Format the code
	@tools/lint --fix

stack-up: ## Start a local PostgreSQL and Kafka
	@tools/bootstrap stack
	@tools/stack up && tools/stack status && tools/stack env

stack-down: ## Stop them and remove their data
	@tools/stack down

docker-up: ## Build the images and start everything in containers
	$(COMPOSE) up -d --build

docker-down: ## Stop the containers; the volumes stay
	$(COMPOSE) down

restart: ## Restart the containers
	$(COMPOSE) restart
