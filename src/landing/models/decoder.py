"""The open model in Keras: a decoder of the Llama family, and the weights that a GGUF file brings.

The chapter `open-model` builds this step by step; other chapters import it from here. A test shows that both are the same.
Axes: n sequences, T new positions, L positions that the cache holds, d features, `size` features a head.
"""

import operator

import gguf
import keras
import numpy as np
from keras import layers, ops
from tokenizers import Tokenizer, decoders, models, pre_tokenizers


def make_norm(d, epsilon):
    """Return a layer that divides d features by the root of their mean square, and scales them."""
    layer = layers.RMSNormalization(epsilon=epsilon)
    layer.build((None, d))
    return layer


def make_dense(inputs, outputs):
    """Return a dense layer without bias, its weights made at once."""
    layer = layers.Dense(outputs, use_bias=False)
    layer.build((None, inputs))
    return layer


def rotate(x, start, base):
    """Turn pairs of neighbouring features by an angle that grows with the position (rotary positions).

    x: (n, T, heads, size); `start` is the position of its first vector. Pair i turns by position / base**(2 i / size).
    """
    time, size = ops.shape(x)[1], x.shape[-1]
    speed = base ** (-np.arange(0, size, 2, dtype="float32") / size)
    position = ops.cast(start + ops.arange(time), "float32")
    angle = position[:, None, None] * speed  # (T, 1, size / 2)
    cos, sin = ops.cos(angle), ops.sin(angle)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = [even * cos - odd * sin, even * sin + odd * cos]
    return ops.reshape(ops.stack(turned, axis=-1), ops.shape(x))


