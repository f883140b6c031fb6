# Zpost: two delivery agents and what stands around them.
#
#	make		builds the programs
#	make demo	sets up, builds, shows a whole system at work
#	make check	sets up, builds, runs every test
#	make install	DESTDIR= PREFIX=; BIN=FOLDER of what is built already
#	make deb	a Debian package, DEB=build/deb; BIN= likewise
#	make interop	other people's mail systems, in every way of speaking
#	make fuzz	SECONDS_EACH=30: libFuzzer on every target
#	make soak	TORTURE=10000 messages while everything is killed
#	make bench	speed, beside peers in the same run; BENCH_PAGE=FILE
#	make ci		check with gcc and clang, sanitizers, analyzers, fuzzers
#	make clean
#
# BUILD=asan|cov|fuzz|release picks a variant; each has a folder of its own.

BUILD ?= debug
B := build/$(BUILD)
PREFIX ?= /usr/local
DESTDIR ?=
SECONDS_EACH ?= 30
# As many jobs as there are processors, unless the caller said how many.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
CC_asan := gcc
CC_fuzz := clang
ifneq ($(origin CC),command line)
CC := $(or $(CC_$(BUILD)),gcc)
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2
CFLAGS_debug := -O2 -g
LDFLAGS_debug := -Wl,-z,relro,-z,now
CFLAGS_release := -O2 -g -fPIE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_cov := -O0 -g --coverage
LDFLAGS_cov := --coverage
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined
LDFLAGS_fuzz := -fsanitize=address,undefined
# Hidden: no function of ours stands in for one that a library calls.
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -fvisibility=hidden $(WARN) $(WERROR) \
	$(CFLAGS_$(BUILD)) -Isrc -I$(B)/gen $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS := $(LDFLAGS_$(BUILD)) $(LDFLAGS)

# ---- rooms, sources, programs -------------------------------------------

ROOMS := $(shell sed -n 's/^\([a-z]*\):.*/\1/p' ROOMS)
uses = $(shell sed -n 's/^$(1): *//p' ROOMS)
$(foreach r,$(ROOMS),$(eval USES_$(r) := $(call uses,$(r))))
# What a program needs of the system, and what a room.
PROG_LIBS_smtp := -lbsd
PROG_LIBS_stsfetch := -lcurl
LIBS_net := -Wl,--as-needed -lunbound -levent -lidn2 -lssl -lcrypto
LIBS_store := -Wl,--as-needed -lsqlite3
LIBS_smtpta := -Wl,--as-needed -lgsasl
LIBS_tlsrpt := -Wl,--as-needed -lz
LIBS_mailqb := -Wl,--as-needed -ljansson
LIBS_sched := -Wl,--as-needed -levent -ljansson

