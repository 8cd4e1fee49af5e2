"""After keras/src/applications/mobilenet_v2.py, with batch normalisation's own defaults."""

import keras
from keras import layers


def inverted_res_block(x, filters, stride, expansion, block_id):
    inputs, in_channels = x, x.shape[-1]
    x = layers.Conv2D(expansion * in_channels, 1, padding="same", use_bias=False, name=f"block_{block_id}_expand")(x)
    x = layers.BatchNormalization(name=f"block_{block_id}_expand_BN")(x)
    x = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"block_{block_id}_depthwise")(x)
    x = layers.BatchNormalization(name=f"block_{block_id}_depthwise_BN")(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"block_{block_id}_project")(x)
    x = layers.BatchNormalization(name=f"block_{block_id}_project_BN")(x)
    return layers.Add()([inputs, x]) if stride == 1 and in_channels == filters else x


def model():
    inputs = keras.Input(shape=(16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="Conv1")(inputs)
    x = layers.BatchNormalization(name="bn_Conv1")(x)
    x = layers.ReLU(6.0)(x)
    x = inverted_res_block(x, 8, stride=1, expansion=3, block_id=0)
    x = inverted_res_block(x, 12, stride=2, expansion=3, block_id=1)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    outputs = layers.Dense(10, name="predictions")(x)
    return keras.Model(inputs, outputs)


def optimizer():
    return keras.optimizers.SGD(learning_rate=0.01)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
