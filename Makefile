# What a person does with this repository: `make up` runs the storefront, `make test` runs everything that checks it.
# `make help` lists the rest. Everything that is made lands in .build, and in the castle's own state folder.

CONFIGURATION ?= debug
FILE ?= Examples/storefront/castle.yaml
PORT ?= 4566
export CONFIGURATION FILE PORT

.DEFAULT_GOAL := help
.PHONY: help up down destroy status build test test-fast lint format bench fuzz models clean

help:                ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

up:                  ## install what is missing, build, run the storefront, print its addresses
	@Tools/up

down:                ## stop the storefront; its data is kept
	@Tools/castle down --file $(FILE)

destroy:             ## stop the storefront and remove its data (asks first)
	@Tools/castle destroy --file $(FILE)

status:              ## what runs
	@Tools/castle status --file $(FILE)

build:               ## build the programs (CONFIGURATION=release for optimised ones)
	@Tools/install run
	@Tools/build

test:                ## the whole test suite, with everything it needs
	@Tools/test

test-fast:           ## the tests that start no engine
	@Tools/test fast

lint:                ## say where our own sources are not formatted as agreed
	@Tools/sources | xargs -0 swift format lint --strict --parallel

format:              ## format our own sources
	@Tools/sources | xargs -0 swift format --in-place --parallel

bench:               ## measure, beside nginx, HAProxy, Envoy and moto (builds optimised programs: slow the first time)
	@Tools/bench

fuzz:                ## libFuzzer in front of every parser and of the HTTP/2 sessions, ten minutes each (Tools/fuzz SECONDS TARGET for less)
	@Tools/fuzz

models:              ## write Sources/Models anew from the installed botocore
	@Tools/generate

clean:               ## remove what was built
	swift package clean