SRC := $(filter-out src/prog/%,$(wildcard src/*/*.c))
TEST_SRC := $(filter %_test.c,$(SRC))
FUZZ_SRC := $(filter %_fuzz.c,$(SRC))
LIB_SRC := $(filter-out %_test.c %_fuzz.c,$(SRC))
PROG_SRC := $(wildcard src/prog/*.c)
obj = $(patsubst src/%.c,$(B)/obj/%.o,$(1))
lib = $(B)/lib/$(1).a
libs = $(foreach r,$(1) $(USES_$(1)),$(call lib,$(r)))
syslibs = $(foreach r,$(1) $(USES_$(1)),$(LIBS_$(r)))

# What the scheduler runs, what lies beside those to help them, and what
# people run; each kind is installed into a place of its own.
AGENTS := smtp sm
HELPERS := zlaunch stsfetch
TOOLS := submit scheduler tlsrpt mailq
MAINS := $(AGENTS) $(HELPERS) $(TOOLS)
PROGRAMS := $(MAINS:%=$(B)/bin/%)
UNIT_TESTS := $(patsubst src/%.c,$(B)/test/%,$(TEST_SRC))
FUZZERS := $(foreach f,$(FUZZ_SRC),$(patsubst src/%_fuzz.c,%,$(f)))
REPLAYS := $(foreach f,$(FUZZERS),$(B)/replay/$(subst /,-,$(f)))
VERSION := $(shell sed -n 's/^## \([0-9][^ ]*\).*/\1/p' CHANGES | head -n 1)

.PHONY: all demo check check-built setup install deb interop fuzz soak bench \
	ci clean lint format tests check-% FORCE
.SECONDARY:
.DELETE_ON_ERROR:

all: $(PROGRAMS)
tests: $(PROGRAMS) $(UNIT_TESTS) $(REPLAYS)

# ---- building -----------------------------------------------------------

$(B)/gen/version.h: CHANGES Makefile
	@mkdir -p $(@D)
	@printf '#define ZPOST_VERSION "%s"\n' '$(VERSION)' > $@

# Objects are made anew when the compiler or its flags change, -Werror apart.
FLAGS := $(CC) $(filter-out -Werror,$(ALL_CFLAGS))
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

$(B)/obj/%.o: src/%.c $(B)/flags | $(B)/gen/version.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/replay.o: tools/replay.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define room_rules
$(call lib,$(1)): $(call obj,$(filter src/$(1)/%,$(LIB_SRC)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^

$(B)/test/$(1)/%: $(B)/obj/$(1)/%.o $(call libs,$(1))
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ -lcmocka $(call syslibs,$(1))

$(B)/replay/$(1)-%: $(B)/obj/$(1)/%_fuzz.o $(B)/obj/replay.o $(call libs,$(1))
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $(call syslibs,$(1))

$(B)/fuzz/$(1)-%: $(B)/obj/$(1)/%_fuzz.o $(call libs,$(1))
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -fsanitize=fuzzer -o $$@ $$^ $(call syslibs,$(1))

# The unit tests of one room alone.
check-$(1): $(filter $(B)/test/$(1)/%,$(UNIT_TESTS))
	prove $$^
endef
$(foreach r,$(filter-out prog,$(ROOMS)),$(eval $(call room_rules,$(r))))

$(B)/bin/%: $(B)/obj/prog/%.o \
		$(call obj,$(filter-out $(MAINS:%=src/prog/%.c),$(PROG_SRC))) \
		$(foreach r,$(USES_prog),$(call lib,$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PROG_LIBS_$*) \
		$(foreach r,$(USES_prog),$(LIBS_$(r)))

# Executed by the agents again and again: each has only what it needs.
HELPER_ROOM_zlaunch := proc
HELPER_ROOM_stsfetch := store
define helper_rules
$(B)/bin/$(1): $(B)/obj/prog/$(1).o $(call libs,$(HELPER_ROOM_$(1)))
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $(PROG_LIBS_$(1)) \
		$(call syslibs,$(HELPER_ROOM_$(1)))
endef
$(foreach h,$(HELPERS),$(eval $(call helper_rules,$(h))))

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# ---- the two commands ---------------------------------------------------

setup:
	@tools/setup packages.txt

demo: setup
	@$(MAKE) --no-print-directory $(JOBS) all
	@demo/run $(B)/bin

check: setup
	@$(MAKE) --no-print-directory $(JOBS) WERROR=-Werror check-built

check-built: tests
	@tools/check $(B)

lint:
	@tools/lint

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

# ---- the longer ones ----------------------------------------------------

# What make check does of these, and all it has no time for.
interop: setup
	@$(MAKE) --no-print-directory $(JOBS) all
	ZPOST_INTEROP=all ZPOST_BIN=$(B)/bin /usr/bin/python3 -m pytest -q \
		-n $(shell nproc) test/test_interop*.py

fuzz: setup
	@$(MAKE) --no-print-directory $(JOBS) BUILD=fuzz fuzzers
	@for f in $(subst /,-,$(FUZZERS)); do \
		mkdir -p build/corpus/$$f && \
		build/fuzz/fuzz/$$f -max_total_time=$(SECONDS_EACH) \
			-timeout=10 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix=build/fuzz-$$f- \
			build/corpus/$$f test/corpus/$$f || exit 1; \
	done

.PHONY: fuzzers
fuzzers: $(foreach f,$(FUZZERS),$(B)/fuzz/$(subst /,-,$(f)))

TORTURE ?= 10000
soak: setup
	@$(MAKE) --no-print-directory $(JOBS) all
	ZPOST_TORTURE=$(TORTURE) ZPOST_BIN=$(B)/bin /usr/bin/python3 -m pytest \
		-q -s test/test_scheduler_torture.py

BENCH := convert linkdelay load sendloop sink spawn
BENCH_LIBS_sendloop := -lssl -lcrypto
BENCH_LIBS_sink := -lssl -lcrypto
$(B)/bench/%: bench/%.c $(call lib,mime) $(call lib,base)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(BENCH_LIBS_$*)

bench: setup
	@$(MAKE) --no-print-directory $(JOBS) BUILD=release all \
		$(BENCH:%=build/release/bench/%)
	@bench/run $(BENCH_PAGE:%=-w %) build/release/bin

ci: setup
	@tools/ci

# What is installed is built for it, unless BUILD says otherwise.
INSTALLED := $(if $(filter command line,$(origin BUILD)),$(BUILD),release)
BIN ?=
install:
	@[ -n '$(BIN)' ] || $(MAKE) --no-print-directory BUILD=$(INSTALLED) \
		B=build/$(INSTALLED) all
	tools/install '$(or $(BIN),build/$(INSTALLED)/bin)' '$(DESTDIR)' \
		'$(PREFIX)' '$(AGENTS) $(HELPERS)' '$(TOOLS)'

DEB ?= build/deb
deb:
	@tools/deb '$(DEB)' $(if $(BIN),'$(BIN)')

clean:
	rm -rf build
