"""The rows of docs/differences.md: what to call each default, what it does to a curve, and how to take on the other's.

A row's key is the name of its probe in both frameworks. What the frameworks do is nowhere here: it is measured.

The code uses the names that a reader will have: `layer`, `model`, `optimizer`, `parameters`, `inputs`, `labels`,
`logits`, `rate` and so on. A test runs each piece.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """A row. `pytorch` gives PyTorch Keras's default, `keras` gives Keras PyTorch's; empty where they are the same."""

    key: str
    item: str
    curve: str
    pytorch: str = ""
    keras: str = ""


LAYERS = (
    Row(
        "dense_kernel_layout",
        "kernel of a dense layer from 3 to 5",
        "None by itself. A kernel carried over untransposed fits where both sizes are equal, and starts another curve.",
        "kernel = layer.weight.detach().numpy().T",
        "weight = layer.kernel.numpy().T",
    ),
    Row(
        "dense_kernel_initialiser",
        "first weights of a dense layer",
        "Another start: the first epochs differ, and deep networks may learn at another pace.",
        "nn.init.xavier_uniform_(layer.weight)",
        'keras.layers.Dense(units, kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"))',
    ),
    Row(
        "dense_bias_initialiser",
        "first biases of a dense layer",
        "Another first loss: the smallest of the differences in a start.",
        "nn.init.zeros_(layer.bias)",
        "keras.layers.Dense(units, bias_initializer=keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5))",
    ),
    Row(
        "embedding_initialiser",
        "first vectors of an embedding",
        "A start some 35 times as large on one side: the first loss and the pace of learning differ much.",
        "nn.init.uniform_(embedding.weight, -0.05, 0.05)",
        "keras.layers.Embedding(rows, width, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0))",
    ),
    Row(
        "lstm_forget_bias",
        "LSTM: first bias of the forget gate, on average",
        "A step keeps 73 % of the memory at first where it is 1, half where it is 0: there long sequences take longer.",
        "lstm.bias_ih_l0.detach()[width : 2 * width].fill_(1)",
        "keras.layers.LSTM(width, unit_forget_bias=False)",
    ),
    Row(
        "halving_padding",
        'convolution of stride 2 that halves its input, `padding=1` and `padding="same"`: zeros are added',
        "Weights carried over see every image moved by one pixel, once more in each such layer: a worse test.",
        "F.conv1d(F.pad(signal, (0, 1)), kernel, stride=2)",
        "keras.ops.conv(keras.ops.pad(signal, ((0, 0), (1, 1), (0, 0))), kernel, strides=2)",
    ),
    Row(
        "flattened_convolution",
        "outputs of a convolution are flattened",
        "None by itself. The next dense layer's weights, carried over as they are, meet the wrong inputs.",
        "outputs.permute(0, 2, 3, 1).flatten(1)",
        "keras.layers.Flatten()(keras.ops.transpose(outputs, (0, 3, 1, 2)))",
    ),
    Row(
        "float64_into_a_float32_layer",
        "float64 inputs of a layer made without a dtype",
        "A float64 run that is none: its curve carries float32 noise, and nobody is told.",
        "layer(inputs.float())",
        'keras.layers.Dense(units, dtype="float64")',
    ),
    Row(
        "batch_norm_epsilon",
        "batch normalisation: ε",
        "Features of small variance are scaled up less; training and test curves both move.",
        "nn.BatchNorm1d(width, eps=1e-3)",
        "keras.layers.BatchNormalization(epsilon=1e-5)",
    ),
    Row(
        "batch_norm_momentum",
        "batch normalisation: the number called momentum",
        "The same number means the opposite: copied over, the running statistics follow the last batch alone.",
        "nn.BatchNorm1d(width, momentum=0.01)",
        "keras.layers.BatchNormalization(momentum=0.9)",
    ),
    Row(
        "batch_norm_weight_of_the_new",
        "batch normalisation: weight of a new batch in the running statistics",
        "The test curve lags behind the training curve for some hundred steps where it is small.",
        "nn.BatchNorm1d(width, momentum=0.01)",
        "keras.layers.BatchNormalization(momentum=0.9)",
    ),
    Row(
        "batch_norm_running_variance",
        "batch normalisation: variance that is kept for the test",
        "The test curve moves with small batches: by n/(n − 1) in the variance. The training curve does not.",
        "layer.running_var.copy_(torch.lerp(before, inputs.var(0, correction=0), layer.momentum))",
        "layer.moving_variance.assign(layer.momentum * before + (1 - layer.momentum) * np.var(inputs, 0, ddof=1))",
    ),
    Row(
        "batch_norm_frozen",
        "batch normalisation whose parameters are frozen, in training",
        "In fine-tuning: the frozen layers of one side drift with the new data, and its test curve with them.",
        "layer.eval()",
        "layer.gamma.trainable = layer.beta.trainable = False",
    ),
    Row(
        "layer_norm_epsilon",
        "layer normalisation: ε",
        "Examples of small variance are scaled up less.",
        "nn.LayerNorm(width, eps=1e-3)",
        "keras.layers.LayerNormalization(epsilon=1e-5)",
    ),
    Row("dropout_scale", "dropout: what is kept is", "Otherwise everything behind it would be of another size."),
    Row(
        "dropout_of_a_new_layer",
        "dropout of a layer that was told nothing",
        "Left on in a test: worse and noisy there. Left off in a loop of one's own: it overfits sooner.",
        "model.eval()",
        "model(inputs, training=True)",
    ),
    Row(
        "leaky_relu_layer",
        "leaky ReLU, the layer: slope",
        "Another function: another curve from the first loss on.",
        "nn.LeakyReLU(negative_slope=0.3)",
        "keras.layers.LeakyReLU(negative_slope=0.01)",
    ),
    Row(
        "leaky_relu_function",
        "leaky ReLU, the function: slope",
        "Another function; in one of the frameworks not even that of its own layer.",
        "F.leaky_relu(inputs, negative_slope=0.2)",
        "keras.activations.leaky_relu(inputs, negative_slope=0.01)",
    ),
    Row(
        "gelu_function",
        "GELU, the function",
        "Outputs up to 5e-4 apart: float32 curves part within a few steps.",
        'F.gelu(inputs, approximate="tanh")',
        "keras.ops.gelu(inputs, approximate=False)",
    ),
    Row("relu_gradient_at_zero", "ReLU: gradient at 0", "Otherwise units that see only zeros would learn on one side."),
)

OPTIMIZERS = (
    Row(
        "sgd_learning_rate",
        "SGD: rate",
        "One curve falls ten times as fast.",
        "torch.optim.SGD(parameters, lr=1e-2)",
        "keras.optimizers.SGD(1e-3)",
    ),
    Row(
        "sgd_momentum",
        "SGD with momentum: where the rate enters",
        "None at a constant rate. After each change one side still moves at the old rate for about 1/(1 − μ) steps.",
        'for p in parameters: optimizer.state[p]["momentum_buffer"].mul_(old_rate / new_rate)',
        "for velocity in optimizer.momentums: velocity.assign(velocity * (new_rate / old_rate))",
    ),
    Row(
        "sgd_weight_decay",
        "SGD with momentum: `weight_decay`",
        "None without momentum. With it the decay is multiplied by 1/(1 − μ) on the coupled side: tenfold at 0.9.",
        "for p in parameters: p.detach().mul_(1 - rate * decay)",
        "keras.layers.Dense(units, kernel_regularizer=keras.regularizers.L2(decay / 2))",
    ),
    Row("adam_learning_rate", "Adam: rate", "Otherwise one would learn faster."),
    Row(
        "adam_epsilon",
        "Adam: ε",
        "Smaller steps for weights whose gradients are as small as ε.",
        "torch.optim.Adam(parameters, eps=1e-7)",
        "keras.optimizers.Adam(epsilon=1e-8)",
    ),
    Row(
        "adam_epsilon_place",
        "Adam: ε is added",
        "On one side the first step acts as if ε were 32 times as large; that fades over some thousand steps.",
        'optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999**step) ** 0.5',
        "optimizer.epsilon = 1e-8 * (1 - 0.999**step) ** 0.5",
    ),
    Row(
        "adam_weight_decay",
        "Adam: `weight_decay`",
        "Coupled, the decay is divided by the size of the gradients, like all else: large ones all but stop it.",
        "torch.optim.AdamW(parameters, weight_decay=decay)",
        "keras.layers.Dense(units, kernel_regularizer=keras.regularizers.L2(decay / 2))",
    ),
    Row(
        "adamw_weight_decay",
        "AdamW: decay",
        "Weights shrink 2.5 times as fast on one side: training loss higher, overfitting later.",
        "torch.optim.AdamW(parameters, weight_decay=4e-3)",
        "keras.optimizers.AdamW(weight_decay=1e-2)",
    ),
    Row(
        "nadam_learning_rate",
        "NAdam: rate",
        "One curve falls twice as fast.",
        "torch.optim.NAdam(parameters, lr=1e-3)",
        "keras.optimizers.Nadam(2e-3)",
    ),
    Row(
        "rmsprop_learning_rate",
        "RMSprop: rate",
        "One side takes steps ten times as large, and may not settle.",
        "torch.optim.RMSprop(parameters, lr=1e-3)",
        "keras.optimizers.RMSprop(1e-2)",
    ),
    Row(
        "rmsprop_smoothing",
        "RMSprop: share of the old in the mean square",
        "The first step is ten times the rate with 0.99, three times with 0.9; later the longer memory is the calmer.",
        "torch.optim.RMSprop(parameters, alpha=0.9)",
        "keras.optimizers.RMSprop(rho=0.99)",
    ),
    Row(
        "rmsprop_epsilon",
        "RMSprop: ε",
        "Smaller steps where gradients are small; how small depends on the next row.",
        "torch.optim.RMSprop(parameters, eps=1e-7)",
        "keras.optimizers.RMSprop(epsilon=1e-8)",
    ),
    Row(
        "rmsprop_epsilon_place",
        "RMSprop: ε and the root",
        "Inside the root 1e-7 slows gradients below 3e-4, outside only those below 1e-7.",
        "p.detach().addcdiv_(p.grad, (square + epsilon).sqrt(), value=-rate)",
        "weight.assign_sub(rate * gradient / (tf.sqrt(square) + epsilon))",
    ),
    Row(
        "adagrad_learning_rate",
        "Adagrad: rate",
        "One curve falls up to ten times as fast.",
        "torch.optim.Adagrad(parameters, lr=1e-3)",
        "keras.optimizers.Adagrad(1e-2)",
    ),
    Row(
        "adagrad_accumulator",
        "Adagrad: where the sum of squares begins",
        "From 0 every weight's first step is the full rate; from 0.1 small gradients take small steps.",
        "torch.optim.Adagrad(parameters, initial_accumulator_value=0.1)",
        "keras.optimizers.Adagrad(initial_accumulator_value=0.0)",
    ),
    Row(
        "adagrad_epsilon",
        "Adagrad: ε",
        "Matters only to weights that have hardly had a gradient yet.",
        "torch.optim.Adagrad(parameters, eps=1e-7)",
        "keras.optimizers.Adagrad(epsilon=1e-10)",
    ),
    Row(
        "adagrad_epsilon_place",
        "Adagrad: ε and the root",
        "As with RMSprop, where the sum of squares begins at 0.",
        "p.detach().addcdiv_(p.grad, (square + epsilon).sqrt(), value=-rate)",
        "weight.assign_sub(rate * gradient / (tf.sqrt(square) + epsilon))",
    ),
    Row(
        "learning_rate_dtype",
        "rate of a float64 weight",
        "In float64 the curves agree to 8 digits and not to 15.",
        "torch.optim.SGD(parameters, lr=float(np.float32(rate)))",
        'keras.config.set_floatx("float64")',
    ),
    Row(
        "momentum_dtype",
        "momentum of a float64 weight",
        "0.9 is 0.899999976 on one side; decay and Adam's β are rounded too. Float64 curves part, by 4e-2 in an epoch.",
        "torch.optim.SGD(parameters, momentum=float(np.float32(momentum)))",
        "keras.optimizers.SGD(momentum=np.float64(momentum))",
    ),
    Row(
        "l2_gradient",
        "L2 penalty of strength λ: its gradient",
        "The same number is twice the penalty on one side. A regulariser is also part of the loss that `fit` reports.",
        "torch.optim.SGD(parameters, weight_decay=2 * strength)",
        "keras.regularizers.L2(strength / 2)",
    ),
    Row(
        "clipping_scope",
        "clipping by norm: `clip_grad_norm_` and `clipnorm` limit",
        "One by one, the step changes its direction, and in a network of many layers it is longer.",
        "for p in parameters: nn.utils.clip_grad_norm_([p], limit)",
        "keras.optimizers.SGD(global_clipnorm=limit)",
    ),
    Row(
        "clipping_denominator",
        "clipping all by one norm: the gradients are divided by",
        "A clipped step is 1e-6/norm shorter on one side: float32 curves part in the end.",
        "nn.utils.clip_grads_with_norm_(parameters, limit, nn.utils.get_total_norm(gradients) - 1e-6)",
        "[g * tf.minimum(1.0, limit / (tf.linalg.global_norm(gradients) + 1e-6)) for g in gradients]",
    ),
    Row(
        "gradients_of_two_passes",
        "gradient of a second backward pass",
        "Not zeroed, the steps grow like momentum of 1: the curve falls, then swings or diverges.",
        "optimizer.zero_grad()",
        "gradients = [old + new for old, new in zip(gradients, new_gradients, strict=True)]",
    ),
    Row("plateau_threshold", "`ReduceLROnPlateau`: threshold", "Otherwise the rate would drop at another epoch."),
    Row(
        "plateau_threshold_mode",
        "`ReduceLROnPlateau`: the threshold is",
        "At losses far below 1 the absolute one drops the rate while the curve still falls; far above 1, the other.",
        'torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, threshold_mode="abs")',
        "callback.min_delta = -1e-4 * callback.best",
    ),
    Row(
        "plateau_patience",
        "`ReduceLROnPlateau`: patience",
        "None by itself: how it is counted differs, see `ReduceLROnPlateau` above.",
    ),
    Row(
        "plateau_epochs_waited",
        "`ReduceLROnPlateau`: epochs without progress until the rate drops",
        "At the same patience the rate drops one epoch earlier on one side.",
        "torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=9)",
        "keras.callbacks.ReduceLROnPlateau(patience=11)",
    ),
    Row(
        "milestone",
        "`MultiStepLR`, stepped every batch, and `PiecewiseConstantDecay` at 3: first step, from 0, at the next rate",
        "One step more at the old rate: the curves diverge at the drop.",
        "torch.optim.lr_scheduler.MultiStepLR(optimizer, [milestone + 1])",
        "keras.optimizers.schedules.PiecewiseConstantDecay([milestone - 1], [rate, 0.1 * rate])",
    ),
)

TRAINING = (
    Row(
        "cross_entropy_input",
        "cross-entropy takes its input for",
        "Logits taken for probabilities: it hardly learns, or the loss jumps. Probabilities taken for logits: "
        "a softmax too many.",
        "F.nll_loss(probabilities.log(), labels)",
        "keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)",
    ),
    Row(
        "cross_entropy_of_a_certain_mistake",
        "cross-entropy of an example that is surely wrong: loss, largest gradient",
        "Bare probabilities are clipped at 1e-7: the loss of the worst examples is capped, and they no longer teach.",
        "F.nll_loss(probabilities.clamp(1e-7, 1 - 1e-7).log(), labels)",
        "keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)",
    ),
    Row(
        "softmax_before_the_loss",
        "a softmax layer in front of the default cross-entropy",
        "Applied twice: the loss can't fall below log(1 + (C − 1)/e), 1.46 for 10 classes, and learning is slow.",
        "F.nll_loss(F.log_softmax(logits, dim=1), labels)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.nn.softmax(logits))",
    ),
    Row(
        "class_weighted_mean",
        "mean loss with class weights",
        "Another scale of loss and gradient, from batch to batch: as if the rate differed.",
        'F.cross_entropy(logits, labels, weight=class_weights, reduction="sum") / len(labels)',
        'keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")'
        "(labels, logits, sample_weight=tf.gather(class_weights, labels))",
    ),
    Row(
        "epoch_loss",
        "loss of an epoch, as the usual loop and `fit` average it",
        "The printed curves differ where the last batch is short, though the training does not.",
        "np.average(batch_losses, weights=batch_sizes)",
        "np.mean(batch_losses)",
    ),
    Row(
        "column_against_vector",
        "squared error of predictions (B, 1) against targets (B,)",
        "The model learns the mean of the targets, and the loss stays at their variance.",
        "nn.MSELoss()(predictions.squeeze(1), targets)",
        "tf.reduce_mean((predictions - targets) ** 2)",
    ),
    Row(
        "loss_object_dtype",
        "float64 into a loss object: it computes in",
        "A float64 run whose losses and gradients carry float32 noise.",
        "nn.CrossEntropyLoss()(logits.float(), labels)",
        'keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")(labels, logits)',
    ),
    Row("loss_function_dtype", "float64 into a loss function: it computes in", "As of the loss object."),
    Row(
        "shuffling",
        "training takes arrays, unless told to shuffle",
        "Unshuffled, sorted data makes batches of one class: a jagged curve, and a worse test.",
        "DataLoader(data_set, shuffle=True)",
        "model.fit(inputs, labels, shuffle=False, verbose=0)",
    ),
    Row(
        "shuffle_reach",
        "a pipeline that shuffles draws from",
        "With data sorted by class and a small buffer, as if it had not been shuffled.",
        "DataLoader(data_set, sampler=order)",
        "pipeline.shuffle(len(pipeline))",
    ),
    Row("last_short_batch", "the last, short batch is", "Otherwise an epoch would have another number of steps."),
    Row(
        "pixel_scaling_layer",
        "pixels to [0, 1] in float64 by `v2.ToDtype(scale=True)` and `Rescaling(1 / 255)`",
        "Inputs 6e-8 of themselves apart: float64 curves agree to 8 digits at best.",
        "images.double() * float(np.float32(1 / 255))",
        "tf.image.convert_image_dtype(images, tf.float64)",
    ),
    Row(
        "pixel_scaling_function",
        "pixels to [0, 1] in float32 by `ToTensor` and `convert_image_dtype`",
        "Other last bits in 126 of 256 pixel values: float32 curves part in the end.",
        "v2.ToDtype(torch.float32, scale=True)(images)",
        "tf.cast(images, tf.float32) / 255",
    ),
    Row(
        "standard_deviation",
        "standard deviation: the squares are divided by",
        "Small, where it normalises a data set; not where it normalises a batch.",
        "values.std(correction=0)",
        "np.std(values, ddof=1)",
    ),
    Row(
        "python_in_training",
        "Python code of a model runs",
        "What is no tensor operation, a print or a NumPy random number, acts once and is frozen into the graph.",
        "torch.compile(model)",
        'model.compile("sgd", "mse", run_eagerly=True)',
    ),
    Row(
        "jit_compilation",
        "compilation just in time (`auto` is XLA where there is a GPU)",
        "Sums in another order: float32 curves part in the end. A first step that takes long.",
        "torch.compile(model)",
        'model.compile("sgd", "mse", jit_compile=False)',
    ),
    Row(
        "float32_matrix_products",
        "float32 matrix products on a GPU",
        "TF32 keeps 10 bits of mantissa, not 23: losses agree to three digits instead of seven, and curves part early.",
        'torch.set_float32_matmul_precision("high")',
        "tf.config.experimental.enable_tensor_float_32_execution(False)",
    ),
    Row(
        "float32_convolutions",
        "float32 convolutions on a GPU",
        "As of matrix products: neither computes them in full float32.",
    ),
)

SECTIONS = {"Layers": LAYERS, "Optimizers": OPTIMIZERS, "Losses, data and training": TRAINING}
ROWS = tuple(row for rows in SECTIONS.values() for row in rows)
