"""After Keras's example "Image classification with Vision Transformer", with a class token."""

import keras
from keras import layers, ops


class PatchEncoder(layers.Layer):
    def __init__(self, num_patches, projection_dim):
        super().__init__()
        self.projection = layers.Conv2D(projection_dim, 4, strides=4)
        self.class_token = self.add_weight(shape=(1, 1, projection_dim), initializer="zeros", name="class_token")
        self.position_embedding = layers.Embedding(num_patches + 1, projection_dim)
        self.num_patches, self.projection_dim = num_patches, projection_dim

    def call(self, images):
        patches = ops.reshape(self.projection(images), (-1, self.num_patches, self.projection_dim))
        token = ops.repeat(self.class_token, ops.shape(patches)[0], axis=0)
        return ops.concatenate([token, patches], axis=1) + self.position_embedding(ops.arange(self.num_patches + 1))


def block(encoded):
    x1 = layers.LayerNormalization(epsilon=1e-6)(encoded)
    x2 = layers.Add()([layers.MultiHeadAttention(num_heads=2, key_dim=8)(x1, x1), encoded])
    x3 = layers.LayerNormalization(epsilon=1e-6)(x2)
    x3 = layers.Dense(16)(layers.Dense(32, activation=keras.activations.gelu)(x3))
    return layers.Add()([x3, x2])


def model():
    inputs = keras.Input(shape=(16, 16, 3))
    x = PatchEncoder(16, 16)(inputs)
    for _ in range(2):
        x = block(x)
    x = layers.LayerNormalization(epsilon=1e-6)(x)
    return keras.Model(inputs, layers.Dense(10)(x[:, 0]))


def optimizer():
    return keras.optimizers.AdamW(learning_rate=1e-3)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
