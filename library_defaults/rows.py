"""The rows of docs/differences.md: what each default is called, what it does to a curve, and the code that sets it.

The key of a row is the name of its probe in both frameworks. What the frameworks do is not written here: the probes
measure it. The code stands for a reader's own, with names such as `layer`, `model`, `optimizer`, `inputs`, `labels`
and `rate`. A test runs each piece.

Nothing of this project is imported here: reports quote these rows, and need nothing else from this package.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """`pytorch` is code that sets Keras's default in PyTorch, `keras` the reverse: empty where both are equal."""

    key: str
    item: str
    curve: str
    pytorch: str = ""
    keras: str = ""


LAYERS = (
    Row(
        "dense_kernel_layout",
        "kernel of a dense layer from 3 to 5",
        "Nothing by itself. A kernel carried over untransposed fits where both sizes are equal: another curve.",
        "kernel = layer.weight.detach().numpy().T",
        "weight = layer.kernel.numpy().T",
    ),
    Row(
        "dense_kernel_initialiser",
        "first weights of a dense layer",
        "Another start: the first epochs differ, and deep networks may learn faster or slower.",
        "nn.init.xavier_uniform_(layer.weight)",
        'keras.layers.Dense(units, kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"))',
    ),
    Row(
        "dense_bias_initialiser",
        "first biases of a dense layer",
        "Another first loss: the smallest difference that a start can have.",
        "nn.init.zeros_(layer.bias)",
        "keras.layers.Dense(units, bias_initializer=keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5))",
    ),
    Row(
        "embedding_initialiser",
        "first vectors of an embedding",
        "The first vectors are about 35 times as large on one side: first loss and speed of learning differ much.",
        "nn.init.uniform_(embedding.weight, -0.05, 0.05)",
        "keras.layers.Embedding(rows, width, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0))",
    ),
    Row(
        "lstm_forget_bias",
        "LSTM: first bias of the forget gate, on average",
        "At first a step keeps 73 % of the memory where it is 1, and half where it is 0: long sequences take longer.",
        "lstm.bias_ih_l0.detach()[width : 2 * width].fill_(1)",
        "keras.layers.LSTM(width, unit_forget_bias=False)",
    ),
    Row(
        "halving_padding",
        'convolution of stride 2 that halves its input, with `padding=1` and `padding="same"`: zeros are added',
        "Weights carried over see each image moved by one pixel, again in each such layer: a worse test accuracy.",
        "F.conv1d(F.pad(signal, (0, 1)), kernel, stride=2)",
        "keras.ops.conv(keras.ops.pad(signal, ((0, 0), (1, 1), (0, 0))), kernel, strides=2)",
    ),
    Row(
        "flattened_convolution",
        "the outputs of a convolution are flattened",
        "Nothing by itself. The weights of the next dense layer, carried over unchanged, meet the wrong inputs.",
        "outputs.permute(0, 2, 3, 1).flatten(1)",
        "keras.layers.Flatten()(keras.ops.transpose(outputs, (0, 3, 1, 2)))",
    ),
    Row(
        "float64_into_a_float32_layer",
        "a layer made without a dtype, given float64 inputs",
        "A float64 run is not in float64: its curve has float32 noise, and no message says so.",
        "layer(inputs.float())",
        'keras.layers.Dense(units, dtype="float64")',
    ),
    Row(
        "batch_norm_epsilon",
        "batch normalisation: ε",
        "Features of small variance are scaled up less: the training and the test curve both change.",
        "nn.BatchNorm1d(width, eps=1e-3)",
        "keras.layers.BatchNormalization(epsilon=1e-5)",
    ),
    Row(
        "batch_norm_momentum",
        "batch normalisation: the number called momentum",
        "The same number means the opposite: copied, it makes the running statistics nearly those of the last batch.",
        "nn.BatchNorm1d(width, momentum=0.01)",
        "keras.layers.BatchNormalization(momentum=0.9)",
    ),
    Row(
        "batch_norm_weight_of_the_new",
        "batch normalisation: weight of a new batch in the running statistics",
        "Where it is small, the test curve follows the training curve some hundred steps later.",
        "nn.BatchNorm1d(width, momentum=0.01)",
        "keras.layers.BatchNormalization(momentum=0.9)",
    ),
    Row(
        "batch_norm_running_variance",
        "batch normalisation: the running variance, used in tests",
        "With small batches the test curve changes: the variance is n/(n − 1) times as large. Training does not.",
        "layer.running_var.copy_(torch.lerp(before, inputs.var(0, correction=0), layer.momentum))",
        "layer.moving_variance.assign(layer.momentum * before + (1 - layer.momentum) * np.var(inputs, 0, ddof=1))",
    ),
    Row(
        "batch_norm_frozen",
        "batch normalisation in training, its parameters frozen",
        "In fine-tuning, the frozen layers of one side change with the new data, and so does its test curve.",
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
    Row("dropout_scale", "dropout: what it keeps is", "Else all that comes after it would have another size."),
    Row(
        "dropout_of_a_new_layer",
        "a dropout layer, called without saying whether this is training",
        "On in a test: the test is worse, and noisy. Off in your own training loop: the network overfits sooner.",
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
        "Another function; in one framework it is not even that of its own layer.",
        "F.leaky_relu(inputs, negative_slope=0.2)",
        "keras.activations.leaky_relu(inputs, negative_slope=0.01)",
    ),
    Row(
        "gelu_function",
        "GELU, the function",
        "Outputs differ by up to 5e-4: float32 curves diverge within a few steps.",
        'F.gelu(inputs, approximate="tanh")',
        "keras.ops.gelu(inputs, approximate=False)",
    ),
    Row(
        "relu_gradient_at_zero",
        "ReLU: gradient at 0",
        "Else units that get only zeros would learn on one side.",
    ),
)

OPTIMIZERS = (
    Row(
        "sgd_learning_rate",
        "SGD: learning rate",
        "One curve falls ten times as fast.",
        "torch.optim.SGD(parameters, lr=1e-2)",
        "keras.optimizers.SGD(1e-3)",
    ),
    Row(
        "sgd_momentum",
        "SGD with momentum: where the rate enters",
        "Nothing at a constant rate. After a change, one side still moves at the old rate for about 1/(1 − μ) steps.",
        'for p in parameters: optimizer.state[p]["momentum_buffer"].mul_(old_rate / new_rate)',
        "for velocity in optimizer.momentums: velocity.assign(velocity * (new_rate / old_rate))",
    ),
    Row(
        "sgd_weight_decay",
        "SGD with momentum: `weight_decay`",
        "Nothing without momentum. With momentum, the coupled decay is 1/(1 − μ) times as strong: 10 times at 0.9.",
        "for p in parameters: p.detach().mul_(1 - rate * decay)",
        "keras.layers.Dense(units, kernel_regularizer=keras.regularizers.L2(decay / 2))",
    ),
    Row("adam_learning_rate", "Adam: learning rate", "Else one side would learn faster."),
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
        "On one side the first step is as if ε were 32 times as large; this fades over some thousand steps.",
        'optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999**step) ** 0.5',
        "optimizer.epsilon = 1e-8 * (1 - 0.999**step) ** 0.5",
    ),
    Row(
        "adam_weight_decay",
        "Adam: `weight_decay`",
        "The coupled decay, too, is divided by the size of the gradients: large gradients nearly stop it.",
        "torch.optim.AdamW(parameters, weight_decay=decay)",
        "keras.layers.Dense(units, kernel_regularizer=keras.regularizers.L2(decay / 2))",
    ),
    Row(
        "adamw_weight_decay",
        "AdamW: decay",
        "Weights shrink 2.5 times as fast on one side: its training loss is higher, and it overfits later.",
        "torch.optim.AdamW(parameters, weight_decay=4e-3)",
        "keras.optimizers.AdamW(weight_decay=1e-2)",
    ),
    Row(
        "nadam_learning_rate",
        "NAdam: learning rate",
        "One curve falls twice as fast.",
        "torch.optim.NAdam(parameters, lr=1e-3)",
        "keras.optimizers.Nadam(2e-3)",
    ),
    Row(
        "rmsprop_learning_rate",
        "RMSprop: learning rate",
        "One side takes steps ten times as large, and may not converge.",
        "torch.optim.RMSprop(parameters, lr=1e-3)",
        "keras.optimizers.RMSprop(1e-2)",
    ),
    Row(
        "rmsprop_smoothing",
        "RMSprop: share of the old value in the mean square",
        "The first step is ten times the rate with 0.99, three times with 0.9. Later, 0.99 gives the steadier steps.",
        "torch.optim.RMSprop(parameters, alpha=0.9)",
        "keras.optimizers.RMSprop(rho=0.99)",
    ),
    Row(
        "rmsprop_epsilon",
        "RMSprop: ε",
        "Smaller steps where gradients are small; the next row decides how small.",
        "torch.optim.RMSprop(parameters, eps=1e-7)",
        "keras.optimizers.RMSprop(epsilon=1e-8)",
    ),
    Row(
        "rmsprop_epsilon_place",
        "RMSprop: ε and the root",
        "Inside the root, 1e-7 slows gradients below 3e-4; outside, only those below 1e-7.",
        "p.detach().addcdiv_(p.grad, (square + epsilon).sqrt(), value=-rate)",
        "weight.assign_sub(rate * gradient / (tf.sqrt(square) + epsilon))",
    ),
    Row(
        "adagrad_learning_rate",
        "Adagrad: learning rate",
        "One curve falls up to ten times as fast.",
        "torch.optim.Adagrad(parameters, lr=1e-3)",
        "keras.optimizers.Adagrad(1e-2)",
    ),
    Row(
        "adagrad_accumulator",
        "Adagrad: where the sum of squares begins",
        "From 0, the first step of each weight is the full rate; from 0.1, small gradients make small steps.",
        "torch.optim.Adagrad(parameters, initial_accumulator_value=0.1)",
        "keras.optimizers.Adagrad(initial_accumulator_value=0.0)",
    ),
    Row(
        "adagrad_epsilon",
        "Adagrad: ε",
        "It matters only for weights that have had almost no gradient yet.",
        "torch.optim.Adagrad(parameters, eps=1e-7)",
        "keras.optimizers.Adagrad(epsilon=1e-10)",
    ),
    Row(
        "adagrad_epsilon_place",
        "Adagrad: ε and the root",
        "As for RMSprop, where the sum of squares begins at 0.",
        "p.detach().addcdiv_(p.grad, (square + epsilon).sqrt(), value=-rate)",
        "weight.assign_sub(rate * gradient / (tf.sqrt(square) + epsilon))",
    ),
    Row(
        "learning_rate_dtype",
        "dtype of the learning rate of a float64 weight",
        "In float64 the curves agree to 8 digits, not to 15.",
        "torch.optim.SGD(parameters, lr=float(np.float32(rate)))",
        'keras.config.set_floatx("float64")',
    ),
    Row(
        "momentum_dtype",
        "dtype of the momentum of a float64 weight",
        "0.9 is 0.899999976 on one side; decay and Adam's β are rounded too. Float64 curves: 4e-2 apart in an epoch.",
        "torch.optim.SGD(parameters, momentum=float(np.float32(momentum)))",
        "keras.optimizers.SGD(momentum=np.float64(momentum))",
    ),
    Row(
        "l2_gradient",
        "L2 penalty of strength λ: its gradient",
        "The same number is twice the penalty on one side. The loss that `fit` reports includes the penalty.",
        "torch.optim.SGD(parameters, weight_decay=2 * strength)",
        "keras.regularizers.L2(strength / 2)",
    ),
    Row(
        "clipping_scope",
        "clipping by norm: `clip_grad_norm_` and `clipnorm` limit the norm of",
        "Where each is clipped by itself, the step changes its direction, and is longer in a network of many layers.",
        "for p in parameters: nn.utils.clip_grad_norm_([p], limit)",
        "keras.optimizers.SGD(global_clipnorm=limit)",
    ),
    Row(
        "clipping_denominator",
        "clipping all gradients together: they are divided by",
        "On one side a clipped step is shorter, by 1e-6/norm of itself: float32 curves diverge in the end.",
        "nn.utils.clip_grads_with_norm_(parameters, limit, nn.utils.get_total_norm(gradients) - 1e-6)",
        "[g * tf.minimum(1.0, limit / (tf.linalg.global_norm(gradients) + 1e-6)) for g in gradients]",
    ),
    Row(
        "gradients_of_two_passes",
        "the gradient of a first backward pass: that of a second",
        "Without zeroing, the steps grow as with a momentum of 1: the curve falls, then swings or diverges.",
        "optimizer.zero_grad()",
        "gradients = [old + new for old, new in zip(gradients, new_gradients, strict=True)]",
    ),
    Row("plateau_threshold", "`ReduceLROnPlateau`: threshold", "Else the rate would drop at another epoch."),
    Row(
        "plateau_threshold_mode",
        "`ReduceLROnPlateau`: the threshold is",
        "Far below 1, the absolute one drops the rate while the loss still falls; far above 1, the relative one does.",
        'torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, threshold_mode="abs")',
        "callback.min_delta = -1e-4 * callback.best",
    ),
    Row(
        "plateau_patience",
        "`ReduceLROnPlateau`: patience",
        "Nothing by itself: the frameworks count it differently, see `ReduceLROnPlateau` above.",
    ),
    Row(
        "plateau_epochs_waited",
        "`ReduceLROnPlateau`: epochs without progress until the rate drops",
        "With the same patience, the rate drops one epoch earlier on one side.",
        "torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=9)",
        "keras.callbacks.ReduceLROnPlateau(patience=11)",
    ),
    Row(
        "milestone",
        "`MultiStepLR`, stepped each batch, and `PiecewiseConstantDecay` at 3: first step, from 0, at the next rate",
        "One more step at the old rate: the curves diverge at the drop.",
        "torch.optim.lr_scheduler.MultiStepLR(optimizer, [milestone + 1])",
        "keras.optimizers.schedules.PiecewiseConstantDecay([milestone - 1], [rate, 0.1 * rate])",
    ),
)

