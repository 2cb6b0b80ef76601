# The project's verbs. Each makes sure first that .venv is there and current (scripts/bootstrap, 0.1 s if so).
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
BIN := .venv/bin
# Files of tests (of test-nested: boxes) that run at once. Most of them wait for processes, so there is something to gain on two processors.
JOBS ?= 2
TEMPEST_DRIVER ?= kvm
TEMPEST_CREDENTIALS ?= dynamic
# Empty where /dev/kvm runs Linux: then tempest-ssh needs no machine of its own.
TEMPEST_BOX ?= --box

.PHONY: help bootstrap build demo serve test test-nested test-debian test-companions tempest tempest-ssh clients fuzz fuzz-api lint typecheck bench bench-nested api-ref screenshots sample-config clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bootstrap:
	@scripts/bootstrap

build: bootstrap ## Virtual environment with the package in it: C extension and guests built

demo: bootstrap ## The main job, shown by an HTTP client against a real server (KEEP=1 leaves it running)
	@$(PY) -m demo

serve: bootstrap ## API and agent in the foreground on 127.0.0.1:8774
	@exec $(BIN)/nova-lite serve

test: bootstrap ## Every tier that this machine can run: static, unit, functional, kvm (JOBS=… at once)
	@$(PY) -m pytest -n $(JOBS) --dist loadfile -p tests.tiers tests/static tests/unit tests/functional tests/kvm

test-nested: bootstrap ## Tests in QEMU machines with a real kvm-amd (tests/nested/kvmbox --prepare gets what they need)
	@$(PY) -m pytest -n $(JOBS) --dist loadfile -p tests.tiers tests/nested

DEBIAN_STATE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nova-lite-kvmbox/debian
test-debian: bootstrap ## In such a machine, a Debian of `nova-lite image build debian` as a server; minutes
	@$(BIN)/nova-lite --state-path $(DEBIAN_STATE) image list | grep -q debian- || \
		$(BIN)/nova-lite --state-path $(DEBIAN_STATE) image build debian
	@NOVA_LITE_DEBIAN_STATE=$(DEBIAN_STATE) $(PY) -m pytest -s -p tests.tiers tests/nested/inside/test_debian_image.py

test-companions: bootstrap ## Beside a real Keystone and Glance, installed from PyPI into build/ (three minutes, once)
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[keystone,glance]'
	@$(PY) -m tests.own_venv companions # here, where no test's time limit counts
	@$(PY) -m pytest tests/companions

tempest: bootstrap ## OpenStack's Tempest on real VMs (TESTS=regex TEMPEST_DRIVER=fake TEMPEST_CREDENTIALS=accounts)
	@$(PY) -m tests.tempest $(if $(TESTS),'$(TESTS)') --driver $(TEMPEST_DRIVER) --credentials $(TEMPEST_CREDENTIALS) \
		--concurrency $(JOBS)

tempest-ssh: bootstrap ## Tempest's tests that log in to Linux servers by ssh, in a QEMU machine (TEMPEST_BOX= on this machine's KVM)
	@$(PY) -m tests.tempest $(if $(TESTS),'$(TESTS)') --ssh $(TEMPEST_BOX) --concurrency 1

clients: bootstrap ## openstackclient, openstacksdk, novaclient and Ansible, from PyPI into build/, on real VMs
	@$(PY) -m tests.own_venv clients
	@$(PY) -m pytest --timeout 0 tests/clients

fuzz: bootstrap ## Hostile guests, kernels and disks: ten minutes for each kind of them (SECONDS=…); needs clang
	@$(PY) fuzz/run.py $(or $(SECONDS),600)

fuzz-api: bootstrap ## Schemathesis against the API in process, at four versions (EXAMPLES=… to each operation)
	@FUZZ_API=$(or $(EXAMPLES),50) $(PY) -m pytest -q --timeout 0 -n $(JOBS) tests/functional/test_schemathesis.py

lint: bootstrap ## ruff
	@$(BIN)/ruff check .

typecheck: bootstrap ## mypy
	@$(BIN)/mypy

bench: bootstrap ## Repeatable measurements, JSON on standard output
	@$(PY) -m bench

bench-nested: bootstrap ## Linux on our VMM beside QEMU's microvm and q35, in an emulated machine: minutes
	@nice -n 15 $(PY) -m bench --nested

api-ref: bootstrap ## Generate api-ref/ from the operation table
	@$(BIN)/nova-lite api-ref build

screenshots: bootstrap ## Pictures of docs/images, by a headless Chromium
	@$(PY) -m scripts.screenshots

sample-config: bootstrap ## Generate etc/nova-lite.conf and etc/policy.yaml
	@mkdir -p etc
	@$(BIN)/oslo-config-generator --namespace nova_lite --output-file etc/nova-lite.conf
	@$(BIN)/oslopolicy-sample-generator --namespace nova_lite --output-file etc/policy.yaml

clean: ## Remove everything that was built, .venv included; no state folder is touched
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/results
	find nova_lite tests -name __pycache__ -type d -prune -exec rm -rf {} +
	find nova_lite/hv -name '*.so' -delete -o -name '*.o' -delete -o -name '_kvm.c' -delete
	rm -f nova_lite/hv/guests/*.bin nova_lite/hv/guests/*.elf
