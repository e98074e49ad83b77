"""The small GPT of the chapter `mini-gpt`, whose two published files `small_gpt_paths` names.

The chapter builds this step by step, and a test shows that both are the same. Import this module before
`keras.models.load_model` reads such a file: it registers the two layers that are not Keras' own.
Axes: n sequences, T new positions, L positions that a cache holds, d features, `size` features a head.
"""

import keras
from keras import layers, ops


class Attention(layers.Layer):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.size = heads, d // heads
        self.qkv = layers.Dense(3 * d, use_bias=False)
        self.mix = layers.Dense(d, use_bias=False)

    def build(self, shape):
        self.qkv.build(shape)
        self.mix.build(shape)

    def call(self, x, start=0, cache=None):
        T, d = ops.shape(x)[1], x.shape[2]
        qkv = ops.reshape(self.qkv(x), (-1, T, 3, self.heads, self.size))
        q, k, v = qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]
        if cache is not None:
            k = ops.slice_update(cache[0], (0, start, 0, 0), k)
            v = ops.slice_update(cache[1], (0, start, 0, 0), v)
        score = ops.einsum("nthi,nlhi->nhtl", q, k) / self.size**0.5
        now = start + ops.arange(T)
        seen = ops.arange(ops.shape(k)[1]) <= now[:, None]
        weight = ops.softmax(ops.where(seen, score, -1e9))
        mixed = ops.einsum("nhtl,nlhi->nthi", weight, v)
        return self.mix(ops.reshape(mixed, (-1, T, d))), (k, v)


@keras.saving.register_keras_serializable("landing")
class Block(layers.Layer):
    def __init__(self, d, heads, dropout=0.0, **options):
        super().__init__(**options)
        self.d, self.heads, self.dropout = d, heads, dropout
        self.norm_1 = layers.RMSNormalization(epsilon=1e-5)
        self.attention = Attention(d, heads)
        self.norm_2 = layers.RMSNormalization(epsilon=1e-5)
        self.up = layers.Dense(4 * d, activation="gelu")
        self.down = layers.Dense(d)
        self.drop = layers.Dropout(dropout)

    def build(self, shape):
        for part in (self.norm_1, self.attention, self.norm_2, self.up):
            part.build(shape)
        self.down.build((None, None, 4 * self.d))

    def call(self, x, start=0, cache=None):
        more, cache = self.attention(self.norm_1(x), start=start, cache=cache)
        x = x + self.drop(more)
        return x + self.drop(self.down(self.up(self.norm_2(x)))), cache

    def get_config(self):
        mine = {"d": self.d, "heads": self.heads, "dropout": self.dropout}
        return {**super().get_config(), **mine}


@keras.saving.register_keras_serializable("landing")
class Position(layers.Layer):
    def __init__(self, length, **options):
        super().__init__(**options)
        self.length = length

    def build(self, shape):
        shape = (self.length, shape[-1])
        small = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=shape, initializer=small)

    def call(self, x, start=0):
        now = start + ops.arange(ops.shape(x)[1])
        return x + ops.take(self.table, now, axis=0)

    def get_config(self):
        return {**super().get_config(), "length": self.length}


def make_gpt(size, length, d, depth, heads, dropout=0.0):
    small = keras.initializers.RandomNormal(stddev=0.02)
    tokens = layers.ReversibleEmbedding(size, d, embeddings_initializer=small, name="tokens")
    inputs = keras.Input((None,), dtype="int32")
    x = Position(length, name="position")(tokens(inputs))
    for i in range(depth):
        x, _ = Block(d, heads, dropout, name=f"block_{i}")(x)
    x = layers.RMSNormalization(epsilon=1e-5, name="norm")(x)
    return keras.Model(inputs, tokens(x, reverse=True))


def empty_caches(model, n):
    length = model.get_layer("position").length
    blocks = [layer for layer in model.layers if isinstance(layer, Block)]
    shapes = [(n, length, b.heads, b.d // b.heads) for b in blocks]
    return [(ops.zeros(shape), ops.zeros(shape)) for shape in shapes]


def gpt_step(model, new, start, caches):
    tokens = model.get_layer("tokens")
    x = model.get_layer("position")(tokens(new), start=start)
    filled = []
    for i, cache in enumerate(caches):
        block = model.get_layer(f"block_{i}")
        x, cache = block(x, start=start, cache=cache)
        filled.append(cache)
    return tokens(model.get_layer("norm")(x), reverse=True), filled
