# make run    from images to a served encoder (the bundled digits)
#             DATA=folder of images   OUT=folder for output   PRESET=digits|laptop|cifar10|imagenet
#             ARGS="--train.epochs 20 ..." any flag of python -m pipeline.local_runner --help
# make test   the fast tests          make test-slow   the end-to-end tests
# make test-exhaustive        more of what the end-to-end tests do for a sample
# make test-changed           the fast tests that a change since main (or BASE=...) can touch
# make test-current           the main job and the tests on lane b, in a Debian 13 of its own
# make lint   ruff, mypy              make lock        new versions into requirements/*.lock
# make docs   the documentation, into site/index.html

PYTHON = .venv/bin/python
# Compiled modules are kept, whatever the environment says: else each of the hundred processes of the
# tests compiles TensorFlow and TFX anew, which takes 10 s and more.
unexport PYTHONDONTWRITEBYTECODE
# flag NAME VARIABLE: as it was given, whatever quotes and dollars it holds.
flag = $(if $(value $(2)),$(1) '$(subst ','\'',$(value $(2)))')
# A file's tests stay in one process, for what they share. Long files come first (tests/conftest.py).
SPREAD = --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder
FLAGS = $(call flag,--data,DATA) $(call flag,--out,OUT) $(call flag,--preset,PRESET)

# What `make run` is given by name. A variable of no meaning would be passed over in silence; one
# that a make around this one was given is none of our business.
KNOWN = DATA OUT PRESET ARGS PYTHON SHELL MAKEFLAGS
ifeq ($(MAKELEVEL),0)
ifneq ($(filter run,$(or $(MAKECMDGOALS),run)),)
GIVEN = $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(KNOWN),$(GIVEN))
ifneq ($(UNKNOWN),)
$(error make run takes DATA, OUT, PRESET and ARGS, not $(UNKNOWN); a setting is given by its flag, \
as in ARGS="--train.epochs 3", and ARGS=--help lists all)
endif
endif
endif

.PHONY: run test test-changed test-brief test-slow test-slow-brief test-exhaustive test-current lint docs lock env clean

run: env
	@$(PYTHON) -m pipeline.local_runner $(FLAGS) $(ARGS)

test: env
	$(PYTHON) -m pytest $(SPREAD) $(ARGS)

test-slow: env
	$(PYTHON) -m pytest $(SPREAD) -m slow $(ARGS)

test-exhaustive: env
	$(PYTHON) -m pytest $(SPREAD) -m exhaustive $(ARGS)

test-changed: env
	@tests=$$($(PYTHON) -m scripts.changed_tests $(or $(BASE),main)) && \
	if [ -n "$$tests" ]; then $(PYTHON) -m pytest $(SPREAD) $(ARGS) $$tests; \
	else echo "no test is touched by what changed"; fi

# For lane b, what does not depend on the lane left out: numpy alone, HTML, documents, examples.
# Of the end-to-end tests those in which TFX, Beam, TensorFlow and Keras do most; .github runs all.
OF_ANY_LANE = $(addprefix --ignore tests/,test_docs.py test_docs_pages.py test_examples.py \
	test_notebooks.py test_project_files.py tf_scl/drift tf_scl/evaluation/test_representation.py \
	tf_scl/report tf_scl/theory)
FIRST_RUN = test_first_run_cached_run_changed_setting_changed_code_new_image
OF_THE_LANE = $(addprefix tests/,pipeline/test_end_to_end.py::$(FIRST_RUN) \
	pipeline/test_kubeflow_run.py tf_scl/augmentation/test_two_views.py \
	tf_scl/callbacks/test_checkpoint_and_resume.py tf_scl/ingestion/test_ingest.py \
	tf_scl/models/test_methods.py tf_scl/test_distribute.py tf_scl/test_serving_fuzz.py \
	tf_scl/test_training.py)

test-brief: ARGS += $(OF_ANY_LANE)
test-brief: test

test-slow-brief: ARGS += $(OF_THE_LANE)
test-slow-brief: test-slow

test-current:
	@scripts/test_current.sh

lint: env
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

# Strict: a link to nowhere, or a name that is not in the sources, ends the build. Not --quiet: only
# warnings that are printed count.
docs:
	@scripts/setup_env.sh docs
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=. .venv-docs/bin/python -m mkdocs build --strict
	@echo "wrote site/index.html; with its search: python3 -m http.server --directory site"

env:
	@scripts/setup_env.sh

# The lowest Python of each lane; --universal covers the others.
lock: env
	uv=$$(command -v uv || echo .tools/uv/bin/uv); for lane in a:3.10 b:3.11; do \
	$$uv pip compile --quiet --universal --upgrade --generate-hashes --no-header --no-annotate \
	  --python-version $${lane#*:} --extra kubeflow --extra onnx --extra dev --override requirements/overrides.txt \
	  pyproject.toml requirements/lane-$${lane%:*}.in -o requirements/lane-$${lane%:*}.lock || exit 1; \
	done; \
	$$uv pip compile --quiet --universal --upgrade --generate-hashes --no-header --no-annotate \
	  --python-version 3.10 requirements/docs.in -o requirements/docs.lock

clean:
	rm -rf .venv .venv-docs .tools site
