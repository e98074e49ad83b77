# make site    build both editions into _build/site        make serve   show the built site on this machine
# make check   text, editions, tools (a minute)            make prove   execute the chapters not proved on this machine
# make test    everything; ALL=1 ignores earlier proofs    make lab     open the notebooks in JupyterLab
# make run CHAPTER=backprop      execute a chapter and carry its outputs to the Chinese edition
# make course CHAPTER=backprop   student and teacher notebooks and slides, in _build/course (all chapters if none is named; TIMED=1 measures)
# make colab [CHAPTER=backprop]   run the chapters in the versions that Google Colab has
PYTHON ?= python3
PORT ?= 8000
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
BOOK := $(BIN)/python -m bookkit
# Quiet TensorFlow; the book is written for the CPU.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export CUDA_VISIBLE_DEVICES ?= -1

.PHONY: environment site serve check prove test lab run course colab
environment:
	@$(PYTHON) -c "" || { echo "There is no '$(PYTHON)' here: install Python 3.11, 3.12 or 3.13, or name one: make site PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m bookkit environment

site: environment
	@$(BOOK) site

serve:
	@test -x $(BIN)/python || { echo "There is no environment yet: run 'make site' first."; exit 1; }
	@$(BOOK) serve --port "$(PORT)"

check: environment
	@$(BOOK) check

prove: environment
	@$(BOOK) prove $(CHAPTER)

test: environment
	@$(BOOK) test $(if $(ALL),--all)

lab: environment
	@$(BIN)/jupyter lab --notebook-dir=book

run: environment
	@test -n "$(CHAPTER)" || { echo "Name the chapter: make run CHAPTER=backprop"; exit 1; }
	@$(BOOK) run $(CHAPTER)

course: environment
	@$(BOOK) course $(CHAPTER) $(if $(TIMED),--timed)

colab: environment
	@$(BOOK) colab $(CHAPTER) $(if $(COLAB_PYTHON),--python $(COLAB_PYTHON))