TRAINING = (
    Row(
        "cross_entropy_input",
        "cross-entropy takes its input to be",
        "Logits taken for probabilities: the network hardly learns, or its loss jumps. Probabilities taken for logits: "
        "one softmax too many.",
        "F.nll_loss(probabilities.log(), labels)",
        "keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)",
    ),
    Row(
        "cross_entropy_of_a_certain_mistake",
        "cross-entropy of an example whose class is ruled out: loss, largest gradient",
        "Plain probabilities are clipped at 1e-7: the loss of the worst examples is limited, and they teach nothing.",
        "F.nll_loss(probabilities.clamp(1e-7, 1 - 1e-7).log(), labels)",
        "keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)",
    ),
    Row(
        "softmax_before_the_loss",
        "a softmax layer before the default cross-entropy",
        "Applied twice, the loss can't fall below log(1 + (C − 1)/e), 1.46 for 10 classes, and learning is slow.",
        "F.nll_loss(F.log_softmax(logits, dim=1), labels)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.nn.softmax(logits))",
    ),
    Row(
        "class_weighted_mean",
        "mean loss with class weights",
        "Loss and gradient have another scale, which changes from batch to batch: as if the rate differed.",
        'F.cross_entropy(logits, labels, weight=class_weights, reduction="sum") / len(labels)',
        'keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")'
        "(labels, logits, sample_weight=tf.gather(class_weights, labels))",
    ),
    Row(
        "epoch_loss",
        "loss of an epoch, as the usual loop and `fit` average it",
        "Where the last batch is short, the printed curves differ, though the training does not.",
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
        "a loss object given float64 computes in",
        "The losses and gradients of a float64 run have float32 noise.",
        "nn.CrossEntropyLoss()(logits.float(), labels)",
        'keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")(labels, logits)',
    ),
    Row("loss_function_dtype", "a loss function given float64 computes in", "Else the same as for the loss object."),
    Row(
        "shuffling",
        "training takes the examples of an array",
        "Sorted data that is not shuffled makes batches of one class: a jagged curve, and a worse test accuracy.",
        "DataLoader(data_set, shuffle=True)",
        "model.fit(inputs, labels, shuffle=False, verbose=0)",
    ),
    Row(
        "shuffle_reach",
        "a data pipeline that shuffles draws the next example from",
        "With data sorted by class and a small buffer, as if it were not shuffled.",
        "DataLoader(data_set, sampler=order)",
        "pipeline.shuffle(len(pipeline))",
    ),
    Row("last_short_batch", "the last, short batch is", "Else an epoch would have another number of steps."),
    Row(
        "pixel_scaling_layer",
        "pixels to [0, 1] in float64 by `v2.ToDtype(scale=True)` and `Rescaling(1 / 255)`",
        "Inputs differ by 6e-8 of themselves: float64 curves agree to 8 digits at best.",
        "images.double() * float(np.float32(1 / 255))",
        "tf.image.convert_image_dtype(images, tf.float64)",
    ),
    Row(
        "pixel_scaling_function",
        "pixels to [0, 1] in float32 by `ToTensor` and `convert_image_dtype`",
        "The last bits of 126 of 256 pixel values differ: float32 curves diverge in the end.",
        "v2.ToDtype(torch.float32, scale=True)(images)",
        "tf.cast(images, tf.float32) / 255",
    ),
    Row(
        "standard_deviation",
        "standard deviation: the squares are divided by",
        "Little where a data set is normalised, much where a small batch is.",
        "values.std(correction=0)",
        "np.std(values, ddof=1)",
    ),
    Row(
        "python_in_training",
        "the Python code of a model runs",
        "What is no tensor operation, a print or a NumPy random number, runs once; its value stays in the graph.",
        "torch.compile(model)",
        'model.compile("sgd", "mse", run_eagerly=True)',
    ),
    Row(
        "jit_compilation",
        "just-in-time compilation (`auto`: XLA where there is a GPU)",
        "Sums in another order: float32 curves diverge in the end. The first step takes long.",
        "torch.compile(model)",
        'model.compile("sgd", "mse", jit_compile=False)',
    ),
    Row(
        "float32_matrix_products",
        "float32 matrix products on a GPU",
        "TF32 keeps 10 bits of mantissa, not 23: losses agree to three digits, not seven, and curves diverge early.",
        'torch.set_float32_matmul_precision("high")',
        "tf.config.experimental.enable_tensor_float_32_execution(False)",
    ),
    Row(
        "float32_convolutions",
        "float32 convolutions on a GPU",
        "As for matrix products: neither framework computes them in full float32.",
    ),
)

SECTIONS = {"Layers": LAYERS, "Optimizers": OPTIMIZERS, "Losses, data and training": TRAINING}
ROWS = tuple(row for rows in SECTIONS.values() for row in rows)
