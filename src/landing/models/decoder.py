"""The open model in Keras: a decoder of the Llama family, and the weights that a GGUF file brings.

The chapter `open-model` builds this step by step; other chapters import it from here. A test shows that both are the same.
Axes: n sequences, T new positions, L positions that the cache holds, d features, `size` features a head.
"""

import keras
import numpy as np
from keras import layers, ops


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
    turned = ops.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return ops.reshape(turned, ops.shape(x))


class Attention(layers.Layer):
    """Causal attention in which several query heads share one head of keys and values."""

    def __init__(self, d, heads, kv_heads, base, **options):
        super().__init__(**options)
        self.heads, self.kv_heads, self.base = heads, kv_heads, base
        self.size = d // heads
        self.query = layers.Dense(heads * self.size, use_bias=False)
        self.key = layers.Dense(kv_heads * self.size, use_bias=False)
        self.value = layers.Dense(kv_heads * self.size, use_bias=False)
        self.output_layer = layers.Dense(d, use_bias=False)

    def build(self, shape):
        for layer in (self.query, self.key, self.value):
            layer.build(shape)
        self.output_layer.build((*shape[:-1], self.heads * self.size))

    def split(self, x, heads):
        return ops.reshape(x, (*ops.shape(x)[:2], heads, self.size))

    def call(self, x, start=0, cache=None):
        """Return the result, (n, T, d), and the cache with the new keys and values.

        cache: None, or keys and values, (2, n, L, kv_heads, size), written from position `start`.
        """
        q = rotate(self.split(self.query(x), self.heads), start, self.base)
        k = rotate(self.split(self.key(x), self.kv_heads), start, self.base)
        v = self.split(self.value(x), self.kv_heads)
        if cache is not None:
            cache = ops.slice_update(cache, (0, 0, start, 0, 0), ops.stack([k, v]))
            k, v = cache[0], cache[1]
        n, time, length = ops.shape(x)[0], ops.shape(x)[1], ops.shape(k)[1]
        group = self.heads // self.kv_heads
        q = ops.reshape(q, (n, time, self.kv_heads, group, self.size))
        score = ops.einsum("btkgs,blks->bkgtl", q, k) / self.size**0.5
        position = start + ops.arange(time)
        past = ops.arange(length)[None, :] <= position[:, None]  # (T, L)
        weight = ops.softmax(ops.where(past, score, -1e9))
        mixed = ops.einsum("bkgtl,blks->btkgs", weight, v)
        return self.output_layer(ops.reshape(mixed, (n, time, self.heads * self.size))), cache


class Block(layers.Layer):
    """Attention, then a gated feed-forward network (SwiGLU); each behind a norm and added to its input."""

    def __init__(self, d, heads, kv_heads, base, hidden, epsilon, **options):
        super().__init__(**options)
        self.norm_1 = layers.RMSNormalization(epsilon=epsilon)
        self.attention = Attention(d, heads, kv_heads, base)
        self.norm_2 = layers.RMSNormalization(epsilon=epsilon)
        self.gate = layers.Dense(hidden, use_bias=False)
        self.up = layers.Dense(hidden, use_bias=False)
        self.down = layers.Dense(d, use_bias=False)

    def build(self, shape):
        for layer in (self.norm_1, self.attention, self.norm_2, self.gate, self.up):
            layer.build(shape)
        self.down.build((*shape[:-1], self.gate.units))

    def call(self, x, start=0, cache=None):
        mixed, cache = self.attention(self.norm_1(x), start=start, cache=cache)
        x = x + mixed
        z = self.norm_2(x)
        return x + self.down(ops.silu(self.gate(z)) * self.up(z)), cache


