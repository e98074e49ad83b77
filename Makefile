# make site   build both editions into _build/site        make serve   show the built site on this machine
# make test   run the whole test suite                    make lab     open the notebooks in JupyterLab
# make course CHAPTER=backprop   student and teacher notebooks and slides, in _build/course (all chapters if none is named; TIMED=1 measures)
# make colab [CHAPTER=backprop]   run the chapters in the versions that Google Colab has
# make run CHAPTER=backprop   execute a chapter and carry its outputs to the Chinese edition
PYTHON ?= python3
PORT ?= 8000
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
# Quiet TensorFlow; the book is written for the CPU.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export CUDA_VISIBLE_DEVICES ?= -1

.PHONY: environment site serve test lab run course colab
environment:
	@$(PYTHON) -c "" || { echo "There is no '$(PYTHON)' here: install Python 3.11, 3.12 or 3.13, or name one: make site PYTHON=python3.12"; exit 1; }
	@$(PYTHON) tools/make_environment.py

site: environment
	@$(BIN)/python tools/build_site.py

serve:
	@test -x $(BIN)/python || { echo "There is no environment yet: run 'make site' first."; exit 1; }
	@$(BIN)/python tools/serve_site.py --port $(PORT)

test: environment
	@status=0; \
	$(BIN)/python -m pytest -m "not timed" --numprocesses=2 --dist=loadfile --no-loadscope-reorder || status=1; \
	$(BIN)/python -m pytest -m timed || status=1; \
	exit $$status

lab: environment
	@$(BIN)/jupyter lab --notebook-dir=book

run:
	@test -n "$(CHAPTER)" || { echo "Name the chapter: make run CHAPTER=backprop"; exit 1; }
	@test -f book/en/$(CHAPTER).ipynb || { echo "There is no book/en/$(CHAPTER).ipynb"; exit 1; }
	@$(MAKE) --no-print-directory environment
	@$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False book/en/$(CHAPTER).ipynb
	@$(BIN)/python tools/sync_editions.py $(CHAPTER)

course: environment
	@$(BIN)/python tools/make_course.py $(CHAPTER) $(if $(TIMED),--timed)

colab: environment
	@$(BIN)/python -m bookkit.colab $(CHAPTER) $(if $(COLAB_PYTHON),--python $(COLAB_PYTHON))