def attend(q, k, v, start):
    """Mix the values v: causal attention in which several query heads share one head of keys and values.

    q: (n, T, heads, size), from position `start` on; k, v: (n, L, kv_heads, size). Returns (n, T, heads, size).
    """
    n, time, heads, size = ops.shape(q)
    length, kv_heads = ops.shape(k)[1:3]
    shape = (n, time, kv_heads, heads // kv_heads, size)
    grouped = ops.reshape(q, shape)
    score = ops.einsum("btkgs,blks->bkgtl", grouped, k) / size**0.5
    position = start + ops.arange(time)
    past = ops.arange(length) <= position[:, None]  # (T, L)
    weight = ops.softmax(ops.where(past, score, -1e9))
    mixed = ops.einsum("bkgtl,blks->btkgs", weight, v)
    return ops.reshape(mixed, ops.shape(q))


class Attention(layers.Layer):
    """Queries, keys and values, rotated; `attend`; and a layer that mixes the heads."""

    def __init__(self, d, heads, kv_heads, base):
        super().__init__()
        self.heads, self.kv_heads, self.base = heads, kv_heads, base
        self.size = d // heads
        self.query = make_dense(d, d)
        self.key = make_dense(d, kv_heads * self.size)
        self.value = make_dense(d, kv_heads * self.size)
        self.output_layer = make_dense(d, d)
        self.built = True

    def call(self, x, start=0, cache=None):
        """Return the result, (n, T, d), and the cache with the new keys and values.

        cache: None, or keys and values, (2, n, L, kv_heads, size), written from position `start`.
        """
        n, time, _ = ops.shape(x)
        q = ops.reshape(self.query(x), (n, time, self.heads, self.size))
        k = ops.reshape(self.key(x), (n, time, self.kv_heads, self.size))
        v = ops.reshape(self.value(x), (n, time, self.kv_heads, self.size))
        q, k = rotate(q, start, self.base), rotate(k, start, self.base)
        if cache is not None:
            place = (0, 0, start, 0, 0)
            cache = ops.slice_update(cache, place, ops.stack([k, v]))
            k, v = cache[0], cache[1]
        mixed = ops.reshape(attend(q, k, v, start), ops.shape(x))
        return self.output_layer(mixed), cache


class Block(layers.Layer):
    """Attention, then a gated feed-forward network (SwiGLU); each behind a norm and added to its input."""

    def __init__(self, d, heads, kv_heads, base, hidden, epsilon):
        super().__init__()
        self.norm_1 = make_norm(d, epsilon)
        self.attention = Attention(d, heads, kv_heads, base)
        self.norm_2 = make_norm(d, epsilon)
        self.gate = make_dense(d, hidden)
        self.up = make_dense(d, hidden)
        self.down = make_dense(hidden, d)
        self.built = True

    def call(self, x, start=0, cache=None):
        """Return the result, (n, T, d), and the cache of the attention."""
        mixed, cache = self.attention(self.norm_1(x), start=start, cache=cache)
        x = x + mixed
        h = self.norm_2(x)
        return x + self.down(ops.silu(self.gate(h)) * self.up(h)), cache


class Decoder(keras.Model):
    """Tokens in, logits of the next token out. The embedding is also the output layer (tied)."""

    def __init__(self, vocabulary, d, depth, *others):
        """The others are the number of query heads and of key heads, the base, the width `hidden`, and epsilon."""
        super().__init__()
        heads, kv_heads, base, hidden, epsilon = others
        self.embedding = layers.ReversibleEmbedding(vocabulary, d)
        self.embedding.build((None, None))
        self.blocks = [Block(d, *others) for _ in range(depth)]
        self.norm = make_norm(d, epsilon)
        self.cache_shape = (kv_heads, d // heads)
        self.built = True

    def call(self, tokens, start=0, caches=None):
        """Return the logits, (n, T, vocabulary); with caches, a list of one a block, also the new caches.

        With `caches` the blocks see the positions before `start` in them, and `tokens` are those from `start` on.
        """
        x = self.embedding(tokens)
        filled = []
        for number, block in enumerate(self.blocks):
            cache = caches[number] if caches else None
            x, cache = block(x, start=start, cache=cache)
            filled.append(cache)
        logits = self.embedding(self.norm(x), reverse=True)
        return (logits, filled) if caches else logits

    def empty_caches(self, n, length):
        """Return caches for n sequences of at most `length` positions: one a block."""
        return [ops.zeros((2, n, length, *self.cache_shape)) for _ in self.blocks]


# The names that GGUF gives to the weights of a block, and where the block keeps them.
NAMES = {
    "attn_norm": "norm_1",
    "attn_q": "attention.query",
    "attn_k": "attention.key",
    "attn_v": "attention.value",
    "attn_output": "attention.output_layer",
    "ffn_norm": "norm_2",
    "ffn_gate": "gate",
    "ffn_up": "up",
    "ffn_down": "down",
}


def unpack(reader):
    """Return the metadata, a dict, and the weights in float32, a dict of arrays, of a `gguf.GGUFReader`."""
    metadata = {}
    for name, field in reader.fields.items():
        metadata[name] = field.contents()
    weights = {}
    for tensor in reader.tensors:
        weights[tensor.name] = gguf.dequantize(tensor.data, tensor.tensor_type)
    return metadata, weights


def make_decoder(metadata):
    """Return a Decoder of the sizes that a file of the Llama family states; KeyError for another family."""
    names = (
        "vocab_size",
        "embedding_length",
        "block_count",
        "attention.head_count",
        "attention.head_count_kv",
        "rope.freq_base",
        "feed_forward_length",
        "attention.layer_norm_rms_epsilon",
    )
    return Decoder(*(metadata[f"llama.{name}"] for name in names))


def fill(model, weights):
    """Give a Decoder the weights of a file.

    Raises ValueError for a file with an output layer of its own: the Decoder uses the embedding.
    """
    if "output.weight" in weights:
        raise ValueError("the file has an output layer of its own")
    model.embedding.embeddings.assign(weights["token_embd.weight"])
    model.norm.scale.assign(weights["output_norm.weight"])
    for number, block in enumerate(model.blocks):
        for name, place in NAMES.items():
            layer = operator.attrgetter(place)(block)
            # GGUF keeps a matrix as (out, in), Keras as (in, out).
            layer.weights[0].assign(weights[f"blk.{number}.{name}.weight"].T)


def load_decoder(path):
    """Read a GGUF file of the Llama family: a Decoder with its weights in float32, and the file's metadata as a dict.

    Raises what `gguf.GGUFReader` raises for a file that is none, and what `make_decoder` and `fill` raise.
    """
    metadata, weights = unpack(gguf.GGUFReader(path))
    model = make_decoder(metadata)
    fill(model, weights)
    return model, metadata


def load_tokenizer(metadata):
    """Build the tokenizer (`tokenizers.Tokenizer`) from the metadata of a GGUF file; for files that name smollm's rules.

    Raises ValueError for a file with other rules, whose text would be cut otherwise.
    """
    if metadata["tokenizer.ggml.pre"] != "smollm":
        raise ValueError("other rules for cutting text")
    tokens = metadata["tokenizer.ggml.tokens"]
    number_of = {token: number for number, token in enumerate(tokens)}
    merges = [tuple(m.split(" ")) for m in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(number_of, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3  # GGUF's kind of token that is no text, such as <|im_start|>
    kinds = metadata["tokenizer.ggml.token_type"]
    special = [t for t, kind in zip(tokens, kinds) if kind == control]
    tokenizer.add_special_tokens(special)
    return tokenizer
