"""After Keras's example "Text classification with Transformer", with GELU and a pooler as BERT has them."""

import keras
from keras import layers, ops


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim // num_heads)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="gelu"), layers.Dense(embed_dim)])
        self.layernorm1 = layers.LayerNormalization()
        self.layernorm2 = layers.LayerNormalization()
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, inputs):
        attn_output = self.dropout1(self.att(inputs, inputs))
        out1 = self.layernorm1(inputs + attn_output)
        ffn_output = self.dropout2(self.ffn(out1))
        return self.layernorm2(out1 + ffn_output)


class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim):
        super().__init__()
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x):
        positions = ops.arange(0, ops.shape(x)[-1], 1)
        return self.token_emb(x) + self.pos_emb(positions)


def model():
    inputs = layers.Input(shape=(12,), dtype="int32")
    x = TokenAndPositionEmbedding(12, 40, 16)(inputs)
    x = TransformerBlock(16, 2, 32)(x)
    x = TransformerBlock(16, 2, 32)(x)
    x = layers.Dense(16, activation="tanh")(x[:, 0])
    outputs = layers.Dense(3)(x)
    return keras.Model(inputs=inputs, outputs=outputs)


def optimizer():
    return keras.optimizers.AdamW(5e-4)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