class Decoder(keras.Model):
    """Tokens in, logits of the next token out. The embedding is also the output layer (tied)."""

    def __init__(self, vocabulary, d, depth, heads, kv_heads, base, hidden, epsilon, **options):
        super().__init__(**options)
        self.d, self.kv_heads, self.size = d, kv_heads, d // heads
        self.embedding = layers.ReversibleEmbedding(vocabulary, d)
        self.blocks = [Block(d, heads, kv_heads, base, hidden, epsilon) for _ in range(depth)]
        self.norm = layers.RMSNormalization(epsilon=epsilon)

    def build(self, shape=None):
        self.embedding.build((None, None))
        for layer in (*self.blocks, self.norm):
            layer.build((None, None, self.d))
        self.built = True

    def call(self, tokens, start=0, caches=None):
        """Return the logits, (n, T, vocabulary); with caches, a list of one a block, also the new caches.

        With `caches` the blocks see the positions before `start` in them, and `tokens` are those from `start` on.
        """
        x = self.embedding(tokens)
        filled = []
        for block, cache in zip(self.blocks, caches or [None] * len(self.blocks)):
            x, cache = block(x, start=start, cache=cache)
            filled.append(cache)
        logits = self.embedding(self.norm(x), reverse=True)
        return logits if caches is None else (logits, filled)

    def empty_caches(self, n, length):
        """Return caches for n sequences of at most `length` positions: one a block."""
        shape = (2, n, length, self.kv_heads, self.size)
        return [ops.zeros(shape) for _ in self.blocks]


# The names that GGUF gives to the weights of a block, and the layers that take them.
NAMES = {
    "attn_norm": lambda block: block.norm_1,
    "attn_q": lambda block: block.attention.query,
    "attn_k": lambda block: block.attention.key,
    "attn_v": lambda block: block.attention.value,
    "attn_output": lambda block: block.attention.output_layer,
    "ffn_norm": lambda block: block.norm_2,
    "ffn_gate": lambda block: block.gate,
    "ffn_up": lambda block: block.up,
    "ffn_down": lambda block: block.down,
}


def load_decoder(path):
    """Read a GGUF file of the Llama family: a Decoder with its weights in float32, and the file's metadata as a dict.

    Raises what `gguf.GGUFReader` raises for a file that is none, and KeyError for a model of another family. The output
    layer must be the embedding: a file with an `output.weight` of its own raises ValueError.
    """
    from gguf import GGUFReader, dequantize

    reader = GGUFReader(path)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    weights = {item.name: dequantize(item.data, item.tensor_type) for item in reader.tensors}
    if "output.weight" in weights:
        raise ValueError(f"{path} has an output layer of its own; this decoder uses the embedding")

    def value(name):
        return metadata[f"llama.{name}"]

    model = Decoder(
        value("vocab_size"),
        value("embedding_length"),
        value("block_count"),
        value("attention.head_count"),
        value("attention.head_count_kv"),
        value("rope.freq_base"),
        value("feed_forward_length"),
        value("attention.layer_norm_rms_epsilon"),
    )
    model.build()
    model.embedding.embeddings.assign(weights["token_embd.weight"])
    model.norm.scale.assign(weights["output_norm.weight"])
    for number, block in enumerate(model.blocks):
        for name, layer_of in NAMES.items():
            weight = weights[f"blk.{number}.{name}.weight"]
            # GGUF keeps a matrix as (out, in), Keras as (in, out).
            layer_of(block).weights[0].assign(weight.T)
    return model, metadata


def load_tokenizer(metadata):
    """Build the tokenizer (`tokenizers.Tokenizer`) from the metadata of a GGUF file; for files that name smollm's rules.

    Raises ValueError for a file with other rules, whose text would be cut otherwise.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    if metadata["tokenizer.ggml.pre"] != "smollm":
        raise ValueError(f"the rules {metadata['tokenizer.ggml.pre']!r} for cutting text are not known here")
    tokens = metadata["tokenizer.ggml.tokens"]
    number_of = {token: number for number, token in enumerate(tokens)}
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(number_of, merges))
    one_digit_at_a_time = pre_tokenizers.Digits(individual_digits=True)
    bytes_as_letters = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([one_digit_at_a_time, bytes_as_letters])
    tokenizer.decoder = decoders.ByteLevel()
    control = 3  # GGUF's kind of token that is no text, such as <|im_start|>
    kinds = metadata["tokenizer.ggml.token_type"]
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds) if kind == control])
    return tokenizer
