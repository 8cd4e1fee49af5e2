"""A character GPT, in Keras."""

import keras
import tensorflow as tf
from keras import layers, ops
from keras.initializers import RandomNormal

CHARACTERS, CONTEXT = 451, 32
RATE, WARM_UP = 3e-3, 10  # the rate rises to its full height in so many steps


def dense(units, activation=None):
    """Starts as in GPT-2."""
    return layers.Dense(units, activation, kernel_initializer=RandomNormal(stddev=0.02))


def norm():
    """With PyTorch's ε; Keras's own is 1e-3."""
    return layers.LayerNormalization(epsilon=1e-5)


class Block(layers.Layer):
    """Attention to all that came before, then a perceptron, each added to what it read."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.width_of_head = heads, width // heads
        self.norm_1 = norm()
        self.query = dense(width)
        self.key = dense(width)
        self.value = dense(width)
        self.mix = dense(width)
        self.norm_2 = norm()
        self.widen = dense(4 * width, "gelu")  # exact; the function keras.ops.gelu would approximate by tanh
        self.narrow = dense(width)

    def split(self, x):
        """(B, T, width) -> (B, T, heads, width / heads): here the time comes before the heads."""
        return ops.reshape(x, (*ops.shape(x)[:2], self.heads, self.width_of_head))

    def call(self, x):
        """(B, T, width) -> the same."""
        normed = self.norm_1(x)
        query, key, value = (self.split(layer(normed)) for layer in (self.query, self.key, self.value))
        # The scale is PyTorch's and Keras's own; but Keras would compute it in float32, whatever the dtype.
        seen = ops.dot_product_attention(query, key, value, is_causal=True, scale=self.width_of_head**-0.5)
        x = x + self.mix(ops.reshape(seen, ops.shape(x)))
        return x + self.narrow(self.widen(self.norm_2(x)))


class GPT(keras.Model):
    """The embedding also makes the logits: a character is likely where its own vector points."""

    def __init__(self, width=64, heads=4, blocks=2):
        super().__init__()
        self.characters = layers.Embedding(CHARACTERS, width, embeddings_initializer=RandomNormal(stddev=0.02))
        self.places = layers.Embedding(CONTEXT, width, embeddings_initializer=RandomNormal(stddev=0.02))
        self.blocks = [Block(width, heads) for _ in range(blocks)]
        self.norm = norm()

    def call(self, text):
        """(B, T) -> logits of the next character (B, T, 451)."""
        x = self.characters(text) + self.places(ops.arange(ops.shape(text)[1]))
        for block in self.blocks:
            x = block(x)
        return ops.matmul(self.norm(x), ops.transpose(self.characters.embeddings))


def model():
    """The GPT."""
    return GPT()


# Mean over all characters; Keras takes the classes last, whatever comes before.
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of each step. The first step is number 0, in both frameworks."""

    def __call__(self, step):
        """The rate of the step with this number."""
        return RATE * ops.minimum(1.0, (ops.cast(step, keras.config.floatx()) + 1) / WARM_UP)


class AdamW(keras.optimizers.AdamW):
    """AdamW by PyTorch's formula, with all gradients clipped together, to a norm of 1."""

    def apply(self, grads, trainable_variables=None):
        """One update of all variables."""
        # The gradient of an embedding names a row as often as its character was read. Keras would square each by
        # itself, and clip by a norm that counts each; a dense gradient holds their sum.
        grads = [tf.convert_to_tensor(gradient) for gradient in grads]
        # PyTorch divides by norm + 1e-6. Keras's global_clipnorm divides by the norm; its clipnorm takes each gradient
        # by itself.
        shrinking = tf.minimum(1.0 / (tf.linalg.global_norm(grads) + 1e-6), 1.0)
        super().apply([shrinking * gradient for gradient in grads], trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        """One update of one variable, after its decay."""
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * ops.square(gradient))
        # In double precision, for in float32 1 - 0.99 is off by 1e-6 of itself.
        step = tf.cast(self.iterations + 1, tf.float64)
        rate = tf.cast(learning_rate, tf.float64) / (1 - self.beta_1**step)
        root = ops.sqrt(square) / tf.cast(tf.sqrt(1 - self.beta_2**step), variable.dtype)
        # ε is added to the corrected root. Keras adds it before the correction, where it weighs 10 times as much at
        # the first step.
        self.assign_sub(variable, tf.cast(rate, variable.dtype) * mean / (root + self.epsilon))


def optimizer():
    """The decay is for matrices alone: these names are all that is none."""
    adamw = AdamW(WarmUp(), weight_decay=0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-8)
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adamw
